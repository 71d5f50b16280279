using System.Reflection;
using System.Text;

namespace DermKit.Tests;

/// <summary>public-surface.txt lists what the core offers, so that a change of it is seen in review;
/// KIT_WRITE_PAGES=1 writes it.</summary>
public sealed class PublicSurfaceTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    [Fact]
    public void TheSurfaceOfTheCoreIsTheListedOne()
    {
        string path = Path.Combine(
            KitSettings.FromEnvironment().Root, "tests", "DermKit.Tests", "public-surface.txt");
        string surface = Surface();
        if (Environment.GetEnvironmentVariable("KIT_WRITE_PAGES") == "1") AtomicFile.WriteAllText(path, surface);
        Assert.Equal(File.ReadAllText(path), surface);
    }

    private static string Surface()
    {
        var text = new StringBuilder();
        foreach (Type type in typeof(KitSettings).Assembly.GetExportedTypes()
            .OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(type.FullName).Append('\n');
            foreach (string member in Members(type).Distinct().Order(StringComparer.Ordinal))
                text.Append("  ").Append(member).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>What a reader of the source sees: not the members that a record or an enum gets by itself.</summary>
    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum) return Enum.GetNames(type);
        if (typeof(Delegate).IsAssignableFrom(type)) return [];
        bool isRecord = type.GetMethod("<Clone>$") is not null
            || type.GetMethod("PrintMembers", BindingFlags.NonPublic | BindingFlags.Instance) is not null;
        string[] own = isRecord
            ? ["ToString", "Equals", "GetHashCode", "Deconstruct", "op_Equality", "op_Inequality", "<Clone>$"] : [];
        IEnumerable<string> methods = type.GetMethods(Declared)
            .Where(m => !own.Contains(m.Name)
                && (!m.IsSpecialName || m.Name.StartsWith("op_", StringComparison.Ordinal)))
            .Select(m => $"{m.Name}({string.Join(", ", m.GetParameters().Select(p => p.ParameterType.Name))}): "
                + $"{m.ReturnType.Name}");
        IEnumerable<string> constructors = type.GetConstructors()
            .Select(c => $"new({string.Join(", ", c.GetParameters().Select(p => p.ParameterType.Name))})");
        IEnumerable<string> values = type.GetProperties(Declared).Select(p => $"{p.Name}: {p.PropertyType.Name}")
            .Concat(type.GetFields(Declared).Select(f => $"{f.Name}: {f.FieldType.Name}"));
        return methods.Concat(constructors).Concat(values);
    }
}
