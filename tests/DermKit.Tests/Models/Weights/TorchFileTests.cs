using DermKit.Models;
using System.IO.Compression;
using System.Text;
using TorchSharp;
using static DermKit.Tests.Models.Pickled;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class TorchFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string File1 => Path.Combine(folder.Path, "x.pth");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AStateDictComesBackInEveryType()
    {
        using var scope = NewDisposeScope();
        var state = new Dictionary<string, Tensor>
        {
            ["f32"] = randn(3, 4),
            ["f64"] = randn(2, ScalarType.Float64),
            ["f16"] = randn(5).to(ScalarType.Float16),
            ["bf16"] = randn(2, 3).to(ScalarType.BFloat16),
            ["i64"] = arange(7),
            ["i32"] = arange(3, ScalarType.Int32),
            ["i16"] = arange(3, ScalarType.Int16),
            ["i8"] = arange(3, ScalarType.Int8),
            ["u8"] = arange(9, ScalarType.Byte),
            ["bool"] = tensor(new[] { true, false }),
            ["scalar"] = tensor(2.5f),
            ["empty"] = empty(0, 4),
            ["ünï"] = randn(1, 1, 3),
        };
        TorchZip.Save(File1, state);
        using WeightFile file = WeightFile.Open(File1);
        Assert.IsType<TorchFile>(file);
        Assert.Equal("PyTorch zip", file.Format);
        Assert.Equal(state.Keys, file.Entries.Keys);
        foreach ((string key, Tensor expected) in state)
        {
            Tensor actual = file.Load(key);
            Assert.Equal((expected.dtype, string.Join(",", expected.shape)),
                (actual.dtype, string.Join(",", actual.shape)));
            Assert.True(expected.numel() == 0 || actual.equal(expected).all().item<bool>(), key);
        }
        Tensor half = empty([3, 4], ScalarType.Float16), turned = empty(4, 3).t();
        file.LoadInto("f32", half);
        file.LoadInto("f32", turned);
        Assert.True(half.Equals(state["f32"].to(ScalarType.Float16)));
        Assert.True(turned.Equals(state["f32"]));
    }

    [Fact]
    public void ViewsStridesParametersAndNestingAreRebuilt()
    {
        using var scope = NewDisposeScope();
        var zip = new TorchZip();
        Tensor values = arange(24, ScalarType.Float32);
        byte[] storage = zip.Storage(values), shared = [.. storage, (byte)'q', 200], again = [(byte)'h', 200];
        byte[] parameter = Call(Global("torch._utils", "_rebuild_parameter"), Tensor(again, 4, [2, 3], [3, 1]),
            True, Ordered());
        byte[] arguments = Object(Global("argparse", "Namespace"), ("lr", Real(0.5)), ("name", Text("dino")));
        byte[] root = Dict(("teacher", Ordered(("a", Tensor(shared, 2, [4, 3], [1, 4])), ("p", parameter))),
            ("epoch", Int(70_000)), ("big", Int(-5_000_000_000)),
            ("list", List(Tensor(again, 23, [1], [1]), None, Tuple(Tensor(again, 0, [], [])))),
            ("size", Call(Global("torch", "Size"), Sizes(1, 2))), ("args", arguments), ("on", True));
        zip.Write(File1, root);
        using WeightFile file = WeightFile.Open(File1);
        Assert.Equal(["teacher.a", "teacher.p", "list.0", "list.2.0"], file.Entries.Keys);
        Assert.True(file.Load("teacher.a").Equals(values.as_strided([4, 3], [1, 4], 2).contiguous()));
        Assert.True(file.Load("teacher.p").Equals(values.narrow(0, 4, 6).reshape(2, 3)));
        Assert.Equal((23f, 0f), (file.Load("list.0").item<float>(), file.Load("list.2.0").item<float>()));
        Assert.Equal(("70000", "-5000000000", "0.5", "dino", "true", "2"),
            (file.Metadata["epoch"], file.Metadata["big"], file.Metadata["args.lr"], file.Metadata["args.name"],
                file.Metadata["on"], file.Metadata["size.1"]));
    }

    [Fact]
    public void TorchScriptsModulesAreReadByTheirAttributes()
    {
        using var scope = NewDisposeScope();
        var zip = new TorchZip();
        Tensor weight = randn(2, 3);
        byte[] inner = Object(Global("__torch__.torch.nn.modules.___torch_mangle_3", "Linear"),
            ("weight", zip.Tensor(weight)), ("training", False),
            ("sizes", Call(Global("torch.jit._pickle", "build_intlist"), List(Int(3)))));
        byte[] typed = Call(Global("torch.jit._pickle", "restore_type_tag"), Dict(("a", zip.Tensor(weight))),
            Text("Dict[str, Tensor]"));
        zip.Write(File1, Object(Global("__torch__.clip", "Model"), ("visual", inner), ("buffers", typed)),
            more: [("constants.pkl", Whole(EmptyTuple))]);
        using WeightFile file = WeightFile.Open(File1);
        Assert.Equal("PyTorch zip (TorchScript)", file.Format);
        Assert.Equal(["visual.weight", "buffers.a"], file.Entries.Keys);
        Assert.True(file.Load("visual.weight").Equals(weight));
    }

    [Fact]
    public void LargeTensorsComeBackAndACutIsAnError()
    {
        using var scope = NewDisposeScope();
        Tensor large = arange(4_500_000, ScalarType.Int32);
        string path = Path.Combine(folder.Path, "x.safetensors");
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["a"] = large });
        TorchZip.Save(File1, new Dictionary<string, Tensor> { ["a"] = large });
        foreach (string name in new[] { path, File1 })
        {
            using WeightFile file = WeightFile.Open(name);
            Assert.True(file.Load("a").Equals(large));
            using (var cut = new FileStream(name, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                cut.SetLength(5_000_000);
            Assert.Contains("it was cut after it was opened",
                Assert.Throws<EndOfStreamException>(() => file.Load("a")).Message);
        }
    }

    [Fact]
    public void EveryTensorIsListedWhateverHoldsIt()
    {
        using var scope = NewDisposeScope();
        var zip = new TorchZip();
        byte[] Next(float value) => zip.Tensor(tensor([value]));
        byte[] state = [.. EmptyDict, (byte)'(', .. Int(0), .. Dict(("exp_avg", Next(1)), ("step", Int(3))), .. Int(1),
            .. Dict(("exp_avg", Next(2))), (byte)'u'];
        zip.Write(File1,
            Dict(("model", zip.State([new("w", tensor([0f]))])),
                ("optimizer", Dict(("state", state), ("param_groups", List(Dict(("params", List(Int(0), Int(1)))))))),
                ("flags",
                    [.. EmptyDict, (byte)'(', .. True, .. Next(3), .. Real(0.5), .. Tuple(Next(4), List(Next(5))),
                        (byte)'u']), ("ema", Object(Global("argparse", "Namespace"), ("shadow", List(Next(6))))),
                // Keys that no path can stand for are no error where no tensor lies under them.
                ("odd", Keyed(Tuple(Int(1)), Text("no tensor")))));
        using WeightFile file = WeightFile.Open(File1);
        Assert.Equal(["model.w", "optimizer.state.0.exp_avg", "optimizer.state.1.exp_avg", "flags.True", "flags.0.5.0",
            "flags.0.5.1.0", "ema.shadow.0"], file.Entries.Keys);
        Assert.Equal([0f, 1, 2, 3, 4, 5, 6], file.Entries.Keys.Select(k => file.Load(k).item<float>()));
        Assert.Equal(("3", "1"),
            (file.Metadata["optimizer.state.0.step"], file.Metadata["optimizer.param_groups.0.params.1"]));

        var alone = new TorchZip();
        string whole = alone.Write(Path.Combine(folder.Path, "one.pt"), alone.Tensor(tensor([7f])));
        using WeightFile one = WeightFile.Open(whole);
        Assert.Equal(("tensor", 7f), (Assert.Single(one.Entries.Keys), one.Load("tensor").item<float>()));
    }

    private static byte[] Six => Tensor(Storage("FloatStorage", "0", 6), 0, [6], [1]);

    private static byte[] Keyed(byte[] key, byte[] value) => [.. EmptyDict, .. key, .. value, (byte)'s'];

    public static TheoryData<string, byte[], string> Attacks => new()
    {
        { "os.system", Call(Global("os", "system"), Text("true")), "names os.system" },
        { "posix.system", Call(Global("posix", "system"), Text("true")), "names posix.system" },
        { "builtins.eval", Call(Global("builtins", "eval"), Text("1")), "names builtins.eval" },
        { "__builtin__.eval", Call(Global("__builtin__", "eval"), Text("1")), "names __builtin__.eval" },
        { "by the stack", [.. Text("builtins"), .. Text("exec"), 0x93], "names builtins.exec" },
        { "numpy's arrays", Call(Global("numpy.core.multiarray", "_reconstruct"),
            Int(0)), "names numpy.core.multiarray._reconstruct" },
        { "numpy's new arrays", Call(Global("numpy._core.multiarray", "scalar"),
            Int(0)), "names numpy._core.multiarray.scalar" },
        { "a dotted name", Global("torch", "_utils.os.system"), "names torch._utils.os.system" },
        { "another call", Call(Global("torch", "FloatStorage"), Int(8)), "calls torch.FloatStorage" },
        { "a call of text", [.. Text("os.system"), .. EmptyTuple, (byte)'R'], "calls text" },
        { "an object of a function", [.. Global("torch", "Size"), .. EmptyTuple,
            0x81], "makes an object of torch.Size" },
        { "an object with arguments", [.. Global("argparse", "Namespace"), .. Tuple(Int(1)),
            0x81], "makes an object of argparse.Namespace" },
        { "an extension code", [0x82, 1], "opcode 0x82" },
        { "an instance", [(byte)'i', .. "os\nsystem\n"u8], "opcode 0x69" },
        { "an object of the old kind", [(byte)'(', .. Global("argparse", "Namespace"), (byte)'o'], "opcode 0x6f" },
        { "a persistent number in text", [(byte)'P', .. "1\n"u8], "opcode 0x50" },
        { "attributes of a list", [.. EmptyList, .. EmptyDict, (byte)'b'], "sets attributes of a list" },
        { "attributes that are none", [.. Global("argparse", "Namespace"), .. EmptyTuple, 0x81, .. Int(1),
            (byte)'b'], "attributes that are no dictionary" },
        { "a large whole number", [0x8a, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9], "whole number of 9 bytes" },
        { "text beyond the end", [(byte)'X', 255, 255, 255, 127, 65], "ends at byte" },
        { "text beyond any end", [0x8d, 255, 255, 255, 255, 255, 255, 255, 255, 65], "ends at byte" },
        { "a frame beyond the end", [0x95, 255, 255, 255, 0, 0, 0, 0, 0], "frame of its pickle is longer" },
        { "no UTF-8", [(byte)'X', 1, 0, 0, 0, 255], "not UTF-8" },
        { "a later protocol", [0x80, 6], "protocol 6" },
        { "an empty stack", "0"u8.ToArray(), "empty stack" },
        { "nothing opened", "t"u8.ToArray(), "has not opened" },
        { "a pop below a mark", [.. EmptyDict, (byte)'(', (byte)'0'], "empty stack" },
        { "a key without a value", [.. EmptyDict, (byte)'(', .. Text("a"), (byte)'u'], "without a value" },
        { "a key None", [.. EmptyDict, .. None, .. None, (byte)'s'], "the key None" },
        { "an item of a dictionary", [.. EmptyDict, .. None, (byte)'a'], "to a dictionary as to a list" },
        { "an unknown memory", "h\x05"u8.ToArray(), "recalls object 5" },
        { "no tensor", EmptyDict, "no tensor" },
        { "a storage of another form", [.. Text("storage"), (byte)'Q'], "not of the form" },
        { "a storage of no type", [.. Tuple(Text("storage"), Global("torch", "Size"), Text("0"), Text("cpu"), Int(6)),
            (byte)'Q'], "not of the form" },
        { "a storage that is not there", Storage("FloatStorage", "7", 6), "lacks 'archive/data/7'" },
        { "a storage outside", Storage("FloatStorage", "../version", 6), "lacks 'archive/data/../version'" },
        { "a storage of another length", Storage("FloatStorage", "0",
            7), "24 bytes, but its pickle says 7 numbers of 4" },
        { "a storage of a length that overflows", Storage("FloatStorage", "0",
            4_611_686_018_427_387_910), "24 bytes, but" },
        { "a tensor beyond its storage", Tensor(Storage("FloatStorage", "0", 6), 1, [2, 3],
            [3, 1]), "reaches beyond its storage of 6" },
        { "strides beyond its storage", Tensor(Storage("FloatStorage", "0", 6), 0, [2, 3],
            [4, 1]), "reaches beyond its storage" },
        { "an offset beyond", Tensor(Storage("FloatStorage", "0", 6), 7, [0], [1]), "reaches beyond its storage" },
        { "a negative offset", Tensor(Storage("FloatStorage", "0", 6), -1, [2], [1]), "offset -1" },
        { "a negative stride", Tensor(Storage("FloatStorage", "0", 6), 5, [2], [-1]), "strides [-1]" },
        { "a negative size", Tensor(Storage("FloatStorage", "0", 6), 0, [-2], [1]), "shape [-2]" },
        { "fewer strides than sizes", Tensor(Storage("FloatStorage", "0", 6), 0, [2, 3], [1]), "strides [1]" },
        { "a size that overflows", Tensor(Storage("FloatStorage", "0", 6), 0, [1L << 40, 1L << 40],
            [0, 0]), "overflows" },
        { "a stride that overflows", Tensor(Storage("FloatStorage", "0", 6), 0, [3], [long.MaxValue]), "overflows" },
        { "a stride that overflows with 1", Tensor(Storage("FloatStorage", "0", 6), 0, [2],
            [long.MaxValue]), "overflows" },
        { "one number a thousand times", Tensor(Storage("FloatStorage", "0", 6), 0, [1000],
            [0]), "repeats its storage" },
        { "a size of text", Call(Global("torch._utils", "_rebuild_tensor_v2"), Storage("FloatStorage", "0", 6), Int(0),
            Tuple(Text("6")), Sizes(1), False, Ordered()), "no whole number" },
        { "too few arguments", Call(Global("torch._utils", "_rebuild_tensor_v2"),
            Storage("FloatStorage", "0", 6)), "with 1 arguments" },
        { "nested", [.. Enumerable.Range(0, 60).SelectMany(_ => (byte[])[(byte)']']),
            .. Tensor(Storage("FloatStorage", "0", 6), 0, [6], [1]), .. Enumerable.Repeat((byte)'a', 60)],
            "nested over 32 deep" },
        { "a list in itself", [.. EmptyList, (byte)'q', 0, (byte)'h', 0, (byte)'a'], "nested over 32 deep" },
        { "doubled thirty times", [.. EmptyDict,
            .. Enumerable.Range(0, 30).SelectMany(_ => (byte[])[(byte)'q', 0, (byte)'h', 0, 0x86])],
            "unfolds to more than" },
        { "a hundred thousand dictionaries", [(byte)'(', .. Enumerable.Repeat((byte)'}', 100_000),
            (byte)'t'], "unfolds to more than" },
        { "a key twice", Dict(("a", Dict(("b", Tensor(Storage("FloatStorage", "0", 6), 0, [6], [1])))),
            ("a.b", Tensor(Storage("FloatStorage", "0", 6), 0, [6], [1]))), "key 'a.b' twice" },
        { "a storage over and over", [.. Tensor(Storage("FloatStorage", "0", 6), 0, [6], [1]), (byte)'q', 0,
            .. List([.. Enumerable.Repeat<byte[]>([(byte)'h', 0], 1_000)])], "over three times the file" },
        { "a tensor under a tuple", Keyed(Tuple(Int(1), Text("a")),
            Six), "a tensor in '' under a key that is a tuple" },
        { "a tensor deep under bytes", Dict(("a", Keyed([(byte)'C', 1, 65], List(None, Six)))), "a tensor in 'a' under "
            + "a key that is bytes" },
        { "a tensor under a name", Keyed(Global("torch", "FloatStorage"),
            Six), "under a key that is torch.FloatStorage" },
        { "a tensor as a key", Dict(("a", Keyed(Six, None))), "a tensor in a key of 'a'" },
        { "a tensor in a key", Keyed(Tuple(Six), None), "a tensor in a key of ''" },
        { "a tensor in attributes", [.. Dict(("a", None)), .. Dict(("_metadata", List(Six))),
            (byte)'b'], "a tensor in the attributes of a dictionary" },
        { "a storage without a tensor", Dict(("a", List(Storage("FloatStorage", "0", 6)))), "a storage without a "
            + "tensor at 'a.0'" },
        { "attributes twice", [.. Object(Global("argparse", "Namespace"), ("a", Six)), .. Dict(("b", None)),
            (byte)'b'], "attributes of an object twice" },
        { "a key twice in one dictionary", Dict(("a", Six), ("a", None)), "a dictionary with the key 'a' twice" },
        { "a number and its text", [.. EmptyDict, (byte)'(', .. Int(1), .. Six, .. Text("1"), .. Six,
            (byte)'u'], "key '1' twice" },
        { "a key without end", Dict((new string('k', 400),
            Tensor(Storage("FloatStorage", "0", 6), 0, [6], [1]))), "key of over 300" },
    };

    [Theory]
    [MemberData(nameof(Attacks), DisableDiscoveryEnumeration = true)]
    public void EachRuleOfThePickleIsEnforced(string rule, byte[] value, string expected)
    {
        using var scope = NewDisposeScope();
        var zip = new TorchZip();
        zip.Storage(zeros(6));
        zip.Write(File1, value);
        string message = Assert.Throws<KitException>(() => WeightFile.Open(File1)).Message;
        Assert.StartsWith(File1, message, StringComparison.Ordinal);
        Assert.True(message.Contains(expected, StringComparison.Ordinal), $"{rule}: {message}");
        Assert.True(message.Length < 700, message);
    }

    [Fact]
    public void EachRuleOfTheZipIsEnforced()
    {
        using var scope = NewDisposeScope();
        TorchZip.Save(File1, new Dictionary<string, Tensor> { ["a"] = randn(300), ["b"] = randn(4) });
        byte[] good = File.ReadAllBytes(File1);
        void Refused(byte[] bytes, string expected)
        {
            string path = folder.Write("bad.pth", bytes),
                message = Assert.Throws<KitException>(() => WeightFile.Open(path)).Message;
            Assert.True(message.StartsWith(path, StringComparison.Ordinal)
                && message.Contains(expected, StringComparison.Ordinal), $"{expected}: {message}");
        }
        byte[] With(int at, params byte[] bytes)
        {
            byte[] copy = [.. good];
            bytes.CopyTo(copy, at);
            return copy;
        }
        int end = good.Length - 22, directory = BitConverter.ToInt32(good, end + 16);
        Refused(good[..^1], "cut");
        Refused(good[..(good.Length / 2)], "cut");
        Refused([.. good, 0], "cut");
        Refused(With(end + 10, 255, 255), "entry 5 of the zip directory is not one");
        Refused(With(end + 12, 255, 255, 255, 0), "directory lies beyond");
        Refused(With(end + 16, 255, 255, 255, 127), "directory lies beyond");
        Refused(With(directory, 0), "entry 0 of the zip directory is not one");
        Refused(With(directory + 8, 1), "encrypted");
        Refused(With(directory + 20, 1, 0, 0, 0), "two lengths");
        Refused(With(directory + 20, 255, 255, 255, 127, 255, 255, 255, 127), "beyond the end of the file");
        Refused(With(directory + 42, 255, 255, 255, 127), "beyond the end of the file");
        Refused(With(directory + 42, 9), "no header of its own");
        Refused(With(directory + 46, (byte)'b'), "another name in its own header");
        Refused(With(30, (byte)'b'), "another name in its own header");
        Refused([.. "PK\x03\x04"u8, .. new byte[100]], "cut");
        Refused([.. "PK\x05\x06"u8, .. new byte[18]], "found 0 among 0");

        // Two entries over the same bytes.
        var zip = new TorchZip();
        byte[] many = Dict(("a", zip.Tensor(randn(2000))));
        zip.Write(File1, many, more: [("data/twin", new byte[8000])]);
        byte[] twin = File.ReadAllBytes(File1);
        string text = Encoding.Latin1.GetString(twin);
        int first = text.LastIndexOf("archive/data/0", StringComparison.Ordinal) - 46,
            second = text.LastIndexOf("archive/data/twin", StringComparison.Ordinal) - 46;
        byte[] moved = [.. twin];
        twin.AsSpan(first + 42, 4).CopyTo(moved.AsSpan(second + 42));
        Refused(moved, "another name");
        byte[] length = BitConverter.GetBytes(twin.Length - text.IndexOf("archive/data/0", StringComparison.Ordinal)
            - "archive/data/0".Length);
        length.CopyTo(twin, first + 20);
        length.CopyTo(twin, first + 24);
        Refused(twin, "lie over each other");

        zip.Write(File1, many, CompressionLevel.SmallestSize);
        Refused(File.ReadAllBytes(File1), "is compressed");
        zip.Write(File1, many, root: "a/b");
        Refused(File.ReadAllBytes(File1), "expected one file NAME/data.pkl");
        // A bomb: a gigabyte of zeros in a megabyte.
        using (var archive = new ZipArchive(File.Create(File1), ZipArchiveMode.Create))
        using (Stream entry = archive.CreateEntry("archive/data.pkl", CompressionLevel.Fastest).Open())
            for (int i = 0; i < 64; i++) entry.Write(new byte[1 << 20]);
        Refused(File.ReadAllBytes(File1), "is compressed");
        zip.Write(File1, many);
        byte[] big = File.ReadAllBytes(File1);
        int order = Encoding.Latin1.GetString(big).IndexOf("little", StringComparison.Ordinal);
        "bigend"u8.ToArray().CopyTo(big, order);
        Refused(big, "byte order 'bigend'");
    }

    [Theory]
    [InlineData("x.pth", "version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull")]
    [InlineData("x.safetensors", "<!DOCTYPE html><html><body>Sign in</body></html>", "a web page")]
    [InlineData("x.pt", "These are no weights at all, only words.", "text instead of weights")]
    [InlineData("x.bin", "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "before version 1.6")]
    [InlineData("x.pth", "", "shorter than the 8-byte header")]
    public void WhatIsNoWeightsFileIsToldByItsContent(string name, string content, string expected)
    {
        string path = folder.Write(name, Encoding.Latin1.GetBytes(content));
        Assert.Contains(expected, Assert.Throws<KitException>(() => WeightFile.Open(path)).Message);
    }
}
