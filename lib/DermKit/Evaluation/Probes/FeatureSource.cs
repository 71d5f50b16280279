namespace DermKit.Evaluation;

/// <summary>The model behind features, as results name it. The key covers weights, preprocessing, variant and
/// images.</summary>
internal sealed record FeatureSource(string Model, string Features, string WeightsHash, string Key, string Stamp = "",
    IReadOnlyList<string>? PretrainedOn = null)
{
    // Collections of pre-training images, and the kit's data sets in them.
    private static readonly Dictionary<string, string[]> Collections =
        new() { ["isic"] = ["isic2017", "ham10000"], ["sd-260"] = ["sd-128"] };

    public static FeatureSource Of(FeatureSet features, ModelDefinition model)
    {
        string variant = JsonSerializer.Serialize(model.Features).Trim('"');
        if (features.Precision != Precision.Fp32) variant += $"-{features.Precision.Spelled()}";
        return new(model.Name, variant, features.WeightsHash, features.Key, model.Stamp, model.PretrainedOn);
    }

    // Whether training images of a task are in the pre-training data of the kit or this model.
    public bool HasSeen(TaskDefinition task) => task.InPretraining
        || (PretrainedOn ?? []).Any(seen => task.DataSets.ContainsKey(seen)
            || Collections.GetValueOrDefault(seen, []).Any(task.DataSets.ContainsKey));
}
