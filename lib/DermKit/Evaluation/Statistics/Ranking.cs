namespace DermKit.Evaluation;

/// <summary>Rows sorted by score once, so that AUROC and average precision of a resample take one pass.</summary>
internal sealed class Ranking
{
    private readonly int[] order;
    private readonly bool[] lastOfTie;

    // Highest score first; equal scores are one tie.
    public Ranking(IReadOnlyList<double> scores)
    {
        order = [.. Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i])];
        lastOfTie = [.. order.Select((row, i) => i + 1 == order.Length || scores[order[i + 1]] != scores[row])];
    }

    // With (0, 0), one for each distinct score.
    public int RocPoints => lastOfTie.Count(l => l) + 1;

    // A tie counts one half; NaN when a class has no rows. Empty weights count each row once.
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

    // Precision at each distinct score weighted by the gain in recall; NaN without positives.
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
