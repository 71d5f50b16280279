using DermKit.Imaging;
using System.Buffers;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>How one view is made: a resized crop of a random box, mirrored half of the time, then colour.</summary>
/// <param name="Area">Draws the box.</param>
/// <param name="Size">Side in pixels.</param>
/// <param name="Colour">Draws the colour.</param>
/// <param name="Filter">Of the resize, antialiased.</param>
public sealed record ViewRecipe(RandomResizedCrop Area, int Size, ColorJitter Colour, ResizeFilter Filter = ResizeFilter.Bicubic);

/// <summary>Sizes of an image in a batch.</summary>
/// <param name="Original">Width and height before it was scaled: boxes are drawn there, so that the draws do not depend on the size that is kept.</param>
/// <param name="Stored">Width and height in the batch, from the upper left corner.</param>
public readonly record struct ImageSize((int Width, int Height) Original, (int Width, int Height) Stored);

/// <summary>
/// Makes views by recipe, normalised by ImageNet's mean and deviation. Every draw depends on (seed, epoch, image, view) alone. Bytes on the cpu take one pass in vectors for each image, all else tensor operations.
/// </summary>
public static class CropViews
{
    private static readonly EvalTransform ImageNet = new();

    /// <summary>The views of a batch.</summary>
    /// <param name="images">uint8 [B, 3, H, W].</param>
    /// <param name="ids">Number of each image in its data.</param>
    /// <param name="seed">Decides the draws.</param>
    /// <param name="epoch">Decides the draws.</param>
    /// <param name="sizes">Sizes of each image; null when each is W x H, and an original.</param>
    /// <param name="groups">Recipes of one size and one largest blur each; views are numbered through all of them.</param>
    /// <returns>For each group float [recipes * B, 3, S, S] on the images' device: all images by the first recipe, then by the next.</returns>
    /// <exception cref="ArgumentException">The numbers of images and ids differ, or the recipes of a group.</exception>
    public static Tensor[] Make(Tensor images, ReadOnlySpan<int> ids, long seed, int epoch, ImageSize[]? sizes, params IReadOnlyList<ViewRecipe[]> groups)
    {
        if (images.shape[0] != ids.Length || (sizes is not null && sizes.Length != ids.Length)) throw new ArgumentException($"Expected an id (and a size, where sizes are given) for each of {images.shape[0]} images, found {ids.Length} ids and {sizes?.Length ?? ids.Length} sizes.", nameof(ids));
        bool passes = images.device_type == DeviceType.CPU && images.dtype == ScalarType.Byte && images.is_contiguous() && groups.All(g => g.All(r => r.Size % CropPass.Lanes == 0));
        return Make(images, ids, seed, epoch, passes, sizes, groups);
    }

    /// <summary>As above, by passes in vectors or by tensor operations.</summary>
    internal static Tensor[] Make(Tensor images, ReadOnlySpan<int> ids, long seed, int epoch, bool passes, ImageSize[]? sizes, IReadOnlyList<ViewRecipe[]> groups)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        (int width, int height) = ((int)images.shape[3], (int)images.shape[2]);
        sizes ??= [.. Enumerable.Repeat(new ImageSize((width, height), (width, height)), ids.Length)];
        if (!groups.All(g => g.All(r => r.Size == g[0].Size && r.Colour.BlurMax == g[0].Colour.BlurMax))) throw new ArgumentException("Recipes of one group have one size and one largest blur.", nameof(groups));
        var draws = new ViewDraw[ids.Length][];
        for (int i = 0; i < draws.Length; i++) draws[i] = Draw(ids[i], seed, epoch, groups, sizes[i]);
        return passes ? Passes(images, sizes, groups, draws) : Operations(images, groups, draws);
    }

    /// <summary>The views of images of any size, such as the original files; cut and coloured on the cpu, each in memory no longer than that takes.</summary>
    /// <param name="image">Gives the image of an id; called by several threads.</param>
    /// <param name="ids">Number of each image in its data.</param>
    /// <param name="seed">Decides the draws.</param>
    /// <param name="epoch">Decides the draws.</param>
    /// <param name="device">Where the views go.</param>
    /// <param name="groups">Recipes of one size each, a multiple of <see cref="CropPass.Lanes"/>.</param>
    /// <returns>As the other overload.</returns>
    public static unsafe Tensor[] Make(Func<int, RgbImage> image, int[] ids, long seed, int epoch, Device device, params IReadOnlyList<ViewRecipe[]> groups)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor[] results = Room(groups, ids.Length);
        nint[] targets = Array.ConvertAll(results, ParameterPass.Address);
        ImageCache.InParallel(ids.Length, default, i =>
        {
            RgbImage seen = image(ids[i]);
            (int Width, int Height) size = (seen.Width, seen.Height);
            byte[] rented = ArrayPool<byte>.Shared.Rent(3 * size.Width * size.Height);
            seen.ToPlanes(rented);
            fixed (byte* planes = rented) Cut(planes, size, size, i, ids.Length, groups, Draw(ids[i], seed, epoch, groups, new(size, size)), targets);
            ArrayPool<byte>.Shared.Return(rented);
        });
        return [.. results.Select(r => r.to(device).MoveToOuterDisposeScope())];
    }

    /// <summary>The draws of one image, for each view.</summary>
    private static ViewDraw[] Draw(int id, long seed, int epoch, IReadOnlyList<ViewRecipe[]> groups, ImageSize size)
    {
        var draws = new ViewDraw[groups.Sum(g => g.Length)];
        int view = 0;
        foreach (ViewRecipe[] group in groups)
            foreach (ViewRecipe recipe in group)
            {
                var random = new ImageRandom(seed, epoch, id, view);
                CropBox box = recipe.Area.Draw(size.Original.Width, size.Original.Height, ref random).Scaled(size.Original, size.Stored);
                draws[view++] = new(box, random.Uniform() < 0.5, recipe.Colour.Draw(ref random));
            }
        return draws;
    }

    private static Tensor[] Room(IReadOnlyList<ViewRecipe[]> groups, int batch) => [.. groups.Select(g => empty([g.Length * batch, 3, g[0].Size, g[0].Size]))];

    private static Tensor[] Operations(Tensor images, IReadOnlyList<ViewRecipe[]> groups, ViewDraw[][] draws)
    {
        Tensor unit = images.to(ScalarType.Float32).div_(Kept(255));
        Tensor PerChannel(ChannelValues values) => tensor([values.R, values.G, values.B], device: images.device).view(1, 3, 1, 1);
        Tensor mean = PerChannel(ImageNet.Mean), std = PerChannel(ImageNet.Std);
        int view = 0;
        return [.. groups.Select(group =>
        {
            ViewDraw[] drawn = [.. Enumerable.Range(view, group.Length).SelectMany(v => draws.Select(d => d[v]))];
            Tensor crops = cat([.. group.Select((recipe, r) =>
            {
                ViewDraw[] own = drawn[(r * draws.Length)..((r + 1) * draws.Length)];
                return TensorCrop.ResizedCrop(unit, [.. own.Select(d => d.Box)], recipe.Size, recipe.Filter, [.. own.Select(d => d.Flip)]);
            })], 0).clamp_(Kept(0), Kept(1));
            view += group.Length;
            return group[0].Colour.Apply(crops, [.. drawn.Select(d => d.Colour)]).sub_(mean).div_(std).MoveToOuterDisposeScope();
        })];
    }

    private static unsafe Tensor[] Passes(Tensor images, ImageSize[] sizes, IReadOnlyList<ViewRecipe[]> groups, ViewDraw[][] draws)
    {
        int batch = (int)images.shape[0], height = (int)images.shape[2], width = (int)images.shape[3];
        Tensor[] results = Room(groups, batch);
        nint[] targets = Array.ConvertAll(results, ParameterPass.Address);
        fixed (byte* pinned = images.bytes)
        {
            byte* pixels = pinned;
            Parallel.For(0, batch, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, i =>
                Cut(pixels + ((long)i * 3 * height * width), (width, height), sizes[i].Stored, i, batch, groups, draws[i], targets));
        }
        return [.. results.Select(r => r.MoveToOuterDisposeScope())];
    }

    /// <summary>All views of image i, which lies in the upper left corner of planes of bytes, into the groups' tensors.</summary>
    private static unsafe void Cut(byte* image, (int Width, int Height) room, (int Width, int Height) size, int i, int batch, IReadOnlyList<ViewRecipe[]> groups, ViewDraw[] draws, nint[] targets)
    {
        float[] scratch = ArrayPool<float>.Shared.Rent(CropPass.ColumnsLength(size.Height, size.Width));
        fixed (float* columns = scratch)
        {
            CropPass.Columns(image, room, size.Height, size.Width, columns);
            int view = 0;
            for (int g = 0; g < groups.Count; g++)
                for (int r = 0; r < groups[g].Length; r++, view++)
                {
                    ViewRecipe recipe = groups[g][r];
                    int side = recipe.Size, area = side * side;
                    float* target = (float*)targets[g] + ((((long)r * batch) + i) * 3 * area);
                    ref readonly ViewDraw draw = ref draws[view];
                    CropPass.Resize(columns, size.Height, size.Width, draw.Box, side, recipe.Filter, draw.Flip, target);
                    ColorPass.Apply(target, area, draw.Colour);
                    if (draw.Colour.Blur > 0) BlurPass.Apply(target, side, draw.Colour.Blur, recipe.Colour.BlurReach(side));
                    ColorPass.Finish(target, area, draw.Colour.Solarized, ImageNet.Mean, ImageNet.Std);
                }
        }
        ArrayPool<float>.Shared.Return(scratch);
    }

    private readonly record struct ViewDraw(CropBox Box, bool Flip, ColorDraw Colour);
}
