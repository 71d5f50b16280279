using DermKit.Models;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>What a run knows besides its weights and moments.</summary>
/// <param name="Best">Highest score of the monitor so far; negative infinity before the first one.</param>
/// <param name="BestStep">Step of the highest score; 0 before the first one.</param>
/// <param name="IsScoreDue">True when the monitor failed at the last step and is to be asked again.</param>
internal sealed record MonitorState(double Best = double.NegativeInfinity, int BestStep = 0, bool IsScoreDue = false);

/// <summary>A run at the end of a step as one safetensors file: models, centre, moments and step counts as tensors; options, data, threads and step as metadata.</summary>
internal static class Checkpoint
{
    public const string FileName = "checkpoint.safetensors";

    /// <summary>
    /// Version of the format, raised whenever the same options go on in another way. Version 1 has no number in its
    /// metadata; its order, crops, masks, stochastic depth and choice of images came from other random streams, and its
    /// products from other kernels where its metadata names one.
    /// </summary>
    public const int Version = 2;

    /// <summary>Writes whole or not at all.</summary>
    public static void Save(
        string path, Updates updates, PretrainOptions options, string dataKey, MonitorState? monitor = null)
    {
        Dictionary<string, Tensor> moments = updates.Optimiser.State();
        using Tensor steps = moments["steps"];
        var metadata = new Dictionary<string, string>
        {
            ["version"] = Version.ToString(CultureInfo.InvariantCulture),
            ["options"] = JsonSerializer.Serialize(options), ["data"] = dataKey, ["step"] = updates.Done.ToString(CultureInfo.InvariantCulture),
            ["skippedInRow"] = updates.SkippedInRow.ToString(CultureInfo.InvariantCulture),
            ["threads"] = get_num_threads().ToString(CultureInfo.InvariantCulture),
        };
        if (monitor is { BestStep: > 0 })
        {
            metadata["best"] = monitor.Best.ToString("R", CultureInfo.InvariantCulture);
            metadata["bestStep"] = monitor.BestStep.ToString(CultureInfo.InvariantCulture);
        }
        if (monitor is { IsScoreDue: true }) metadata["scoreDue"] = "true";
        SafeTensors.Save(path, Tensors(updates.Method, moments), metadata);
    }

    /// <summary>Everything that a failed step can be made again from: the weights before it, its views and the numbers of its images.</summary>
    public static void SaveFailure(string path, Updates updates, PretrainOptions options, Views views, ReadOnlySpan<int> images)
    {
        Dictionary<string, Tensor> moments = updates.Optimiser.State();
        using Tensor steps = moments["steps"], numbers = tensor(images.ToArray().Select(n => (long)n).ToArray());
        Dictionary<string, Tensor> all = Tensors(updates.Method, moments);
        (all["views.globals"], all["views.pictures"]) = (views.Globals, numbers);
        if (views.Locals is not null) all["views.locals"] = views.Locals;
        if (views.Masks is not null) all["views.masks"] = views.Masks.Cells;
        SafeTensors.Save(path, all, new Dictionary<string, string>
        {
            ["version"] = Version.ToString(CultureInfo.InvariantCulture),
            ["options"] = JsonSerializer.Serialize(options), ["step"] = updates.Done.ToString(CultureInfo.InvariantCulture), ["seed"] = options.Seed.ToString(CultureInfo.InvariantCulture),
        });
    }

    /// <summary>Fills models and optimiser and sets the number of updates that are done. Everything is checked before the first copy.</summary>
    /// <exception cref="KitException">Another run's file: other options (the keys are named), other images, another number of threads; or not whole.</exception>
    /// <returns>What the monitor has said so far (null when the version does not keep it), and the version of the format.</returns>
    public static (MonitorState? Monitor, int Version) Load(string path, Updates updates, PretrainOptions options, string dataKey)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        string Meta(string key) => file.Metadata.TryGetValue(key, out string? value) ? value : throw new KitException($"{path}: no checkpoint of pre-training, '{key}' is missing from its metadata. Name another folder.");
        int Count(string key, int most) => int.TryParse(Meta(key), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= most ? count
            : throw new KitException($"{path}: '{key}' of its metadata is '{Meta(key)}'; expected a number from 0 to {most}. The file was changed; go back to another checkpoint, or train in another folder.");
        int version = file.Metadata.ContainsKey("version") ? Count("version", int.MaxValue) : 1;
        if (version > Version)
            throw new KitException($"{path}: a checkpoint of format {version}, which a newer kit wrote, and this one reads "
                + $"formats up to {Version}; use the newer kit, or train in another folder.");
        string[] differing = Differing(Stored(path, Meta("options")), options);
        if (differing.Length > 0) throw new KitException($"{path}: made with other options: {Names.Listed(differing, separator: "; ")}. Take them back, or train in another folder.");
        (int done, int skipped) = (Count("step", updates.Steps), Count("skippedInRow", updates.Steps));
        MonitorState? monitor = version == 1 ? null : Monitor(path, file.Metadata, Count, done);
        if (Meta("data") != dataKey && version == 1 && options.MostImages > 0)
            throw new KitException($"{path}: an older version of the kit wrote it, which chose other images for 'mostImages' "
                + "from the same seed; finish the run with that version, or train in another folder.");
        if (Meta("data") != dataKey) throw new KitException($"{path}: made from other images ({Meta("data")}, here {dataKey}). Bring the same files, or train in another folder.");
        string threads = get_num_threads().ToString(CultureInfo.InvariantCulture);
        if (Meta("threads") != threads) throw new KitException($"{path}: made with {Meta("threads")} threads, here {threads}, which gives other roundings. Set OMP_NUM_THREADS={Meta("threads")}, or train in another folder.");
        Dictionary<string, Tensor> moments = updates.Optimiser.State();
        using Tensor steps = moments["steps"];
        Dictionary<string, Tensor> targets = Tensors(updates.Method, moments);
        string[] wrong = [.. targets.Where(t => !file.Entries.TryGetValue(t.Key, out WeightEntry? e) || !e.Shape.SequenceEqual(t.Value.shape) || e.Type != t.Value.dtype).Select(t => t.Key)];
        if (wrong.Length > 0) throw new KitException($"{path}: missing or of another shape: {Names.Listed(wrong)}. The file is of another version of the kit; train in another folder.");
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in targets)
        {
            using Tensor value = file.Load(key);
            target.copy_(value);
        }
        updates.Optimiser.SetSteps(steps);
        (updates.SkippedInRow, updates.Done) = (skipped, done);
        return (monitor, version);
    }

    /// <summary>The keys that change the course of training and differ from the checkpoint's, with both values.</summary>
    private static string[] Differing(JsonElement stored, PretrainOptions options)
    {
        JsonElement wanted = JsonSerializer.SerializeToElement(options);
        var differing = new List<string>();
        foreach (PropertyInfo key in typeof(PretrainOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (key.SetMethod is null || key.IsDefined(typeof(MayChangeAttribute))) continue;
            JsonElement now = wanted.GetProperty(key.Name);
            bool isThere = stored.TryGetProperty(key.Name, out JsonElement was);
            if (isThere && JsonElement.DeepEquals(was, now)) continue;
            string name = JsonNamingPolicy.CamelCase.ConvertName(key.Name);
            differing.Add($"{name} was {(isThere ? was.GetRawText() : "not there")}, is {now.GetRawText()}");
        }
        return [.. differing];
    }

    private static MonitorState Monitor(
        string path, IReadOnlyDictionary<string, string> metadata, Func<string, int, int> count, int done)
    {
        bool isDue = metadata.ContainsKey("scoreDue");
        if (!metadata.TryGetValue("best", out string? text)) return new(IsScoreDue: isDue);
        bool isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double best);
        if (!isNumber || double.IsNaN(best))
            throw new KitException($"{path}: 'best' of its metadata is '{text}'; expected a score. The file was changed; "
                + "go back to another checkpoint, or train in another folder.");
        return new(best, count("bestStep", done), isDue);
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

    private static Dictionary<string, Tensor> Tensors(PretrainMethod method, Dictionary<string, Tensor> moments) =>
        method.State.Concat(moments.Select(m => KeyValuePair.Create("optimizer." + m.Key, m.Value))).ToDictionary(p => p.Key, p => p.Value);
}
