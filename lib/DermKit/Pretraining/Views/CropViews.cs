using DermKit.Imaging;
using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DermKit.Pretraining;

/// <summary>How a view is made: a random box, resized (antialiased) to Size pixels, mirrored half of the time, then
/// augmented in order.</summary>
public sealed record ViewRecipe(RandomResizedCrop Area, int Size, IReadOnlyList<IAugmentation> Augmentations,
    ResizeFilter Filter = ResizeFilter.Bicubic);

/// <summary>Width and height of an image before scaling, and as stored in the upper left corner of a batch. Boxes are
/// drawn in the original, so that draws do not depend on the stored size.</summary>
public readonly record struct ImageSize((int Width, int Height) Original, (int Width, int Height) Stored);

/// <summary>Makes views on the CPU, normalised by ImageNet's statistics. Draws depend on (seed, epoch, image, view)
/// alone. Groups hold recipes of one size; views are numbered through all of them.</summary>
internal static unsafe class CropViews
{
    private static readonly EvalTransform ImageNet = new();

    // Images uint8 [B, 3, H, W]; those of the meta device give meta tensors. Null sizes: each image is W x H and
    // original. Returns for each group float [recipes * B, 3, S, S], recipe-major.
    public static Tensor[] Make(Tensor images, ReadOnlySpan<int> ids, long seed, int epoch, ImageSize[]? sizes,
        Device device, params IReadOnlyList<ViewRecipe[]> groups)
    {
        if (images.shape[0] != ids.Length || (sizes is not null && sizes.Length != ids.Length))
            throw new ArgumentException($"Expected an id and, if any, a size for each of {images.shape[0]} images, "
                + $"found {ids.Length} ids and {sizes?.Length ?? ids.Length} sizes.", nameof(ids));
        (int Width, int Height) room = ((int)images.shape[3], (int)images.shape[2]);
        int[] numbers = [.. ids];
        if (images.device_type == DeviceType.META)
            return [.. groups.Select(g => empty([g.Length * numbers.Length, 3, g[0].Size, g[0].Size], device: META))];
        using Tensor host = images.cpu(), pixels = host.contiguous();
        fixed (byte* first = pixels.bytes)
        {
            byte* planes = first;
            return Fill(numbers.Length, device, groups, get_num_threads(), (i, targets) =>
            {
                ImageSize size = sizes?[i] ?? new(room, room);
                Cut(planes + ((long)i * 3 * room.Height * room.Width), room, size, groups,
                    view => new(seed, epoch, numbers[i], view), i, numbers.Length, targets);
            });
        }
    }

    // Images of any size, such as original files; several threads call image.
    public static Tensor[] Make(Func<int, RgbImage> image, int[] ids, long seed, int epoch, Device device,
        params IReadOnlyList<ViewRecipe[]> groups) =>
        Fill(ids.Length, device, groups, Environment.ProcessorCount, (i, targets) =>
        {
            RgbImage seen = image(ids[i]);
            (int Width, int Height) size = (seen.Width, seen.Height);
            byte[] rented = ArrayPool<byte>.Shared.Rent(seen.Pixels.Length);
            seen.ToPlanes(rented);
            fixed (byte* planes = rented)
                Cut(planes, size, new(size, size), groups, view => new(seed, epoch, ids[i], view), i, ids.Length,
                    targets);
            ArrayPool<byte>.Shared.Return(rented);
        });

    private static Tensor[] Fill(int batch, Device device, IReadOnlyList<ViewRecipe[]> groups, int workers,
        Action<int, nint[]> cut)
    {
        if (!groups.All(g => g.All(r => r.Size == g[0].Size)))
            throw new ArgumentException("Expected one size for all recipes of a group.", nameof(groups));
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor[] results = [.. groups.Select(g => empty([g.Length * batch, 3, g[0].Size, g[0].Size]))];
        nint[] targets = [.. results.Select(r => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(r.bytes)))];
        ImageCache.InParallel(batch, default, i => cut(i, targets), workers);
        return [.. results.Select(r => r.to(device).MoveToOuterDisposeScope())];
    }

    // The image lies in the upper left corner of planes of bytes.
    private static void Cut(byte* image, (int Width, int Height) room, ImageSize size,
        IReadOnlyList<ViewRecipe[]> groups, Func<int, ImageRandom> randomOf, int i, int batch, nint[] targets)
    {
        (int width, int height) = size.Stored;
        int largest = ViewPlanes.Length(groups.Max(g => g[0].Size)), view = 0;
        float[] columnsArray = ArrayPool<float>.Shared.Rent(ResizedCrop.ColumnsLength(height, width));
        float[] planesArray = ArrayPool<float>.Shared.Rent(largest);
        fixed (float* columns = columnsArray, planes = planesArray)
        {
            ResizedCrop.Columns(image, room, height, width, columns);
            for (int group = 0; group < groups.Count; group++)
                for (int r = 0; r < groups[group].Length; r++)
                {
                    ViewRecipe recipe = groups[group][r];
                    ImageRandom random = randomOf(view++);
                    var target = new ViewPlanes(planes, recipe.Size);
                    CropBox box = recipe.Area.Draw(size.Original.Width, size.Original.Height, ref random);
                    bool flip = random.Uniform() < 0.5;
                    var steps = new List<AugmentationStep>();
                    foreach (IAugmentation augmentation in recipe.Augmentations)
                        if (augmentation.Draw(ref random) is { } step) steps.Add(step);
                    ResizedCrop.Apply(columns, height, width, box.Scaled(size.Original, size.Stored), recipe.Filter,
                        flip, target);
                    foreach (AugmentationStep step in steps) step(target, ref random);
                    target.Normalise(ImageNet.Mean, ImageNet.Std,
                        (float*)targets[group] + (3L * target.Pixels * ((r * (long)batch) + i)));
                }
        }
        ArrayPool<float>.Shared.Return(columnsArray);
        ArrayPool<float>.Shared.Return(planesArray);
    }
}
