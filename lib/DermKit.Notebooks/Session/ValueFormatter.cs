using Microsoft.Data.Analysis;
using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>
/// Turns a cell's value into MIME type and content. A type chooses its own look by the convention of .NET Interactive: an attribute class named
/// TypeFormatterSourceAttribute with FormatterSourceType and PreferredMimeTypes, on the type, a base type or an interface; found by name, so that no package is shared.
/// </summary>
internal static class ValueFormatter
{
    private const int MaxRows = 50;
    private static readonly ConcurrentDictionary<Type, Formatter[]> Formatters = new();

    private sealed record Formatter(string MimeType, Func<object, TextWriter, bool> Format);

    internal static IReadOnlyDictionary<string, string> Format(object? value)
    {
        var content = new Dictionary<string, string>();
        if (value is null) return new Dictionary<string, string> { ["text/plain"] = "null" };
        foreach (Formatter formatter in Formatters.GetOrAdd(value.GetType(), Find))
        {
            var text = new StringWriter(CultureInfo.InvariantCulture);
            if (!content.ContainsKey(formatter.MimeType) && formatter.Format(value, text)) content[formatter.MimeType] = text.ToString();
        }
        if (content.Count == 0 && Table(value) is { } table) content["text/html"] = table;
        content.TryAdd("text/plain", Plain(value));
        return content;
    }

    /// <summary>The data object of an output: JSON types as JSON, text as lines.</summary>
    internal static JsonObject ToData(IReadOnlyDictionary<string, string> content)
    {
        var data = new JsonObject();
        foreach ((string mime, string text) in content)
            data[mime] = mime.EndsWith("json", StringComparison.Ordinal) ? JsonNode.Parse(text, null, new JsonDocumentOptions { MaxDepth = 256 })
                : mime.StartsWith("text/", StringComparison.Ordinal) ? NotebookCell.Lines(text) : text;
        return data;
    }

    private static Formatter[] Find(Type type)
    {
        var found = new List<Formatter>();
        for (Type? t = type; t is not null; t = t.BaseType) found.AddRange(Declared(t));
        foreach (Type t in type.GetInterfaces()) found.AddRange(Declared(t));
        return [.. found];
    }

    private static IEnumerable<Formatter> Declared(Type type)
    {
        foreach (object attribute in type.GetCustomAttributes(inherit: false).Where(a => a.GetType().Name == "TypeFormatterSourceAttribute"))
        {
            if (Property(attribute, "FormatterSourceType") is not Type source) continue;
            object instance = Activator.CreateInstance(source, nonPublic: true)!;
            var formatters = ((IEnumerable)Method(source, "CreateTypeFormatters").Invoke(instance, null)!).Cast<object>().Select(f =>
            {
                MethodInfo format = Method(f.GetType(), "Format", typeof(object), typeof(TextWriter));
                return new Formatter((string)Property(f, "MimeType")!, (value, writer) => (bool)format.Invoke(f, [value, writer])!);
            });
            string[] preferred = Property(attribute, "PreferredMimeTypes") is IEnumerable<string> names ? [.. names] : [];
            foreach (Formatter formatter in formatters.OrderBy(f => Array.IndexOf(preferred, f.MimeType) is var at and >= 0 ? at : int.MaxValue)) yield return formatter;
        }
    }

    private static object? Property(object owner, string name) => owner.GetType().GetProperty(name)?.GetValue(owner);

    private static MethodInfo Method(Type type, string name, params Type[] arguments) =>
        type.GetMethod(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, arguments)
        ?? throw new KitException($"{type.FullName}: expected a method {name}({string.Join(", ", arguments.Select(a => a.Name))} ..) as the formatter convention asks, found none.");

    private static string Plain(object? value) => value switch
    {
        null => "null",
        string text => text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        DataFrame frame => $"DataFrame of {frame.Rows.Count} rows: {string.Join(", ", frame.Columns.Select(c => c.Name))}",
        IEnumerable items when !OverridesToString(value) => $"[{string.Join(", ", Head(items, out string more).Select(Plain))}{more}]",
        _ => value.ToString() ?? "",
    };

    private static bool OverridesToString(object value) => value.GetType().GetMethod(nameof(ToString), Type.EmptyTypes)!.DeclaringType is { IsArray: false } type
        && type != typeof(object) && type.Namespace?.StartsWith("System", StringComparison.Ordinal) != true;

    private static List<object?> Head(IEnumerable items, out string more)
    {
        List<object?> head = [.. items.Cast<object?>().Take(MaxRows + 1)];
        more = head.Count <= MaxRows ? "" : items is ICollection all ? $" .. {all.Count - MaxRows} more" : " .. more";
        return head.Count <= MaxRows ? head : head[..MaxRows];
    }

    private static string? Table(object value)
    {
        if (value is DataFrame frame)
            return Html([.. frame.Columns.Select(c => c.Name)], frame.Rows.Take(MaxRows).Select(r => r.ToArray()),
                frame.Rows.Count > MaxRows ? $" .. {frame.Rows.Count - MaxRows} more" : "");
        if (value is not IEnumerable items || value is string || OverridesToString(value)) return null;
        List<object?> rows = Head(items, out string more);
        if (rows.Count == 0) return null;
        (string Name, Func<object, object?> Get)[] columns = rows.All(r => r is not null && !IsScalar(r)) && rows.Select(r => r!.GetType()).Distinct().Count() == 1 ? Columns(rows[0]!.GetType()) : [];
        return columns.Length == 0
            ? Html(["index", "value"], rows.Select((r, i) => new[] { i, r }), more)
            : Html([.. columns.Select(c => c.Name)], rows.Select(r => columns.Select(c => c.Get(r!)).ToArray()), more);
    }

    private static bool IsScalar(object value) => value is string or IFormattable or bool or char || value is IEnumerable;

    private static (string, Func<object, object?>)[] Columns(Type type) =>
    [
        .. type.GetProperties(BindingFlags.Instance | BindingFlags.Public).Where(p => p.CanRead && p.GetIndexParameters().Length == 0 && p.Name != "EqualityContract")
            .Select(p => (p.Name, (Func<object, object?>)p.GetValue)),
        .. type.GetFields(BindingFlags.Instance | BindingFlags.Public).Select(f => (f.Name, (Func<object, object?>)f.GetValue)),
    ];

    private static string Html(string[] names, IEnumerable<object?[]> rows, string more)
    {
        var html = new StringBuilder("<table><thead><tr>");
        foreach (string name in names) html.Append("<th>").Append(WebUtility.HtmlEncode(name)).Append("</th>");
        html.Append("</tr></thead>\n<tbody>\n");
        foreach (object?[] row in rows)
        {
            html.Append("<tr>");
            foreach (object? cell in row) html.Append("<td>").Append(WebUtility.HtmlEncode(Plain(cell))).Append("</td>");
            html.Append("</tr>\n");
        }
        html.Append("</tbody>");
        if (more != "") html.Append($"<tfoot><tr><td colspan=\"{names.Length}\">{more.Trim()}</td></tr></tfoot>");
        return html.Append("</table>").ToString();
    }
}
