using System.Text.Json.Nodes;
using DermKit.Notebooks;
using DermKit.Reporting;
using DermKit.Tests.Reporting;
using SkiaSharp;

namespace DermKit.Tests.Notebooks;

/// <summary>An executed notebook with every kind of cell and output, as the host hands it over.</summary>
internal static class SampleRun
{
    internal static NotebookRun Make(bool failing = true, bool figures = true, string name = "02-twelve-task-probing",
        string title = "Probing frozen features on twelve tasks")
    {
        var cells = new JsonArray();
        int n = 0;
        void Markdown(string text) =>
            cells.Add(new JsonObject
            {
                ["cell_type"] = "markdown",
                ["id"] = $"c{cells.Count}",
                ["metadata"] = new JsonObject(),
                ["source"] = text
            });
        void Code(string source, params JsonObject[] outputs) =>
            cells.Add(new JsonObject
            {
                ["cell_type"] = "code",
                ["id"] = $"c{cells.Count}",
                ["execution_count"] = ++n,
                ["metadata"] = new JsonObject(),
                ["outputs"] = new JsonArray([.. outputs]),
                ["source"] = source
            });
        JsonObject Stream(string text, string to = "stdout") =>
            new() { ["output_type"] = "stream", ["name"] = to, ["text"] = text };
        JsonObject Html(string html, string plain = "") => new()
        {
            ["output_type"] = "display_data",
            ["metadata"] = new JsonObject(),
            ["data"] = new JsonObject { ["text/html"] = html, ["text/plain"] = plain }
        };
        JsonObject Shown(Figure figure) => Html(figure.ToHtml());

        Markdown($"# {title}\n\nHow much of a diagnosis can be read from *frozen* features? This notebook compares "
            + "random, trained and image–text networks on the same tasks, with intervals. It takes two minutes in "
            + "quick mode.\n\n**You will learn**\n\n- what a linear probe measures, and what it does not;\n- why "
            + "random features are the row to beat;\n- how an interval that resamples *patients* differs from one that "
            + "resamples images.\n\nGroundwork: [pre-training](01-pretraining.ipynb), and the paper at "
            + "<https://arxiv.org/abs/2411.05514>.");
        Code("#r \"../lib/bin/DermKit.dll\"\nusing DermKit;\nusing DermKit.Evaluation;\nvar settings = "
            + "KitSettings.FromEnvironment();   // KIT_MODE, KIT_DEVICE, KIT_DATA_DIR\nint[] seeds = [1, 9, 21, "
            + "42, 555];");
        Markdown("## The data\n\nEvery image belongs to a patient. A split that puts one patient on both sides "
            + "measures memory, so the kit refuses it.\n\n### Classes and splits\n\nThe sets are unequal, as they are "
            + "in a clinic.");
        Code("var suite = TaskSuite.Load(settings.Root);\nConsole.WriteLine(suite.Summary());",
            Stream("diagnosis      5 classes   1,590 train   398 test\nmalignant      2 classes   1,590 train   398 "
                + "test\nskin type      2 classes   1,204 train   301 test\n"),
            Stream("2 images quarantined: 0417.jpg (truncated), 1188.jpg (no JPEG)\n", "stderr"));
        if (figures)
        {
            Code("Charts.ClassCounts(suite)", Shown(SampleFigures.Bars()));
            Code("display(Charts.Examples(suite, count: 12));", Shown(SampleFigures.Tiles(Lesion)));
        }
        Markdown("## Features\n\nThe feature of an image $x$ is $z = [\\,c_{9}; c_{10}; c_{11}; c_{12}\\,] \\in "
            + "\\mathbb{R}^{768}$, the last four CLS tokens. kNN weighs a neighbour by $w_i = \\exp(s_i/\\tau)$ with "
            + "$\\tau = 0.07$, and a probe minimises\n\n$$\\mathcal{L}(W) = -\\frac{1}{N}\\sum_{i=1}^{N} \\log "
            + "\\frac{\\exp(W_{y_i}^\\top z_i)}{\\sum_{k} \\exp(W_k^\\top z_i)} + \\lambda \\lVert W \\rVert^2$$");
        if (figures) Code("Charts.Embedding(features)", Shown(SampleFigures.Embedding()));
        Markdown("## Results\n\nRead the intervals first, the points second.\n\n### Models on tasks\n\n| Model | "
            + "Source | Licence |\n|---|---|---|\n| ViT-T | this kit, notebook 01 | MIT |\n| CLIP ViT-L/14 | "
            + "OpenAI | MIT |");
        Code("var results = Probing.RunAll(suite, registry, seeds);\nresults.Table()",
            Html(SampleFigures.Results().ToHtml(), SampleFigures.Results().ToString()));
        if (figures)
        {
            Code("Charts.MacroF1(results)", Shown(SampleFigures.Points()));
            Code("Charts.Confusion(results, seed: 1)", Shown(SampleFigures.Confusion()));
            Markdown("### Fewer labels\n\nThe paper's third claim, on a small scale.");
            Code("Charts.LabelEfficiency(results)", Shown(SampleFigures.Lines()));
            Code("Charts.Size(results)", Shown(SampleFigures.Size()));
        }
        Markdown("## Summary\n\n1. Trained features beat random ones by 0.28 macro F1.\n2. Skin type is harder to read "
            + "than diagnosis.\n\n> Scores on a subset are not comparable with published ones.\n\n## Exercises\n\n"
            + "Replace `seeds` by your own and see how far the means move.");
        Code("\"a value with <b>markup</b> & signs\"",
            new JsonObject
            {
                ["output_type"] = "execute_result",
                ["execution_count"] = n,
                ["metadata"] = new JsonObject(),
                ["data"] = new JsonObject { ["text/plain"] = "a value with <b>markup</b> <script>alert(1)</script>" }
            });
        if (failing)
            Code("var model = registry[\"vit-tt\"];\nmodel.Create(seed: 1);",
                new JsonObject
                {
                    ["output_type"] = "error",
                    ["ename"] = "KitException",
                    ["evalue"] = "Model 'vit-tt' is unknown; did you mean 'vit-t'? See data/models.",
                    ["traceback"] = new JsonArray("cell 12, line 1:  var model = registry[\"vit-tt\"];",
                        "   at DermKit.Evaluation.ModelRegistry.get_Item(String name)")
                });
        NotebookDocument document = NotebookDocument.Create();
        JsonObject root = (JsonObject)document.Root.DeepClone();
        root["cells"] = cells;
        return new(NotebookDocument.Parse(root.ToJsonString(), name), name, "quick", "cpu", TimeSpan.FromSeconds(133.4),
            new Dictionary<string, string>
            {
                ["data synthetic"] = "2,400 images, sha256 1f3c9a0e77b2",
                ["weights random-vit-t"] = "drawn from seeds 1, 9, 21, 42, 555",
                ["weights vit-t-dino"] = "sha256 77e0c4d1a9f2 (data/checkpoints/vit-t-dino.safetensors)",
                ["seeds"] = "1, 9, 21, 42, 555",
            }, failing ? "cell 12, line 1: Model 'vit-tt' is unknown" : null,
            $"kit run notebooks/{name}.ipynb --mode quick --device cpu");
    }

    private static byte[] Lesion(int i)
    {
        var random = new Random(i);
        using var surface = SKSurface.Create(new SKImageInfo(224, 224));
        surface.Canvas.Clear(
            new SKColor((byte)(235 - 22 * (i % 6)), (byte)(196 - 24 * (i % 6)), (byte)(172 - 22 * (i % 6))));
        for (int k = 0; k < 40; k++)
        {
            using var paint = new SKPaint
            {
                Color = new SKColor((byte)random.Next(60, 130), (byte)random.Next(30, 80),
                    (byte)random.Next(20, 60), 60),
                IsAntialias = true
            };
            surface.Canvas.DrawCircle(112 + random.Next(-45, 45), 112 + random.Next(-40, 40),
                random.Next(12, 34), paint);
        }
        using SKImage image = surface.Snapshot();
        return image.Encode(SKEncodedImageFormat.Jpeg, 88).ToArray();
    }
}
