using DermKit.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>Masked patches of a batch of crops, on their device.</summary>
/// <param name="Cells">bool [N, patches], true where masked.</param>
/// <param name="Index">int64 [M], places of the masked patches in the flattened [N * patches].</param>
/// <param name="Weight">[M], the share of each masked patch in the loss: 1 / (masked patches of its crop) / N.</param>
public sealed record PatchMasks(Tensor Cells, Tensor Index, Tensor Weight) : IDisposable
{
    /// <summary>From one array of cells for each crop.</summary>
    public static PatchMasks From(IReadOnlyList<bool[]> crops, Device device)
    {
        int patches = crops[0].Length;
        bool[] cells = [.. crops.SelectMany(c => c)];
        var index = new List<long>();
        var weight = new List<float>();
        for (int i = 0; i < crops.Count; i++)
        {
            int masked = crops[i].Count(c => c);
            for (int j = 0; j < patches; j++)
            {
                if (!crops[i][j]) continue;
                index.Add((long)i * patches + j);
                weight.Add(1f / masked / crops.Count);
            }
        }
        return new(tensor(cells, [crops.Count, patches], device: device), tensor([.. index], [index.Count], device: device), tensor([.. weight], [weight.Count], device: device));
    }

    /// <summary>The masked ones among the patches of all crops, [N, patches, D] to [M, D].</summary>
    public Tensor Of(Tensor patches)
    {
        Tensor rows = patches.flatten(0, 1);
        // libtorch has no meta kernel for index_select.
        return rows.device_type == DeviceType.META ? rows.narrow(0, 0, Index.shape[0]) : rows.index_select(0, Index);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Cells.Dispose();
        Index.Dispose();
        Weight.Dispose();
    }
}

/// <summary>
/// iBOT's block-wise masks (Zhou et al. 2022, arXiv 2111.07832, after BEiT, arXiv 2106.08254): rectangles of random area and aspect ratio
/// are put on the grid of patches until the share is reached or ten tries in a row add nothing.
/// </summary>
/// <param name="Ratio">Share of the patches that is masked.</param>
/// <param name="Variance">Half of the range around <paramref name="Ratio"/> that a crop's share is drawn from.</param>
/// <param name="Aspect">Least aspect ratio of a rectangle; the largest is its inverse.</param>
/// <param name="Chance">Chance of a crop to be masked at all.</param>
public sealed record BlockMask(double Ratio = 0.3, double Variance = 0, double Aspect = 0.3, double Chance = 1)
{
    /// <summary>Masks of the two global crops of each image, crop-major; they depend on (seed, epoch, image, crop) alone.</summary>
    /// <param name="ids">Number of each image in its data.</param>
    /// <param name="seed">Of the run.</param>
    /// <param name="epoch">From 0.</param>
    /// <param name="side">Patches of a side of a global crop.</param>
    /// <param name="device">Where the masks go.</param>
    public PatchMasks ForBatch(ReadOnlySpan<int> ids, long seed, int epoch, int side, Device device)
    {
        var crops = new List<bool[]>(2 * ids.Length);
        long own = RandomStream.SeedOf(seed, RandomPurpose.Masks);
        for (int view = 0; view < 2; view++)
            foreach (int id in ids)
            {
                var random = new ImageRandom(own, epoch, id, view);
                crops.Add(Draw(side, side, ref random));
            }
        return PatchMasks.From(crops, device);
    }

    /// <summary>One mask, row by row.</summary>
    /// <param name="rows">Patches from top to bottom.</param>
    /// <param name="columns">Patches from left to right.</param>
    /// <param name="random">Advanced by the draws.</param>
    public bool[] Draw(int rows, int columns, ref ImageRandom random)
    {
        bool[] mask = new bool[rows * columns];
        if (Chance < 1 && random.Uniform() >= Chance) return mask;
        double limit = (Variance > 0 ? random.Uniform(Ratio - Variance, Ratio + Variance) : Ratio) * rows * columns;
        int masked = 0;
        while (masked < limit)
        {
            int added = 0;
            for (int attempt = 0; attempt < 10 && added == 0; attempt++) added = Block(mask, rows, columns, limit - masked, ref random);
            if (added == 0) break;
            masked += added;
        }
        return mask;
    }

    private int Block(bool[] mask, int rows, int columns, double most, ref ImageRandom random)
    {
        int least = Math.Min(rows, columns) / 3;
        double area = random.Uniform(least * least, most), log = Math.Log(Aspect), aspect = Math.Exp(random.Uniform(log, -log));
        int height = (int)Math.Round(Math.Sqrt(area * aspect)), width = (int)Math.Round(Math.Sqrt(area / aspect));
        if (width >= columns || height >= rows) return 0;
        int top = random.Integer(rows - height + 1), left = random.Integer(columns - width + 1), free = 0;
        for (int y = top; y < top + height; y++)
            for (int x = left; x < left + width; x++)
                if (!mask[y * columns + x]) free++;
        if (free > most) return 0;
        for (int y = top; y < top + height; y++) mask.AsSpan(y * columns + left, width).Fill(true);
        return free;
    }
}
