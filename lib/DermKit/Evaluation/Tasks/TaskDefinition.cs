using DermKit.Data;
using System.Text.Json.Serialization;

namespace DermKit.Evaluation;

/// <summary>How a task divides its images.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SplitKind>))]
public enum SplitKind
{
    /// <summary>The test part is what <see cref="FrozenTest"/> says: the frozen lists and the set's own split "test"; the same for every seed.</summary>
    Frozen,
    /// <summary>85/15 by class, drawn anew for each seed.</summary>
    Stratified,
    /// <summary>85/15 by the task's unit (patient, lesion, case), drawn anew for each seed.</summary>
    Patient,
}

/// <summary>Which of a task's two versions is probed.</summary>
public enum SplitVersion
{
    /// <summary>No patient, lesion or case on both sides where the set has ids, no frozen image in training, and the public cleaning list applied where the user has it (<see cref="Cleaning"/>).</summary>
    Strict,
    /// <summary>As the paper drew it, with every image, made deterministic: its leaks are allowed. Only for models that have seen none of the images.</summary>
    Original,
}

/// <summary>One downstream task as data/tasks/&lt;name&gt;.json says it; its card is data/tasks/&lt;name&gt;.md.</summary>
public sealed record TaskDefinition
{
    /// <summary>Name, that of the file.</summary>
    public required string Name { get; init; }

    /// <summary>Version of the task: goes up whenever a score changes its meaning.</summary>
    public required int Version { get; init; }

    /// <summary>One line for tables.</summary>
    public required string Title { get; init; }

    /// <summary>
    /// Data set name to the manifest it must match; null for a set without one, "part" for what is here of one (<see
    /// cref="DataSetManifest.Part"/>).
    /// </summary>
    public required Dictionary<string, string?> DataSets { get; init; }

    /// <summary>Column that the label comes from.</summary>
    public required string Label { get; init; }

    /// <summary>Class name to the column's values, in class order. Empty: every value is a class, in ordinal order, <see cref="ClassCount"/> of them.</summary>
    public Dictionary<string, string[]> Classes { get; init; } = [];

    /// <summary>Number of classes.</summary>
    public required int ClassCount { get; init; }

    /// <summary>Values whose rows are left out; "" stands for no value. A value that neither this nor a class names is an error.</summary>
    public string[] Exclude { get; init; } = [];

    /// <summary>Of two classes the second, which binary F1 is about; null for more.</summary>
    public string? Positive { get; init; }

    /// <summary>How the images are divided.</summary>
    public required SplitKind Split { get; init; }

    /// <summary>How the paper divided them, where that differs; its leaks are then allowed.</summary>
    public SplitKind? Original { get; init; }

    /// <summary>Column that names what is drawn and resampled as one (patient_id, lesion_id); null: the image.</summary>
    public string? Unit { get; init; }

    /// <summary>Columns to report subgroups by.</summary>
    public string[] Groups { get; init; } = [];

    /// <summary>True when training images of this set are in the kit's own pre-training data.</summary>
    public required bool InPretraining { get; init; }

    /// <summary>False when the score stays outside every mean and rank.</summary>
    public bool InMeans { get; init; } = true;

    /// <summary>
    /// What every figure and table of the task is stamped with: "" or "SYNTHETIC"; a task opened on fixture sets says
    /// "FIXTURE", one on parts of sets "PART".
    /// </summary>
    public string Stamp { get; init; } = "";

    /// <summary>Number (1 to 12) in the paper's table; null when it is not one of the paper's tasks.</summary>
    public int? Paper { get; init; }

    /// <summary>For a task of the paper: whether its images were in the paper's own pre-training data (inferred, not published).</summary>
    public bool? InPaperPretraining { get; init; }

    /// <summary>True when the task takes what is here of a set that may not be whole.</summary>
    [JsonIgnore]
    public bool IsPart => DataSets.ContainsValue(DataSetManifest.Part);

    /// <summary>
    /// True when the task asks the other's question of a part of its images (<see cref="DataSets"/> names the manifest
    /// "subset" or "part"), so that side by side the same images would count twice.
    /// </summary>
    public bool IsPartOf(TaskDefinition other) => (IsPart || DataSets.ContainsValue("subset")) && !other.IsPart
        && !other.DataSets.ContainsValue("subset") && Label == other.Label
        && DataSets.Keys.Order().SequenceEqual(other.DataSets.Keys.Order())
        && Classes.SelectMany(c => c.Value.Select(v => (c.Key, v))).ToHashSet().SetEquals(other.Classes.SelectMany(c => c.Value.Select(v => (c.Key, v))));

    /// <summary>What a reader must know beside the score.</summary>
    public string Note { get; init; } = "";

    /// <summary>What to get, and where to put it, when the data is not here.</summary>
    public string WhatToGet { get; init; } = "";
}
