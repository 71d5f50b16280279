using DermKit.Models;
using DermKit.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Faults;

/// <summary>Weights files with bytes changed, cut, doubled and swapped: read whole, or an error in words; never a
/// crash, a hang or memory without bound.</summary>
public sealed class MutatedWeights : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AThousandAreReadOrRefused() => Run(1_000, seed: 1);

    [Fact]
    public void AHundredThousandAreReadOrRefused()
    {
        SlowTier.Need("100,000 mutated weights files");
        Parallel.For(0, 2, half => Run(50_000, seed: 2 + half));
    }

    private void Run(int count, int seed)
    {
        string at = Directory.CreateDirectory(Path.Combine(folder.Path, $"{seed}")).FullName;
        Original[] originals = [.. Originals(at)];
        // What the bookkeeping of an original's keys takes when nothing is wrong with it: the only allowance beside
        // four times the file. Real files are large beside it; these are small, so that many can be read.
        long[] allowances = [.. originals.Select(o =>
        {
            o.Write(at);
            Read(o.PathIn(at));
            return Read(o.PathIn(at)).Managed;
        })];
        var random = new Random(seed);
        int read = 0;
        int refused = 0;
        for (int i = 0; i < count; i++)
        {
            Original mutated = originals[i % originals.Length].With(random);
            long length = mutated.Write(at), most = (4 * length) + allowances[i % originals.Length];
            (bool isRead, long managed, long tensors) = Read(mutated.PathIn(at));
            // What the runtime loads once, such as the texts of its errors, is not of the file: the
            // second reading has it already.
            if (managed + tensors > most) (isRead, managed, tensors) = Read(mutated.PathIn(at));
            if (managed + tensors > most)
                Assert.Fail($"mutation {i} of seed {seed}, {mutated.Files[0].Name}: {managed:n0} bytes and tensors of "
                    + $"{tensors:n0} from {length:n0} bytes, of which {most:n0} were expected at most");
            read += isRead ? 1 : 0;
            refused += isRead ? 0 : 1;
        }
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{read} read, {refused} refused; allowances {string.Join(", ", allowances)}");
        Assert.True(read > count / 100 && refused > count / 4, $"{read} read, {refused} refused");
    }

    /// <summary>Reads every tensor of a file, or is refused in words that name it; with the bytes that were
    /// allocated, garbage among them.</summary>
    private static (bool IsRead, long Managed, long Tensors) Read(string path)
    {
        long before = GC.GetAllocatedBytesForCurrentThread(), tensors = 0;
        bool isRead = true;
        try
        {
            using MappedWeights file = MappedWeights.Open(path);
            foreach (string key in file.Entries.Keys)
            {
                using Tensor tensor = file.Load(key);
                tensors += tensor.numel() * tensor.element_size();
            }
        }
        catch (KitException e)
        {
            // A shard is named by itself.
            Assert.StartsWith(Path.GetDirectoryName(path)!, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(e.Message, char.IsControl);
            Assert.InRange(e.Message.Length, 0, 5_000);
            isRead = false;
        }
        return (isRead, GC.GetAllocatedBytesForCurrentThread() - before, tensors);
    }

    /// <summary>A weights file, or an index with its shards; the first one is opened.</summary>
    private sealed record Original((string Name, byte[] Content)[] Files)
    {
        public string PathIn(string at) => Path.Combine(at, Files[0].Name);

        public long Write(string at)
        {
            foreach ((string name, byte[] content) in Files) File.WriteAllBytes(Path.Combine(at, name), content);
            return Files.Sum(f => f.Content.LongLength);
        }

        public Original With(Random random)
        {
            int which = random.Next(Files.Length);
            return new([.. Files.Select((f, i) => i == which ? (f.Name, Mutate(f.Content, random)) : f)]);
        }
    }

    private static IEnumerable<Original> Originals(string at)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> vit = new()
        {
            ["cls_token"] = rand(1, 1, 24),
            ["pos_embed"] = rand(1, 5, 24).to(ScalarType.Float16),
            ["patch_embed.proj.weight"] = rand(24, 3, 8, 8),
            ["blocks.0.norm1.weight"] = rand(24).to(ScalarType.BFloat16)
        };
        using var clip =
            DermKit.Models.ClipModel.Random(new()
            {
                Dim = 8,
                Depth = 1,
                Heads = 1,
                Patch = 8,
                ImageSize = 16,
                Hidden = 8,
                Projection = 4
            }, new() { Dim = 8, Depth = 1, Heads = 1, Context = 4, Vocabulary = 9, Hidden = 8, Projection = 4 }, 1);
        string path = Path.Combine(at, "original");
        (string, byte[]) Written(string name) => (name, File.ReadAllBytes(path));
        SafeTensors.Save(path, vit, new Dictionary<string, string> { ["a"] = "b" });
        yield return new([Written("vit.safetensors")]);
        SafeTensors.Save(path, clip.state_dict());
        yield return new([Written("clip.safetensors")]);
        var zip = new TorchZip();
        zip.Write(path,
            Pickled.Dict(("teacher", zip.State(vit.ToDictionary(p => "module.backbone." + p.Key, p => p.Value))),
                ("epoch", Pickled.Int(5)), ("loss", Pickled.List(Pickled.Real(1), Pickled.None))));
        yield return new([Written("vit.pth")]);
        TorchZip.Save(path, MappedWeightsTests.AsOpenAi(clip.state_dict()));
        yield return new([Written("clip.pt")]);
        // An index and its two files, of which one is altered at a time.
        var shards = new List<(string, byte[])>();
        foreach (string name in new[] { "vit-1.safetensors", "vit-2.safetensors" })
        {
            SafeTensors.Save(path,
                vit.Where(p => p.Key.StartsWith("p", StringComparison.Ordinal) == (name == "vit-1.safetensors"))
                    .ToDictionary());
            shards.Add(Written(name));
        }
        byte[] index =
            System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new
            {
                metadata = new { total_size = 1 },
                weight_map = vit.Keys.ToDictionary(k => k,
                    k => k.StartsWith('p') ? "vit-1.safetensors" : "vit-2.safetensors")
            });
        yield return new([("vit.safetensors.index.json", index), .. shards]);
        // Large beside its keys, as real files are.
        TorchZip.Save(path,
            new Dictionary<string, Tensor>
            {
                ["module.cls_token"] = rand(1, 1, 8),
                ["module.patch_embed.proj.weight"] = rand(8, 3, 50, 50)
            });
        yield return new([Written("large.pth")]);
    }

    /// <summary>One to four changes, most of them where a file says how it is built: at its two ends
    /// and around its names.</summary>
    private static byte[] Mutate(byte[] original, Random random)
    {
        List<byte> bytes = [.. original];
        int At() => bytes.Count == 0 ? 0 : random.Next(3) switch
        {
            0 => random.Next(Math.Min(bytes.Count, 2_500)),
            1 => bytes.Count - 1 - random.Next(Math.Min(bytes.Count, 2_500)),
            _ => random.Next(bytes.Count),
        };
        byte[] edges = [0, 1, 0x1b, 0x7f, 0x80, 0x9b, 0xff, (byte)'(', (byte)'.', (byte)'}', (byte)'"', (byte)'['];
        for (int changes = random.Next(1, 5); changes > 0 && bytes.Count > 0; changes--)
        {
            int at = At();
            switch (random.Next(8))
            {
                case 0 or 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes[at] = edges[random.Next(edges.Length)];
                    break;
                case 3:
                    for (int i = at; i < Math.Min(at + 4, bytes.Count); i++) bytes[i] = (byte)random.Next(256);
                    break;
                case 4:
                    bytes.Insert(at, edges[random.Next(edges.Length)]);
                    break;
                case 5:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at));
                    break;
                case 6:
                    int length = Math.Min(random.Next(1, 65), bytes.Count - at);
                    bytes.InsertRange(At(), bytes.GetRange(at, length));
                    break;
                case 7 when random.Next(4) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                // A digit more or less, as lengths and offsets are written.
                default:
                    if (bytes[at] is >= (byte)'0' and <= (byte)'9') bytes[at] = (byte)random.Next('0', '9' + 1);
                    break;
            }
        }
        return [.. bytes];
    }
}
