using System.Globalization;
using System.Net;
using System.Text;

namespace DermKit.Evaluation;

/// <summary>Shows metrics with their 95 % intervals in notebooks.</summary>
internal static class TaskResultText
{
    internal static string Html(TaskResult result)
    {
        var html = new StringBuilder($"<table><caption>{WebUtility.HtmlEncode(Title(result))}</caption><thead><tr>")
            .Append("<th scope=\"col\">Metric</th><th scope=\"col\">Value</th><th scope=\"col\">95 % interval</th>")
            .Append("</tr></thead><tbody>");
        foreach ((string metric, string value, string interval) in Rows(result))
            html.Append($"<tr><th scope=\"row\">{WebUtility.HtmlEncode(metric)}</th>")
                .Append($"<td>{value}</td><td>{interval}</td></tr>");
        return html.Append("</tbody></table>").ToString();
    }

    internal static string Plain(TaskResult result)
    {
        IEnumerable<string> lines = Rows(result).Select(r => $"  {r.Metric} {r.Value} {r.Interval}".TrimEnd());
        return $"{Title(result)}\n{string.Join('\n', lines)}";
    }

    private static string Title(TaskResult result) =>
        $"{Stamps.Bracket(result.BothStamps)}{result.Model} on {result.Task}, {result.Probe}, seed {result.Seed}, "
        + $"{result.Ids.Length} test images of {result.UnitCount} units";

    private static IEnumerable<(string Metric, string Value, string Interval)> Rows(TaskResult result) =>
        result.Metrics.Select(m => (m.Key, Number(m.Value), result.Intervals.TryGetValue(m.Key, out Interval? interval)
            ? $"[{Number(interval.Low)}, {Number(interval.High)}]"
            : ""));

    private static string Number(double value) =>
        double.IsNaN(value) ? "–" : value.ToString("0.000", CultureInfo.InvariantCulture);
}
