namespace DermKit.Pretraining;

/// <summary>Schedules with one value for each step, as facebookresearch/dino (utils.py, main_dino.py) defines them.</summary>
public static class Schedules
{
    /// <summary>
    /// Linear warm-up from <paramref name="start"/> whose last value is <paramref name="from"/>, then half a cosine towards
    /// <paramref name="to"/>, which it never quite reaches.
    /// </summary>
    /// <param name="from">Value after the warm-up.</param>
    /// <param name="to">Value that the cosine tends to.</param>
    /// <param name="steps">All steps, warm-up included.</param>
    /// <param name="warmup">Steps of the warm-up, 0 for none.</param>
    /// <param name="start">First value of the warm-up.</param>
    /// <returns>[steps].</returns>
    /// <exception cref="ArgumentOutOfRangeException">The warm-up is negative or longer than the run.</exception>
    public static double[] Cosine(double from, double to, int steps, int warmup = 0, double start = 0)
    {
        if (warmup < 0 || warmup > steps) throw new ArgumentOutOfRangeException(nameof(warmup), warmup, $"Expected a warm-up of 0 to {steps} steps.");
        int rest = steps - warmup;
        return [.. Linear(start, from, warmup), .. Enumerable.Range(0, rest).Select(i => to + 0.5 * (from - to) * (1 + Math.Cos(Math.PI * i / rest)))];
    }

    /// <summary>The teacher's temperature in each epoch: linear over <paramref name="warmup"/> epochs, then constant.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The warm-up is negative.</exception>
    public static double[] TeacherTemperature(double start, double end, int epochs, int warmup)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(warmup);
        return [.. Linear(start, end, warmup).Concat(Enumerable.Repeat(end, Math.Max(0, epochs - warmup))).Take(epochs)];
    }

    /// <summary>numpy's linspace with both ends.</summary>
    private static IEnumerable<double> Linear(double start, double end, int count) =>
        Enumerable.Range(0, count).Select(i => count == 1 ? start : i == count - 1 ? end : start + i * ((end - start) / (count - 1)));
}
