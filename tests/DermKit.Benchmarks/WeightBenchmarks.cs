using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

internal static class WeightBenchmarks
{
    /// <summary>A whole CLIP ViT-L/14 of 1.71 GB from safetensors and from PyTorch's zip, into memory that is there;
    /// the limit is reading the file and doing nothing with it.</summary>
    public static IEnumerable<Row> Load()
    {
        string folder = Directory.CreateTempSubdirectory("dermkit-").FullName;
        try
        {
            using var scope = NewDisposeScope();
            using ClipModel model = ClipModel.Unset(ClipVisionConfig.Named("large"), new ClipTextConfig());
            using (no_grad()) foreach (TorchSharp.Modules.Parameter parameter in model.parameters()) parameter.fill_(1);
            string safe = Path.Combine(folder, "x.safetensors"), torch = Path.Combine(folder, "x.pth");
            Dictionary<string, Tensor> state = model.state_dict();
            SafeTensors.Save(safe, state);
            TorchZip.Save(torch, state);
            double gigabytes = new FileInfo(safe).Length * 1e-9;
            void Fill(string path) => WeightLoader.LoadStrict(model, path);
            double[] seconds = Measure.Medians(3, () => Fill(safe), () => Fill(torch), () => ReadAll(safe));
            long before = ProcessMemory.Trimmed();
            double safeExtra = ProcessMemory.PeakDuring(() => Fill(safe)) - before,
                torchExtra = ProcessMemory.PeakDuring(() => Fill(torch)) - before;
            yield return new("safetensors-load 1.7 GB", gigabytes / seconds[0], "GB/s", seconds[2] / seconds[0]);
            yield return new("safetensors-load, extra memory", safeExtra * 1e-6, "MB", null);
            yield return new("pth-load 1.7 GB", gigabytes / seconds[1], "GB/s", seconds[0] / seconds[1]);
            yield return new("pth-load, extra memory", torchExtra * 1e-6, "MB", null);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>10,000 different captions to tokens; the ratio is over 10,000 a second. Without CLIP's
    /// vocabulary there is no row.</summary>
    public static IEnumerable<Row> Tokenize()
    {
        ClipTokenizer? tokenizer = null;
        try
        {
            tokenizer = ClipTokenizer.Open(KitSettings.FromEnvironment());
        }
        catch (KitException e)
        {
            Console.Error.WriteLine($"tokenize: {e.Message}");
        }
        if (tokenizer is null) yield break;
        string[] terms = ["erythema", "seborrhoeic keratosis", "telangiectasia", "basal cell carcinoma (BCC)",
            "Bowen's disease", "blue-whitish veil", "café-au-lait macule"];
        string[] captions = [.. Enumerable.Range(0, 10_000)
            .Select(i => $"This is dermatology image {i} of {terms[i % 7]} and {terms[i / 7 % 7]}, {i % 97}mm wide.")];
        double seconds = Measure.Medians(5, () => Array.ForEach(captions, c => tokenizer.Encode(c)))[0];
        yield return new("tokenize 10,000 captions", captions.Length / seconds, "captions/s", 1 / seconds);
    }

    private static void ReadAll(string path)
    {
        using FileStream stream = File.OpenRead(path);
        byte[] buffer = new byte[1 << 24];
        while (RandomAccess.Read(stream.SafeFileHandle, buffer, stream.Position) is > 0 and var read)
            stream.Position += read;
    }
}
