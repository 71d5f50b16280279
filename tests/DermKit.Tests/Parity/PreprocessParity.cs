using DermKit.Imaging;
using DermKit.Models;
using DermKit.Tests.Imaging;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorchSharp;
using static DermKit.KeptScalar;
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
        RgbImage image = Images.Of(name);
        int[] sides = [.. config.GetProperty("resize").EnumerateArray().Select(e => e.GetInt32())];
        Assert.Equal(sides[0], sides[1]);
        var transform = new EvalTransform
        {
            Resize = sides[0],
            Filter = Enum.Parse<ResizeFilter>(config.GetProperty("interpolation").GetString()!, ignoreCase: true),
            Crop = config.GetProperty("crop").GetInt32(),
        };
        RgbImage cropped = transform.Apply(image);
        Images.Same(transform.Scale(image), file.Image("resized"), "resized");
        Images.Same(cropped, file.Image("cropped"), "cropped");
        Fixtures.Close(transform.Normalise(Images.Bytes(cropped))[0], file.Load("normalised"), 1e-5, "normalised");
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
        RgbImage image = Images.Of(name);
        Assert.NotEmpty(file.Entries);
        foreach (string key in file.Entries.Keys) Check(key);

        void Check(string key)
        {
            if (Regex.Match(key, @"^resize(\d+)_(bicubic|bilinear)$") is { Success: true } resize)
            {
                RgbImage stored = file.Image(key);
                Assert.Equal(Number(resize), Math.Min(stored.Width, stored.Height));
                Images.Same((EvalTransform.Dino with { Resize = Number(resize), Filter = Filter(resize.Groups[2]) })
                    .Scale(image), stored, key);
            }
            else if (Regex.Match(key, @"^crop(\d+)_(bicubic|bilinear)$") is { Success: true } crop)
                Images.Same((EvalTransform.Dino with { Crop = Number(crop), Filter = Filter(crop.Groups[2]) })
                    .Apply(image), file.Image(key), key);
            else if (Regex.Match(key, @"^clip_crop(\d+)$") is { Success: true } clip)
                Images.Same((EvalTransform.Clip with { Resize = Number(clip), Crop = Number(clip) }).Apply(image),
                    file.Image(key), key);
            else if (key is "eval_tensor_rows" or "clip_tensor_rows")
            {
                Tensor expected = file.Load(key);
                int side = (int)expected.shape[2];
                // CLIP scales to the size that it crops; DINO scales to 256 whatever the crop.
                EvalTransform transform = key == "clip_tensor_rows"
                    ? EvalTransform.Clip with { Resize = side, Crop = side } : EvalTransform.Dino with { Crop = side };
                string statistics = key == "clip_tensor_rows" ? "clip" : "imagenet";
                Assert.Equal(Numbers(config, statistics + "_mean"),
                    new[] { transform.Mean.R, transform.Mean.G, transform.Mean.B });
                Assert.Equal(Numbers(config, statistics + "_std"),
                    new[] { transform.Std.R, transform.Std.G, transform.Std.B });
                Tensor all = transform.Normalise(Images.Bytes(transform.Apply(image)))[0];
                long step = all.shape[1] / expected.shape[1];
                Fixtures.Close(all.index_select(1, arange(Kept(0), Kept(expected.shape[1])) * Kept(step)), expected,
                    1e-5, key);
            }
            else if (Regex.Match(key, @"^tensor_resize(\d+)_(bicubic|bilinear)_(no)?antialias$")
                is { Success: true } resized)
            {
                Tensor floats = Images.Floats(image);
                Tensor ours = Cropped(image, new(0, 0, image.Height, image.Width), Number(resized),
                    Filter(resized.Groups[2]))[0];
                if (resized.Groups[3].Success)
                {
                    // Stored to tell the two apart: plain interpolation it is, and ours it must not be.
                    InterpolationMode mode = resized.Groups[2].Value == "bicubic" ? InterpolationMode.Bicubic
                        : InterpolationMode.Bilinear;
                    Fixtures.Close(nn.functional.interpolate(floats, [Number(resized), Number(resized)], mode: mode,
                        align_corners: false)[0], file.Load(key), 1e-5, key);
                    Assert.True(Fixtures.RelativeError(ours, file.Load(key)) > 0.01,
                        $"{key}: the antialiased result should differ.");
                }
                // Bicubic weights overshoot at hard edges; a view is clipped.
                else Fixtures.Close(ours, file.Load(key).clamp(Kept(0), Kept(1)), 1e-5, key);
            }
            else if (Regex.IsMatch(key, @"^resized_crop_\d+$"))
                ResizedCrop(name, key, image, file.Image(key));
            else Assert.Fail($"{name}: no rule for '{key}'.");
        }
    }

    private static void ResizedCrop(string name, string key, RgbImage image, RgbImage expected)
    {
        CropBox[] boxes = [.. FixtureReadme.Boxes(name, key)
            .Where(b => b.Left + b.Width <= image.Width && b.Top + b.Height <= image.Height)];
        RgbImage Exact(CropBox b) => PillowResize.Resize(image.Crop(b.Left, b.Top, b.Width, b.Height), expected.Width,
            expected.Height, ResizeFilter.Bicubic);
        CropBox[] matching = [.. boxes.Where(b => Exact(b).Pixels.SequenceEqual(expected.Pixels)).Take(1)];
        if (matching.Length == 0 && !FixtureReadme.Describes(name, key))
        {
            Fixtures.Print($"{name}: {key} is not compared, because the folder's README does not say its box and none "
                + $"of {boxes.Length} known boxes reproduces it.");
            return;
        }
        Assert.NotEmpty(boxes);
        CropBox box = matching.FirstOrDefault(boxes[0]);
        Images.Same(Exact(box), expected, $"{key} {box}");

        // The float path of views, brought to 8 bits: at most 0.3 of a level on average.
        Tensor floats = Cropped(image, box, expected.Width, ResizeFilter.Bicubic).mul_(Kept(255)).round_();
        double error = (floats.permute(0, 2, 3, 1) - Images.Bytes(expected)).abs().mean().item<float>();
        Assert.True(error <= 0.3, $"{key}: the float path is off by {error:g3} levels on average.");
    }

    private static Tensor Cropped(RgbImage image, CropBox box, int size, ResizeFilter filter) =>
        ViewTensors.Crop(Images.Bytes(image).permute(0, 3, 1, 2), box, size, filter);

    private static int Number(Match match) => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

    private static ResizeFilter Filter(Group group) => Enum.Parse<ResizeFilter>(group.Value, ignoreCase: true);

    private static float[] Numbers(JsonElement config, string key) =>
        [.. config.GetProperty(key).EnumerateArray().Select(e => e.GetSingle())];
}

/// <summary>What stands in the tables of the fixtures' README only: crop boxes and a few factors.</summary>
internal static class FixtureReadme
{
    private const string Chains =
        @"\| pil_chain \|.*brightness ([\d.]+), contrast ([\d.]+), saturation ([\d.]+), hue (-?[\d.]+)";

    /// <summary>The folder's README, then the shipped one.</summary>
    private static string[] Texts => [.. new[] { Fixtures.Folder, Fixtures.Shipped }.Distinct()
        .Select(f => Path.Combine(f, "README.md")).Where(File.Exists).Select(File.ReadAllText)];

    /// <summary>Whether the folder's README has a box for this key of this file.</summary>
    public static bool Describes(string name, string key) =>
        File.Exists(Fixtures.PathOf("README.md"))
            && Rows(Section(File.ReadAllText(Fixtures.PathOf("README.md")), name), Regex.Escape(key)).Any();

    /// <summary>Boxes that a crop may have, likeliest first: the file's own row, rows of
    /// the same key, all rows.</summary>
    public static CropBox[] Boxes(string name, string key) =>
    [
        .. Texts.SelectMany(t => Rows(Section(t, name), Regex.Escape(key)))
            .Concat(Texts.SelectMany(t => Rows(t, Regex.Escape(key))))
            .Concat(Texts.SelectMany(t => Rows(t, "[^|]*"))).Distinct(),
    ];

    /// <summary>The factors of the row that describes a chain: brightness, contrast, saturation, hue.</summary>
    public static float[] Chain(string name)
    {
        Match match = Texts.SelectMany(t => new[] { Section(t, name), t }).Select(t => Regex.Match(t, Chains))
            .First(m => m.Success);
        return [.. match.Groups.Values.Skip(1).Select(g => float.Parse(g.Value, CultureInfo.InvariantCulture))];
    }

    /// <summary>C of the fit on standardised features, from the file's own row; 0.1 without one.</summary>
    public static double ScaledC(string name)
    {
        Match match = Texts.Take(File.Exists(Fixtures.PathOf("README.md")) ? 1 : 0)
            .Select(t => Regex.Match(Section(t, name), @"\| scaled\.coef \|.*""C"": ([\d.eE+-]+)"))
            .FirstOrDefault(Match.Empty);
        return match.Success ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0.1;
    }

    /// <summary>The part of a README under the heading that names the file.</summary>
    private static string Section(string text, string name) =>
        string.Concat(text.Split("\n## ").Where(s => s.Split('\n')[0].Trim().Split(", ").Contains(name)));

    private static IEnumerable<CropBox> Rows(string text, string key) =>
        Regex.Matches(text, $@"\| {key} \|.*box top=(\d+) left=(\d+) h=(\d+) w=(\d+)")
            .Select(m => new CropBox(Int(m, 1), Int(m, 2), Int(m, 3), Int(m, 4)));

    private static int Int(Match match, int group) =>
        int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);
}
