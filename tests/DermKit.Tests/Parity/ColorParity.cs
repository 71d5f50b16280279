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

[Takes("color_*.safetensors")]
public sealed class ColorParity
{
    public static TheoryData<string> Files => Fixtures.Named("color_*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void EveryTensorOfTheFileAgrees(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        RgbImage image = file.Image("base");
        Tensor floats = Images.Floats(image);
        float[] chain = FixtureReadme.Chain(name);
        foreach (string key in file.Entries.Keys)
        {
            Match match = Regex.Match(key, @"^(?:(pil|tensor)_([a-z]+)(\d+)?(?:_k(\d+)_s([\d.]+)|_(-?[\d.]+))?|base)$");
            Assert.True(match.Success, $"{name}: no rule for '{key}'.");
            if (key == "base") continue;
            string operation = match.Groups[2].Value;
            float factor = match.Groups[6].Success
                ? float.Parse(match.Groups[6].Value, CultureInfo.InvariantCulture) : 0;
            if (match.Groups[1].Value == "pil")
            {
                Images.Same(operation switch
                {
                    "brightness" => PillowColor.Brightness(image, factor),
                    "contrast" => PillowColor.Contrast(image, factor),
                    "saturation" => PillowColor.Saturation(image, factor),
                    "hue" => PillowColor.Hue(image, factor),
                    "chain" =>
                        PillowColor.Hue(
                            PillowColor.Saturation(PillowColor.Contrast(PillowColor.Brightness(image, chain[0]),
                                chain[1]), chain[2]), chain[3]),
                    "gray" => PillowColor.Grayscale(image),
                    "blur" => PillowBlur.Gaussian(image, factor),
                    "solarize" =>
                        PillowColor.Solarize(image, int.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture)),
                    "hflip" => PillowColor.FlipHorizontal(image),
                    _ => throw new KitException($"{name}: no rule for '{key}'."),
                }, file.Image(key), key);
                if (operation == "solarize")
                    Images.Same(Bytes(ViewTensors.Changed(floats, Solarize.Apply)), file.Image(key), key);
                if (operation == "gray")
                    Images.Same(Bytes(ViewTensors.Jittered(floats, (Jitter.Saturation, 0))), file.Image(key),
                        key, levels: 1);
                continue;
            }
            float sigma = match.Groups[5].Success
                ? float.Parse(match.Groups[5].Value, CultureInfo.InvariantCulture) : 0;
            int half = match.Groups[4].Success ? int.Parse(match.Groups[4].Value, CultureInfo.InvariantCulture) / 2 : 0;
            // The augmentation, and the expression that other tests compare it with.
            Tensor[] both = operation switch
            {
                "brightness" =>
                    [ViewTensors.Jittered(floats, (Jitter.Brightness, factor)), TorchColor.Brightness(floats, factor)],
                "contrast" =>
                    [ViewTensors.Jittered(floats, (Jitter.Contrast, factor)), TorchColor.Contrast(floats, factor)],
                "saturation" =>
                    [ViewTensors.Jittered(floats, (Jitter.Saturation, factor)), TorchColor.Saturation(floats, factor)],
                "hue" => [ViewTensors.Jittered(floats, (Jitter.Hue, factor)), TorchColor.Hue(floats, factor)],
                "blur" => [ViewTensors.Changed(floats, view => GaussianBlur.Apply(view, sigma, half)),
                    TorchColor.GaussianBlur(floats, sigma, half)],
                _ => throw new KitException($"{name}: no rule for '{key}'."),
            };
            // Stored in half precision, whose rounding error is up to 2^-11 of a value.
            Tensor stored = file.Load(key).to(float64);
            foreach (Tensor ours in both)
            {
                Assert.Equal(stored.shape, ours[0].shape);
                double excess = ((ours[0] - stored).abs() - stored.abs() / Kept(2048)).max().item<double>(),
                    largest = stored.abs().max().item<double>();
                Assert.True(excess <= 1e-5 * largest,
                    $"{key}: a value is off by {excess:g3} more than half precision explains, at a largest of "
                    + $"{largest:g3}.");
            }
        }
    }

    private static RgbImage Bytes(Tensor image) =>
        new((int)image.shape[3], (int)image.shape[2],
            image.mul(Kept(255)).round().to(uint8).permute(0, 2, 3, 1).contiguous().bytes.ToArray());
}

[Takes("random_resized_crop_statistics*.json")]
public sealed class RandomResizedCropParity
{
    public static TheoryData<string> Files => Fixtures.Named("random_resized_crop_statistics*.json");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void BoxesAreDrawnFromTheSameDistribution(string name)
    {
        foreach (JsonElement entry in JsonDocument.Parse(File.ReadAllText(Fixtures.PathOf(name))).RootElement
            .EnumerateArray())
        {
            int width = entry.GetProperty("width").GetInt32(), height = entry.GetProperty("height").GetInt32();
            JsonElement scale = entry.GetProperty("scale"), ratio = entry.GetProperty("ratio");
            var crop = new RandomResizedCrop(scale[0].GetDouble(),
                scale[1].GetDouble())
            {
                MinRatio = ratio[0].GetDouble(),
                MaxRatio = ratio[1].GetDouble()
            };
            CropBox[] boxes = [.. Enumerable.Range(0, 100_000).Select(i =>
            {
                var random = new ImageRandom(7, i / 1000, i % 1000);
                return crop.Draw(width, height, ref random);
            })];
            Assert.All(boxes,
                b => Assert.True(b.Top >= 0 && b.Left >= 0 && b.Top + b.Height <= height && b.Left + b.Width <= width));
            double[] areas = [.. boxes.Select(b => (double)b.Width * b.Height / ((double)width * height)).Order()];
            double[] aspects = [.. boxes.Select(b => (double)b.Width / b.Height).Order()];
            void Near(double actual, double expected, double tolerance, string what) =>
                Assert.True(Math.Abs(actual - expected) <= tolerance,
                    $"{name} scale {scale}: {what} is {actual:g5}, expected {expected:g5} within {tolerance:g3}.");
            // Both sides are random draws: four standard errors of the difference, where that is
            // more than the 2 % of the README.
            double spread = 4 * Math.Sqrt((1.0 / entry.GetProperty("draws").GetInt32()) + (1.0 / boxes.Length));
            foreach ((string what, Func<CropBox, double> of) in new (string, Func<CropBox, double>)[]
            {
                ("top", b => b.Top), ("left", b => b.Left)
            })
            {
                double mean = boxes.Average(of),
                    deviation = Math.Sqrt(boxes.Average(b => (of(b) - mean) * (of(b) - mean)));
                Near(mean, entry.GetProperty(what + "_mean").GetDouble(), spread * deviation, "mean " + what);
            }
            foreach ((string what, double[] values) in new[] { ("area", areas), ("aspect", aspects) })
            {
                double expectedMean = entry.GetProperty(what + "_mean").GetDouble();
                Near(values.Average(), expectedMean, 0.02 * expectedMean, "mean " + what);
                foreach (JsonProperty quantile in entry.GetProperty(what + "_quantiles").EnumerateObject())
                {
                    double share = double.Parse(quantile.Name, CultureInfo.InvariantCulture),
                        expected = quantile.Value.GetDouble(), reach = spread * Math.Sqrt(share * (1 - share));
                    double At(double rank) => values[(int)(Math.Clamp(rank, 0, 1) * (values.Length - 1))];
                    double tolerance = (0.02 * expected) + (2.0 / (width * height));
                    Near(At(share), expected,
                        Math.Max(tolerance, Math.Max(At(share + reach) - At(share), At(share) - At(share - reach))),
                        $"{what} quantile {quantile.Name}");
                }
            }
        }
    }
}
