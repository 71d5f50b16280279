using System.Collections;
using System.Text.RegularExpressions;

namespace DermKit.Models;

/// <summary>PyTorch's zip (torch.save since 1.6, TorchScript): a pickle that describes tensors in uncompressed files,
/// of which nothing is run (<see cref="Pickle"/>). Tensors in dictionaries, lists, tuples and modules are entries under
/// their path, such as <c>optimizer.state.0.exp_avg</c>; a file of one tensor has the entry <c>tensor</c>. A tensor
/// without a path, as under a tuple as key, is an error: none is skipped.</summary>
internal sealed class TorchFile : WeightFile
{
    private const int DepthCap = 32, KeyCap = 300;

    internal static readonly Dictionary<string, ScalarType> Types =
        SafeTensors.Types.ToDictionary(t => $"torch.{t.Storage}Storage", t => t.Type);

    private readonly FileStream stream;
    private readonly ZipDirectory zip;
    private readonly Dictionary<string, ZipItem> items;
    private readonly string root;
    private readonly Pickle pickle;
    private readonly Dictionary<string, Rebuilt> places = [];
    private readonly Dictionary<string, string> values = [];
    private readonly Dictionary<string, WeightEntry> found = [];
    private long bytes;

    private TorchFile(string path, FileStream stream) : base(path)
    {
        this.stream = stream;
        zip = new ZipDirectory(stream, Broken);
        items = zip.Read();
        string[] pickles = [.. items.Keys.Where(k => Regex.IsMatch(k, "^[^/]+/data\\.pkl$"))];
        if (pickles.Length != 1)
            throw Broken($"expected one file NAME/data.pkl in the archive, found {pickles.Length} among {items.Count} "
                + $"such as {Names.Listed(items.Keys.Take(3))}");
        root = pickles[0][..^"data.pkl".Length];
        if (items.TryGetValue(root + "byteorder", out ZipItem? order) && order is { IsStored: true, Length: < 16 }
            && Encoding.ASCII.GetString(zip.Content(order)) is var word && word != "little")
            throw Broken($"its numbers are in the byte order '{Printable.Of(word)}'; expected little");
        // A tensor of one number takes about 2 KB here and 500 bytes in the zip: a hundred must pass.
        long memory = (1 << 18) + 3 * stream.Length;
        pickle = new Pickle(zip.Content(Stored(pickles[0])), memory, Persistent, Call, Broken);
        Flatten("", pickle.Read(), 0);
        foreach (object? state in pickle.Attributes)
            Flatten("_metadata", state, 0, "in the attributes of a dictionary");
        if (found.Count == 0) throw Broken("its pickle holds no tensor");
        Entries = found;
        Metadata = values;
    }

    private sealed record Storage(ScalarType Type, ZipItem Item, long Count);

    private sealed record Rebuilt(Storage Storage, long Offset, long[] Shape, long[] Strides)
    {
        public bool IsContiguous
        {
            get
            {
                long expected = 1;
                for (int i = Shape.Length - 1; i >= 0; i--)
                {
                    if (Shape[i] != 1 && Strides[i] != expected) return false;
                    expected *= Shape[i];
                }
                return true;
            }
        }

        // Throws OverflowException.
        public long Span => Shape.Contains(0) ? 0
            : checked(1 + Shape.Zip(Strides, (n, s) => checked((n - 1) * s)).Sum());
    }

    public override string Format =>
        items.ContainsKey(root + "constants.pkl") ? "PyTorch zip (TorchScript)" : "PyTorch zip";

    // Checks where every tensor is. Numbers and text beside them become Metadata.
    public static new TorchFile Open(string path) =>
        Owned.Make(() => File.OpenRead(path), stream => new TorchFile(path, stream));

    public override void Dispose() => stream.Dispose();

    internal override void Read(string name, long first, Tensor target)
    {
        Rebuilt place = places[name];
        int size = place.Storage.Type.ElementSize();
        long start = place.Storage.Item.Offset + place.Offset * size;
        if (place.IsContiguous)
        {
            TensorData.Fill(target, stream, start + first * size);
            return;
        }
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor span = empty([place.Span], place.Storage.Type);
        TensorData.Fill(span, stream, start);
        Tensor values = span.as_strided(place.Shape, place.Strides).reshape(-1);
        target.view(-1).copy_(values.narrow(0, first, target.numel()));
    }

    // Adds all under a path; nameless is why a tensor there has no path, or null.
    private void Flatten(string path, object? value, int depth, string? nameless = null)
    {
        string shown = Printable.Of(path);
        if (depth > DepthCap) throw Broken($"its pickle is nested over {DepthCap} deep at '{shown}'");
        pickle.Charge(64 + 2 * path.Length);
        IEnumerable<(object Key, object? Value)> inner = value switch
        {
            OrderedDictionary<object, object?> map => map.Select(p => (p.Key, p.Value)),
            PickleObject plain => plain.State.Select(p => (p.Key, p.Value)),
            IList list and (List<object?> or object?[]) => list.Cast<object?>().Select((v, i) => ((object)(long)i, v)),
            _ => [],
        };
        foreach ((object key, object? item) in inner)
        {
            string? name = KeyName(key);
            if (name is null) Flatten(path, key, depth + 1, nameless ?? $"in a key of '{shown}'");
            string below = path.Length == 0 ? name ?? "" : $"{path}.{name}";
            if (below.Length > KeyCap)
                throw Broken($"its pickle has a key of over {KeyCap} characters, '{Printable.Of(below)}'");
            string? reason = name is null ? $"in '{shown}' under a key that is {Pickle.Described(key)}" : null;
            Flatten(below, item, depth + 1, nameless ?? reason);
        }
        if (value is Storage) throw Broken($"it has a storage without a tensor at '{shown}'; save a tensor of it");
        if (value is Rebuilt tensor) Add(path.Length == 0 ? "tensor" : path, tensor, nameless);
        else if (nameless is null && path.Length > 0 && Text(value) is { } text && values.Count < 1_000)
            values.TryAdd(path, text);
    }

    private void Add(string path, Rebuilt tensor, string? nameless)
    {
        if (nameless is not null)
            throw Broken($"it has a tensor {nameless}, which no name in this kit could stand for; "
                + "save it in a dictionary under text or a whole number");
        var entry = new WeightEntry(path, tensor.Storage.Type, tensor.Shape);
        // Views may share a storage: a small file could ask for any memory.
        bytes += entry.Bytes;
        if (bytes > 3 * stream.Length)
            throw Broken("its tensors repeat one storage so often that they need over three times the file");
        pickle.Charge(300);
        if (!found.TryAdd(path, entry)) throw Broken($"its pickle has the key '{Printable.Of(path)}' twice");
        places[path] = tensor;
    }

    private static string? KeyName(object key) => key switch
    {
        string text => text,
        bool truth => truth ? "True" : "False",
        long or double => Convert.ToString(key, CultureInfo.InvariantCulture),
        _ => null,
    };

    // Short text or a number, else null.
    private static string? Text(object? value) => value switch
    {
        bool truth => truth ? "true" : "false",
        null or string { Length: > 200 } => null,
        _ => KeyName(value),
    };

    private object Persistent(object? id)
    {
        if (id is not object?[] and not null || id is not object?[] { Length: 5 } parts
            || parts is not ["storage", PickleName type, string key, string, long count]
            || !Types.TryGetValue(type.Text, out ScalarType scalar))
            throw Broken("a storage of its pickle is not of the form storage, type, key, place, length");
        ZipItem item = Stored($"{root}data/{key}");
        int size = scalar.ElementSize();
        if (count < 0 || count > item.Length / size || count * size != item.Length)
            throw Broken($"'{Printable.Of(item.Name)}' has {item.Length} bytes, but its pickle says {count} numbers "
                + $"of {size}");
        return new Storage(scalar, item, count);
    }

    private object? Call(PickleName function, object?[] arguments) => (function.Text, arguments) switch
    {
        ("torch._utils._rebuild_tensor_v2", [Storage storage, long offset, object?[] shape, object?[] strides, ..]) =>
            Rebuild(storage, offset, Wholes(shape), Wholes(strides)),
        ("torch._utils._rebuild_parameter", [Rebuilt data, ..]) => data,
        ("torch.Size", [object?[] sizes]) => sizes,
        ("torch.jit._pickle.restore_type_tag", [{ } container, string]) => container,
        (['t', 'o', 'r', 'c', 'h', '.', 'j', 'i', 't', ..], [List<object?> list]) => list,
        _ => null,
    };

    private Rebuilt Rebuild(Storage storage, long offset, long[] shape, long[] strides)
    {
        string sizes = $"shape [{Listed(shape)}]", place = $"{sizes}, strides [{Listed(strides)}] and offset {offset}";
        if (shape.Length != strides.Length || shape.Length > 16 || offset < 0 || shape.Concat(strides).Any(n => n < 0))
            throw Broken($"a tensor of its pickle has {place}");
        try
        {
            var tensor = new Rebuilt(storage, offset, shape, strides);
            long count = shape.Aggregate(1L, (product, n) => checked(product * n));
            if (checked(offset + tensor.Span) > storage.Count)
                throw Broken($"a tensor of {place} reaches beyond its storage of {storage.Count} numbers");
            if (count > storage.Count)
                throw Broken($"a tensor of {sizes} repeats its storage of {storage.Count} numbers; save a copy of it "
                    + "that does not");
            return tensor;
        }
        catch (OverflowException)
        {
            throw Broken($"a tensor of {place} has a size that overflows");
        }
    }

    private ZipItem Stored(string name)
    {
        if (!items.TryGetValue(name, out ZipItem? item))
            throw Broken($"the archive lacks '{Printable.Of(name)}', which its pickle needs");
        if (!item.IsStored)
            throw Broken($"'{Printable.Of(name)}' is compressed; PyTorch stores it uncompressed, and this reader "
                + "inflates nothing");
        return item;
    }

    private long[] Wholes(object?[] numbers) => Array.ConvertAll(
        numbers, n => n is long whole ? whole : throw Broken("a size of its pickle is no whole number"));

    private static string Listed(long[] numbers) => string.Join(", ", numbers.Take(16));

    private KitException Broken(string what) => new($"{Path}: not a PyTorch file that the kit reads: {what}.");
}
