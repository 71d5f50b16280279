using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;

namespace DermKit.Studies;

/// <summary>
/// How a network is trained whole. The defaults are MAE's for fine-tuning a ViT-B (He et al. 2022, arXiv 2111.06377, table 9; layer decay after
/// BEiT, Bao et al. 2022, arXiv 2106.08254) where nothing else is said. MAE's mixup, cutmix, RandAugment and random erasing are not here: they mix or cover lesions.
/// </summary>
public sealed record FineTuningOptions
{
    /// <summary>Side in pixels of what the network sees, in training and in tests.</summary>
    public int Side { get; init; } = 224;

    /// <summary>Passes over the training images; of all of them the one with the best F1 on validation images is kept.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Images of a step (MAE: 1,024); all training images where there are fewer.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>Learning rate of the head for 256 images a step; the peak is this times <see cref="Batch"/> / 256.</summary>
    public double BaseLearningRate { get; init; } = 5e-4;

    /// <summary>Learning rate that the cosine tends to.</summary>
    public double MinLearningRate { get; init; } = 1e-6;

    /// <summary>Epochs of linear warm-up, parts of one too.</summary>
    public double WarmupEpochs { get; init; } = 5;

    /// <summary>Layer l of L learns with this to the power L + 1 - l; embedding or stem is layer 0, the head L + 1. 1 for one rate everywhere.</summary>
    public double LayerDecay { get; init; } = 0.65;

    /// <summary>Weight decay of AdamW; none on biases, norms, position embedding and CLS token.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Rate of stochastic depth in a ViT's last block; other networks have none.</summary>
    public double DropPath { get; init; } = 0.1;

    /// <summary>Share of the target that is spread over all classes.</summary>
    public double LabelSmoothing { get; init; } = 0.1;

    /// <summary>Weighs each class by N / (classes * its images) in the loss, as <see cref="Evaluation.LinearOptions.Balanced"/>. Off in MAE and in the kit's linear probe.</summary>
    public bool Balanced { get; init; }

    /// <summary>Largest norm of one parameter's gradient, as in the kit's pre-training (GradientClipping); 0 for no limit, as MAE.</summary>
    public double ClipGradient { get; init; } = 3;

    /// <summary>Smallest share of an image's area in a training crop (MAE: 0.08, where a lesion is often out of sight).</summary>
    public double MinArea { get; init; } = 0.5;

    /// <summary>Strength of the colour jitter: 1 is DINO's, 0 is none. Colour is part of a diagnosis. (MAE uses RandAugment.)</summary>
    public double ColorStrength { get; init; } = 0.25;

    /// <summary>Matrix products in training: fp32, or bf16 with weights, norms and moments in fp32. Scores are always computed in fp32.</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary>The head starts as the linear probe of the frozen features (LP-FT, Kumar et al. 2022, arXiv 2202.10054), which spares the features a random head's first gradients; off, it starts at zero.</summary>
    public bool HeadFromProbe { get; init; } = true;

    /// <summary>What training crops are cut from: the whole image in its own shape, larger than <see cref="Side"/> as the evaluation transform's is.</summary>
    internal EvalTransform Source => new() { Resize = SourceSide, ShortSide = true, MaxSide = 4 * SourceSide, Crop = 0 };

    /// <summary>Crop, mirror and colour of a training image.</summary>
    internal ViewRecipe Recipe => new(new(MinArea, 1), Side, new()
    {
        Brightness = 0.4 * ColorStrength, Contrast = 0.4 * ColorStrength, Saturation = 0.2 * ColorStrength, Hue = 0.1 * ColorStrength, Grayscale = 0, Blur = 0,
    });

    /// <exception cref="KitException">A number is out of its range.</exception>
    internal void Check()
    {
        void Expect(bool condition, string key, object value, string expected)
        {
            if (!condition) throw new KitException(FormattableString.Invariant($"Fine-tuning, {key} is {value}; expected {expected}."));
        }
        Expect(Side >= 16, "side", Side, "16 or more pixels");
        Expect(Epochs >= 1, "epochs", Epochs, "1 or more");
        Expect(Batch >= 2, "batch", Batch, "2 or more");
        Expect(BaseLearningRate > 0 && double.IsFinite(BaseLearningRate), "baseLearningRate", BaseLearningRate, "a number above 0");
        Expect(MinLearningRate >= 0 && double.IsFinite(MinLearningRate), "minLearningRate", MinLearningRate, "0 or more");
        Expect(WarmupEpochs >= 0 && WarmupEpochs <= Epochs, "warmupEpochs", WarmupEpochs, $"0 to the {Epochs} epochs");
        Expect(LayerDecay is > 0 and <= 1, "layerDecay", LayerDecay, "more than 0 and at most 1");
        Expect(WeightDecay >= 0 && double.IsFinite(WeightDecay), "weightDecay", WeightDecay, "0 or more");
        Expect(DropPath is >= 0 and < 1, "dropPath", DropPath, "0 or more and less than 1");
        Expect(LabelSmoothing is >= 0 and < 1, "labelSmoothing", LabelSmoothing, "0 or more and less than 1");
        Expect(MinArea is > 0 and <= 1, "minArea", MinArea, "more than 0 and at most 1");
        Expect(ColorStrength is >= 0 and <= 1, "colorStrength", ColorStrength, "0 to 1");
        Expect(Precision is "fp32" or "bf16", "precision", Precision, "fp32 or bf16");
    }

    private int SourceSide => (int)Math.Round(Side * 256 / 224.0);
}
