using DermKit.Imaging;

namespace DermKit.Pretraining;

/// <summary>Masked patches of N crops: cells bool [N, patches]; positions int64 [M] in the flattened cells; shares [M]
/// in the loss, 1 / (masked patches of the crop) / N.</summary>
public sealed record PatchMasks(Tensor Cells, Tensor Index, Tensor Weight) : IDisposable
{
    /// <summary>Makes the masks from one array of patches for each crop.</summary>
    public static PatchMasks From(IReadOnlyList<bool[]> crops, Device device)
    {
        bool[] cells = [.. crops.SelectMany(c => c)];
        long[] index = [.. Enumerable.Range(0, cells.Length).Where(i => cells[i]).Select(i => (long)i)];
        float[] weight = [.. crops.Select(c => c.Count(m => m))
            .SelectMany(masked => Enumerable.Repeat(1f / masked / crops.Count, masked))];
        return new(tensor(cells, [crops.Count, crops[0].Length], device: device),
            tensor(index, [index.Length], device: device), tensor(weight, [weight.Length], device: device));
    }

    /// <summary>Selects the masked patches: [N, patches, D] to [M, D].</summary>
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

/// <summary>iBOT's block-wise masks (arXiv 2111.07832, after BEiT, 2106.08254): random rectangles until a crop's share,
/// Ratio ± Variance, is reached or ten tries in a row fail. Aspect ratios are Aspect to 1 / Aspect.</summary>
internal sealed record BlockMask(double Ratio = 0.3, double Variance = 0, double Aspect = 0.3, double Chance = 1)
{
    /// <summary>Masks of two global crops an image, crop-major, side x side patches; they depend on (seed, epoch,
    /// image, crop) alone.</summary>
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

    public bool[] Draw(int rows, int columns, ref ImageRandom random)
    {
        bool[] mask = new bool[rows * columns];
        if (Chance < 1 && random.Uniform() >= Chance) return mask;
        double share = Variance > 0 ? random.Uniform(Ratio - Variance, Ratio + Variance) : Ratio;
        double limit = share * rows * columns;
        int masked = 0;
        while (masked < limit)
        {
            int added = 0;
            for (int attempt = 0; attempt < 10 && added == 0; attempt++)
                added = AddBlock(mask, rows, columns, limit - masked, ref random);
            if (added == 0) break;
            masked += added;
        }
        return mask;
    }

    // Returns the number of patches that the block masks; 0 when it does not fit.
    private int AddBlock(bool[] mask, int rows, int columns, double most, ref ImageRandom random)
    {
        int least = Math.Min(rows, columns) / 3;
        double area = random.Uniform(least * least, most), log = Math.Log(Aspect);
        double aspect = Math.Exp(random.Uniform(log, -log));
        int height = (int)Math.Round(Math.Sqrt(area * aspect)), width = (int)Math.Round(Math.Sqrt(area / aspect));
        if (width >= columns || height >= rows) return 0;
        int top = random.Integer(rows - height + 1), left = random.Integer(columns - width + 1);
        int free = 0;
        for (int y = top; y < top + height; y++)
            free += mask.AsSpan(y * columns + left, width).Count(false);
        if (free > most) return 0;
        for (int y = top; y < top + height; y++) mask.AsSpan(y * columns + left, width).Fill(true);
        return free;
    }
}
