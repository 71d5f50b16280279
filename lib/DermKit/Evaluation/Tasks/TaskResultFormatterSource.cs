using System.Globalization;
using System.Net;

namespace DermKit.Evaluation;

/// <summary>How notebooks show a result: its metrics with their 95 % intervals.</summary>
public sealed class TaskResultFormatterSource
{
    /// <summary>One formatter for text/html and one for text/plain.</summary>
    public IEnumerable<object> CreateTypeFormatters() =>
    [
        new RichFormatter("text/html", value => value is TaskResult result ? Html(result) : null),
        new RichFormatter("text/plain", value => value is TaskResult result ? $"{Title(result)}\n{string.Join('\n', Rows(result).Select(r => $"  {r.Metric} {r.Value}{(r.Interval.Length > 0 ? " " + r.Interval : "")}"))}" : null),
    ];

    private static string Title(TaskResult result) =>
        $"{Stamps.Bracket(result.BothStamps)}{result.Model} on {result.Task}, {result.Probe}, seed {result.Seed}, {result.Ids.Length} test images of {result.UnitCount} units";

    private static IEnumerable<(string Metric, string Value, string Interval)> Rows(TaskResult result) => result.Metrics.Select(m =>
        (m.Key, Number(m.Value), result.Intervals.TryGetValue(m.Key, out Interval? interval) ? $"[{Number(interval.Low)}, {Number(interval.High)}]" : ""));

    private static string Html(TaskResult result) =>
        $"<table><caption>{WebUtility.HtmlEncode(Title(result))}</caption><thead><tr><th scope=\"col\">Metric</th><th scope=\"col\">Value</th><th scope=\"col\">95 % interval</th></tr></thead><tbody>"
        + string.Concat(Rows(result).Select(r => $"<tr><th scope=\"row\">{WebUtility.HtmlEncode(r.Metric)}</th><td>{r.Value}</td><td>{r.Interval}</td></tr>")) + "</tbody></table>";

    private static string Number(double value) => double.IsNaN(value) ? "–" : value.ToString("0.000", CultureInfo.InvariantCulture);
}
