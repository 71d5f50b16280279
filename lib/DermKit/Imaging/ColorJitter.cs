using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Imaging;

/// <summary>
/// The colour half of a self-supervised view on a batch: jitter, grayscale, blur, solarise, each drawn for each picture
/// (facebookresearch/dino, DataAugmentationDINO). The order of the four jitters is drawn once for a batch where torchvision
/// draws it for each picture, so that each is one operation for all.
/// </summary>
public sealed record ColorJitter
{
    /// <summary>Chance that a picture is jittered at all.</summary>
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

    /// <summary>Taps on each side of the blur's centre for pictures of this side.</summary>
    internal int BlurReach(long side) => (int)Math.Min((long)Math.Ceiling(3 * BlurMax), side / 2);

    /// <summary>Draws for one picture.</summary>
    /// <param name="random">Advanced, by as much whatever comes out.</param>
    public ColorDraw Draw(ref ImageRandom random)
    {
        bool jitter = random.Uniform() < Chance;
        float Around(ref ImageRandom r, double centre, double spread) => r.Uniform(centre - spread, centre + spread) is var drawn && jitter ? (float)drawn : (float)centre;
        float brightness = Around(ref random, 1, Brightness), contrast = Around(ref random, 1, Contrast), saturation = Around(ref random, 1, Saturation), hue = Around(ref random, 0, Hue);
        bool grey = random.Uniform() < Grayscale, blur = random.Uniform() < Blur;
        double sigma = random.Uniform(BlurMax / 20, BlurMax);
        return new(brightness, contrast, saturation, hue, grey, blur ? (float)sigma : 0, random.Uniform() < Solarize);
    }

    /// <summary>Draws the order of the four jitters.</summary>
    public static Jitter[] Order(ImageRandom random)
    {
        Jitter[] kinds = [Jitter.Brightness, Jitter.Contrast, Jitter.Saturation, Jitter.Hue];
        for (int i = 3; i > 0; i--)
        {
            int j = random.Integer(i + 1);
            (kinds[i], kinds[j]) = (kinds[j], kinds[i]);
        }
        return kinds;
    }

    /// <summary>New pictures by draws and an order that are made already.</summary>
    /// <param name="images">Float [B, 3, H, W] in 0 to 1.</param>
    /// <param name="draws">One for each picture.</param>
    /// <param name="order">The four jitters.</param>
    public Tensor Apply(Tensor images, IReadOnlyList<ColorDraw> draws, IReadOnlyList<Jitter> order)
    {
        using var scope = NewDisposeScope();
        Tensor result = images;
        foreach (Jitter kind in order)
        {
            Tensor factors = tensor([.. draws.Select(d => d.Of(kind))], device: images.device);
            Next(kind switch
            {
                Jitter.Brightness => TensorColor.Brightness(result, factors),
                Jitter.Contrast => TensorColor.Contrast(result, factors),
                Jitter.Saturation => TensorColor.Saturation(result, factors),
                _ => TensorColor.Hue(result, factors),
            });
        }
        if (draws.Any(d => d.Grey)) Next(TensorColor.Saturation(result, tensor([.. draws.Select(d => d.Grey ? 0f : 1f)], device: images.device)));
        // A standard deviation this small leaves one tap of weight 1: the picture as it is.
        if (draws.Any(d => d.Blur > 0)) Next(TensorColor.GaussianBlur(result, tensor([.. draws.Select(d => d.Blur > 0 ? d.Blur : 1e-3f)], device: images.device), (2 * BlurReach(images.shape[^1])) + 1));
        if (draws.Any(d => d.Solarized)) Next(TensorColor.Select(tensor([.. draws.Select(d => d.Solarized)], device: images.device), TensorColor.Solarize(result), result));
        return result.MoveToOuterDisposeScope();

        void Next(Tensor changed)
        {
            if (!ReferenceEquals(result, images)) result.Dispose();
            result = changed;
        }
    }
}
