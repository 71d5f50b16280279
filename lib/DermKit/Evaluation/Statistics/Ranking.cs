namespace DermKit.Evaluation;

/// <summary>Rows sorted by a score once, so that AUROC and average precision of every resample are one linear pass.</summary>
public sealed class Ranking
{
    private readonly int[] order;
    private readonly bool[] lastOfTie;

    /// <summary>Sorts the rows, highest score first; equal scores form one tie.</summary>
    public Ranking(IReadOnlyList<double> scores)
    {
        order = [.. Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i])];
        lastOfTie = [.. order.Select((row, i) => i + 1 == order.Length || scores[order[i + 1]] != scores[row])];
    }

    /// <summary>Points of the ROC curve with (0, 0), one for each distinct score.</summary>
    public int RocPoints => lastOfTie.Count(l => l) + 1;

    /// <summary>Area under the ROC curve, a tie counting one half; NaN when only one class has rows.</summary>
    /// <param name="positive">Whether each row is of the positive class.</param>
    /// <param name="weights">How often each row counts; once when empty.</param>
    public double Auroc(ReadOnlySpan<bool> positive, ReadOnlySpan<ushort> weights = default)
    {
        double pos = 0, neg = 0, tiePos = 0, tieNeg = 0, pairs = 0;
        for (int i = 0; i < order.Length; i++)
        {
            int row = order[i], w = weights.IsEmpty ? 1 : weights[row];
            if (positive[row]) tiePos += w;
            else tieNeg += w;
            if (!lastOfTie[i]) continue;
            pairs += tieNeg * (pos + 0.5 * tiePos);
            pos += tiePos;
            neg += tieNeg;
            tiePos = tieNeg = 0;
        }
        return pos == 0 || neg == 0 ? double.NaN : pairs / (pos * neg);
    }

    /// <summary>Average precision: precision at each distinct score, weighted by the gain in recall, without interpolation; NaN without positives.</summary>
    public double AveragePrecision(ReadOnlySpan<bool> positive)
    {
        double pos = 0, seen = 0, before = 0, sum = 0;
        for (int i = 0; i < order.Length; i++)
        {
            seen++;
            if (positive[order[i]]) pos++;
            if (!lastOfTie[i]) continue;
            sum += (pos - before) * (pos / seen);
            before = pos;
        }
        return pos == 0 ? double.NaN : sum / pos;
    }
}
