using DermKit.Evaluation;
using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

/// <summary>One figure of each kind with numbers such as a probing notebook shows.</summary>
internal static class SampleFigures
{
    internal static BarFigure Points(string id = "macro-f1") => new(id, "Macro F1 by task",
        "Points are means over five seeds, whiskers 95 % intervals that resample patients. The trained network leads "
        + "on every task but skin type.",
        "Points with intervals for three models on four tasks; the trained ViT-T is highest on diagnosis, malignancy "
        + "and rare class.",
        ["Diagnosis (5 classes)", "Malignant vs benign", "Skin type I–II vs III–IV", "Rare class vs rest"],
        [
            new("Random ViT-T",
                [new(0.412, 0.371, 0.452), new(0.588, 0.541, 0.634), new(0.612, 0.571, 0.655),
                    new(0.441, 0.380, 0.512)]),
            new("Trained ViT-T",
                [new(0.694, 0.655, 0.731), new(0.803, 0.764, 0.838), new(0.641, 0.598, 0.690),
                    new(0.705, 0.611, 0.782)]),
            new("CLIP ViT-L/14",
                [new(0.643, 0.600, 0.683), new(0.781, 0.742, 0.816), new(0.668, 0.621, 0.712),
                    new(0.655, 0.561, 0.742)]),
        ], "Task", "Macro F1 (0–1), 95 % interval")
    {
        Points = true,
        Horizontal = true,
        Stamp = "SYNTHETIC",
        Reference = (0.5, "chance, two classes"),
        Headline = "Trained ViT-T reaches 0.69 [0.66, 0.73] macro F1 on diagnosis, random weights 0.41.",
    };

    internal static BarFigure Bars() => new("class-counts", "Images per class and split",
        "The rarest class has 41 images in all; its test interval is wide for that reason.",
        "Bars of image counts: nevus is by far the largest class in both splits, dermatofibroma the smallest.",
        ["Nevus", "Melanoma", "Seborrhoeic keratosis", "Basal cell carcinoma", "Dermatofibroma"],
        [new("Train", [812, 301, 254, 190, 33]), new("Test", [203, 76, 63, 48, 8])], "Diagnosis", "Images");

    internal static LineFigure Lines() => new("label-efficiency", "Macro F1 against labelled images",
        "Bands are 95 % intervals over ten draws. DINO features with 10 % of the labels reach what random features "
        + "need all for.",
        "Two rising lines over 1 to 100 per cent of labels; the DINO line stays about 0.2 above the random line.",
        [
            new("DINO ViT-T", [1, 5, 10, 25, 50, 100], [0.38, 0.49, 0.55, 0.62, 0.66, 0.69],
                [0.31, 0.44, 0.51, 0.59, 0.64, 0.67], [0.45, 0.54, 0.59, 0.65, 0.69, 0.72]),
            new("Random ViT-T", [1, 5, 10, 25, 50, 100], [0.24, 0.29, 0.32, 0.36, 0.39, 0.41],
                [0.19, 0.25, 0.28, 0.33, 0.36, 0.39], [0.30, 0.33, 0.36, 0.39, 0.42, 0.44]),
        ], "Labelled training images (% of all, log scale)",
        "Macro F1 (0–1)")
    {
        LogX = true,
        XTicks = [1, 5, 10, 25, 50, 100],
        Stamp = "SYNTHETIC"
    };

    internal static HeatmapFigure Confusion() => new("confusion", "Confusion matrix, linear probe, seed 1",
        "Rows are true classes; colour and per cent are shares of the row. Most errors lie between melanoma and nevus.",
        "Confusion matrix of five classes; the diagonal holds 62 to 90 per cent, and a quarter of melanomas are "
        + "called nevus.",
        ["Nevus", "Melanoma", "Seborrhoeic keratosis", "Basal cell carcinoma", "Dermatofibroma"],
        ["Nevus", "Melanoma", "Seborrhoeic keratosis", "Basal cell carcinoma", "Dermatofibroma"],
        new double[,]
        {
            { 183, 12, 5, 2, 1 }, { 19, 47, 7, 3, 0 }, { 6, 5, 46, 5, 1 }, { 2, 3, 6, 37, 0 }, { 1, 0, 1, 1, 5 }
        })
    {
        Stamp = "SYNTHETIC"
    };

    internal static ScatterFigure Embedding()
    {
        var random = new Random(3);
        ScatterGroup Cloud(string name, double x, double y) => new(name,
            [.. Enumerable.Range(0, 80).Select(_ => x + random.NextDouble() + random.NextDouble())],
            [.. Enumerable.Range(0, 80).Select(_ => y + random.NextDouble() + random.NextDouble())]);
        return new("embedding", "Features on their first two components",
            "Each point is a test image. Nevus and melanoma overlap.",
            "Three clouds of points; two of them overlap.",
            [Cloud("Nevus", 0, 0), Cloud("Melanoma", 0.8, 0.5), Cloud("Keratosis", 2.2, -0.7)],
            "Component 1 (31 % of variance)", "Component 2 (12 % of variance)");
    }

    internal static ScatterFigure Size() => new("size-performance", "Size against performance",
        "The small network comes close to one with 55 times its parameters.",
        "Four labelled points; ViT-T lies high at 5.5 million parameters.",
        [new("Self-supervised", [5.5, 23.5], [0.694, 0.681], ["DINO ViT-T", "SimCLR ResNet-50"]),
            new("Image–text", [303, 303], [0.643, 0.712], ["CLIP ViT-L/14", "MONET"])],
        "Parameters (millions, log scale)", "Mean macro F1 (0–1)");

    internal static RatioFigure Ratios() => new("label-saving", "Labels saved by DINO ViT-T",
        "Right of the dashed line the model takes fewer labels. One median is bounded below only.",
        "Marks for two rows; twice the labels against ImageNet on diagnosis, at least four times against random "
        + "weights.",
        ["Diagnosis (5 classes)", "Malignant vs benign"],
        [
            new("ImageNet, knn", [new(2, 2, 1.4, 3.1), new(0, 0.5, 0, 0.8)]),
            new("Random weights, knn", [new(4, double.PositiveInfinity, 3, double.PositiveInfinity), null]),
        ], "Labels of the baseline for one of the model",
        new("Labels saved", ["Task", "Median"], [["Diagnosis (5 classes)", "2.00 [1.40, 3.10]"]]))
    {
        Stamp = "SYNTHETIC"
    };

    internal static PanelFigure Panels() => new("cost-quality", "Score over cost",
        "The small network comes close to one with 55 times its parameters, whose time is not known.",
        "Two points with intervals and a dashed line over two costs.",
        [
            new("DINO ViT-T", "Seen tasks", [5.5, 11], new(0.69, 0.65, 0.73)),
            new("CLIP ViT-L/14", "Seen tasks", [303, double.NaN], new(0.64, 0.60, 0.68)),
            new("MONET, cost only", "", [303, 500], double.NaN),
        ], ["Parameters, M", "s for 1,000 images"], "Mean F1 (0-1)");

    internal static ImageGridFigure Tiles(Func<int, byte[]> image) => new("examples", "Twelve test images",
        "First images of the test split with label and prediction.",
        "Grid of twelve drawn lesions with their labels.",
        [.. Enumerable.Range(0, 12)
            .Select(i => new ImageTile(DataUri(image(i)),
                $"{(i % 3 == 0 ? "melanoma" : "nevus")} · skin type {1 + i % 6}",
                i == 4 ? "predicted nevus, p = 0.81" : ""))])
    {
        Stamp = "SYNTHETIC"
    };

    internal static Table Results() => new("Macro F1 by model and task",
    ["Model", "Parameters (M)", "Diagnosis", "Malignant", "Difference to random"],
    [
        ["Random ViT-T", 5.5, new Estimate(0.412, 0.371, 0.452), new Estimate(0.588, 0.541, 0.634), "–"],
        ["Trained ViT-T", 5.5, new Estimate(0.694, 0.655, 0.731),
            new Estimate(0.803, 0.764, 0.838), new Estimate(0.282, 0.231, 0.330)],
        ["CLIP ViT-L/14", 303, new Estimate(0.643, 0.600, 0.683), new Estimate(0.781, 0.742, 0.816),
            new Estimate(0.231, 0.180, 0.283)],
    ])
    {
        Stamp = "SYNTHETIC",
        Note = "Mean of five seeds [95 % interval, 1,000 bootstrap resamples of patients]. Bold: "
            + "best of the column.",
        Headline = "Paired difference to random weights: 0.28 [0.23, 0.33]."
    };

    internal static Figure[] Charts() =>
        [Points(), Bars(), Lines(), Confusion(), Embedding(), Size(), Ratios(), Panels()];

    private static string DataUri(byte[] file) =>
        $"data:image/{(file is [0x89, ..] ? "png" : "jpeg")};base64,{Convert.ToBase64String(file)}";
}
