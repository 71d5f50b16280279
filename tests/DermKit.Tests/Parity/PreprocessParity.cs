using DermKit.Imaging;
using DermKit.Models.Weights;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("paper_transform_*.safetensors")]
public sealed class PaperTransformParity
{
    public static TheoryData<string> Files => Fixtures.Named("paper_transform_*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void DefaultTransformIsThePapers(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        RgbImage picture = Pictures.Of(name);
        var transform = new EvalTransform();
        Assert.Equal((transform.Resize, transform.Resize, transform.Crop), (config.GetProperty("resize")[1].GetInt32(), config.GetProperty("resize")[0].GetInt32(), config.GetProperty("crop").GetInt32()));
        Assert.Equal(transform.Filter.ToString(), config.GetProperty("interpolation").GetString(), ignoreCase: true);
        RgbImage cropped = transform.Apply(picture);
        Pictures.Same(PillowResize.Resize(picture, transform.Resize, transform.Resize, transform.Filter), file.Picture("resized"), "resized");
        Pictures.Same(cropped, file.Picture("cropped"), "cropped");
        Fixtures.Close(transform.Normalise(Pictures.Bytes(cropped))[0], file.Load("normalised"), 1e-6, "normalised");
        Assert.Equal(["cropped", "normalised", "resized"], file.Entries.Keys.Order());
    }
}
