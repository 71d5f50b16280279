namespace DermKit.Evaluation;

/// <summary>One model, task, probe and seed: metrics and 95 % intervals by name (NaN is undefined), and the predictions
/// of every test row. Key hashes all that the scores depend on, DataHash ids, labels and parts of the images.
/// InPretraining: training images are in the pre-training data of the kit or the model. Units are patients or lesions
/// of the test rows, else ids. Confusion is [true class][predicted class]. Kit is the library's version with commit. K,
/// Converged, Iterations and GradientNorm are null for probes without them. Note has deviations from the protocol.
/// ModelStamp is FIXTURE for random weights in a real format. Split is strict or original. Geometry is the size that
/// images were resized to, such as 200x150, or empty. Pca is null when the features themselves were probed.</summary>
public sealed record TaskResult(
    string Task, int TaskVersion, string Model, string Features, string Probe, int Seed, string Key, string WeightsHash,
    string DataHash, string DataSet, bool InPretraining, bool InMeans, string Stamp, string[] ClassNames, int TrainRows,
    string[] Ids, string[] Units, int[] Truth, int[] Predicted,
    SortedDictionary<string, double> Metrics, SortedDictionary<string, Interval> Intervals, int[][] Confusion,
    string Kit, double Seconds, int? K = null,
    bool? Converged = null, int? Iterations = null, double? GradientNorm = null, string Note = "",
    string ModelStamp = "", string Split = "strict", string Geometry = "", Reduction? Pca = null)
{
    /// <summary>Number of distinct units.</summary>
    [JsonIgnore]
    public int UnitCount => Units.Distinct(StringComparer.Ordinal).Count();

    [JsonIgnore]
    internal string BothStamps => Stamps.Join([Stamp, ModelStamp]);

    [JsonIgnore]
    internal TestRows Rows => new(Task, DataSet, ClassNames.Length, Units, Truth, Predicted);
}
