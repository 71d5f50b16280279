using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// PyTorch's zip (torch.save since version 1.6, and TorchScript's archives): a pickle that says how tensors lie in uncompressed files beside it. Nothing in
/// it is run (<see cref="Pickle"/>). Tensors inside of dictionaries, lists, tuples and modules are entries under their path, such as
/// <c>teacher.backbone.cls_token</c> or <c>optimizer.state.0.exp_avg</c>, one that is all of the file under <c>tensor</c>; one that has no such path, as
/// under a tuple for a key, is an error, so that no tensor is passed over. Values are read from the file straight into tensors.
/// </summary>
public sealed class TorchFile : WeightFile
{
    private const int DepthCap = 32, KeyCap = 300;

    private static readonly Dictionary<string, ScalarType> Types = new()
    {
        ["torch.DoubleStorage"] = ScalarType.Float64, ["torch.FloatStorage"] = ScalarType.Float32, ["torch.HalfStorage"] = ScalarType.Float16, ["torch.BFloat16Storage"] = ScalarType.BFloat16,
        ["torch.LongStorage"] = ScalarType.Int64, ["torch.IntStorage"] = ScalarType.Int32, ["torch.ShortStorage"] = ScalarType.Int16, ["torch.CharStorage"] = ScalarType.Int8,
        ["torch.ByteStorage"] = ScalarType.Byte, ["torch.BoolStorage"] = ScalarType.Bool,
    };

    private readonly FileStream stream;
    private readonly Dictionary<string, Rebuilt> places = [];
    private readonly Dictionary<string, string> values = [];
    private Dictionary<string, ZipItem> items = [];
    private string root = "";
    private long bytes;

    private TorchFile(string path, FileStream stream) : base(path) => this.stream = stream;

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

        /// <summary>Elements of the storage from the first to the last one in use.</summary>
        public long Span => Shape.Contains(0) ? 0 : 1 + Shape.Zip(Strides, (n, s) => (n - 1) * s).Sum();
    }

    /// <inheritdoc/>
    public override string Format => items.ContainsKey(root + "constants.pkl") ? "PyTorch zip (TorchScript)" : "PyTorch zip";

    /// <summary>Opens a file, reads its pickle and checks where every tensor lies. Numbers and text beside the tensors are <see cref="WeightFile.Metadata"/>.</summary>
    /// <exception cref="KitException">A rule of the zip or of the pickle is broken; the message names the file and the rule.</exception>
    /// <exception cref="FileNotFoundException">No such file.</exception>
    public static new TorchFile Open(string path)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            var file = new TorchFile(path, stream);
            file.ReadAll();
            return file;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => stream.Dispose();

    internal override void Read(string name, long first, Tensor target)
    {
        Rebuilt place = places[name];
        int size = place.Storage.Type.ElementSize();
        if (place.IsContiguous)
        {
            TensorData.Fill(target, stream, place.Storage.Item.Offset + (place.Offset + first) * size);
            return;
        }
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor span = empty([place.Span], place.Storage.Type);
        TensorData.Fill(span, stream, place.Storage.Item.Offset + place.Offset * size);
        target.view(-1).copy_(span.as_strided(place.Shape, place.Strides).reshape(-1).narrow(0, first, target.numel()));
    }

    private void ReadAll()
    {
        items = ZipDirectory.Read(stream, Broken);
        string[] pickles = [.. items.Keys.Where(k => Regex.IsMatch(k, "^[^/]+/data\\.pkl$"))];
        if (pickles.Length != 1)
            throw Broken($"expected one file NAME/data.pkl in the archive, found {pickles.Length} among {items.Count} "
                + $"such as {Names.Listed([.. items.Keys.Take(3)], 3)}");
        root = pickles[0][..^"data.pkl".Length];
        if (items.TryGetValue(root + "byteorder", out ZipItem? order) && order is { IsStored: true, Length: < 16 } && Encoding.ASCII.GetString(ZipDirectory.Content(stream, order, Broken)) is var word && word != "little")
            throw Broken($"its numbers are in the byte order '{Printable.Of(word)}'; expected little");
        // A tensor of one number takes some 2 KB here, and its entry in the zip some 500 bytes: a small file of a hundred such tensors may pass.
        var pickle = new Pickle(ZipDirectory.Content(stream, Stored(pickles[0]), Broken), (1 << 18) + 3 * stream.Length, Persistent, Call, Broken);
        var found = new Dictionary<string, WeightEntry>(StringComparer.Ordinal);
        Flatten("", pickle.Read(), 0, found, pickle);
        foreach (object? state in pickle.PassedOver) Flatten("_metadata", state, 0, found, pickle, "in the attributes of a dictionary");
        if (found.Count == 0) throw Broken("its pickle holds no tensor");
        Entries = found;
        Metadata = values;
    }

    /// <summary>Lists what lies under a path; nameless says why a tensor there has no path of its own, null when it has one.</summary>
    private void Flatten(string path, object? value, int depth, Dictionary<string, WeightEntry> found, Pickle pickle, string? nameless = null)
    {
        if (depth > DepthCap) throw Broken($"its pickle is nested over {DepthCap} deep at '{Printable.Of(path)}'");
        pickle.Charge(64 + 2 * path.Length);
        IEnumerable<(object Key, object? Value)> inner = value switch
        {
            OrderedDictionary<object, object?> map => map.Select(p => (p.Key, p.Value)),
            PickleObject plain => plain.State.Select(p => (p.Key, p.Value)),
            System.Collections.IList list and (List<object?> or object?[]) => Enumerable.Range(0, list.Count).Select(i => ((object)(long)i, list[i])),
            _ => [],
        };
        foreach ((object key, object? item) in inner)
        {
            string? name = KeyName(key);
            string shown = Printable.Of(path);
            if (name is null) Flatten(path, key, depth + 1, found, pickle, nameless ?? $"in a key of '{shown}'");
            string below = path.Length == 0 ? name ?? "" : $"{path}.{name}";
            if (below.Length > KeyCap)
                throw Broken($"its pickle has a key of over {KeyCap} characters, '{Printable.Of(below)}'");
            string? reason = name is null ? $"in '{shown}' under a key that is {Pickle.Described(key)}" : null;
            Flatten(below, item, depth + 1, found, pickle, nameless ?? reason);
        }
        if (value is Storage)
            throw Broken($"it has a storage without a tensor at '{Printable.Of(path)}'; save a tensor of it");
        if (value is Rebuilt tensor)
        {
            if (nameless is not null) throw Broken($"it has a tensor {nameless}, which no name in this kit could stand for; save it in a dictionary under text or a whole number");
            if (path.Length == 0) path = "tensor";
            var entry = new WeightEntry(path, tensor.Storage.Type, tensor.Shape);
            // Views may share a storage, so that a small file could ask for any amount of memory.
            bytes += entry.Bytes;
            if (bytes > 3 * stream.Length) throw Broken("its tensors repeat one storage so often that they need over three times the file");
            pickle.Charge(300);
            if (!found.TryAdd(path, entry)) throw Broken($"its pickle has the key '{Printable.Of(path)}' twice");
            places[path] = tensor;
        }
        else if (nameless is null && path.Length > 0 && Shown(value) is { } shown && values.Count < 1_000) values.TryAdd(path, shown);
    }

    /// <summary>A key as a part of a path; null for one that is no text and no number.</summary>
    private static string? KeyName(object key) => key switch
    {
        string text => text,
        bool truth => truth ? "True" : "False",
        long or double => Convert.ToString(key, CultureInfo.InvariantCulture),
        _ => null,
    };

    private object Persistent(object? id)
    {
        if (id is not object?[] and not null || id is not object?[] { Length: 5 } parts || parts is not ["storage", PickleName type, string key, string, long count] || !Types.TryGetValue(type.Text, out ScalarType scalar))
            throw Broken("a storage of its pickle is not of the form storage, type, key, place, length");
        ZipItem item = Stored($"{root}data/{key}");
        if (count < 0 || count > item.Length / scalar.ElementSize() || count * scalar.ElementSize() != item.Length)
            throw Broken($"'{Printable.Of(item.Name)}' has {item.Length} bytes, "
                + $"but its pickle says {count} numbers of {scalar.ElementSize()}");
        return new Storage(scalar, item, count);
    }

    private object? Call(PickleName function, object?[] arguments) => (function.Text, arguments) switch
    {
        ("torch._utils._rebuild_tensor_v2", [Storage storage, long offset, object?[] shape, object?[] strides, ..]) => Rebuild(storage, offset, Wholes(shape), Wholes(strides)),
        ("torch._utils._rebuild_parameter", [Rebuilt data, ..]) => data,
        ("torch.Size", [object?[] sizes]) => sizes,
        // A container with its static type beside it, which says nothing of its tensors.
        ("torch.jit._pickle.restore_type_tag", [{ } container, string]) => container,
        (['t', 'o', 'r', 'c', 'h', '.', 'j', 'i', 't', ..], [List<object?> list]) => list,
        _ => null,
    };

    private Rebuilt Rebuild(Storage storage, long offset, long[] shape, long[] strides)
    {
        if (shape.Length != strides.Length || shape.Length > 16 || offset < 0 || shape.Concat(strides).Any(n => n < 0)) throw Broken($"a tensor of its pickle has shape [{Listed(shape)}], strides [{Listed(strides)}] and offset {offset}");
        try
        {
            long count = 1, last = offset;
            for (int i = 0; i < shape.Length; i++)
            {
                count = checked(count * shape[i]);
                if (shape[i] > 0) last = checked(last + (shape[i] - 1) * strides[i]);
            }
            if (count > 0 ? last >= storage.Count : offset > storage.Count) throw Broken($"a tensor of shape [{Listed(shape)}], strides [{Listed(strides)}] and offset {offset} reaches beyond its storage of {storage.Count} numbers");
            if (count > storage.Count) throw Broken($"a tensor of shape [{Listed(shape)}] repeats its storage of {storage.Count} numbers; save a copy of it that does not");
            return new(storage, offset, shape, strides);
        }
        catch (OverflowException)
        {
            throw Broken($"a tensor of shape [{Listed(shape)}] and strides [{Listed(strides)}] has a size that overflows");
        }
    }

    private ZipItem Stored(string name)
    {
        if (!items.TryGetValue(name, out ZipItem? item))
            throw Broken($"the archive lacks '{Printable.Of(name)}', which its pickle needs");
        return item.IsStored ? item
            : throw Broken($"'{Printable.Of(name)}' is compressed; PyTorch stores it as it is, "
                + "and this reader inflates nothing");
    }

    private long[] Wholes(object?[] numbers) => [.. numbers.Select(n => n is long whole ? whole : throw Broken("a size of its pickle is no whole number"))];

    private static string? Shown(object? value) => value switch
    {
        bool truth => truth ? "true" : "false",
        long or double => Convert.ToString(value, CultureInfo.InvariantCulture),
        string { Length: <= 200 } text => text,
        _ => null,
    };

    private static string Listed(long[] numbers) => string.Join(", ", numbers.Take(16));

    private KitException Broken(string what) => new($"{Path}: not a PyTorch file that the kit reads: {what}.");
}
