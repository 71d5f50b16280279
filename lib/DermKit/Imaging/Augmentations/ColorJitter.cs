using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>
/// The colour half of a self-supervised view on a batch: jitter in an order of its own, grayscale, blur, solarise, each drawn for each image
/// (facebookresearch/dino, DataAugmentationDINO).
/// </summary>
public sealed record ColorJitter
{
    /// <summary>Chance that an image is jittered at all.</summary>
    public double Chance { get; init; } = 0.8;

    /// <summary>Brightness factors lie in 1 - b to 1 + b.</summary>
    public double Brightness { get; init; } = 0.4;

    /// <summary>Contrast factors lie in 1 - c to 1 + c.</summary>
    public double Contrast { get; init; } = 0.4;

    /// <summary>Saturation factors lie in 1 - s to 1 + s.</summary>
    public double Saturation { get; init; } = 0.2;

    /// <summary>Hue shifts lie in -h to h, in turns.</summary>
    public double Hue { get; init; } = 0.1;

    /// <summary>Chance of grey.</summary>
    public double Grayscale { get; init; } = 0.2;

    /// <summary>Chance of blur.</summary>
    public double Blur { get; init; } = 0.5;

    /// <summary>Largest standard deviation of the blur in pixels; the smallest is a twentieth of it.</summary>
    public double BlurMax { get; init; } = 2;

    /// <summary>Chance of solarisation from half brightness up.</summary>
    public double Solarize { get; init; }

    /// <summary>
    /// Taps on each side of the blur's centre for images of this side: three of the largest standard deviation. What a longer kernel adds, such as
    /// the 23 taps of SimCLR's code for a deviation of up to 2, weighs under 0.3 %.
    /// </summary>
    internal int BlurReach(long side) => (int)Math.Min((long)Math.Ceiling(3 * BlurMax), side / 2);

    /// <summary>Draws for one image.</summary>
    /// <param name="random">Advanced, by as much whatever comes out.</param>
    public ColorDraw Draw(ref ImageRandom random)
    {
        bool jitter = random.Uniform() < Chance;
        float Around(ref ImageRandom r, double centre, double spread) => r.Uniform(centre - spread, centre + spread) is var drawn && jitter ? (float)drawn : (float)centre;
        float brightness = Around(ref random, 1, Brightness), contrast = Around(ref random, 1, Contrast), saturation = Around(ref random, 1, Saturation), hue = Around(ref random, 0, Hue);
        bool grey = random.Uniform() < Grayscale, blur = random.Uniform() < Blur;
        double sigma = random.Uniform(BlurMax / 20, BlurMax);
        return new(brightness, contrast, saturation, hue, grey, blur ? (float)sigma : 0, random.Uniform() < Solarize, random.Integer(ColorDraw.Orders.Count));
    }

    /// <summary>New images by draws that are made already.</summary>
    /// <param name="images">Float [B, 3, H, W] in 0 to 1.</param>
    /// <param name="draws">One for each image.</param>
    public Tensor Apply(Tensor images, IReadOnlyList<ColorDraw> draws)
    {
        using var scope = NewDisposeScope();
        Tensor result = images.clone();
        for (int place = 0; place < 4; place++)
            foreach (Jitter kind in Enum.GetValues<Jitter>())
            {
                long[] rows = [.. Enumerable.Range(0, draws.Count).Where(i => ColorDraw.Orders[draws[i].Order][place] == kind && draws[i].Of(kind) != ColorDraw.Neutral(kind)).Select(i => (long)i)];
                if (rows.Length == 0) continue;
                using var step = NewDisposeScope();
                Tensor where = tensor(rows, device: images.device), factors = tensor([.. rows.Select(i => draws[(int)i].Of(kind))], device: images.device), some = result.index(TensorIndex.Tensor(where));
                result.index_copy_(0, where, kind switch
                {
                    Jitter.Brightness => TensorColor.Brightness(some, factors),
                    Jitter.Contrast => TensorColor.Contrast(some, factors),
                    Jitter.Saturation => TensorColor.Saturation(some, factors),
                    _ => TensorColor.Hue(some, factors),
                });
            }
        if (draws.Any(d => d.Grey)) Next(TensorColor.Saturation(result, tensor([.. draws.Select(d => d.Grey ? 0f : 1f)], device: images.device)));
        // A standard deviation this small leaves one tap of weight 1: the image as it is.
        if (draws.Any(d => d.Blur > 0)) Next(TensorColor.GaussianBlur(result, tensor([.. draws.Select(d => d.Blur > 0 ? d.Blur : 1e-3f)], device: images.device), (2 * BlurReach(images.shape[^1])) + 1));
        if (draws.Any(d => d.Solarized)) Next(TensorColor.Select(tensor([.. draws.Select(d => d.Solarized)], device: images.device), TensorColor.Solarize(result), result));
        return result.MoveToOuterDisposeScope();

        void Next(Tensor changed)
        {
            result.Dispose();
            result = changed;
        }
    }
}
