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

    /// <summary>New pictures; the draws of each come from its own sequence, whatever stands beside it.</summary>
    /// <param name="images">Float [B, 3, H, W] in 0 to 1.</param>
    /// <param name="randoms">One for each picture, advanced.</param>
    /// <param name="order">Draws the order of the four jitters.</param>
    public Tensor Apply(Tensor images, ImageRandom[] randoms, ImageRandom order)
    {
        using var scope = NewDisposeScope();
        int n = randoms.Length;
        float[][] factors = [.. Enumerable.Range(0, 6).Select(_ => new float[n])];
        bool[] solarized = new bool[n];
        bool anyGrey = false, anyBlur = false;
        for (int i = 0; i < n; i++)
        {
            ref ImageRandom random = ref randoms[i];
            bool jitter = random.Uniform() < Chance;
            float Around(ref ImageRandom r, double centre, double spread) => r.Uniform(centre - spread, centre + spread) is var drawn && jitter ? (float)drawn : (float)centre;
            factors[0][i] = Around(ref random, 1, Brightness);
            factors[1][i] = Around(ref random, 1, Contrast);
            factors[2][i] = Around(ref random, 1, Saturation);
            factors[3][i] = Around(ref random, 0, Hue);
            bool grey = random.Uniform() < Grayscale, blur = random.Uniform() < Blur;
            double sigma = random.Uniform(BlurMax / 20, BlurMax);
            // A standard deviation this small leaves one tap of weight 1: the picture as it is.
            (factors[4][i], factors[5][i]) = (grey ? 0 : 1, blur ? (float)sigma : 1e-3f);
            (anyGrey, anyBlur) = (anyGrey | grey, anyBlur | blur);
            solarized[i] = random.Uniform() < Solarize;
        }
        Tensor Of(int kind) => tensor(factors[kind], device: images.device);
        Tensor result = images;
        Span<int> kinds = [0, 1, 2, 3];
        for (int i = 3; i > 0; i--)
        {
            int j = order.Integer(i + 1);
            (kinds[i], kinds[j]) = (kinds[j], kinds[i]);
        }
        foreach (int kind in kinds)
            Next(kind switch
            {
                0 => TensorColor.Brightness(result, Of(0)),
                1 => TensorColor.Contrast(result, Of(1)),
                2 => TensorColor.Saturation(result, Of(2)),
                _ => TensorColor.Hue(result, Of(3)),
            });
        if (anyGrey) Next(TensorColor.Saturation(result, Of(4)));
        if (anyBlur) Next(TensorColor.GaussianBlur(result, Of(5), 2 * Math.Min((int)Math.Ceiling(3 * BlurMax), (int)images.shape[^1] / 2) + 1));
        if (solarized.Any(s => s)) Next(TensorColor.Select(tensor(solarized, device: images.device), TensorColor.Solarize(result), result));
        return result.MoveToOuterDisposeScope();

        void Next(Tensor changed)
        {
            if (!ReferenceEquals(result, images)) result.Dispose();
            result = changed;
        }
    }
}
