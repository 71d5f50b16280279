using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

public sealed class MultiCropTests
{
    private static readonly DinoOptions Options = TinyPretraining.Options;

    private static Tensor Images()
    {
        using var generator = new Generator(4, CPU);
        return randint(0, 256, [6, 3, 48, 48], uint8, generator: generator);
    }

    [Fact]
    public void ViewsOfAnImageDependOnItsNumberNotOnItsBatch()
    {
        using var scope = NewDisposeScope();
        Tensor images = Images();
        var crops = new MultiCrop(Options);
        int[] ids = [10, 11, 12, 13, 14, 15], some = [4, 0, 3];
        using Views all = crops.Make(images, ids, 2),
            few = crops.Make(images.index_select(0, tensor(some.Select(i => (long)i).ToArray())),
                [.. some.Select(i => ids[i])], 2);
        for (int view = 0; view < 2; view++)
            for (int i = 0; i < some.Length; i++)
            {
                Assert.True(few.Globals[view * 3 + i].Equals(all.Globals[view * 6 + some[i]]),
                    $"global {view} of image {ids[some[i]]} is another one in another batch");
                Assert.True(few.Locals![view * 3 + i].Equals(all.Locals![view * 6 + some[i]]),
                    $"local {view} of image {ids[some[i]]} is another one in another batch");
            }
    }

    [Fact]
    public void SeedEpochNumberAndViewEachChangeTheDraw()
    {
        using var scope = NewDisposeScope();
        Tensor images = Images().narrow(0, 0, 1);
        Tensor Global(int seed, int epoch, int id) =>
            new MultiCrop(Options with { Seed = seed }).Make(images, [id], epoch).Globals;
        Tensor first = Global(1, 0, 0);
        Assert.True(first.Equals(Global(1, 0, 0)));
        Assert.False(first[0].Equals(first[1]));
        foreach (Tensor other in new[] { Global(2, 0, 0), Global(1, 1, 0), Global(1, 0, 1) })
            Assert.False(first.Equals(other));
    }

    [Fact]
    public void ViewsAreNormalisedImagesOfTheAskedSizes()
    {
        using var scope = NewDisposeScope();
        using Views views = new MultiCrop(Options with { LocalCrops = 3 }).Make(Images(), [0, 1, 2, 3, 4, 5], 0);
        Assert.Equal([12, 3, 32, 32], views.Globals.shape);
        Assert.Equal([18, 3, 16, 16], views.Locals!.shape);
        // 0 and 1 in ImageNet's units, over the channels.
        foreach (Tensor part in new[] { views.Globals, views.Locals })
            Assert.InRange(part.min().item<float>(), -2.12, part.max().item<float>());
        Assert.InRange(views.Globals.max().item<float>(), 1, 2.641);
        using Views none = new MultiCrop(Options with { LocalCrops = 0 }).Make(Images(), [0, 1, 2, 3, 4, 5], 0);
        Assert.Null(none.Locals);
        Assert.Throws<ArgumentException>(() => new MultiCrop(Options).Make(Images(), [0, 1], 0));
    }
}
