using DermKit.Evaluation;

namespace DermKit.Reporting;

/// <summary>Makes tables from lists and plans, and formats numbers in the invariant culture.</summary>
public static class Tables
{
    /// <summary>A table with one row for each item.</summary>
    public static Table From<T>(
        string caption, IEnumerable<T> items, params (string Heading, Func<T, object?> Value)[] columns) =>
        new(caption, [.. columns.Select(c => c.Heading)],
            [.. items.Select(item => Row(columns.Select(c => c.Value(item))))]);

    /// <summary>The settings of a plan record: a row for each property that can be set, with plain records flattened.
    /// Names are split into words, unless they have a <see cref="System.ComponentModel.DisplayNameAttribute"/>. Null
    /// settings omit mode and device.</summary>
    public static Table Plan(object plan, KitSettings? settings = null, string caption = "This run") =>
        PlanTable.Of(plan, settings, caption);

    /// <summary>Such as 1234, 0.714 or 3.2e-05; "–" for NaN.</summary>
    public static string Number(double value) => value switch
    {
        double.NaN => "–",
        _ when value == Math.Round(value) && Math.Abs(value) < 1e9 => value.ToString("0", CultureInfo.InvariantCulture),
        _ => value.ToString(Format(Math.Abs(value)), CultureInfo.InvariantCulture),
    };

    /// <summary>A share of 1 as a whole percentage.</summary>
    public static string Percent(double share) =>
        double.IsNaN(share) ? "–" : share.ToString("0 %", CultureInfo.InvariantCulture);

    /// <summary>Such as 0.71 [0.66, 0.75]; the number alone when it has no interval.</summary>
    public static string Interval(Estimate estimate)
    {
        string value = Fixed(estimate.Value);
        return estimate.HasInterval ? $"{value} [{Fixed(estimate.Low)}, {Fixed(estimate.High)}]" : value;

        // Adding zero turns a rounded -0 into 0.
        static string Fixed(double v) => double.IsNaN(v) ? "–"
            : (Math.Round(v, 2) + 0.0).ToString("F2", CultureInfo.InvariantCulture);
    }

    /// <summary>Such as 0.71 [0.66, 0.75].</summary>
    public static string Interval(Interval interval) => Interval(Estimate.Of(interval));

    /// <summary>Such as 12.3 s, 2 min 13 s or 3 h 5 min.</summary>
    public static string Duration(TimeSpan time)
    {
        if (time.TotalSeconds < 59.95)
            return string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s");
        var whole = TimeSpan.FromSeconds(Math.Round(time.TotalSeconds));
        return whole.TotalHours < 1
            ? $"{whole.Minutes} min {whole.Seconds} s"
            : $"{(int)whole.TotalHours} h {whole.Minutes} min";
    }

    // Such as 0.031, ≤ 0.020 for an upper bound, and "–" for null.
    internal static string P(double? p, bool isBound) =>
        p is { } value ? $"{(isBound ? "≤ " : "")}{Number(value)}" : "–";

    // Such as 1 task or 2 tasks.
    internal static string Counted(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";

    internal static IReadOnlyList<object?> Row(IEnumerable<object?> cells) => [.. cells];

    internal static string Text(object? value) => value switch
    {
        null => "",
        string text => text,
        double number => Number(number),
        float number => Number(number),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string Format(double size) => size switch
    {
        >= 1000 and < 1e9 => "0",
        >= 10 and < 1000 => "0.0",
        >= 1 and < 10 => "0.0#",
        >= 0.001 and < 1 => "0.000",
        _ => "0.0e+0",
    };
}
