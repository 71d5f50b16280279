using Microsoft.ML.OnnxRuntime;
using System.Runtime.InteropServices;
using TensorElementType = Microsoft.ML.OnnxRuntime.Tensors.TensorElementType;

namespace DermKit.Models;

/// <summary>The values of an image that an ONNX encoder takes.</summary>
[JsonConverter(typeof(SpelledEnumConverter<OnnxInput>))]
internal enum OnnxInput
{
    // As the transforms give them.
    [JsonStringEnumMemberName("imagenet")]
    ImageNet,
    [JsonStringEnumMemberName("0-1")]
    Unit,
    [JsonStringEnumMemberName("0-255")]
    Bytes,
    // Blue first, as Caffe.
    [JsonStringEnumMemberName("0-255-bgr")]
    BlueFirst,
}

/// <summary>A frozen image encoder from an ONNX file: one float input [B, 3, side, side], one float output [B, D] or
/// [B, D, 1, 1]. ONNX Runtime computes it, with the threads of torch on a cpu.</summary>
internal sealed class OnnxEncoder : Backbone
{
    private readonly InferenceSession session;
    private readonly OnnxInput input;
    private readonly float[] mean, deviation;
    private readonly int side, most;
    private readonly string version;

    private OnnxEncoder(string path, int side, OnnxInput input, float[] mean, float[] deviation, Device device)
        : base(nameof(OnnxEncoder))
    {
        (this.side, this.input, this.mean, this.deviation) = (side, input, mean, deviation);
        Origin = path;
        base.train(false);
        ParameterCount = OnnxContents.Read(path).Parameters;
        FileHash = WeightLoader.FileHash(path);
        OrtEnv.Instance().DisableTelemetryEvents();
        version = $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}";
        try
        {
            using var options = new SessionOptions
            {
                IntraOpNumThreads = get_num_threads(),
                // Errors are thrown; messages would go past the kit's output.
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
            };
            // Waiting threads leave the cores to decoding.
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            if (device.type == DeviceType.CUDA) Use(device, options);
            session = new(path, options);
        }
        catch (OnnxRuntimeException e)
        {
            throw new KitException($"{path}: expected an ONNX image encoder; {version} does not open it: {e.Message}"
                + (device.type == DeviceType.CUDA ? " On cuda it needs the build of TorchBackend=cuda and what "
                    + "environment/README.md lists under GPU; --device cpu needs neither." : ""), e);
        }
        try
        {
            most = CheckedBatch(path);
            Dim = MeasuredWidth(path);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Architecture => $"{version} {input} {side} {Dim}";

    /// <inheritdoc/>
    public override long ParameterCount { get; }

    /// <inheritdoc/>
    public override int Dim { get; }

    /// <summary>SHA-256 of the file, then its external data, when it was opened.</summary>
    public string FileHash { get; }

    public static bool IsOnnx(string path) => path.EndsWith(".onnx", OrdinalIgnoreCase);

    // Statistics are those by which images are normalised. Throws a KitException for a file that is no such encoder.
    public static OnnxEncoder Open(string path, int side, OnnxInput input, float[] mean, float[] deviation,
        Device? device = null) => new(path, side, input, mean, deviation, device ?? CPU);

    public static KitException Frozen(string origin) => new($"{origin}: an ONNX encoder has no gradients, so it is "
        + "neither trained nor fine-tuned; probe it frozen, or take weights of a family of the kit.");

    /// <inheritdoc/>
    public override void train(bool on = true)
    {
        if (on) throw Frozen(Origin);
        base.train(on);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor x)
    {
        if (x.dim() != 4 || !x.shape[1..].SequenceEqual([3, side, side]))
            throw new ArgumentException($"Expected images [B, 3, {side}, {side}], found {x.Shape()}.", nameof(x));
        if (x.requires_grad) throw Frozen(Origin);
        using var scope = NewDisposeScope();
        int images = (int)x.shape[0], size = 3 * side * side;
        float[] values = MemoryMarshal.Cast<byte, float>(Values(x).cpu().contiguous().bytes).ToArray();
        float[] features = new float[images * Dim];
        for (int first = 0, count; first < images; first += count)
        {
            count = Math.Min(most, images - first);
            int to = first * Dim;
            Compute(values.AsMemory(first * size, count * size), count, output => output.GetTensorDataAsSpan<float>().CopyTo(features.AsSpan(to)));
        }
        return tensor(features, [images, Dim], device: x.device).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) session.Dispose();
        base.Dispose(disposing);
    }

    // No choice of kernels by timing and no rounding to TF32.
    private static void Use(Device device, SessionOptions options)
    {
        using var cuda = new OrtCUDAProviderOptions();
        cuda.UpdateOptions(new()
        {
            ["device_id"] = $"{Math.Max(0, device.index)}",
            ["cudnn_conv_algo_search"] = "DEFAULT",
            ["use_tf32"] = "0",
        });
        options.AppendExecutionProvider_CUDA(cuda);
    }

    private Tensor Values(Tensor x)
    {
        x = x.to(float32);
        if (input == OnnxInput.ImageNet) return x;
        Tensor Channels(float[] values) => tensor(values, device: x.device).view(1, 3, 1, 1);
        x = x.mul(Channels(deviation)).add_(Channels(mean), Kept(1));
        if (input != OnnxInput.Unit) x = x.mul_(Kept(255));
        return input == OnnxInput.BlueFirst ? x.flip(1) : x;
    }

    // Images of one pass: 1 where the file says so.
    private int CheckedBatch(string path)
    {
        KitException Refused(string expected, string found) =>
            new($"{path}: expected an image encoder with {expected}, found {found}. Export it so.");
        string Listed(IReadOnlyDictionary<string, NodeMetadata> values) => Names.Listed(values.Select(v =>
            $"{v.Key} {v.Value.ElementDataType} [{string.Join(", ", v.Value.Dimensions.Select((d, i) =>
                d >= 0 ? $"{d}" : v.Value.SymbolicDimensions[i] is { Length: > 0 } name ? name : "?"))}]"));
        var (inputs, outputs) = (session.InputMetadata, session.OutputMetadata);
        string found = $"{inputs.Count} inputs: {Listed(inputs)}";
        if (inputs.Count != 1) throw Refused("one input", found);
        NodeMetadata images = inputs.Values.First();
        if (images.ElementDataType != TensorElementType.Float || images.Dimensions is not [var batch, -1 or 3, _, _])
            throw Refused("a float input [B, 3, H, W]", images.Dimensions is [_, _, _, 3]
                ? $"channels last: {Listed(inputs)}" : Listed(inputs));
        if (batch is not (-1 or 1)) throw Refused("a batch of 1 or free", Listed(inputs));
        if (images.Dimensions[2..].Any(d => d != -1 && d != side))
            throw new KitException($"{path}: expected the side of the transform's crop, {side} x {side} pixels, found "
                + $"{Listed(inputs)}. Name another 'preprocessing' or export it for {side} pixels.");
        if (outputs.Count != 1 || outputs.Values.First().ElementDataType != TensorElementType.Float)
            throw Refused("one float output", $"{outputs.Count}: {Listed(outputs)}");
        return batch == 1 ? 1 : int.MaxValue;
    }

    // D of one pass over zeros, with two images where the batch is free.
    private int MeasuredWidth(string path)
    {
        int count = Math.Min(2, most);
        long[] found = [];
        Compute(new float[count * 3 * side * side], count, output => found = output.GetTensorTypeAndShape().Shape);
        return found is [var rows, > 0 and <= 1 << 20, ..] && rows == count && found[2..] is [] or [1, 1] ? (int)found[1]
            : throw new KitException($"{path}: expected features [{count}, D] or [{count}, D, 1, 1] of "
                + $"{count} images, found [{string.Join(", ", found)}]. Export the pooled output.");
    }

    private void Compute(Memory<float> images, int count, Action<OrtValue> use)
    {
        try
        {
            using OrtValue batch = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, images,
                [count, 3, side, side]);
            using var run = new RunOptions();
            using var outputs = session.Run(run, session.InputNames, [batch], session.OutputNames);
            use(outputs[0]);
        }
        catch (OnnxRuntimeException e)
        {
            throw new KitException($"{Origin}: {version} does not compute images [{count}, 3, {side}, {side}]: "
                + e.Message, e);
        }
    }
}
