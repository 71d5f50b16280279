using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>The views of a batch, normalised by ImageNet's mean and deviation, crop-major: all pictures of crop 0, then of crop 1, and so on.</summary>
/// <param name="Globals">[2B, 3, G, G].</param>
/// <param name="Locals">[L * B, 3, S, S]; null when there are none.</param>
/// <param name="Masks">Masked patches of the global crops; null for a method that masks none.</param>
public sealed record Views(Tensor Globals, Tensor? Locals, PatchMasks? Masks = null) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Globals.Dispose();
        Locals?.Dispose();
        Masks?.Dispose();
    }
}

/// <summary>
/// The views of a method: two large crops and L small ones (DINO's multi-crop, Caron et al. 2021) or none (SimCLR, BYOL), bicubic for DINO and
/// iBOT, bilinear for the others, mirrored half of the time, coloured as <see cref="ViewColours"/> says.
/// Every draw depends on (seed, epoch, image, view) alone; the order of the colour jitters on (seed, epoch, view).
/// </summary>
public sealed class MultiCrop(PretrainOptions options)
{
    private readonly ResizeFilter filter = options.Method is "SimCLR" or "BYOL" ? ResizeFilter.Bilinear : ResizeFilter.Bicubic;
    private readonly RandomResizedCrop globalBox = new(options.GlobalScaleMin, 1), localBox = new(options.LocalScaleMin, options.LocalScaleMax);

    /// <summary>Cuts and colours the views on the pictures' device.</summary>
    /// <param name="images">uint8 [B, 3, H, W].</param>
    /// <param name="ids">Number of each picture in its data.</param>
    /// <param name="epoch">Decides the draws.</param>
    /// <exception cref="ArgumentException">The numbers of pictures and ids differ.</exception>
    public Views Make(Tensor images, ReadOnlySpan<int> ids, int epoch)
    {
        Views views = Cut(images, ids, epoch);
        if (options.Method != "iBOT") return views;
        var masks = new BlockMask(options.MaskRatio, options.MaskVariance, options.MaskAspect, epoch < options.MaskStartEpoch ? 0 : options.MaskChance);
        return views with { Masks = masks.ForBatch(ids, options.Seed, epoch, options.GlobalSize / options.Patch, images.device) };
    }

    private Views Cut(Tensor images, ReadOnlySpan<int> ids, int epoch)
    {
        if (images.shape[0] != ids.Length) throw new ArgumentException($"Expected an id for each of {images.shape[0]} pictures, found {ids.Length}.", nameof(ids));
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor unit = images.to(ScalarType.Float32).div_(255);
        ViewColours colours = ViewColours.For(options);
        Tensor first = View(unit, ids, epoch, 0, globalBox, options.GlobalSize, colours.First);
        Tensor second = View(unit, ids, epoch, 1, globalBox, options.GlobalSize, colours.Second);
        Tensor globals = Normalised(cat([first, second], 0)).MoveToOuterDisposeScope();
        if (options.LocalCrops == 0) return new(globals, null);
        var locals = new Tensor[options.LocalCrops];
        for (int i = 0; i < locals.Length; i++) locals[i] = View(unit, ids, epoch, 2 + i, localBox, options.LocalSize, colours.Local);
        return new(globals, Normalised(cat(locals, 0)).MoveToOuterDisposeScope());
    }

    private Tensor View(Tensor images, ReadOnlySpan<int> ids, int epoch, int view, RandomResizedCrop area, int size, ColorJitter colour)
    {
        using var scope = NewDisposeScope();
        var randoms = new ImageRandom[ids.Length];
        var boxes = new CropBox[ids.Length];
        bool[] flips = new bool[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            randoms[i] = new(options.Seed, epoch, ids[i], view);
            boxes[i] = area.Draw((int)images.shape[3], (int)images.shape[2], ref randoms[i]);
            flips[i] = randoms[i].Uniform() < 0.5;
        }
        Tensor crops = TensorCrop.ResizedCrop(images, boxes, size, filter, flips).clamp_(0, 1);
        return colour.Apply(crops, randoms, new ImageRandom(options.Seed, epoch, -1, view)).MoveToOuterDisposeScope();
    }

    private static Tensor Normalised(Tensor unit)
    {
        EvalTransform imageNet = new();
        Tensor PerChannel(ChannelValues values) => tensor([values.R, values.G, values.B], device: unit.device).view(1, 3, 1, 1);
        return unit.sub_(PerChannel(imageNet.Mean)).div_(PerChannel(imageNet.Std));
    }
}
