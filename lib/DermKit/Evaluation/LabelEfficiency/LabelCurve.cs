namespace DermKit.Evaluation;

/// <summary>Scores of one task, model, probe and seed over the number of labels.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="TaskVersion">Version of the task.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Features">Feature variant, for example cls4.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Seed">Seed of the split, of random weights and of the draws.</param>
/// <param name="Key">Hash of everything the scores depend on; a curve with another key is not reused.</param>
/// <param name="WeightsHash">Hash of the weights.</param>
/// <param name="DataHash">Hash over ids, labels and parts of the images.</param>
/// <param name="InPretraining">Whether training images of the task are in the pre-training data of the kit or of the model.</param>
/// <param name="InMeans">False when the task stays outside every mean.</param>
/// <param name="Stamp">What figures and tables of the task are stamped with.</param>
/// <param name="Classes">Number of classes.</param>
/// <param name="TrainRows">Training rows that were drawn from.</param>
/// <param name="TestRows">Test rows, the same for every draw.</param>
/// <param name="Sizes">Labels of each class, ascending.</param>
/// <param name="F1">[size][repeat]: macro F1 with more than two classes, else F1 of the positive class; of a curve with a <paramref name="Score"/>, that one.</param>
/// <param name="Resampled">[size][resample]: mean F1 over the repeats on resampled test units (patients or lesions,
/// else images); a unit counts as often for every model, seed and task of its data set.</param>
/// <param name="Kit">Version of the library with the commit it was built from.</param>
/// <param name="Seconds">Time of all draws, features not included.</param>
/// <param name="Ks">[size][repeat]: neighbours; null for other probes.</param>
/// <param name="Note">What a reader has to know; empty when nothing.</param>
/// <param name="Score">Name of the score when it is not the paper's F1, such as "recall of df"; NaN where it is undefined.</param>
public sealed record LabelCurve(
    string Task, int TaskVersion, string Model, string Features, string Probe, int Seed, string Key, string WeightsHash, string DataHash, bool InPretraining, bool InMeans,
    string Stamp, int Classes, int TrainRows, int TestRows, int[] Sizes, double[][] F1, double[][] Resampled, string Kit, double Seconds, int[][]? Ks = null, string Note = "", string Score = "");
