using DermKit.Pretraining;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Reporting;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class OnlineKnnTests : IDisposable
{
    private static readonly EvalTransform Transform = new() { Resize = 32, Crop = 32 };
    private readonly TemporaryFolder folder = new();
    private readonly VisionTransformer model =
        VisionTransformer.Random(new() { Dim = 24, Depth = 2, Heads = 3, Patch = 8, ImageSize = 32 }, 1);
    private readonly KitSettings settings;

    public OnlineKnnTests() =>
        settings = KitSettings.FromEnvironment() with { CacheDir = Path.Combine(folder.Path, "cache") };

    public void Dispose()
    {
        model.Dispose();
        folder.Dispose();
    }

    /// <summary>Dark and bright images, two of a patient; every sixth patient is frozen
    /// and has no file at all.</summary>
    private ProbeTask Task(bool labelsFollowImages = true, bool readable = true)
    {
        const int Images = 60;
        bool[] frozen = [.. Enumerable.Range(0, Images).Select(i => i / 2 % 6 == 0)];
        string[] paths = [.. Enumerable.Range(0, Images).Select(i => frozen[i] ? $"/absent/{i}.png"
            : folder.Write($"{i}.png",
                readable ? ImageCodec.EncodePng(new RgbImage(32, 32,
                    [.. Enumerable.Range(0, 3 * 32 * 32)
                        .Select(p => (byte)(i % 4 < 2 ? 40 + (p + 7 * i) % 50 : 170 + (p + 7 * i) % 50))]))
                    : [1, 2, 3]))];
        var table = new ImageTable("drawn", ("image", paths),
            ("image_id", Enumerable.Range(0, Images).Select(i => $"{i}")),
            ("patient_id", Enumerable.Range(0, Images).Select(i => $"p{i / 2}")));
        var definition = new TaskDefinition
        {
            Name = "drawn",
            Version = 1,
            Title = "drawn",
            DataSets = new() { ["drawn"] = null },
            Label = "diagnosis",
            ClassCount = 2,
            Split = SplitKind.Frozen,
            Unit = "patient_id",
            InPretraining = true
        };
        return new(definition, table,
            [.. Enumerable.Range(0, Images).Select(i => labelsFollowImages ? i / 2 % 2 : i / 4 % 2)],
            ["dark", "bright"], frozen);
    }

    [Fact]
    public void ScoresWhatNeighboursTellWithoutTouchingFrozenImages()
    {
        using OnlineKnn knn = OnlineKnn.Open(settings, Task(), Transform);
        Assert.Equal(50, knn.TrainImages + knn.ValidationImages);
        Assert.Equal(20, knn.K);
        Assert.Equal(1, knn.Score(model), 1e-12);
        Interval interval = Assert.Single(knn.History);
        Assert.Equal([1, 1, 1], [interval.Value, interval.Low, interval.High]);
        Assert.True(model.training);
    }

    [Fact]
    public void AfterAFailureItGivesTheSameScoreAndTheBackboneIsInTraining()
    {
        using OnlineKnn knn = OnlineKnn.Open(settings, Task(labelsFollowImages: false), Transform);
        double first = knn.Score(model);
        using (var broken = VisionTransformer.Random(model.Config, 2))
        {
            using (no_grad())
                ((Tensor)broken.named_parameters().First(p => p.name == "cls_token").parameter).fill_(Kept(float.NaN));
            Assert.ThrowsAny<Exception>(() => knn.Score(broken));
            Assert.All(broken.modules(), m => Assert.True(m.training));
        }
        Assert.Equal(first, knn.Score(model));
        Assert.All(model.modules(), m => Assert.True(m.training));
        Assert.True(is_grad_enabled());
        Assert.Equal(2, knn.History.Count);
    }

    [Fact]
    public void LabelsThatImagesDoNotShowScoreLow()
    {
        using OnlineKnn knn = OnlineKnn.Open(settings, Task(labelsFollowImages: false), Transform);
        Func<VisionTransformer, double> monitor = knn.Score;
        Assert.InRange(monitor(model), 0, 0.75);
        Assert.InRange(knn.History[0].Value, knn.History[0].Low, knn.History[0].High);
        Assert.Equal(knn.History[0].Value, monitor(model));
        Assert.Equal(2, knn.History.Count);
        TrainingStep Scored(int step) => new(step, 30, 0, 0, 0, 0, 0) { Score = knn.History[0].Value };
        LineSeries line = Assert.Single(PretrainingReport.Knn(knn, [Scored(10), Scored(20)]).Series);
        Assert.Equal((IEnumerable<double>)[10, 20], line.X);
        Assert.Equal(knn.History.Select(h => h.High), line.High);
        Assert.Throws<ArgumentException>(() => PretrainingReport.Knn(knn, [Scored(10)]));
        // A resumed run has earlier scores in its log, without intervals.
        LineFigure resumed = PretrainingReport.Knn(knn, [Scored(10), Scored(20), Scored(30)]);
        Assert.Equal([line.Y[0], .. knn.History.Select(h => h.High)], resumed.Series[0].High);
        Assert.Contains("Scores up to step 10 come from the log", resumed.Caption);
    }

    [Fact]
    public void ImagesThatCannotBeReadAreNamed() =>
        Assert.Contains("'drawn'",
            Assert.Throws<KitException>(() => OnlineKnn.Open(settings, Task(readable: false), Transform)).Message);

    [Fact]
    public void LeavesNoTensorBehind()
    {
        using OnlineKnn knn = OnlineKnn.Open(settings, Task(), Transform);
        knn.Score(model);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 3; i++) knn.Score(model);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
