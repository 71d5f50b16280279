using System.Collections;
using System.Reflection;
using Microsoft.Data.Analysis;

namespace DermKit.Notebooks;

/// <summary>Formats a value by MIME type. Types bring formatters by the convention of .NET Interactive: an attribute
/// class named TypeFormatterSourceAttribute on the type, a base type or an interface.</summary>
internal static class ValueFormatter
{
    private const int MaxRows = 50;
    private static readonly ConcurrentDictionary<Type, Formatter[]> Formatters = new();

    private sealed record Formatter(string MimeType, Func<object, TextWriter, bool> Format);

    internal static IReadOnlyDictionary<string, string> Format(object? value)
    {
        if (value is null) return new Dictionary<string, string> { ["text/plain"] = "null" };
        var content = new Dictionary<string, string>();
        foreach (Formatter formatter in Formatters.GetOrAdd(value.GetType(), Find))
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            if (!content.ContainsKey(formatter.MimeType) && formatter.Format(value, text))
                content[formatter.MimeType] = text.ToString();
        }
        if (content.Count == 0 && Table(value) is { } table) content["text/html"] = table;
        content.TryAdd("text/plain", Plain(value));
        return content;
    }

    // The data of an nbformat output: JSON types as JSON, text as lines.
    internal static JsonObject ToData(IReadOnlyDictionary<string, string> content)
    {
        var data = new JsonObject();
        foreach ((string mime, string text) in content)
            data[mime] = mime.EndsWith("json", Ordinal)
                ? JsonNode.Parse(text, null, new JsonDocumentOptions { MaxDepth = 256 })
                : mime.StartsWith("text/", Ordinal) ? NotebookCell.Lines(text) : text;
        return data;
    }

    private static Formatter[] Find(Type type) =>
        [.. type.GetInterfaces().Prepend(type).SelectMany(t => t.GetCustomAttributes(inherit: true))
            .Where(a => a.GetType().Name == "TypeFormatterSourceAttribute").SelectMany(Declared)];

    private static IEnumerable<Formatter> Declared(object attribute)
    {
        if (Property(attribute, "FormatterSourceType") is not Type source) return [];
        object instance = Activator.CreateInstance(source, nonPublic: true)!;
        var declared = (IEnumerable)Method(source, "CreateTypeFormatters").Invoke(instance, null)!;
        IEnumerable<Formatter> formatters = declared.Cast<object>().Select(f =>
        {
            MethodInfo format = Method(f.GetType(), "Format", typeof(object), typeof(TextWriter));
            return new Formatter((string)Property(f, "MimeType")!, (o, writer) => (bool)format.Invoke(f, [o, writer])!);
        });
        List<string> preferred = [.. Property(attribute, "PreferredMimeTypes") as IEnumerable<string> ?? []];
        return formatters.OrderBy(f => preferred.IndexOf(f.MimeType) is var at and >= 0 ? at : int.MaxValue);
    }

    private static object? Property(object owner, string name) => owner.GetType().GetProperty(name)?.GetValue(owner);

    private static MethodInfo Method(Type type, string name, params Type[] arguments) =>
        type.GetMethod(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic, arguments)
        ?? throw new KitException($"{type.FullName}: expected the method {name}("
            + $"{string.Join(", ", arguments.Select(a => a.Name))} ..) of the formatter convention, found none.");

    private static string Plain(object? value) => value switch
    {
        null => "null",
        string text => text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        DataFrame frame =>
            $"DataFrame of {frame.Rows.Count} rows: {string.Join(", ", frame.Columns.Select(c => c.Name))}",
        IEnumerable items when !OverridesToString(value) =>
            $"[{string.Join(", ", Head(items, out string more).Select(Plain))}{more}]",
        _ => value.ToString() ?? "",
    };

    private static bool OverridesToString(object value) =>
        value.GetType().GetMethod(nameof(ToString), Type.EmptyTypes)!.DeclaringType is { IsArray: false } type
        && type != typeof(object) && type.Namespace?.StartsWith("System", Ordinal) != true;

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
        bool isUniform = rows.All(r => r is not (null or string or IFormattable or bool or IEnumerable))
            && rows.Select(r => r!.GetType()).Distinct().Count() == 1;
        (string Name, Func<object, object?> Get)[] columns = isUniform ? Columns(rows[0]!.GetType()) : [];
        return columns.Length == 0
            ? Html(["index", "value"], rows.Select((r, i) => new[] { i, r }), more)
            : Html([.. columns.Select(c => c.Name)], rows.Select(r => columns.Select(c => c.Get(r!))), more);
    }

    private static (string, Func<object, object?>)[] Columns(Type type)
    {
        const BindingFlags Public = BindingFlags.Instance | BindingFlags.Public;
        IEnumerable<PropertyInfo> properties =
            type.GetProperties(Public).Where(p => p.CanRead && p.GetIndexParameters().Length == 0);
        return
        [
            .. properties.Select(p => (p.Name, (Func<object, object?>)p.GetValue)),
            .. type.GetFields(Public).Select(f => (f.Name, (Func<object, object?>)f.GetValue)),
        ];
    }

    private static string Html(string[] names, IEnumerable<IEnumerable<object?>> rows, string more)
    {
        string Cells(string tag, IEnumerable<string> texts) =>
            $"<tr>{string.Concat(texts.Select(t => $"<{tag}>{Escape(t)}</{tag}>"))}</tr>";
        string body = string.Concat(rows.Select(row => Cells("td", row.Select(Plain)) + "\n"));
        string foot =
            more == "" ? "" : $"<tfoot><tr><td colspan=\"{names.Length}\">{more.Trim()}</td></tr></tfoot>";
        return $"<table><thead>{Cells("th", names)}</thead>\n<tbody>\n{body}</tbody>{foot}</table>";
    }
}
