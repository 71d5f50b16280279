using DermKit.Models;
using System.IO.Enumeration;
using System.Reflection;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

/// <summary>Says which fixture files a test class takes, as file-name patterns with *; every file of the kind,
/// whatever its suffix.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class TakesAttribute(string pattern) : Attribute
{
    public string Pattern { get; } = pattern;
}

/// <summary>The folder of reference numbers: KIT_PARITY_DIR, else the fixtures shipped beside the tests.</summary>
internal static class Fixtures
{
    /// <summary>The fixtures beside the tests.</summary>
    public static string Shipped { get; } = Path.Combine(KitSettings.FromEnvironment().Root, "tests", "DermKit.Tests",
        "Parity", "fixtures");

    // A test host works in its own output folder, so a relative path usually means one below the kit's root.
    public static string Folder { get; } = Environment.GetEnvironmentVariable("KIT_PARITY_DIR")
        is { Length: > 0 } folder
        ? Path.GetFullPath(Directory.Exists(folder) ? folder : Path.Combine(KitSettings.FromEnvironment().Root, folder))
        : Shipped;

    /// <summary>File names that match, for MemberData.</summary>
    public static TheoryData<string> Named(string pattern) => new(Files(pattern));

    public static string[] Files(string pattern) =>
        [.. Directory.GetFiles(Folder).Select(f => Path.GetFileName(f))
            .Where(f => FileSystemName.MatchesSimpleExpression(pattern, f)).Order(StringComparer.Ordinal)];

    public static string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>The first of the names that the folder has, else the first that is shipped, as a full path; null
    /// when neither has any.</summary>
    public static string? PathOrShipped(params string[] names) =>
        new[] { Folder, Shipped }.SelectMany(f => names.Select(n => Path.Combine(f, n))).FirstOrDefault(File.Exists);

    public static void Print(string text) => TestContext.Current.TestOutputHelper?.WriteLine(text);

    public static SafeTensorsFile Open(string name) => SafeTensorsFile.Open(PathOf(name));

    /// <summary>The generator's settings, from the file's metadata.</summary>
    public static JsonElement Config(this SafeTensorsFile file) =>
        JsonDocument.Parse(file.Metadata["config"]).RootElement;

    /// <summary>Largest |actual - expected| over the largest |expected|, in float64.</summary>
    public static double RelativeError(Tensor actual, Tensor expected)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(expected.shape, actual.shape);
        Tensor a = actual.detach().cpu().to(float64), e = expected.detach().cpu().to(float64);
        if (e.numel() == 0) return 0;
        return (a - e).abs().max().item<double>() / Math.Max(e.abs().max().item<double>(), 1e-30);
    }

    /// <summary>Fails with name and error when <see cref="RelativeError"/> is over the tolerance.</summary>
    public static void Close(Tensor actual, Tensor expected, double tolerance, string what)
    {
        double error = RelativeError(actual, expected);
        Assert.True(error <= tolerance, $"{what}: relative error {error:g3} is over {tolerance:g3}");
    }
}

public sealed class FixtureCoverageParity
{
    [Fact]
    public void EveryFixtureIsTaken()
    {
        string[] taken = [.. typeof(Fixtures).Assembly.GetTypes()
            .SelectMany(t => t.GetCustomAttributes<TakesAttribute>()).Select(a => a.Pattern)];
        // Licences, check sums and notes may stand beside the fixtures.
        string[] files = [.. Fixtures.Files("*")
            .Where(f => Path.GetExtension(f) is ".safetensors" or ".json" or ".png" or ".jpg")];
        Assert.NotEmpty(files);
        bool Matches(string[] patterns, string file) =>
            patterns.Any(p => FileSystemName.MatchesSimpleExpression(p, file));
        foreach ((string pattern, Func<string, string> partner) in new (string, Func<string, string>)[]
        {
            ("metrics_inputs*.safetensors",
                f => "metrics"
                    + f["metrics_inputs".Length..].Replace(".safetensors", ".json", StringComparison.Ordinal)),
            ("metrics*.json", MetricsParity.InputsOf),
            ("vit_dino_*_io*.safetensors", VitParity.WeightsOf),
            ("clip_*_io*.safetensors", f => ClipVisionParity.WeightsOf(f) ?? "clip_model*.safetensors"),
        })
            foreach (string file in Fixtures.Files(pattern).Where(f => !File.Exists(Fixtures.PathOf(partner(f)))))
                Fixtures.Print($"not compared: {file}, because {partner(file)} is not beside it");
        string[] forgotten = [.. files.Where(f => !Matches(taken, f))];
        Assert.True(forgotten.Length == 0, $"No test takes {string.Join(", ", forgotten)}.");
    }
}
