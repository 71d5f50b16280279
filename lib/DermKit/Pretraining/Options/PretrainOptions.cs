using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>All settings of a pre-training run. Each method derives a record with its own keys and the paper's values;
/// data/pretraining/*.json holds one file for each run.</summary>
public abstract partial record PretrainOptions
{
    /// <summary>The method's name, as its authors spell it.</summary>
    [JsonPropertyOrder(-1)]
    public abstract string Method { get; }

    /// <summary>Data sets to train on, without their frozen test images. Empty: the available real sets that allow
    /// training, else the synthetic one.</summary>
    public string[] Sets { get; init; } = [];

    /// <summary>Largest number of images, taken in a random order of the seed; 0 for all.</summary>
    [Allowed(0, Zero = "all")]
    public int MostImages { get; init; }

    /// <summary>Short side in pixels of the cached images. The long side is at most four times as long; longer images
    /// get a smaller short side. Boxes are drawn in the original's pixels.</summary>
    [Allowed(16)]
    public int SourceSize { get; init; } = 256;

    /// <summary>Source of the crops.</summary>
    public CropSource CropSource { get; init; }

    /// <summary>The backbone that is trained.</summary>
    public NetworkKind Network { get; init; }

    /// <summary>Safetensors file with timm's or torchvision's keys to start the backbone from; null: from the
    /// seed.</summary>
    public string? InitialWeights { get; init; }

    /// <summary>Share of <see cref="InitialWeights"/> in the exported backbone, the rest from training: means of
    /// start and end often serve both kinds of images (Wortsman et al. 2022, arXiv 2109.01903).</summary>
    [MayChange, Allowed(0, 1, IsMaxExcluded = true)]
    public double InitialShare { get; init; }

    /// <summary>Blocks of each of a ResNet's four stages; fewer than in <see cref="InitialWeights"/> start from the
    /// first ones of each stage. Empty: those of the initial weights of a ResNet-18, else the network's own.</summary>
    public int[] Blocks { get; init; } = [];

    /// <summary>Size of a ViT: tiny, small, base or large.</summary>
    public string Size { get; init; } = "tiny";

    /// <summary>Blocks of the backbone; 0 for the number of <see cref="Size"/>.</summary>
    [Allowed(0, Zero = "that of the size")]
    public int Depth { get; init; }

    /// <summary>Width of a token; 0 for the width of <see cref="Size"/>.</summary>
    [Allowed(0, Zero = "that of the size")]
    public int Dim { get; init; }

    /// <summary>Attention heads; 0 for the number of <see cref="Size"/>.</summary>
    [Allowed(0, Zero = "that of the size")]
    public int Heads { get; init; }

    /// <summary>Side in pixels that the position embedding is made for.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of a patch in pixels.</summary>
    [Allowed(1)]
    public int Patch { get; init; } = 16;

    /// <summary>Number type of matrix products; weights, norms, losses, moments and teacher stay in fp32.</summary>
    public Precision Precision { get; init; }

    /// <summary>Rate of stochastic depth in the student's last block.</summary>
    [Allowed(0, 1, IsMaxExcluded = true)]
    public double DropPath { get; init; } = 0.1;

    /// <summary>Outputs of the head: K of DINO and iBOT, projection width of SimCLR and BYOL.</summary>
    [Allowed(2)]
    public int Outputs { get; init; } = 4096;

    /// <summary>Width of the head's hidden layers.</summary>
    [Allowed(1)]
    public int HeadHidden { get; init; } = 2048;

    /// <summary>Side of a global crop in pixels; there are two.</summary>
    public int GlobalSize { get; init; } = 224;

    /// <summary>Smallest share of the image's area in a global crop.</summary>
    [Allowed(0, 1, IsMinExcluded = true)]
    public double GlobalScaleMin { get; init; } = 0.7;

    /// <summary>Largest standard deviation of the blur in crop pixels; the smallest is a twentieth of it.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double BlurMax { get; init; } = 2;

    /// <summary>Strength of the colour changes, 1 as in the paper: scales the jitter's spreads and the chances of grey
    /// and solarisation. Colour is part of a diagnosis, and a model soon tells few images by it.</summary>
    [Allowed(0, 2)]
    public double ColorStrength { get; init; } = 1;

    /// <summary>Passes over the data.</summary>
    [Allowed(1)]
    public int Epochs { get; init; } = 100;

    /// <summary>Images of a step.</summary>
    [Allowed(1)]
    public int Batch { get; init; } = 224;

    /// <summary>The optimiser.</summary>
    public OptimizerKind Optimizer { get; init; }

    /// <summary>Learning rate for 256 images a step; the peak is this times <see cref="Batch"/> / 256.</summary>
    [Allowed(0, IsMinExcluded = true)]
    public double BaseLearningRate { get; init; } = 5e-4;

    /// <summary>Learning rate that the cosine tends to.</summary>
    [Allowed(0)]
    public double MinLearningRate { get; init; } = 1e-6;

    /// <summary>Epochs of linear warm-up; may be fractional.</summary>
    [Allowed(0)]
    public double WarmupEpochs { get; init; } = 10;

    /// <summary>Weight decay at the start.</summary>
    [Allowed(0)]
    public double WeightDecay { get; init; } = 0.04;

    /// <summary>Weight decay that the cosine tends to.</summary>
    [Allowed(0)]
    public double WeightDecayEnd { get; init; } = 0.4;

    /// <summary>Largest norm of one parameter's gradient; 0 for no limit.</summary>
    [Allowed(0, Zero = "no limit")]
    public double ClipGradient { get; init; } = 3.0;

    /// <summary>Seed of weights, order and augmentation.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Steps between checkpoints; 0 for one after each epoch.</summary>
    [MayChange, Allowed(0, Zero = "each epoch")]
    public int CheckpointEvery { get; init; }

    /// <summary>Number of last epochs whose checkpoints are kept as epoch-NNNN.safetensors.</summary>
    [MayChange, Allowed(0)]
    public int KeepLast { get; init; }

    /// <summary>Epochs between checkpoints kept as epoch-NNNN.safetensors; 0 keeps none.</summary>
    [MayChange, Allowed(0)]
    public int KeepEvery { get; init; }

    /// <summary>Steps between measurements of the collapse monitors.</summary>
    [MayChange, Allowed(1)]
    public int MonitorEvery { get; init; } = 10;
}

/// <summary>Marks a key that does not change training: a run may resume with another value.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class MayChangeAttribute : Attribute;
