using DermKit.Imaging;
using DermKit.Models.Weights;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("paper_transform_*.safetensors")]
public sealed class PaperTransformParity
{
    public static TheoryData<string> Files => Fixtures.Named("paper_transform_*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void TheTransformIsThePapers(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        RgbImage picture = Pictures.Of(name);
        int[] sides = [.. config.GetProperty("resize").EnumerateArray().Select(e => e.GetInt32())];
        Assert.Equal(sides[0], sides[1]);
        var transform = new EvalTransform
        {
            Resize = sides[0],
            Filter = Enum.Parse<ResizeFilter>(config.GetProperty("interpolation").GetString()!, ignoreCase: true),
            Crop = config.GetProperty("crop").GetInt32(),
        };
        RgbImage cropped = transform.Apply(picture);
        Pictures.Same(transform.Scale(picture), file.Picture("resized"), "resized");
        Pictures.Same(cropped, file.Picture("cropped"), "cropped");
        Fixtures.Close(transform.Normalise(Pictures.Bytes(cropped))[0], file.Load("normalised"), 1e-5, "normalised");
        Assert.Equal(["cropped", "normalised", "resized"], file.Entries.Keys.Order());
    }
}

[Takes("preprocess_*.safetensors")]
public sealed class PreprocessParity
{
    public static TheoryData<string> Files => Fixtures.Named("preprocess_*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void EveryTensorOfTheFileAgrees(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        RgbImage picture = Pictures.Of(name);
        Assert.NotEmpty(file.Entries);
        foreach (string key in file.Entries.Keys) Check(key);

        void Check(string key)
        {
            if (Regex.Match(key, @"^resize(\d+)_(bicubic|bilinear)$") is { Success: true } resize)
            {
                RgbImage stored = file.Picture(key);
                Assert.Equal(Number(resize), Math.Min(stored.Width, stored.Height));
                Pictures.Same((EvalTransform.Dino with { Resize = Number(resize), Filter = Filter(resize.Groups[2]) }).Scale(picture), stored, key);
            }
            else if (Regex.Match(key, @"^crop(\d+)_(bicubic|bilinear)$") is { Success: true } crop)
                Pictures.Same((EvalTransform.Dino with { Crop = Number(crop), Filter = Filter(crop.Groups[2]) }).Apply(picture), file.Picture(key), key);
            else if (Regex.Match(key, @"^clip_crop(\d+)$") is { Success: true } clip)
                Pictures.Same((EvalTransform.Clip with { Resize = Number(clip), Crop = Number(clip) }).Apply(picture), file.Picture(key), key);
            else if (key is "eval_tensor_rows" or "clip_tensor_rows")
            {
                EvalTransform transform = key == "clip_tensor_rows" ? EvalTransform.Clip : EvalTransform.Dino;
                string statistics = key == "clip_tensor_rows" ? "clip" : "imagenet";
                Assert.Equal(Numbers(config, statistics + "_mean"), new[] { transform.Mean.R, transform.Mean.G, transform.Mean.B });
                Assert.Equal(Numbers(config, statistics + "_std"), new[] { transform.Std.R, transform.Std.G, transform.Std.B });
                Tensor expected = file.Load(key), all = (transform with { Crop = (int)expected.shape[2] }).Normalise(Pictures.Bytes((transform with { Crop = (int)expected.shape[2] }).Apply(picture)))[0];
                long step = all.shape[1] / expected.shape[1];
                Fixtures.Close(all.index_select(1, arange(0, expected.shape[1]) * step), expected, 1e-5, key);
            }
            else if (Regex.Match(key, @"^tensor_resize(\d+)_(bicubic|bilinear)_(no)?antialias$") is { Success: true } resized)
            {
                Tensor floats = Pictures.Floats(picture);
                Tensor ours = TensorCrop.ResizedCrop(floats, [new(0, 0, picture.Height, picture.Width)], Number(resized), Filter(resized.Groups[2]))[0];
                if (resized.Groups[3].Success)
                {
                    // Stored to tell the two apart: plain interpolation it is, and ours it must not be.
                    InterpolationMode mode = resized.Groups[2].Value == "bicubic" ? InterpolationMode.Bicubic : InterpolationMode.Bilinear;
                    Fixtures.Close(nn.functional.interpolate(floats, [Number(resized), Number(resized)], mode: mode, align_corners: false)[0], file.Load(key), 1e-5, key);
                    Assert.True(Fixtures.RelativeError(ours, file.Load(key)) > 0.01, $"{key}: the antialiased result should differ.");
                }
                else Fixtures.Close(ours, file.Load(key), 1e-5, key);
            }
            else if (Regex.IsMatch(key, @"^resized_crop_\d+$"))
                ResizedCrop(name, key, picture, file.Picture(key));
            else Assert.Fail($"{name}: no rule for '{key}'.");
        }
    }

    private static void ResizedCrop(string name, string key, RgbImage picture, RgbImage expected)
    {
        CropBox[] boxes = [.. FixtureReadme.Boxes(name, key).Where(b => b.Left + b.Width <= picture.Width && b.Top + b.Height <= picture.Height)];
        Assert.NotEmpty(boxes);
        RgbImage Exact(CropBox b) => PillowResize.Resize(picture.Crop(b.Left, b.Top, b.Width, b.Height), expected.Width, expected.Height, ResizeFilter.Bicubic);
        CropBox box = boxes.FirstOrDefault(b => Exact(b).Pixels.SequenceEqual(expected.Pixels), boxes[0]);
        Pictures.Same(Exact(box), expected, $"{key} {box}");

        // The batched path in float, brought to 8 bits: at most 0.3 of a level on average.
        Tensor floats = TensorCrop.ResizedCrop(Pictures.Floats(picture), [box], expected.Width).mul_(255).round_().clamp_(0, 255);
        double error = (floats.permute(0, 2, 3, 1) - Pictures.Bytes(expected)).abs().mean().item<float>();
        Assert.True(error <= 0.3, $"{key}: the float path is off by {error:g3} levels on average.");
    }

    private static int Number(Match match) => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

    private static ResizeFilter Filter(Group group) => Enum.Parse<ResizeFilter>(group.Value, ignoreCase: true);

    private static float[] Numbers(JsonElement config, string key) => [.. config.GetProperty(key).EnumerateArray().Select(e => e.GetSingle())];
}

/// <summary>Crop boxes stand in the table of the fixtures' README only.</summary>
internal static class FixtureReadme
{
    private static string Shipped => Path.Combine(KitSettings.FromEnvironment().Root, "tests", "DermKit.Tests", "Parity", "fixtures", "README.md");

    /// <summary>The box of a file's row; where the folder's README does not name the file, those of the same key in any file.</summary>
    public static CropBox[] Boxes(string name, string key)
    {
        string[] readmes = [.. new[] { Fixtures.PathOf("README.md"), Shipped }.Where(File.Exists).Select(File.ReadAllText)];
        CropBox[] own = [.. readmes.SelectMany(text => text.Split("\n## ")).Where(s => s.Split('\n')[0].Split(", ").Contains(name)).SelectMany(s => Rows(s, key))];
        return own.Length > 0 ? own : [.. readmes.SelectMany(text => Rows(text, key)).Distinct()];
    }

    /// <summary>The factors of the row that describes a chain: brightness, contrast, saturation, hue.</summary>
    public static float[] Chain()
    {
        Match match = Regex.Match(File.ReadAllText(File.Exists(Fixtures.PathOf("README.md")) ? Fixtures.PathOf("README.md") : Shipped),
            @"\| pil_chain \|.*brightness ([\d.]+), contrast ([\d.]+), saturation ([\d.]+), hue (-?[\d.]+)");
        return [.. match.Groups.Values.Skip(1).Select(g => float.Parse(g.Value, CultureInfo.InvariantCulture))];
    }

    private static IEnumerable<CropBox> Rows(string text, string key) =>
        Regex.Matches(text, $@"\| {Regex.Escape(key)} \|.*box top=(\d+) left=(\d+) h=(\d+) w=(\d+)").Select(m => new CropBox(Int(m, 1), Int(m, 2), Int(m, 3), Int(m, 4)));

    private static int Int(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);
}
