using DermKit.Evaluation;
using DermKit.Models;

namespace DermKit.Cli;

internal static class WeightsCommand
{
    internal static Command Create()
    {
        var file = Argument<string>("file",
            "safetensors, an index of several (.safetensors.index.json), or PyTorch's zip (.pth, .pt, .bin)");
        Command inspect = new Command("inspect",
            "Lists keys, shapes, types, metadata and the family of a weights file without running anything in it")
        {
            file
        }.Runs((parsed, _) => Inspect(Existing(parsed.GetValue(file)!)));

        var input = Argument<string>("in", "Any weights file that inspect reads");
        var output = Argument<string>("out", "The new file, NAME.safetensors");
        var raw = Option<bool>("--raw",
            "Keeps every tensor under its own name, unchecked, for a file of no known family");
        var prefix = Option<string?>("--prefix",
            "Prefix of the encoder's keys, such as teacher.backbone., for a file with several encoders");
        const string What = "Writes a file's encoder as safetensors under the key names of the kit's models, in its "
            + "stored types, if kit evaluate would take it or pre-training could start from it";
        Command convert = new Command("convert", What) { input, output, raw, prefix }.Runs((parsed, _) =>
            Convert(Existing(parsed.GetValue(input)!), parsed.GetValue(output)!, parsed.GetValue(raw),
                parsed.GetValue(prefix)));
        return new Command("weights", "Inspects and converts weights files") { inspect, convert };
    }

    private static void Inspect(string path)
    {
        using MappedWeights file = MappedWeights.Open(path);
        using WeightFile stored = WeightFile.Open(path);
        long bytes = new FileInfo(path).Length;
        long values = stored.Entries.Values.Sum(e => e.Count);
        string sizes = Invariant($"{bytes:n0} bytes, {stored.Entries.Count} tensors, {values:n0} values");
        Console.WriteLine($"{path}: {file.Format}, {sizes}; {file.Description}");
        Console.WriteLine($"SHA-256 {WeightLoader.FileHash(path)}");
        foreach ((string key, string value) in file.Metadata.OrderBy(p => p.Key, StringComparer.Ordinal))
            Console.WriteLine($"  {Printable.Of(key)} = {Printable.Of(value, most: 2_000)}");
        string[] names = [.. stored.Entries.Values.Select(e => Printable.Of(e.Name))];
        int width = names.Select(n => n.Length).DefaultIfEmpty(0).Max();
        foreach ((WeightEntry entry, string name) in stored.Entries.Values.Zip(names))
            Console.WriteLine($"{name.PadRight(width)}  {entry.Type,-8}  [{string.Join(", ", entry.Shape)}]");
    }

    private static void Convert(string path, string target, bool raw, string? prefix)
    {
        if (!target.EndsWith(".safetensors", OrdinalIgnoreCase))
            throw new KitException($"{target}: expected the name of a .safetensors file.");
        if (Path.GetFullPath(target) == Path.GetFullPath(path))
            throw new KitException($"{target}: expected another file than the one that is read.");
        if (raw && prefix is not null)
            throw new KitException("--raw keeps every tensor, --prefix those of one encoder: pass one of the two.");
        using MappedWeights mapped = MappedWeights.Open(path, prefix);
        if (!raw && mapped.Family == WeightFamily.Unknown)
            throw new KitException($"{path}: {mapped.Description}. Pass --raw to keep every tensor under its own "
                + "name.");
        using WeightFile file = raw ? WeightFile.Open(path) : mapped;
        string[] left = raw ? [] : [.. mapped.Unused, .. mapped.Heads];
        string[] keys = [.. file.Entries.Keys.Except(raw ? [] : mapped.Heads)];
        if (!raw) ModelRegistry.Check(mapped, keys);
        var metadata = new Dictionary<string, string>(file.Metadata)
        {
            ["converted from"] = Path.GetFileName(path),
            ["sha256 of that file"] = WeightLoader.FileHash(path),
        };
        SafeTensors.Save(target, file, keys, metadata);
        Console.WriteLine(
            $"{target}: {keys.Length} tensors, SHA-256 {WeightLoader.FileHash(target)}; {mapped.Description}");
        if (left.Length > 0) Console.WriteLine($"left out: {Names.Listed(left, left.Length)}");
    }

    private static string Existing(string path) => File.Exists(path) ? path
        : throw new KitException($"{Path.GetFullPath(path)}: expected a weights file, found none.");
}
