namespace DermKit.Pretraining;

/// <summary>A value for each step or epoch, as in facebookresearch/dino (utils.py, main_dino.py).</summary>
internal static class Schedules
{
    // Linear warm-up whose last value is from, then half a cosine towards to, which would follow the last step.
    public static double[] Cosine(double from, double to, int steps, int warmup = 0, double start = 0)
    {
        if (warmup < 0 || warmup > steps)
            throw new ArgumentOutOfRangeException(nameof(warmup), warmup, $"Expected 0 to {steps} steps of warm-up.");
        int rest = steps - warmup;
        double At(int i) => to + 0.5 * (from - to) * (1 + Math.Cos(Math.PI * i / rest));
        return [.. Linear(start, from, warmup), .. Enumerable.Range(0, rest).Select(At)];
    }

    // The last value stays after the end of the schedule.
    public static double At(this double[] schedule, int epoch) => schedule[Math.Min(epoch, schedule.Length - 1)];

    // Linear over the warm-up epochs, then constant.
    public static double[] TeacherTemperature(double start, double end, int epochs, int warmup)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(warmup);
        IEnumerable<double> constant = Enumerable.Repeat(end, Math.Max(0, epochs - warmup));
        return [.. Linear(start, end, warmup).Concat(constant).Take(epochs)];
    }

    private static IEnumerable<double> Linear(double start, double end, int count) => Enumerable.Range(0, count).Select(
        i => count == 1 ? start : i == count - 1 ? end : start + i * ((end - start) / (count - 1)));
}
