namespace DermKit.Imaging;

/// <summary>Resampling filters, antialiased when shrinking.</summary>
public enum ResizeFilter
{
    /// <summary>Triangle, support 1.</summary>
    Bilinear,
    /// <summary>Keys' cubic with a = -0.5, support 2.</summary>
    Bicubic,
}

/// <summary>Normalised weights of one axis: output i reads Count[i] inputs from Start[i]; weights are at i *
/// Stride.</summary>
internal sealed record ResizeWeights(int[] Start, int[] Count, double[] Values, int Stride)
{
    public static ResizeWeights Make(int inputs, int outputs, ResizeFilter filter)
    {
        double scale = (double)inputs / outputs, filterScale = Math.Max(scale, 1), inverse = 1.0 / filterScale;
        double support = (filter == ResizeFilter.Bilinear ? 1.0 : 2.0) * filterScale;
        int stride = ((int)Math.Ceiling(support) * 2) + 1;
        var result = new ResizeWeights(new int[outputs], new int[outputs], new double[outputs * stride], stride);
        for (int i = 0; i < outputs; i++)
        {
            double center = (i + 0.5) * scale, sum = 0;
            int start = Math.Max((int)(center - support + 0.5), 0);
            int count = Math.Min((int)(center + support + 0.5), inputs) - start;
            Span<double> weights = result.Values.AsSpan(i * stride, count);
            for (int k = 0; k < count; k++) sum += weights[k] = Filter((k + start - center + 0.5) * inverse, filter);
            for (int k = 0; k < count && sum != 0; k++) weights[k] /= sum;
            result.Start[i] = start;
            result.Count[i] = count;
        }
        return result;
    }

    private static double Filter(double x, ResizeFilter filter)
    {
        x = Math.Abs(x);
        if (filter == ResizeFilter.Bilinear) return x < 1 ? 1 - x : 0;
        const double a = -0.5;
        if (x < 1) return (((a + 2) * x) - (a + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
}
