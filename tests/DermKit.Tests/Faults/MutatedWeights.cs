using DermKit.Models.Weights;
using DermKit.Tests.Models.Weights;
using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Faults;

/// <summary>Weights files with bytes changed, cut, doubled and swapped: read whole, or an error in words; never a crash, a hang or memory without bound.</summary>
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
        byte[][] originals = Originals(seed);
        var random = new Random(seed);
        (int read, int refused) = (0, 0);
        string path = Path.Combine(folder.Path, $"mutated-{seed}.pth");
        for (int i = 0; i < count; i++)
        {
            byte[] bytes = Mutate(originals[i % originals.Length], random);
            File.WriteAllBytes(path, bytes);
            long before = GC.GetAllocatedBytesForCurrentThread(), tensors = 0, start = Stopwatch.GetTimestamp();
            try
            {
                using MappedWeights file = MappedWeights.Open(path);
                foreach (string key in file.Entries.Keys)
                {
                    using Tensor tensor = file.Load(key);
                    tensors += tensor.numel() * tensor.element_size();
                }
                read++;
            }
            catch (KitException e)
            {
                Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
                refused++;
            }
            long managed = GC.GetAllocatedBytesForCurrentThread() - before;
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            // A megabyte for what a file takes whatever its size.
            if (managed + tensors > (4 * bytes.Length) + (1 << 20) || seconds > 20)
                Assert.Fail($"mutation {i} of seed {seed}: {managed:n0} bytes and tensors of {tensors:n0} from a file of {bytes.Length:n0}, {seconds:f1} s");
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{read} read, {refused} refused");
        Assert.True(read > count / 100 && refused > count / 4, $"{read} read, {refused} refused");
    }

    private byte[][] Originals(int seed)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> vit = new() { ["cls_token"] = rand(1, 1, 24), ["pos_embed"] = rand(1, 5, 24).to(ScalarType.Float16), ["patch_embed.proj.weight"] = rand(24, 3, 8, 8), ["blocks.0.norm1.weight"] = rand(24).to(ScalarType.BFloat16) };
        using var clip = DermKit.Models.ClipModel.Random(new() { Dim = 8, Depth = 1, Heads = 1, Patch = 8, ImageSize = 16, Hidden = 8, Projection = 4 }, new() { Dim = 8, Depth = 1, Heads = 1, Context = 4, Vocabulary = 9, Hidden = 8, Projection = 4 }, 1);
        string path = Path.Combine(folder.Path, $"original-{seed}");
        var files = new List<byte[]>();
        SafeTensors.Save(path, vit, new Dictionary<string, string> { ["a"] = "b" });
        files.Add(File.ReadAllBytes(path));
        SafeTensors.Save(path, clip.state_dict());
        files.Add(File.ReadAllBytes(path));
        var zip = new TorchZip();
        zip.Write(path, Pickled.Dict(("teacher", zip.State(vit.ToDictionary(p => "module.backbone." + p.Key, p => p.Value))), ("epoch", Pickled.Int(5)), ("loss", Pickled.List(Pickled.Real(1), Pickled.None))));
        files.Add(File.ReadAllBytes(path));
        TorchZip.Save(path, MappedWeightsTests.AsOpenAi(clip.state_dict()));
        files.Add(File.ReadAllBytes(path));
        return [.. files];
    }

    /// <summary>One to four changes, most of them where a file says how it is built: at its two ends and around its names.</summary>
    private static byte[] Mutate(byte[] original, Random random)
    {
        List<byte> bytes = [.. original];
        int At() => bytes.Count == 0 ? 0 : random.Next(3) switch
        {
            0 => random.Next(Math.Min(bytes.Count, 2_500)),
            1 => bytes.Count - 1 - random.Next(Math.Min(bytes.Count, 2_500)),
            _ => random.Next(bytes.Count),
        };
        byte[] edges = [0, 1, 0x7f, 0x80, 0xff, (byte)'(', (byte)'.', (byte)'}', (byte)'"', (byte)'['];
        for (int changes = random.Next(1, 5); changes > 0 && bytes.Count > 0; changes--)
        {
            int at = At();
            switch (random.Next(8))
            {
                case 0 or 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes[at] = edges[random.Next(edges.Length)]; break;
                case 3: for (int i = at; i < Math.Min(at + 4, bytes.Count); i++) bytes[i] = (byte)random.Next(256); break;
                case 4: bytes.Insert(at, edges[random.Next(edges.Length)]); break;
                case 5: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
                case 6:
                    int length = Math.Min(random.Next(1, 65), bytes.Count - at);
                    bytes.InsertRange(At(), bytes.GetRange(at, length));
                    break;
                case 7 when random.Next(4) == 0: bytes.RemoveRange(at, bytes.Count - at); break;
                // A digit more or less, as lengths and offsets are written.
                default: if (bytes[at] is >= (byte)'0' and <= (byte)'9') bytes[at] = (byte)random.Next('0', '9' + 1); break;
            }
        }
        return [.. bytes];
    }
}
