using DermKit.Models;
using DermKit.Models.Weights;
using System.Globalization;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>A run at the end of a step as one safetensors file: models, centre, moments and step counts as tensors; options, data, threads and step as metadata.</summary>
internal static class Checkpoint
{
    public const string FileName = "checkpoint.safetensors";

    /// <summary>Writes whole or not at all.</summary>
    public static void Save(string path, Updates updates, PretrainOptions options, string dataKey)
    {
        Dictionary<string, Tensor> moments = updates.Optimiser.State();
        using Tensor steps = moments["steps"];
        SafeTensors.Save(path, Tensors(updates.Method, moments), new Dictionary<string, string>
        {
            ["options"] = JsonSerializer.Serialize(options), ["data"] = dataKey, ["step"] = updates.Done.ToString(CultureInfo.InvariantCulture),
            ["skippedInRow"] = updates.SkippedInRow.ToString(CultureInfo.InvariantCulture),
            ["threads"] = get_num_threads().ToString(CultureInfo.InvariantCulture), ["kernel"] = Kernel(options),
        });
    }

    /// <summary>Everything that a failed step can be made again from: the weights before it, its views and the numbers of its pictures.</summary>
    public static void SaveFailure(string path, Updates updates, PretrainOptions options, Views views, ReadOnlySpan<int> pictures)
    {
        Dictionary<string, Tensor> moments = updates.Optimiser.State();
        using Tensor steps = moments["steps"], numbers = tensor(pictures.ToArray().Select(n => (long)n).ToArray());
        Dictionary<string, Tensor> all = Tensors(updates.Method, moments);
        (all["views.globals"], all["views.pictures"]) = (views.Globals, numbers);
        if (views.Locals is not null) all["views.locals"] = views.Locals;
        if (views.Masks is not null) all["views.masks"] = views.Masks.Cells;
        SafeTensors.Save(path, all, new Dictionary<string, string>
        {
            ["options"] = JsonSerializer.Serialize(options), ["step"] = updates.Done.ToString(CultureInfo.InvariantCulture), ["seed"] = options.Seed.ToString(CultureInfo.InvariantCulture),
        });
    }

    /// <summary>Fills models and optimiser and sets the number of updates that are done. Everything is checked before the first copy.</summary>
    /// <exception cref="KitException">Another run's file: other options (the keys are named), other pictures, another number of threads or, where KIT_MATMUL or KIT_BLOCK insists on it, another kernel; or not whole.</exception>
    public static void Load(string path, Updates updates, PretrainOptions options, string dataKey)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        string Meta(string key) => file.Metadata.TryGetValue(key, out string? value) ? value : throw new KitException($"{path}: no checkpoint of pre-training, '{key}' is missing from its metadata. Name another folder.");
        JsonElement stored = Stored(path, Meta("options")), wanted = JsonSerializer.SerializeToElement(options);
        string[] differing = [.. wanted.EnumerateObject()
            .Where(p => !stored.TryGetProperty(p.Name, out JsonElement was) || was.GetRawText() != p.Value.GetRawText())
            .Select(p => $"{JsonNamingPolicy.CamelCase.ConvertName(p.Name)} was {(stored.TryGetProperty(p.Name, out JsonElement was) ? was.GetRawText() : "not there")}, is {p.Value.GetRawText()}")];
        if (differing.Length > 0)
            throw new KitException($"{path}: made with other options: {Names.Listed(differing, separator: "; ")}. Take them back, or train in another folder.");
        int Count(string key, int most) => int.TryParse(Meta(key), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= most ? count
            : throw new KitException($"{path}: '{key}' of its metadata is '{Meta(key)}'; expected a number from 0 to {most}. The file was changed; go back to another checkpoint, or train in another folder.");
        (int done, int skipped) = (Count("step", updates.Steps), Count("skippedInRow", updates.Steps));
        if (Meta("data") != dataKey) throw new KitException($"{path}: made from other pictures ({Meta("data")}, here {dataKey}). Bring the same files, or train in another folder.");
        string threads = get_num_threads().ToString(CultureInfo.InvariantCulture);
        if (Meta("threads") != threads) throw new KitException($"{path}: made with {Meta("threads")} threads, here {threads}, which gives other roundings. Set OMP_NUM_THREADS={Meta("threads")}, or train in another folder.");
        bool matters = updates.Method.State.Values.First().device_type == DeviceType.CPU, blocks = options.Precision == "bf16";
        string? kernel = file.Metadata.GetValueOrDefault("kernel");
        if (blocks && kernel is not (null or "fused")) kernel = "plain";
        string variable = blocks ? "KIT_BLOCK" : "KIT_MATMUL";
        if (matters && kernel is not null && kernel != Kernel(options) && !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            throw new KitException($"{path}: made with the kernel {kernel}, here {Kernel(options)} by {variable}, which gives other roundings. Unset it or set {variable}={kernel}, or train in another folder.");
        Dictionary<string, Tensor> moments = updates.Optimiser.State();
        using Tensor steps = moments["steps"];
        Dictionary<string, Tensor> targets = Tensors(updates.Method, moments);
        string[] wrong = [.. targets.Where(t => !file.Entries.TryGetValue(t.Key, out WeightEntry? e) || !e.Shape.SequenceEqual(t.Value.shape) || e.Type != t.Value.dtype).Select(t => t.Key)];
        if (wrong.Length > 0)
            throw new KitException($"{path}: missing or of another shape: {Names.Listed(wrong)}. The file is of another version of the kit; train in another folder.");
        // The kernel is measured in each process, and a busy machine may find the other one faster next time: the run's own goes on.
        if (matters && kernel is not null && blocks) BlockPath.Use(kernel == "fused" ? BlockKernel.Fused : BlockKernel.Plain);
        else if (matters && kernel is not null) MatrixPath.Use(kernel == "conv" ? MatrixKernel.Conv : MatrixKernel.Linear);
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in targets)
        {
            using Tensor value = file.Load(key);
            target.copy_(value);
        }
        updates.Optimiser.SetSteps(steps);
        (updates.SkippedInRow, updates.Done) = (skipped, done);
    }

    private static JsonElement Stored(string path, string options)
    {
        try
        {
            if (JsonDocument.Parse(options).RootElement is { ValueKind: JsonValueKind.Object } stored) return stored;
        }
        catch (JsonException)
        {
            // Said below, as for JSON that is no object.
        }
        throw new KitException($"{path}: 'options' of its metadata are no JSON object. The file was changed; go back to another checkpoint, or train in another folder.");
    }

    private static string Kernel(PretrainOptions options) => options.Precision == "bf16" ? (BlockPath.Kernel == BlockKernel.Fused ? "fused" : "plain")
        : MatrixPath.Kernel == MatrixKernel.Conv ? "conv" : "linear";

    private static Dictionary<string, Tensor> Tensors(PretrainMethod method, Dictionary<string, Tensor> moments) =>
        method.State.Concat(moments.Select(m => KeyValuePair.Create("optimizer." + m.Key, m.Value))).ToDictionary(p => p.Key, p => p.Value);
}
