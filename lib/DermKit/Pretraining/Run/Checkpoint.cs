using DermKit.Models;
using System.Reflection;

namespace DermKit.Pretraining;

/// <summary>Monitor scores so far: negative infinity and step 0 before the first. IsScoreDue: the monitor failed and
/// must be called again.</summary>
internal sealed record MonitorState(double Best = double.NegativeInfinity, int BestStep = 0, bool IsScoreDue = false);

/// <summary>A run after a step in one safetensors file: models, centre, moments, step counts; options, data, threads
/// and step as metadata.</summary>
internal static class Checkpoint
{
    public const string FileName = "checkpoint.safetensors";

    // Raised whenever the same options continue differently. Version 1 has no number in its metadata, other random
    // streams and, where the metadata names one, other product kernels.
    public const int Version = 2;

    private const string Elsewhere = "train in another folder",
        Changed = $"The file was changed; go back to another checkpoint, or {Elsewhere}.";

    // Writes the whole file or nothing.
    public static void Save(
        string path, TrainingLoop loop, PretrainOptions options, string dataKey, MonitorState? monitor = null)
    {
        Dictionary<string, Tensor> moments = loop.Optimiser.State();
        using Tensor steps = moments["steps"];
        Dictionary<string, string> metadata = Metadata(loop, options);
        metadata["data"] = dataKey;
        metadata["skippedInRow"] = $"{loop.SkippedInRow}";
        metadata["threads"] = $"{get_num_threads()}";
        if (monitor is { BestStep: > 0 })
        {
            metadata["best"] = monitor.Best.ToString("R", CultureInfo.InvariantCulture);
            metadata["bestStep"] = $"{monitor.BestStep}";
        }
        if (monitor is { IsScoreDue: true }) metadata["scoreDue"] = "true";
        SafeTensors.Save(path, Tensors(loop.Method, moments), metadata);
    }

    // A failed step for replay: the weights before it, its views and image numbers.
    public static void SaveFailure(
        string path, TrainingLoop loop, PretrainOptions options, Views views, ReadOnlySpan<int> images)
    {
        Dictionary<string, Tensor> moments = loop.Optimiser.State();
        using Tensor steps = moments["steps"], numbers = tensor(images.ToArray().Select(n => (long)n).ToArray());
        Dictionary<string, Tensor> all = Tensors(loop.Method, moments);
        all["views.globals"] = views.Globals;
        all["views.pictures"] = numbers;
        if (views.Locals is not null) all["views.locals"] = views.Locals;
        if (views.Masks is not null) all["views.masks"] = views.Masks.Cells;
        Dictionary<string, string> metadata = Metadata(loop, options);
        metadata["seed"] = $"{options.Seed}";
        SafeTensors.Save(path, all, metadata);
    }

    /// <summary>Fills models and optimiser and sets the steps done, after checking everything. Returns the monitor's
    /// scores (null if the version lacks them) and the format version.</summary>
    /// <exception cref="KitException">The file is damaged or has other options (named), images or threads.</exception>
    public static (MonitorState? Monitor, int Version) Load(
        string path, TrainingLoop loop, PretrainOptions options, string dataKey)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        string Meta(string key) => file.Metadata.GetValueOrDefault(key) ?? throw new KitException(
            $"{path}: no checkpoint of pre-training, '{key}' is missing from its metadata. Name another folder.");
        int Count(string key, int most) =>
            int.TryParse(Meta(key), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= most
                ? count : throw new KitException(
                    $"{path}: '{key}' of its metadata is '{Meta(key)}'; expected a number from 0 to {most}. {Changed}");
        int version = file.Metadata.ContainsKey("version") ? Count("version", int.MaxValue) : 1;
        if (version > Version)
            throw new KitException($"{path}: a checkpoint of format {version}, which a newer kit wrote, and this one "
                + $"reads formats up to {Version}; use the newer kit, or {Elsewhere}.");
        string[] differing = Differing(Stored(path, Meta("options")), options);
        if (differing.Length > 0)
            throw new KitException($"{path}: made with other options: {Names.Listed(differing, separator: "; ")}. "
                + $"Take them back, or {Elsewhere}.");
        int done = Count("step", loop.Steps), skipped = Count("skippedInRow", loop.Steps);
        MonitorState? monitor = version == 1 ? null : Monitor(path, file.Metadata, Count, done);
        if (Meta("data") != dataKey)
            throw new KitException(version == 1 && options.MostImages > 0
                ? $"{path}: an older version of the kit wrote it, which chose other images for 'mostImages' from the "
                    + $"same seed; finish the run with that version, or {Elsewhere}."
                : $"{path}: made from other images ({Meta("data")}, here {dataKey}). Bring the same files, or "
                    + $"{Elsewhere}.");
        string then = Meta("threads"), now = $"{get_num_threads()}";
        if (then != now)
            throw new KitException($"{path}: made with {then} threads, here {now}, which gives other roundings. Set "
                + $"OMP_NUM_THREADS={then}, or {Elsewhere}.");
        Dictionary<string, Tensor> moments = loop.Optimiser.State();
        using Tensor steps = moments["steps"];
        Dictionary<string, Tensor> targets = Tensors(loop.Method, moments);
        bool Fits(string key, Tensor target) => file.Entries.TryGetValue(key, out WeightEntry? entry)
            && entry.Shape.SequenceEqual(target.shape) && entry.Type == target.dtype;
        string[] wrong = [.. targets.Where(t => !Fits(t.Key, t.Value)).Select(t => t.Key)];
        if (wrong.Length > 0)
            throw new KitException($"{path}: missing or of another shape: {Names.Listed(wrong)}. The file is of "
                + $"another version of the kit; {Elsewhere}.");
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in targets)
        {
            using Tensor value = file.Load(key);
            target.copy_(value);
        }
        loop.Optimiser.SetSteps(steps);
        loop.SkippedInRow = skipped;
        loop.Done = done;
        return (monitor, version);
    }

    // With both values.
    private static string[] Differing(JsonElement stored, PretrainOptions options)
    {
        JsonElement wanted = options.ToJson();
        string? Difference(string key)
        {
            JsonElement now = wanted.GetProperty(key);
            bool isThere = stored.TryGetProperty(key, out JsonElement was);
            if (isThere && JsonElement.DeepEquals(was, now)) return null;
            string before = isThere ? was.GetRawText() : "not there";
            return $"{PretrainOptions.Spelled(key)} was {before}, is {now.GetRawText()}";
        }
        if (Difference(nameof(PretrainOptions.Method)) is { } method) return [method];
        IEnumerable<PropertyInfo> keys = PretrainOptions.Keys(options.GetType());
        return [.. keys.Where(k => !k.IsDefined(typeof(MayChangeAttribute))).Select(k => Difference(k.Name))
            .OfType<string>()];
    }

    private static MonitorState Monitor(
        string path, IReadOnlyDictionary<string, string> metadata, Func<string, int, int> count, int done)
    {
        bool isDue = metadata.ContainsKey("scoreDue");
        if (!metadata.TryGetValue("best", out string? text)) return new(IsScoreDue: isDue);
        bool isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double best);
        if (!isNumber || double.IsNaN(best))
            throw new KitException($"{path}: 'best' of its metadata is '{text}'; expected a score. {Changed}");
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
            // Refused below, as JSON that is no object.
        }
        throw new KitException($"{path}: 'options' of its metadata are no JSON object. {Changed}");
    }

    private static Dictionary<string, string> Metadata(TrainingLoop loop, PretrainOptions options) => new()
    {
        ["version"] = $"{Version}",
        ["options"] = options.ToJson().GetRawText(),
        ["step"] = $"{loop.Done}",
    };

    private static Dictionary<string, Tensor> Tensors(PretrainMethod method, Dictionary<string, Tensor> moments)
    {
        var all = new Dictionary<string, Tensor>(method.State);
        foreach ((string key, Tensor moment) in moments) all["optimizer." + key] = moment;
        return all;
    }
}
