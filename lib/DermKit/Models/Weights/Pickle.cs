using System.Buffers.Binary;
using System.Numerics;

namespace DermKit.Models;

/// <summary>A name that a pickle may use, module.name.</summary>
internal sealed record PickleName(string Text);

/// <summary>An object reduced to its attributes.</summary>
internal sealed class PickleObject
{
    public OrderedDictionary<object, object?> State { get; set; } = [];
}

/// <summary>Reads Python's pickle as data: numbers, text, lists, tuples, dictionaries and names that rebuild tensors.
/// Nothing is imported or run: calls are looked up in a fixed list, any other name or opcode is an error. It takes no
/// more steps than bytes, and its memory is bounded.</summary>
internal sealed class Pickle(byte[] bytes, long memory, Func<object?, object> persistent,
    Func<PickleName, object?[], object?> call, Func<string, KitException> broken)
{
    private static readonly HashSet<string> Names =
    [
        "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter", "collections.OrderedDict", "torch.Size",
        "argparse.Namespace", .. TorchFile.Types.Keys, "torch.jit._pickle.restore_type_tag",
        .. new[] { "int", "double", "bool", "tensor" }.Select(type => $"torch.jit._pickle.build_{type}list"),
    ];

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly List<object?> stack = [];
    private readonly Stack<int> marks = new();
    private readonly Dictionary<uint, object?> memo = [];
    private readonly List<object?> attributes = [];
    private long taken;
    private int at;

    // null, bool, long, double, string, byte[], object?[] for a tuple, List, OrderedDictionary, or a result of
    // persistent or call.
    public object? Read()
    {
        for (char code = (char)U8(); code != '.'; code = (char)U8())
            if (Step(code) is { } step) step();
            else Push(Value(code));
        return Pop();
    }

    // Attributes of dictionaries, such as a state_dict's _metadata: outside the object, but may hide tensors.
    public IReadOnlyList<object?> Attributes => attributes;

    public void Charge(long cost)
    {
        taken += cost;
        if (taken > memory)
            throw broken($"its pickle unfolds to more than {memory} bytes, too much for a file of this size");
    }

    // Null for an opcode that pushes a value.
    private Action? Step(char code) => code switch
    {
        '\x80' => Protocol,
        '\x95' => Frame,
        '(' => Mark,
        '0' => () => Pop(),
        '1' => () => Marked(),
        'a' => () => Append(Last(1)),
        'e' => () => Append(Marked()),
        's' => () => Set(Last(2)),
        'u' => () => Set(Marked()),
        'q' => () => Remember(U8()),
        'r' => () => Remember(U32()),
        '\x94' => () => Remember((uint)memo.Count),
        'h' => () => Recall(U8()),
        'j' => () => Recall(U32()),
        'b' => Build,
        _ => null,
    };

    private object? Value(char code) => code switch
    {
        'N' => null,
        '\x88' => true,
        '\x89' => false,
        'J' => (long)(int)U32(),
        'K' => (long)U8(),
        'M' => (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)),
        '\x8a' => Whole(Take(U8())),
        'G' => BinaryPrimitives.ReadDoubleBigEndian(Take(8)),
        '\x8c' => Text(U8()),
        'X' => Text(U32()),
        '\x8d' => Text(U64()),
        'U' => Encoding.Latin1.GetString(Take(U8())),
        'T' => Encoding.Latin1.GetString(Take(U32())),
        'C' => Take(U8()).ToArray(),
        'B' => Take(U32()).ToArray(),
        '}' => new OrderedDictionary<object, object?>(),
        ']' => new List<object?>(),
        ')' => Array.Empty<object?>(),
        't' => Marked(),
        '\x85' or '\x86' or '\x87' => Last(code - 0x84),
        'c' => Name(Line(), Line()),
        '\x93' => Last(2) is [string module, string name] ? Name(module, name)
            : throw broken("a name of its pickle is no text"),
        'R' => Reduce(),
        '\x81' => NewObject(),
        'Q' => persistent(Pop()),
        _ => throw broken($"its pickle holds opcode 0x{(int)code:x2} at byte {at - 1}, which does not rebuild tensors"),
    };

    private void Protocol()
    {
        if (U8() is > 5 and var version) throw broken($"pickle protocol {version}; this reader knows those to 5");
    }

    private void Frame()
    {
        if (U64() > (ulong)(bytes.Length - at)) throw broken("a frame of its pickle is longer than the pickle");
    }

    private void Mark()
    {
        Charge(8);
        marks.Push(stack.Count);
    }

    private void Append(object?[] items)
    {
        Charge(16 * items.Length);
        Top<List<object?>>("a list").AddRange(items);
    }

    private PickleObject NewObject()
    {
        object?[] parts = Last(2);
        // Only attributes of a class are read.
        return parts is [PickleName { Text: var type }, object?[] { Length: 0 }]
            && (type == "argparse.Namespace" || IsModule(type)) ? new()
            : throw broken($"its pickle makes an object of {Described(parts[0])}, which does not rebuild tensors");
    }

    private object Reduce()
    {
        object?[] parts = Last(2);
        if (parts is not [PickleName function, object?[] arguments])
            throw broken($"its pickle calls {Described(parts[0])}, which is no name that rebuilds tensors");
        bool isDictionary = function.Text == "collections.OrderedDict" && arguments.Length == 0;
        return (isDictionary ? new OrderedDictionary<object, object?>() : call(function, arguments)) ?? throw broken(
            $"its pickle calls {Described(function)} with {arguments.Length} arguments that it does not take");
    }

    // Kept for an object, set aside for a dictionary.
    private void Build()
    {
        object? state = Pop(), target = stack.Count > 0 ? stack[^1] : throw Empty();
        if (target is PickleObject plain)
        {
            if (plain.State.Count > 0) throw broken("its pickle sets the attributes of an object twice");
            plain.State = state as OrderedDictionary<object, object?>
                ?? throw broken("its pickle sets attributes that are no dictionary");
            return;
        }
        if (target is not OrderedDictionary<object, object?>)
            throw broken($"its pickle sets attributes of {Described(target)}");
        Charge(16);
        attributes.Add(state);
    }

    private PickleName Name(string module, string name)
    {
        string text = $"{module}.{name}";
        return Names.Contains(text) || IsModule(text) ? new(text)
            : throw broken($"its pickle names {Printable.Of(text)}, which is none of the names that rebuild tensors, "
                + "so it could run anything. Nothing was run. In Python, with a file that you trust: save its state "
                + "dict alone");
    }

    private static bool IsModule(string text) => text.StartsWith("__torch__.", Ordinal);

    private void Set(object?[] pairs)
    {
        OrderedDictionary<object, object?> target = Top<OrderedDictionary<object, object?>>("a dictionary");
        Charge(64 * pairs.Length);
        if (pairs.Length % 2 != 0) throw broken("its pickle sets a key without a value");
        for (int i = 0; i < pairs.Length; i += 2)
        {
            object key = pairs[i] ?? throw broken("its pickle has a dictionary with the key None");
            // Python would keep the last; torch.save repeats no key.
            if (target.TryAdd(key, pairs[i + 1])) continue;
            string shown = key is string text ? $"'{Printable.Of(text)}'" : Described(key);
            throw broken($"its pickle has a dictionary with the key {shown} twice");
        }
    }

    private T Top<T>(string what) where T : class
    {
        if (stack.Count <= Floor) throw Empty();
        return stack[^1] as T ?? throw broken($"its pickle adds to {Described(stack[^1])} as to {what}");
    }

    // Nothing below the last mark may be taken.
    private int Floor => marks.TryPeek(out int mark) ? mark : 0;

    private object? Pop() => Last(1)[0];

    private object?[] Last(int count)
    {
        if (stack.Count - Floor < count) throw Empty();
        object?[] values = [.. stack.GetRange(stack.Count - count, count)];
        stack.RemoveRange(stack.Count - count, count);
        return values;
    }

    private object?[] Marked()
    {
        if (!marks.TryPop(out int mark) || mark > stack.Count) throw broken("its pickle closes what it has not opened");
        return Last(stack.Count - mark);
    }

    private void Push(object? value)
    {
        Charge(value switch
        {
            null or bool => 8,
            string text => 40 + 2 * text.Length,
            byte[] raw => 40 + raw.Length,
            object?[] tuple => 40 + 8 * tuple.Length,
            List<object?> or PickleName => 80,
            OrderedDictionary<object, object?> or PickleObject => 200,
            _ => 32,
        });
        stack.Add(value);
    }

    private void Remember(uint key)
    {
        if (stack.Count == 0) throw Empty();
        Charge(48);
        memo[key] = stack[^1];
    }

    private void Recall(uint key)
    {
        Charge(8);
        if (!memo.TryGetValue(key, out object? value))
            throw broken($"its pickle recalls object {key}, which it has not kept");
        stack.Add(value);
    }

    private string Text(ulong length)
    {
        try
        {
            return StrictUtf8.GetString(Take(length));
        }
        catch (DecoderFallbackException)
        {
            throw broken("its pickle holds text that is not UTF-8");
        }
    }

    private string Line()
    {
        int length = bytes.AsSpan(at).IndexOf((byte)'\n');
        return length >= 0 ? Encoding.Latin1.GetString(Take((ulong)length + 1))[..^1]
            : throw broken("its pickle ends inside of a name");
    }

    private long Whole(ReadOnlySpan<byte> little) => little.Length <= 8 ? (long)new BigInteger(little)
        : throw broken($"its pickle holds a whole number of {little.Length} bytes; this reader takes 8");

    private byte U8() => Take(1)[0];

    private uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    private ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)(bytes.Length - at))
            throw broken($"its pickle ends at byte {bytes.Length}, inside of a value at byte {at}");
        at += (int)length;
        return bytes.AsSpan(at - (int)length, (int)length);
    }

    private KitException Empty() => broken("its pickle takes from an empty stack");

    internal static string Described(object? value) => value switch
    {
        PickleName name => Printable.Of(name.Text),
        null => "None",
        string => "text",
        OrderedDictionary<object, object?> => "a dictionary",
        List<object?> => "a list",
        object?[] => "a tuple",
        byte[] => "bytes",
        PickleObject => "an object",
        long or double or bool => "a number",
        _ => "a tensor or storage",
    };
}
