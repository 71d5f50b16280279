namespace DermKit.Evaluation;

/// <summary>Scores of one task, model, probe and seed over the number of labels; members named as in
/// <see cref="TaskResult"/> mean the same. Sizes are labels of each class, ascending, drawn from TrainRows. F1
/// [size][repeat] is the paper's F1 or the Score named, such as "recall of df"; NaN is undefined. Resampled
/// [size][resample] is its mean over repeats on resampled test units, paired within a data set. Ks [size][repeat] is
/// null without neighbours. Seconds excludes feature extraction.</summary>
public sealed record LabelCurve(
    string Task, int TaskVersion, string Model, string Features, string Probe, int Seed, string Key, string WeightsHash,
    string DataHash, bool InPretraining, bool InMeans, string Stamp, int Classes, int TrainRows, int TestRows,
    int[] Sizes, double[][] F1, double[][] Resampled, string Kit, double Seconds, int[][]? Ks = null, string Note = "",
    string Score = "");
