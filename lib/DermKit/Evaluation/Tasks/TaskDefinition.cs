using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>How a task divides its images.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SplitKind>))]
public enum SplitKind
{
    /// <summary>The test part is <see cref="FrozenTest"/> (frozen lists and the set's own "test") for every
    /// seed.</summary>
    Frozen,
    /// <summary>85/15 by class, drawn for each seed.</summary>
    Stratified,
    /// <summary>85/15 by unit (patient, lesion, case), drawn for each seed.</summary>
    Patient,
}

/// <summary>Version of a task's split.</summary>
public enum SplitVersion
{
    /// <summary>No patient, lesion or case is on both sides, no frozen image in training, and the user's copy of the
    /// public cleaning list is applied (<see cref="Cleaning"/>).</summary>
    Strict,
    /// <summary>The paper's split, made deterministic, with its leaks; only for models that have seen none of the
    /// images.</summary>
    Original,
}

/// <summary>A downstream task, data/tasks/&lt;name&gt;.json, with its card &lt;name&gt;.md.</summary>
public sealed record TaskDefinition
{
    /// <summary>Name of the task and its file.</summary>
    public required string Name { get; init; }

    /// <summary>Increases when a score changes its meaning.</summary>
    public required int Version { get; init; }

    /// <summary>One line for tables.</summary>
    public required string Title { get; init; }

    /// <summary>Manifest that each data set must match; null for none, "part" for the images that are
    /// present.</summary>
    public required Dictionary<string, string?> DataSets { get; init; }

    /// <summary>Column of the label.</summary>
    public required string Label { get; init; }

    /// <summary>Values of each class, in class order; empty makes each value a class, in ordinal order.</summary>
    public Dictionary<string, string[]> Classes { get; init; } = [];

    /// <summary>Number of classes.</summary>
    public required int ClassCount { get; init; }

    /// <summary>Values to leave out; "" stands for no value. Any other value is an error.</summary>
    public string[] Exclude { get; init; } = [];

    /// <summary>The positive one of two classes, which is the second; else null.</summary>
    public string? Positive { get; init; }

    /// <summary>How the images are divided.</summary>
    public required SplitKind Split { get; init; }

    /// <summary>The paper's split where it differs, with its leaks.</summary>
    public SplitKind? Original { get; init; }

    /// <summary>Column of the unit drawn and resampled as one (patient_id, lesion_id); null means the image.</summary>
    public string? Unit { get; init; }

    /// <summary>Columns to report subgroups by.</summary>
    public string[] Groups { get; init; } = [];

    /// <summary>Whether its training images are in the kit's own pre-training data.</summary>
    public required bool InPretraining { get; init; }

    /// <summary>Whether means and ranks include the score.</summary>
    public bool InMeans { get; init; } = true;

    /// <summary>Stamp of its figures and tables: "", SYNTHETIC, FIXTURE or PART.</summary>
    public string Stamp { get; init; } = "";

    /// <summary>Number (1 to 12) in the paper's table, or null.</summary>
    public int? Paper { get; init; }

    /// <summary>Whether its images were in the paper's pre-training data (inferred, not published).</summary>
    public bool? InPaperPretraining { get; init; }

    /// <summary>Whether it takes the images present of a set.</summary>
    [JsonIgnore]
    public bool IsPart => DataSets.ContainsValue(DataSetManifest.Part);

    /// <summary>Whether the task is another one on a part of its images, which in one mean would count twice.</summary>
    public bool IsPartOf(TaskDefinition other) => (IsPart || DataSets.ContainsValue("subset")) && !other.IsPart
        && !other.DataSets.ContainsValue("subset") && Label == other.Label
        && DataSets.Keys.Order().SequenceEqual(other.DataSets.Keys.Order())
        && Classes.SelectMany(c => c.Value.Select(v => (c.Key, v))).ToHashSet()
            .SetEquals(other.Classes.SelectMany(c => c.Value.Select(v => (c.Key, v))));

    /// <summary>Remark for readers of the score.</summary>
    public string Note { get; init; } = "";

    /// <summary>What to get when the data is absent, and where to put it.</summary>
    public string WhatToGet { get; init; } = "";
}
