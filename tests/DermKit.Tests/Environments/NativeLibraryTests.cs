using TorchSharp;

namespace DermKit.Tests.Environments;

public sealed class NativeLibraryTests
{
    [Fact]
    public void TorchLoadsInTheTestHost() => Assert.Equal(6f, torch.tensor(new[] { 1f, 2f, 3f }).sum().item<float>());
}
