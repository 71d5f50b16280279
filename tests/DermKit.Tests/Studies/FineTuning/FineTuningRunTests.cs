using DermKit.Evaluation;
using DermKit.Studies;
using DermKit.Imaging;
using DermKit.Reporting;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Studies;

/// <summary>The whole way from a CSV of images to the tables of a comparison, with the kit's
/// own ViT-T at 32 pixels.</summary>
public sealed class FineTuningRunTests : IDisposable
{
    private static readonly string Root = KitSettings.FromEnvironment().Root;
    private static readonly ModelRegistry Models = ModelRegistry.Load(Path.Combine(Root, "data"));
    private static readonly FineTuningPlan Plan = new()
    {
        Suite = new() { Tasks = ["dots"], Seeds = [1], Probing = new() { Resamples = 50 } },
        Options = new() { Side = 32, Epochs = 1, WarmupEpochs = 0, Batch = 16, Precision = Precision.Bf16 },
    };

    private readonly TemporaryFolder folder = new();
    private readonly KitSettings settings;
    private readonly TaskSuite suite;

    /// <summary>44 images of 22 patients, the first one broken, and two tasks: one of two classes, and one with a third
    /// class that a single patient has.</summary>
    public FineTuningRunTests()
    {
        string tasks = Directory.CreateDirectory(Path.Combine(folder.Path, "tasks")).FullName;
        void Set(string name, string classes, string rest, Func<int, string> label)
        {
            string set = Directory.CreateDirectory(Path.Combine(folder.Path, name)).FullName;
            File.WriteAllText(Path.Combine(tasks, $"{name}.json"),
                $$"""{ "name": "{{name}}", "version": 1, "title": "{{name}}", "dataSets": { "{{name}}": null }, "label": "label", {{classes}}, "split": "patient", "unit": "patient_id", "inPretraining": false{{rest}} }""");
            var csv = new List<string> { "image,label,patient_id" };
            for (int i = 0; i < 44; i++)
            {
                RgbImage image = TestImages.Draw(48, 40, i);
                for (int p = 0; p < image.Pixels.Length; p++)
                    image.Pixels[p] = (byte)(image.Pixels[p] / 4 + (i % 2 == 0 ? 160 : 20));
                byte[] file = ImageCodec.EncodePng(image);
                File.WriteAllBytes(Path.Combine(set, $"{i:00}.png"), i == 0 ? file[..40] : file);
                csv.Add($"{i:00}.png,{label(i)},p{i / 2}");
            }
            File.WriteAllLines(Path.Combine(set, "labels.csv"), csv);
        }
        Set("dots", """ "classes": { "pale": ["pale"], "dark": ["dark"] }, "classCount": 2 """,
            ", \"positive\": \"dark\"", i => i % 2 == 0 ? "pale" : "dark");
        Set("rare", """ "classes": { "pale": ["pale"], "dark": ["dark"], "broken": ["broken"] }, "classCount": 3 """,
            "", i => i == 0 ? "broken" : i % 2 == 0 ? "pale" : "dark");
        suite = TaskSuite.Load(folder.Path);
        settings = new(RunMode.Quick, "cpu", Root, folder.Path, Path.Combine(folder.Path, "cache"));
    }

    public void Dispose() => folder.Dispose();

    private FineTuningRun Run(FineTuningPlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default) =>
            FineTuningRun.Run(settings, FineTuningRun.Open(settings, suite, plan), Models, plan,
                progress, cancellation);

    [Fact]
    public void FromImagesToTablesAndBackFromTheFiles()
    {
        FineTuningRun run = Run(Plan);
        Assert.Equal(Plan.Arms.Select(a => a.Name).Order(StringComparer.Ordinal),
            run.Results.Select(r => r.Arm).Order(StringComparer.Ordinal));
        Assert.Equal("00.png", Path.GetFileName(Assert.Single(run.Suite.Quarantine).Path));
        TunedResult frozen = run.Results.Single(r => r.Arm == Plan.Arms[0].Name),
            tuned = run.Results.Single(r => r.Arm == Plan.Arms[1].Name);
        // The frozen probe has all training images, fine-tuning keeps some for the choice of the
        // epoch; the test images are the same.
        Assert.Equal(frozen.Result.TrainRows, tuned.Result.TrainRows + tuned.ValidationImages);
        Assert.Equal(43, frozen.Result.TrainRows + frozen.Result.Ids.Length);
        Assert.True(tuned.ValidationImages > 0);
        Assert.All(run.Results, r => Assert.Equal(frozen.Result.Ids, r.Result.Ids));
        Assert.Equal((2, 1), (tuned.Epochs.Count, tuned.Best));
        Assert.StartsWith("Epoch 1 of 1, chosen on", tuned.Result.Note, StringComparison.Ordinal);
        Assert.Equal(run.Results.Count, run.Results.Select(r => r.Result.Key).Distinct().Count());
        Assert.All(run.Suite.Extractions, e => Assert.Equal(43, e.Images));

        // Read back, whatever else is run beside it; another option or a damaged file is trained anew.
        FineTuningRun again = Run(Plan,
            (what, _, _) => Assert.False(what.StartsWith("dots: ", StringComparison.Ordinal), what));
        Assert.Equal(run.Results.Select(r => (r.Arm, r.Result.Key, r.Seconds, r.Best)),
            again.Results.Select(r => (r.Arm, r.Result.Key, r.Seconds, r.Best)));
        Assert.Equal(run.Results.SelectMany(r => r.Epochs), again.Results.SelectMany(r => r.Epochs));
        FineTuningRun renamed = Run(Plan with { Model = Plan.Scratch },
            (what, _, _) => Assert.False(what.StartsWith("dots: ", StringComparison.Ordinal), what));
        Assert.Equal(["pre-trained, fine-tuned", "random, fine-tuned"],
            renamed.Results.Where(r => r.Arm.EndsWith("fine-tuned", StringComparison.Ordinal)).Select(r => r.Arm));
        string file = Directory.GetFiles(Path.Combine(settings.CacheDir, "fine-tuning", "dots"), "vit-tiny-dino-kit.*")
            .Single();
        File.WriteAllText(file, "{}");
        var trained = new HashSet<string>();
        TunedResult anew = Run(Plan, (what, _, _) => trained.Add(what)).Results.Single(r => r.Arm == tuned.Arm);
        Assert.Contains("dots: pre-trained, fine-tuned, seed 1", trained);
        Assert.Single(trained, what => what.StartsWith("dots: ", StringComparison.Ordinal));
        Assert.Equal(tuned.Epochs, anew.Epochs);
        Assert.Equal(tuned.Result.Predicted, anew.Result.Predicted);

        Table scores = FineTuningReport.Scores(run, 50);
        Assert.Equal(5, scores.Rows.Count);
        Assert.All(scores.Rows, r => Assert.Equal($"{tuned.Result.Task} ({tuned.Result.UnitCount})", r[0]));
        Assert.Equal(("1", true),
            (scores.Footnote!.Seeds,
                scores.Footnote.Comparison.Contains($"minus {Plan.Arms[0].Name}", StringComparison.Ordinal)));
        Assert.Contains("vit-tiny-dino-kit fine-tuned, minus its frozen probe: F1", scores.Headline,
            StringComparison.Ordinal);
        Assert.Contains("of 1 tasks", scores.Headline, StringComparison.Ordinal);
        Assert.Contains("had 85 % of the probe's training images", scores.Headline, StringComparison.Ordinal);
        Assert.Contains("Holm's correction over the 4 differences of all arms", scores.Headline,
            StringComparison.Ordinal);
        Assert.Equal("–", scores.Rows.Single(r => (string)r[1]! == Plan.Arms[0].Name)[3]);
        Assert.All(scores.Rows.Where(r => (string)r[1]! != Plan.Arms[0].Name),
            r => Assert.Matches(@"^-?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\]$", (string)r[3]!));
        Assert.NotEmpty(FigureRenderer.PlotlySpec(FineTuningReport.Figure(run, 50)));
        LineFigure curves = Assert.Single(FineTuningReport.Curves(run));
        Assert.Equal(6, curves.Series.Count);
        // The frozen probe's validation loss is epoch 0; training loss begins with epoch 1.
        Assert.Equal([(0.0, 2), (1.0, 1)], curves.Series.Take(2).Select(s => (s.X[0], s.X.Count)));
        Assert.Equal([tuned.Epochs[0].ValidationLoss, tuned.Epochs[1].ValidationLoss],
            curves.Series.Single(s => s.Name == "pre-trained, fine-tuned: validation").Y);
        Assert.Equal(run.Results.OrderBy(r => r.Arm, StringComparer.Ordinal).Select(r => r.Seconds),
            FineTuningReport.Costs(run).Series.OrderBy(s => s.Name, StringComparer.Ordinal)
                .Select(s => s.Values[0].Value));
        Assert.Equal(3, FineTuningReport.Trainings(run).Rows.Count);
    }

    [Fact]
    public void WhatIsFinishedStaysWhenARunIsStopped()
    {
        using var stop = new CancellationTokenSource();
        FineTuningPlan plan = Plan with { Options = Plan.Options with { Batch = 8 } };
        Assert.ThrowsAny<OperationCanceledException>(() => Run(plan, (what, done, all) =>
        {
            if (what.Contains("from scratch", StringComparison.Ordinal)) stop.Cancel();
        }, stop.Token));
        var trained = new HashSet<string>();
        Assert.Equal(5, Run(plan, (what, _, _) => trained.Add(what)).Results.Count);
        Assert.DoesNotContain("dots: random, fine-tuned, seed 1", trained);
        Assert.Contains("dots: random, from scratch, seed 1", trained);
    }

    [Fact]
    public void WhatCannotBeTrainedIsRefused()
    {
        string Message(FineTuningPlan plan) => Assert.Throws<KitException>(() => Run(plan)).Message;
        Assert.Contains("class 'broken' has no training image",
            Message(Plan with { Suite = Plan.Suite with { Tasks = ["rare"] } }), StringComparison.Ordinal);
        Assert.Contains("'vit-tiny-dino-kit'", Message(Plan with { Model = "vit-tiny-dino" }),
            StringComparison.Ordinal);
        Assert.Contains("side is 8", Message(Plan with { Options = Plan.Options with { Side = 8 } }),
            StringComparison.Ordinal);
    }

    [Fact]
    public void ASmallerSideScalesTheWholeTransform()
    {
        ModelDefinition model = Models["vit-tiny-dino-kit"];
        Assert.Equal((256, 224), (model.Transform.Resize, model.Transform.Crop));
        EvalTransform small = (model with { Side = 96 }).Transform;
        Assert.Equal((110, 96, ResizeFilter.Bilinear), (small.Resize, small.Crop, small.Filter));
        Assert.Equal(small.Resize, (Plan.Options with { Side = 96 }).Source.Resize);
        Assert.Equal((224, 224),
            ((model with { Preprocessing = Preprocessing.Monet, Side = 224 }).Transform.Resize,
                (model with { Side = 224 }).Transform.Crop));
    }

    [Fact]
    public void AModeChangesNumbersAndTheTasksAreTheRealDiagnosesWhereTheyAre()
    {
        FineTuningPlan quick = FineTuningPlan.For(RunMode.Quick), workshop = FineTuningPlan.For(RunMode.Workshop),
            full = FineTuningPlan.For(RunMode.Full);
        Assert.Equal([1, 3, 5], new[] { quick, workshop, full }.Select(p => p.Suite.Seeds.Count));
        Assert.True(quick.Options.Side < workshop.Options.Side && workshop.Options.Side < full.Options.Side);
        Assert.All(new[] { quick, workshop, full }, p => p.Options.Check());
        Assert.Equal([0.65, 0.65, 1], quick.Arms.Where(a => a.Options is not null).Select(a => a.Options!.LayerDecay));
        KitSettings own = KitSettings.FromEnvironment();
        TaskSuite real = TaskSuite.Load(Path.Combine(Root, "data"));
        string[] opened = [.. FineTuningRun.Open(own with { DataDir = Path.Combine(folder.Path, "dots") }, real, quick)
            .Select(t => t.Definition.Name)];
        Assert.Equal(["synthetic-diagnosis"], opened);
    }
}
