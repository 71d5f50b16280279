using Microsoft.ML.OnnxRuntime;
using System.Runtime.InteropServices;
using Element = Microsoft.ML.OnnxRuntime.Tensors.TensorElementType;

namespace DermKit.Models;

// Images as the transforms give them, RGB on a scale, or BGR from 0 to 255 less ImageNet's mean.
[JsonConverter(typeof(SpelledEnumConverter<OnnxInput>))]
internal enum OnnxInput
{
    [JsonStringEnumMemberName("imagenet")]
    ImageNet,
    [JsonStringEnumMemberName("0-1")]
    Unit,
    [JsonStringEnumMemberName("0-255")]
    Bytes,
    [JsonStringEnumMemberName("caffe")]
    Caffe,
}

/// <summary>A frozen image encoder that ONNX Runtime computes: one float input [B, 3, side, side], B free or 1, one
/// float output [B, D] or [B, D, 1, 1].</summary>
internal sealed class OnnxEncoder : Backbone
{
    private readonly InferenceSession session;
    private readonly OnnxInput input;
    private readonly int side, most;

    // Throws a KitException for a file that is no such encoder.
    public OnnxEncoder(string path, int side, OnnxInput input, Device? device = null) : base(nameof(OnnxEncoder))
    {
        Origin = path;
        this.side = side;
        this.input = input;
        base.train(false);
        ParameterCount = Contents(path).Parameters;
        FileHash = WeightLoader.FileHash(path);
        bool isCuda = device?.type == DeviceType.CUDA;
        session = Try(isCuda ? "open it on cuda (see GPU in environment/README.md)" : "open it", () =>
        {
            using var options = new SessionOptions { IntraOpNumThreads = get_num_threads() };
            // Errors are thrown; threads that wait would take cores from decoding.
            options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            if (isCuda)
            {
                using var cuda = new OrtCUDAProviderOptions();
                // No choice of kernels by timing, no rounding to TF32.
                cuda.UpdateOptions(new()
                {
                    ["device_id"] = $"{Math.Max(0, device!.index)}",
                    ["cudnn_conv_algo_search"] = "DEFAULT",
                    ["use_tf32"] = "0",
                });
                options.AppendExecutionProvider_CUDA(cuda);
            }
            return new InferenceSession(path, options);
        });
        try
        {
            (most, Dim) = Checked();
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public override string Architecture => $"{Runtime} {input} {side} {Dim}";

    public override long ParameterCount { get; }

    public override int Dim { get; }

    // SHA-256 of the file, then its external data.
    public string FileHash { get; }

    private static string Runtime => $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}";

    public static KitException Frozen(string origin) => new($"{origin}: an ONNX encoder has no gradients, so it is "
        + "neither trained nor fine-tuned; take a model of another family.");

    // Values of the initialisers; paths of their external data.
    public static (long Parameters, string[] Files) Contents(string path)
    {
        static IEnumerable<ProtoField> In(ReadOnlyMemory<byte> message, int number) =>
            ProtoField.Of(message).Where(f => f.Number == number);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        long parameters = 0;
        var files = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            foreach (ProtoField tensor in In(OnnxFile.Bytes(path), 7).SelectMany(graph => In(graph.Bytes, 5)))
            {
                parameters += In(tensor.Bytes, 1).SelectMany(f => f.Integers()).Aggregate(1L, (all, n) => all * n);
                foreach (ProtoField entry in In(tensor.Bytes, 13))
                    if (ProtoField.Of(entry.Bytes).Select(f => f.Text).ToArray() is ["location", var file])
                        files.Add(Path.Combine(folder, file));
            }
        }
        catch (FormatException e)
        {
            throw new KitException($"{path}: expected an ONNX model, found a broken or truncated one, or weights of "
                + $"another format: {e.Message}.", e);
        }
        return files.FirstOrDefault(f => !f.StartsWith(folder, Ordinal) || f.Contains("..") || !File.Exists(f))
            is { } no
            ? throw new KitException($"{path}: expected its external data '{no}' in its folder, found none there.")
            : (parameters, [.. files]);
    }

    public override void train(bool on = true)
    {
        if (on) throw Frozen(Origin);
        base.train(on);
    }

    public override Tensor forward(Tensor x)
    {
        if (x.shape is not [_, 3, var height, var width] || height != side || width != side)
            throw new ArgumentException($"Expected images [B, 3, {side}, {side}], found {x.Shape()}.", nameof(x));
        using var scope = NewDisposeScope();
        int images = (int)x.shape[0], size = 3 * side * side;
        float[] values = MemoryMarshal.Cast<byte, float>(Values(x).cpu().contiguous().bytes).ToArray();
        float[] features = new float[images * Dim];
        for (int first = 0, count; first < images; first += count)
        {
            count = Math.Min(most, images - first);
            Compute(values.AsMemory(first * size, count * size), count).Values.CopyTo(features, first * Dim);
        }
        return tensor(features, [images, Dim], device: x.device).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) session.Dispose();
        base.Dispose(disposing);
    }

    private Tensor Values(Tensor x)
    {
        if (input == OnnxInput.ImageNet) return x.to(float32);
        x = x.to(float32).mul(OnnxFile.Colours(OnnxFile.Deviations, x.device));
        if (input == OnnxInput.Caffe) return x.flip(1);
        x.PlusInPlace(OnnxFile.Colours(OnnxFile.Means, x.device));
        return input == OnnxInput.Unit ? x.div_(Kept(255)) : x;
    }

    // Images of one pass, and D of a pass over zeros, of two images where the batch is free.
    private (int Most, int Dim) Checked()
    {
        NodeMetadata[] all = [.. session.InputMetadata.Values, .. session.OutputMetadata.Values];
        bool Fits(int size) => size == -1 || size == side;
        string found = Names.Listed(session.InputNames.Concat(session.OutputNames).Zip(all, (name, v) =>
            $"{name} {v.ElementDataType} [{string.Join(", ", v.Dimensions)}]"));
        if (all is [{ Dimensions: [-1 or 1, -1 or 3, var height, var width] }, _] && Fits(height) && Fits(width)
            && session.InputNames.Count == 1 && all.All(v => v.ElementDataType == Element.Float))
        {
            bool isFree = all[0].Dimensions[0] == -1;
            int count = isFree ? 2 : 1;
            long[] shape = Compute(new float[count * 3 * side * side], count).Shape;
            if (shape is [_, > 0 and <= 1 << 20, .. [] or [1, 1]] && shape[0] == count)
                return (isFree ? int.MaxValue : 1, (int)shape[1]);
            found += $", for {count} images [{string.Join(", ", shape)}]";
        }
        throw new KitException($"{Origin}: expected one float input [B, 3, {side}, {side}] (the transform's crop), B "
            + $"-1 (free) or 1, and one float output [B, D] or [B, D, 1, 1]; found {session.InputNames.Count} in, "
            + $"{session.OutputNames.Count} out: {found}. Export it so.");
    }

    private (long[] Shape, float[] Values) Compute(Memory<float> images, int count) =>
        Try($"compute images [{count}, 3, {side}, {side}]", () =>
        {
            using OrtValue batch = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, images,
                [count, 3, side, side]);
            using var run = new RunOptions();
            using var found = session.Run(run, session.InputNames, [batch], session.OutputNames);
            return (found[0].GetTensorTypeAndShape().Shape, found[0].GetTensorDataAsSpan<float>().ToArray());
        });

    private T Try<T>(string what, Func<T> call)
    {
        try
        {
            return call();
        }
        catch (OnnxRuntimeException e)
        {
            throw new KitException($"{Origin}: {Runtime} does not {what}: {e.Message}", e);
        }
    }
}
