using DermKit.Models;
using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class SafeTensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WhatIsSavedComesBack()
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(folder.Path, "a", "all.safetensors");
        var tensors = new Dictionary<string, Tensor>
        {
            ["f32"] = randn(3, 4),
            ["f64 ünï \"quoted\""] = randn(2, ScalarType.Float64),
            ["f16"] = randn(5).to(ScalarType.Float16),
            ["bf16"] = randn(2, 3).to(ScalarType.BFloat16),
            ["i64"] = arange(7),
            ["i32"] = arange(3, ScalarType.Int32),
            ["i16"] = arange(3, ScalarType.Int16),
            ["i8"] = arange(3, ScalarType.Int8),
            ["u8"] = arange(9, ScalarType.Byte),
            ["bool"] = tensor(new[] { true, false, true }),
            ["scalar"] = tensor(2.5f),
            ["empty"] = empty(0, 4),
            ["transposed"] = randn(4, 6).t(),
            ["gradient"] = randn(3, requires_grad: true),
        };
        SafeTensors.Save(path, tensors, new Dictionary<string, string> { ["config"] = "{\"a\": 1}", ["z"] = "" });
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        Assert.Equal("{\"a\": 1}", file.Metadata["config"]);
        Assert.Equal(tensors.Keys.Order(), file.Entries.Keys.Order());
        foreach ((string key, Tensor expected) in tensors)
        {
            Tensor actual = file.Load(key);
            Assert.Equal((expected.dtype, string.Join(",", expected.shape)),
                (actual.dtype, string.Join(",", actual.shape)));
            Assert.True(expected.numel() == 0 || actual.equal(expected).all().item<bool>(), key);
        }
        byte[] bytes = File.ReadAllBytes(path);
        Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(bytes) % 8);
        SafeTensors.Save(path, tensors.Reverse().ToDictionary(), file.Metadata);
        Assert.Equal(bytes, File.ReadAllBytes(path));
        Assert.Single(Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void WhatTheFormatCannotHoldIsRefusedAndNothingIsWritten()
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(folder.Path, "x.safetensors");
        Assert.Contains("'c'",
            Assert.Throws<ArgumentException>(
                () => SafeTensors.Save(path,
                    new Dictionary<string, Tensor> { ["c"] = zeros(2, ScalarType.ComplexFloat32) })).Message);
        Assert.Throws<ArgumentException>(() =>
            SafeTensors.Save(path, new Dictionary<string, Tensor> { ["__metadata__"] = zeros(2) }));
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private const string Good =
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}""";

    [Fact]
    public void TheRulesAcceptAGoodFile()
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Write(Good, 12));
        Assert.Equal(["a", "b"], file.Entries.Keys);
        using SafeTensorsFile padded = SafeTensorsFile.Open(Write(Good + "     ", 12));
        using SafeTensorsFile none = SafeTensorsFile.Open(Write("{}", 0));
        Assert.Empty(none.Entries);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    public void MetadataMayBeNullOrEmpty(string metadata)
    {
        string path = Write($"{{\"__metadata__\":{metadata},{Good[1..]}", 12), name = Path.GetFileName(path);
        string map = $$"""{"metadata":null,"weight_map":{"a":"{{name}}","b":"{{name}}"} }""";
        string index = folder.Write("x.safetensors.index.json", Encoding.UTF8.GetBytes(map));
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        using ShardedFile sharded = ShardedFile.Open(index);
        using MappedWeights mapped = MappedWeights.Open(index);
        foreach (WeightFile each in new WeightFile[] { file, sharded, mapped })
            Assert.Equal((2, 0), (each.Entries.Count, each.Metadata.Count));
    }

    [Theory]
    [InlineData("two keys alike",
        """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}""", "'a'")]
    [InlineData("two keys alike, one escaped",
        """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}""", "'a'")]
    [InlineData("two fields alike",
        """{"a":{"dtype":"U8","dtype":"U8","shape":[12],"data_offsets":[0,12]}}""", "dtype")]
    [InlineData("overlap",
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}""", "'b' begins at byte 4")]
    [InlineData("same bytes twice",
        """{"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12]},"b":{"dtype":"U8","shape":[12],"data_offsets":[0,12]}}""", "'b' begins at byte 0")]
    [InlineData("hole",
        """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}""", "'b' begins at byte 8")]
    [InlineData("hole at the front", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}""",
        "'a' begins at byte 8")]
    [InlineData("bytes left over", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "but the file has")]
    [InlineData("beyond the end", """{"a":{"dtype":"U8","shape":[13],"data_offsets":[0,13]}}""", "beyond the end")]
    [InlineData("shape and span differ", """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}""",
        "needs 8 bytes")]
    [InlineData("end before begin", """{"a":{"dtype":"U8","shape":[0],"data_offsets":[12,0]}}""", "12..0")]
    [InlineData("size overflows",
        """{"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,12]}}""", "overflows")]
    [InlineData("offset over 63 bits", """{"a":{"dtype":"U8","shape":[12],"data_offsets":[0,18446744073709551628]}}""",
        "no non-negative integer")]
    [InlineData("negative", """{"a":{"dtype":"U8","shape":[-12],"data_offsets":[0,12]}}""", "no non-negative integer")]
    [InlineData("fraction", """{"a":{"dtype":"U8","shape":[12.0],"data_offsets":[0,12]}}""", "no non-negative integer")]
    [InlineData("exponent", """{"a":{"dtype":"U8","shape":[12e0],"data_offsets":[0,12]}}""", "no non-negative integer")]
    [InlineData("text for a number", """{"a":{"dtype":"U8","shape":["12"],"data_offsets":[0,12]}}""",
        "no non-negative integer")]
    [InlineData("unknown type", """{"a":{"dtype":"F8_E4M3","shape":[12],"data_offsets":[0,12]}}""", "F8_E4M3")]
    [InlineData("field missing", """{"a":{"dtype":"U8","shape":[12]}}""", "'a' is not of the form")]
    [InlineData("field too many", """{"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12],"x":1}}""",
        "'a' is not of the form")]
    [InlineData("three offsets", """{"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12,12]}}""",
        "'a' is not of the form")]
    [InlineData("deep", """{"a":{"dtype":"U8","shape":[[[[12]]]],"data_offsets":[0,12]}}""", "depth")]
    [InlineData("control characters",
        """{"a\u001b[31m\u202e\n":{"dtype":"U8\u0007","shape":[12],"data_offsets":[0,12]}}""",
        """'a\u001b[31m\u202e\n' has type U8\u0007,""")]
    [InlineData("metadata no text",
        """{"__metadata__":{"n":1},"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12]}}""", "__metadata__")]
    [InlineData("space first", """ {"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12]}}""", "'{'")]
    [InlineData("no object", """["a"]""", "'{'")]
    [InlineData("cut", """{"a":{"dtype":"U8","shape":[12],"data_off""", "not valid JSON")]
    [InlineData("half a surrogate pair", """{"\ud800":{"dtype":"U8","shape":[12],"data_offsets":[0,12]}}""", "header")]
    public void EachRuleIsEnforced(string rule, string header, string expected)
    {
        string path = Write(header, 12);
        KitException error = Assert.Throws<KitException>(() => SafeTensorsFile.Open(path));
        Assert.Contains(path, error.Message);
        Assert.True(error.Message.Contains(expected, StringComparison.Ordinal), $"{rule}: {error.Message}");
        File.Delete(path);
    }

    [Fact]
    public void HeaderLengthsAndBytesAreChecked()
    {
        string path = Path.Combine(folder.Path, "x.safetensors");
        void Refused(byte[] content, string expected)
        {
            File.WriteAllBytes(path, content);
            Assert.Contains(expected, Assert.Throws<KitException>(() => SafeTensorsFile.Open(path)).Message);
        }
        Refused([], "shorter than");
        Refused([1, 0, 0], "shorter than");
        Refused([100, 0, 0, 0, 0, 0, 0, 0, (byte)'{'], "does not fit");
        Refused([1, 0xE1, 0xF5, 5, 0, 0, 0, 0], "cap");
        Refused([.. Enumerable.Repeat((byte)255, 8)], "cap");
        Refused([.. BitConverter.GetBytes(0L)], "'{'");
        byte[] header =
            Encoding.Latin1.GetBytes("{\"\u00ff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
        Refused([.. BitConverter.GetBytes((long)header.Length), .. header], "UTF-8");
    }

    [Fact]
    public void NoTruncationOfAGoodFileIsAccepted()
    {
        byte[] good = File.ReadAllBytes(Write(Good, 12));
        string path = Path.Combine(folder.Path, "cut.safetensors");
        for (int length = 0; length < good.Length; length++)
        {
            File.WriteAllBytes(path, good[..length]);
            Assert.Throws<KitException>(() => SafeTensorsFile.Open(path));
        }
    }

    [Fact]
    public void AnUnknownKeyNamesTheNearest()
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Write(Good.Replace("\"a\"", "\"blocks.0.norm1.bias\""), 12));
        Assert.Contains("'blocks.0.norm1.bias'",
            Assert.Throws<KitException>(() => file.Load("blocks.0.norm.bias")).Message);
    }

    [Fact]
    public unsafe void PointersReachBeyondTwoGigabytes()
    {
        // Pages that nobody touches cost no memory.
        using Tensor large = empty((1L << 31) + 64, ScalarType.Byte);
        using Tensor tail = large.narrow(0, 1L << 31, 64);
        Assert.Equal(1L << 31, (byte*)TensorData.Pointer(tail) - (byte*)TensorData.Pointer(large));
    }

    private string Write(string header, int data)
    {
        string path = Path.Combine(folder.Path, $"{Guid.NewGuid():N}.safetensors");
        byte[] text = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)text.Length), .. text, .. new byte[data]]);
        return path;
    }
}
