using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>
/// Everything that decides a pre-training run. The defaults are the paper's for DINO on ViT-T/16; <see cref="For"/> has those of the other
/// methods, and data/pretraining/*.json holds one file for each run.
/// </summary>
public sealed partial record PretrainOptions
{
    /// <summary>The method: DINO, iBOT, SimCLR or BYOL.</summary>
    public string Method { get; init; } = "DINO";

    /// <summary>Data sets to train on, without their frozen test images; none: the real sets that are here and may be trained on, else the synthetic one.</summary>
    public string[] Sets { get; init; } = [];

    /// <summary>Most images to train on, the first in a random order of the seed; 0 for all.</summary>
    public int MostImages { get; init; }

    /// <summary>
    /// Short side in pixels of the images that are kept (8-bit planes) and that crops are cut from. The long side follows, to at most
    /// four times as much: of an image that is longer still the short side is smaller. Boxes are drawn in the original's pixels.
    /// </summary>
    public int SourceSize { get; init; } = 256;

    /// <summary>
    /// What crops are cut from: "cached", images with a short side of <see cref="SourceSize"/>, which loses the detail of small crops (at 256 a crop of a tenth of the
    /// area is about 80 pixels wide); or "original", the files themselves, decoded anew in every epoch, which loses the time of
    /// decoding them. The first start makes the cached images all the same: they show what cannot be read, and notebooks draw them.
    /// </summary>
    public string CropSource { get; init; } = "cached";

    /// <summary>What is trained: ViT, or ResNet-50 (SimCLR and BYOL).</summary>
    public string Network { get; init; } = "ViT";

    /// <summary>Safetensors file in timm's or torchvision's key names that the backbone starts from; null for weights from the seed.</summary>
    public string? InitialWeights { get; init; }

    /// <summary>Of a ViT: tiny, small, base or large.</summary>
    public string Size { get; init; } = "tiny";

    /// <summary>Blocks of the backbone; 0 for what <see cref="Size"/> says.</summary>
    public int Depth { get; init; }

    /// <summary>Width of a token; 0 for what <see cref="Size"/> says.</summary>
    public int Dim { get; init; }

    /// <summary>Attention heads; 0 for what <see cref="Size"/> says.</summary>
    public int Heads { get; init; }

    /// <summary>Side in pixels that the position embedding is made for.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of a patch in pixels.</summary>
    public int Patch { get; init; } = 16;

    /// <summary>
    /// Matrix products: fp32, bf16 (with weights, norms, softmax of the loss, moments and teacher in fp32), or auto: bf16 on a CPU that
    /// multiplies it natively (<see cref="Processor.MultipliesBFloat16"/>), else fp32, which is the paper's on a GPU.
    /// </summary>
    public string Precision { get; init; } = "auto";

    /// <summary>Rate of stochastic depth in the student's last block.</summary>
    public double DropPath { get; init; } = 0.1;

    /// <summary>Outputs of the head: K of DINO and iBOT, width of the projection of SimCLR and BYOL.</summary>
    public int Outputs { get; init; } = 4096;

    /// <summary>Width of the head's hidden layers.</summary>
    public int HeadHidden { get; init; } = 2048;

    /// <summary>iBOT: one last layer for CLS and patch tokens.</summary>
    public bool SharedHead { get; init; } = true;

    /// <summary>iBOT: outputs for patch tokens when <see cref="SharedHead"/> is false.</summary>
    public int PatchOutputs { get; init; } = 4096;

    /// <summary>Width of the head before its last layer.</summary>
    public int Bottleneck { get; init; } = 256;

    /// <summary>Keeps the gain of the head's last layer at 1.</summary>
    public bool NormLastLayer { get; init; } = true;

    /// <summary>Temperature of the student's softmax.</summary>
    public double StudentTemperature { get; init; } = 0.1;

    /// <summary>Temperature of the teacher's softmax after its warm-up.</summary>
    public double TeacherTemperature { get; init; } = 0.04;

    /// <summary>Temperature of the teacher's softmax at the start.</summary>
    public double TeacherTemperatureStart { get; init; } = 0.04;

    /// <summary>Epochs over which the teacher's temperature rises.</summary>
    public int TeacherTemperatureWarmup { get; init; }

    /// <summary>iBOT: temperature of the teacher's softmax for patch tokens after its warm-up.</summary>
    public double PatchTemperature { get; init; } = 0.07;

    /// <summary>iBOT: temperature of the teacher's softmax for patch tokens at the start.</summary>
    public double PatchTemperatureStart { get; init; } = 0.04;

    /// <summary>iBOT: epochs over which the patch temperature rises.</summary>
    public int PatchTemperatureWarmup { get; init; } = 30;

    /// <summary>iBOT: weight of the loss of the CLS tokens.</summary>
    public double ClsWeight { get; init; } = 1;

    /// <summary>iBOT: weight of the loss of the masked patches.</summary>
    public double PatchWeight { get; init; } = 1;

    /// <summary>iBOT: share of the patches of a global crop that is masked.</summary>
    public double MaskRatio { get; init; } = 0.3;

    /// <summary>iBOT: half of the range around <see cref="MaskRatio"/> that each crop's share is drawn from.</summary>
    public double MaskVariance { get; init; }

    /// <summary>iBOT: chance of a global crop to be masked at all.</summary>
    public double MaskChance { get; init; } = 1;

    /// <summary>iBOT: least aspect ratio of a masked block; the largest is its inverse.</summary>
    public double MaskAspect { get; init; } = 0.3;

    /// <summary>iBOT: first epoch, from 0, in which patches are masked.</summary>
    public int MaskStartEpoch { get; init; }

    /// <summary>SimCLR: temperature of the softmax over pairs.</summary>
    public double Temperature { get; init; } = 0.5;

    /// <summary>Share of the old centre that stays at an update; 1 switches centring off.</summary>
    public double CenterMomentum { get; init; } = 0.9;

    /// <summary>First epochs in which the head's last layer is left as it is.</summary>
    public int FrozenLastLayerEpochs { get; init; } = 1;

    /// <summary>Side of a global crop in pixels; there are two.</summary>
    public int GlobalSize { get; init; } = 224;

    /// <summary>Smallest share of the image's area in a global crop.</summary>
    public double GlobalScaleMin { get; init; } = 0.7;

    /// <summary>Side of a local crop in pixels.</summary>
    public int LocalSize { get; init; } = 96;

    /// <summary>Number of local crops.</summary>
    public int LocalCrops { get; init; } = 12;

    /// <summary>Smallest share of the image's area in a local crop.</summary>
    public double LocalScaleMin { get; init; } = 0.05;

    /// <summary>Largest share of the image's area in a local crop.</summary>
    public double LocalScaleMax { get; init; } = 0.4;

    /// <summary>Largest standard deviation of the blur in pixels of the crop; the smallest is a twentieth of it.</summary>
    public double BlurMax { get; init; } = 2;

    /// <summary>
    /// Strength of what is done to colour, 1 as in the paper: multiplies the spreads of the jitter and the chances of grey and of
    /// solarisation. Colour is part of a diagnosis, and few images are soon learnt by it.
    /// </summary>
    public double ColorStrength { get; init; } = 1;

    /// <summary>Passes over the data.</summary>
    public int Epochs { get; init; } = 100;

    /// <summary>Images of a step.</summary>
    public int Batch { get; init; } = 224;

    /// <summary>AdamW, Adam (weight decay added to the gradient) or LARS (lightly's form).</summary>
    public string Optimizer { get; init; } = "AdamW";

    /// <summary>Learning rate for 256 images a step; the peak is this times <see cref="Batch"/> / 256.</summary>
    public double BaseLearningRate { get; init; } = 5e-4;

    /// <summary>Learning rate that the cosine tends to.</summary>
    public double MinLearningRate { get; init; } = 1e-6;

    /// <summary>Epochs of linear warm-up, parts of one too.</summary>
    public double WarmupEpochs { get; init; } = 10;

    /// <summary>Weight decay at the start.</summary>
    public double WeightDecay { get; init; } = 0.04;

    /// <summary>Weight decay that the cosine tends to.</summary>
    public double WeightDecayEnd { get; init; } = 0.4;

    /// <summary>Momentum of the teacher at the start; it tends to 1.</summary>
    public double TeacherMomentum { get; init; } = 0.996;

    /// <summary>Largest norm of one parameter's gradient; 0 for no limit.</summary>
    public double ClipGradient { get; init; } = 3.0;

    /// <summary>Seed of weights, order, crops, colours and stochastic depth.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Steps between two checkpoints; 0 for one at the end of each epoch.</summary>
    [MayChange]
    public int CheckpointEvery { get; init; }

    /// <summary>Epochs from the last one back whose checkpoints stay as epoch-NNNN.safetensors; 0 for none beside the newest.</summary>
    [MayChange]
    public int KeepLast { get; init; }

    /// <summary>Every so many epochs the checkpoint stays as epoch-NNNN.safetensors; 0 for none.</summary>
    [MayChange]
    public int KeepEvery { get; init; }

    /// <summary>Steps between two looks of the collapse monitor.</summary>
    [MayChange]
    public int MonitorEvery { get; init; } = 10;
}

/// <summary>
/// Marks a key of <see cref="PretrainOptions"/> that leaves the course of training as it is: a run continues with
/// another value. A key without it is refused when it differs from the checkpoint's.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class MayChangeAttribute : Attribute;
