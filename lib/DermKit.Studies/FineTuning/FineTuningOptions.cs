using DermKit.Imaging;
using DermKit.Pretraining;
using System.Reflection;

namespace DermKit.Studies;

/// <summary>Training of a whole network. Defaults are MAE's for a ViT-B (arXiv 2111.06377, table 9; layer decay after
/// BEiT, 2106.08254) unless stated, without mixup, cutmix and erasing, which mix or cover lesions, and
/// RandAugment.</summary>
public sealed record FineTuningOptions
{
    /// <summary>Side in pixels of the network's images, in training and tests.</summary>
    [Allowed(16)]
    public int Side { get; init; } = 224;

    /// <summary>Passes over the training images; the best validation F1 chooses the epoch.</summary>
    [Allowed(1)]
    public int Epochs { get; init; } = 100;

    /// <summary>Images of a step, at most all training images (MAE: 1,024).</summary>
    [Allowed(2)]
    public int Batch { get; init; } = 64;

    /// <summary>The head's learning rate for 256 images; the peak is this times <see cref="Batch"/> / 256.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double BaseLearningRate { get; init; } = 5e-4;

    /// <summary>Learning rate that the cosine tends to.</summary>
    [Allowed(0)]
    public double MinLearningRate { get; init; } = 1e-6;

    /// <summary>Epochs of linear warm-up; may be fractional.</summary>
    [Allowed(0)]
    public double WarmupEpochs { get; init; } = 5;

    /// <summary>Layer l of L learns with this to the power L + 1 - l: 0 is the embedding or stem, L + 1 the
    /// head.</summary>
    [Allowed(0, 1, IsMinExcluded = true)]
    public double LayerDecay { get; init; } = 0.65;

    /// <summary>AdamW's weight decay; none on biases, norms, position embedding and CLS token.</summary>
    [Allowed(0)]
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>Rate of stochastic depth in a ViT's last block.</summary>
    [Allowed(0, 1, IsMaxExcluded = true)]
    public double DropPath { get; init; } = 0.1;

    /// <summary>Share of the target that is spread over all classes.</summary>
    [Allowed(0, 1, IsMaxExcluded = true)]
    public double LabelSmoothing { get; init; } = 0.1;

    /// <summary>Weighs each class by N / (classes * its images) in the loss
    /// (<see cref="Evaluation.LinearProbe.Balanced"/>); off in MAE.</summary>
    public bool Balanced { get; init; }

    /// <summary>Largest norm of one parameter's gradient; 0 for no limit, as in MAE.</summary>
    public double ClipGradient { get; init; } = 3;

    /// <summary>Smallest share of the image's area in a training crop (MAE: 0.08, often without the lesion).</summary>
    [Allowed(0, 1, IsMinExcluded = true)]
    public double MinArea { get; init; } = 0.5;

    /// <summary>Strength of the colour jitter, 1 as in DINO. Colour is part of a diagnosis.</summary>
    [Allowed(0, 1)]
    public double ColorStrength { get; init; } = 0.25;

    /// <summary>Matrix products in training: fp32, or bf16 with weights, norms and moments in fp32. Scores use
    /// fp32.</summary>
    public Precision Precision { get; init; } = Precision.Fp32;

    /// <summary>Starts the head as the frozen features' linear probe (LP-FT, arXiv 2202.10054), which protects the
    /// features from a random head's first gradients; else at zero.</summary>
    public bool HeadFromProbe { get; init; } = true;

    /// <summary>Replaces numbers; 0 keeps one. The warm-up is at most the epochs.</summary>
    public FineTuningOptions With(int epochs = 0, int side = 0, double learningRate = 0) => this with
    {
        Epochs = epochs > 0 ? epochs : Epochs,
        WarmupEpochs = epochs > 0 ? Math.Min(WarmupEpochs, epochs) : WarmupEpochs,
        Side = side > 0 ? side : Side,
        BaseLearningRate = learningRate > 0 ? learningRate : BaseLearningRate,
    };

    // Training crops are cut from the whole image in its own shape, larger than Side as in the evaluation transform.
    internal EvalTransform Source =>
        new() { Resize = SourceSide, ShortSide = true, MaxSide = 4 * SourceSide, Crop = 0 };

    internal ViewRecipe Recipe => new(new(MinArea, 1), Side,
        ViewColours.List(0.4 * ColorStrength, 0.2 * ColorStrength, 0.1 * ColorStrength));

    private int SourceSide => (int)Math.Round(Side * 256 / 224.0);

    internal void Check()
    {
        foreach (PropertyInfo key in GetType().GetProperties())
            if (key.GetCustomAttribute<AllowedAttribute>() is { } range)
                Expect(key.GetValue(this) is not double.PositiveInfinity and { } value && range.Allows(value),
                    key.Name, range);
        Expect(WarmupEpochs <= Epochs, nameof(WarmupEpochs), $"at most the {Epochs} epochs");
        Expect(Precision != Precision.Auto, nameof(Precision), "fp32 or bf16");

        void Expect(bool condition, string key, object expected)
        {
            if (condition) return;
            object? found = GetType().GetProperty(key)!.GetValue(this);
            throw new KitException(FormattableString.Invariant(
                $"Fine-tuning, {PretrainOptions.Spelled(key)} is {found}; expected {expected}."));
        }
    }
}
