using System.Collections;
using System.ComponentModel;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace DermKit.Reporting;

internal static class PlanTable
{
    internal static Table Of(object plan, KitSettings? settings, string caption)
    {
        var rows = new List<(string Setting, string Value)>();
        if (settings is not null)
        {
            rows.Add(("Mode", settings.Mode.ToString()));
            rows.Add(("Device", settings.Device));
        }
        Add(plan, rows);
        return Tables.From(caption, rows, ("Setting", r => r.Setting), ("Value", r => r.Value));
    }

    private static void Add(object plan, List<(string Setting, string Value)> rows)
    {
        foreach (PropertyInfo property in plan.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            // A property without a setter follows from the others.
            if (!property.CanWrite) continue;
            object? value = property.GetValue(plan);
            if (value is not null && IsPlainRecord(value.GetType())) Add(value, rows);
            else rows.Add((Name(property), Text(value)));
        }
    }

    // A record without its own ToString: its properties are settings.
    private static bool IsPlainRecord(Type type) => type.IsClass
        && type.GetMethod(nameof(ToString), Type.EmptyTypes)!.IsDefined(typeof(CompilerGeneratedAttribute));

    private static string Name(PropertyInfo property)
    {
        if (property.GetCustomAttribute<DisplayNameAttribute>() is { } given) return given.DisplayName;
        string words = Regex.Replace(property.Name, "(?<=[a-z0-9])(?=[A-Z])", " ").ToLowerInvariant();
        return char.ToUpperInvariant(words[0]) + words[1..];
    }

    private static string Text(object? value) => value switch
    {
        null or "" => "not set",
        int.MaxValue or long.MaxValue => "no limit",
        bool yes => yes ? "yes" : "no",
        string text => text,
        Enum kind => kind.Spelled(),
        double number => Tables.Number(number),
        TimeSpan time => Tables.Duration(time),
        ITuple size => string.Join(" x ", Enumerable.Range(0, size.Length).Select(i => Text(size[i]))),
        IEnumerable list => string.Join(", ", list.Cast<object?>().Select(Text)) is { Length: > 0 } all ? all : "none",
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
