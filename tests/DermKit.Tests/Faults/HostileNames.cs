using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Tests.Models;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Faults;

/// <summary>Names in weights files that a terminal would obey or that would fill it:
/// messages stay bounded lines.</summary>
public sealed class HostileNames : IDisposable
{
    private static readonly UnicodeCategory[] Obeyed =
    [
        UnicodeCategory.Control, UnicodeCategory.Format,
        UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator,
    ];

    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> Names =>
    [
        "\u001b]0;title\a\u001b[2J", "a\nb\r\nkit: done", "\u202egpj.exe\u2066", "\u009b2J\u0085", "\u2028\u200b",
        new string('k', 60_000), string.Concat(Enumerable.Repeat("\u001b[", 10_000)),
    ];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Names), DisableDiscoveryEnumeration = true)]
    public void NoReaderRepeatsThemAsTheyAre(string name)
    {
        using var scope = NewDisposeScope();
        string json = Json(name);
        Harmless(At("header", Header($$"""{ {{json}}:{"dtype":{{json}},"shape":[0],"data_offsets":[0,0]} }""")));
        Harmless(At("twice", Header($$"""{ {{Json(name)}}:{},{{Json(name)}}:{} }""")));
        const string Index = "safetensors.index.json";
        Harmless(At(Index, Encoding.UTF8.GetBytes($$"""{"weight_map":{ {{Json(name)}}:{{Json(name)}} } }""")));
        var named = new Dictionary<string, Tensor> { [name] = zeros(1) };
        SafeTensors.Save(Path.Combine(folder.Path, "x.safetensors"), named);
        Harmless(At(Index, """{"weight_map":{"a":"x.safetensors"}}"""u8.ToArray()));
        Harmless(At(Index, Encoding.UTF8.GetBytes($$"""{"weight_map":{"a":{{Json(name + ".safetensors")}} } }""")));
        foreach (string text in new[] { name, "\u009b2J" + name })
            Harmless(At("pth", Encoding.Latin1.GetBytes("0123456789" + text)));
        string path = Path.Combine(folder.Path, "global.pth");
        string line = name.ReplaceLineEndings("");
        new TorchZip().Write(path, Pickled.Global(line, "system"));
        Harmless(path);
        new TorchZip().Write(path, Pickled.Call(Pickled.Global("__torch__", line), Pickled.None));
        Harmless(path);
        new TorchZip().Write(path, Pickled.Dict((name, Pickled.Storage("FloatStorage", name, 3))));
        Harmless(path);
        new TorchZip().Write(path, Pickled.EmptyDict, root: name + "/deeper");
        Harmless(path);
    }

    [Theory]
    [MemberData(nameof(Names), DisableDiscoveryEnumeration = true)]
    public void NoRefusalRepeatsThemAsTheyAre(string name)
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(VitConfig.Tiny with { Depth = 1 }, 1);
        Dictionary<string, Tensor> state = model.state_dict();
        string path = Path.Combine(folder.Path, "m.safetensors");
        void Save(Dictionary<string, Tensor> tensors, string text)
        {
            var metadata = new Dictionary<string, string> { ["architecture"] = text, ["pretrainedOn"] = text };
            SafeTensors.Save(path, tensors, metadata);
        }
        // No family, an extra key, and a prefix that no encoder has.
        Save(new() { [name] = zeros(1) }, name);
        Refused();
        Harmless(Assert.Throws<KitException>(() => MappedWeights.Open(path, name)).Message);
        state["blocks.0." + name] = zeros(1);
        Save(state, name);
        Refused();
        // Two encoders under such prefixes.
        Dictionary<string, Tensor> two = [];
        foreach ((string key, Tensor value) in model.state_dict())
        {
            two[$"{name}.{key}"] = value;
            two[$"other.{name}.{key}"] = value + Kept(1);
        }
        Save(two, name);
        Refused();
        // A CLIP whose configuration is such a text.
        using ClipVisionTransformer clip = ClipVisionTransformer.Random(ClipModelTests.Vision, 1);
        Save(clip.state_dict(), $$"""{ {{Json(name)}}:1}""");
        Refused();

        void Refused()
        {
            Harmless(Assert.Throws<KitException>(() => WeightLoader.LoadStrict(model, path)).Message);
            Harmless(UndeclaredModels.Of(path, [])!.Missing!);
            using MappedWeights file = MappedWeights.Open(path);
            Harmless(file.Description);
            Harmless(Assert.Throws<KitException>(() => ModelRegistry.Check(file, [])).Message);
        }
    }

    private static string Json(string text) => JsonSerializer.Serialize(text);

    private static byte[] Header(string json)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        return [.. BitConverter.GetBytes((long)bytes.Length), .. bytes];
    }

    private string At(string ending, byte[] content)
    {
        string path = Path.Combine(folder.Path, $"file.{ending}");
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>A message, or that of opening a file.</summary>
    private void Harmless(string messageOrPath)
    {
        string message = !File.Exists(messageOrPath) ? messageOrPath
            : Assert.Throws<KitException>(() => MappedWeights.Open(messageOrPath).Dispose()).Message;
        Assert.DoesNotContain(message, c => Obeyed.Contains(char.GetUnicodeCategory(c)));
        Assert.InRange(message.Length, 10, 10_000);
    }
}
