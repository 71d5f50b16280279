using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Reporting;
using DermKit.Tests.Imaging;
using static TorchSharp.torch;

namespace DermKit.Tests.Data;

public sealed class LeakageTests
{
    [Fact]
    public void RankingEqualsAllPairsAcrossBlocks()
    {
        const int Most = 40;
        // 1,100 rows cross the border of a row block, 9,000 in one matrix that of a column block.
        using Tensor first = randn([1100, 5], generator: new Generator(3)),
            second = randn([400, 5], generator: new Generator(4)),
            small = randn([1050, 4], generator: new Generator(5));
        AssertRanked(first, second, Most);
        AssertRanked(small, null, Most);
        using Tensor wide = randn([9000, 8], generator: new Generator(6)), planted = wide.clone();
        foreach ((int from, int to) in new[] { (8500, 20), (8990, 8600), (3, 1030) })
            planted[to] = wide[from].mul(tensor(3f));
        IReadOnlyList<SimilarPair> within = Leakage.Rank(planted, null, 3);
        Assert.Equal([(3, 1030), (20, 8500), (8600, 8990)], within.Select(p => (p.First, p.Second)).Order());
        Assert.All(within, p => Assert.Equal(1, p.Similarity, 1e-5));
    }

    private static void AssertRanked(Tensor first, Tensor? second, int most)
    {
        float[][] a = Rows(first), b = Rows(second ?? first);
        double[] expected = [.. a
            .SelectMany((x, i) => b.Select((y, j) => (i, j, c: x.Zip(y, (p, q) => (double)p * q).Sum()))
                .Where(p => second is not null || p.i < p.j).Select(p => p.c)).OrderDescending().Take(most)];
        IReadOnlyList<SimilarPair> ranked = Leakage.Rank(first, second, most);
        Assert.Equal(most, ranked.Distinct().Count());
        for (int i = 0; i < most; i++)
        {
            Assert.Equal(expected[i], ranked[i].Similarity, 1e-5);
            Assert.Equal(ranked[i].Similarity,
                a[ranked[i].First].Zip(b[ranked[i].Second], (p, q) => (double)p * q).Sum(), 1e-5);
        }
        Assert.All(Leakage.Rank(first, second, most, least: expected[1]),
            p => Assert.True(p.Similarity >= expected[1] - 1e-6));

        static float[][] Rows(Tensor matrix)
        {
            using Tensor unit = nn.functional.normalize(matrix, p: 2, dim: 1);
            return [.. unit.data<float>().ToArray().Chunk((int)matrix.shape[1])];
        }
    }

    [Fact]
    public void WrongFeaturesAreNamed()
    {
        using Tensor good = ones(4, 3), narrow = ones(4, 2), zero = ones(4, 3), bad = ones(4, 3);
        zero[2].zero_();
        bad[3, 1] = tensor(float.NaN);
        Assert.Contains("of one width, found [4, 3] and [4, 2]",
            Assert.Throws<KitException>(() => Leakage.Rank(good, narrow)).Message);
        Assert.Contains("row 2 are all zero", Assert.Throws<KitException>(() => Leakage.Rank(good, zero)).Message);
        Assert.Contains("row 3 are not finite", Assert.Throws<KitException>(() => Leakage.Rank(bad)).Message);
    }

    [Fact]
    public void PixelsAgreeThroughTurnsResizingAndJpegAndNotBetweenLesions()
    {
        string drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir, 96, seed: 11);
        ImageTable table = SyntheticDataSet.Load(drawn);
        string?[] lesions = table.Column("lesion_id");
        RgbImage[] photos = [.. table.Paths.Take(24).Select(p => ImageCodec.Decode(p))];
        PixelMatch[] originals = [.. photos.Select(PixelMatch.Of)];
        for (int turn = 0; turn < 8; turn++)
        {
            RgbImage photo = photos[turn], turned = Turn(photo, turn);
            RgbImage copy =
                ImageCodec.Decode(
                    ImageCodec.EncodeJpeg(PillowResize.Resize(turned, 150, 113, ResizeFilter.Bilinear), 50));
            Assert.InRange(originals[turn].Correlation(PixelMatch.Of(copy)), Leakage.Same, 1.0001);
        }
        for (int i = 0; i < photos.Length; i++)
            for (int j = 0; j < i; j++)
                if (lesions[i] != lesions[j])
                    Assert.InRange(originals[i].Correlation(originals[j]), -1, Leakage.Same - 0.1);
        PixelMatch flat = PixelMatch.Of(new RgbImage(20, 20, [.. Enumerable.Repeat((byte)90, 1200)]));
        Assert.Equal(-1, flat.Correlation(flat));

        static RgbImage Turn(RgbImage image, int turn)
        {
            int side = image.Width;
            byte[] pixels = new byte[image.Pixels.Length];
            for (int c = 0; c < 3; c++)
            {
                float[] plane =
                    PixelMatch.Turn([.. Enumerable.Range(0, side * side).Select(i => (float)image.Pixels[3 * i + c])],
                        side, turn);
                for (int i = 0; i < plane.Length; i++) pixels[3 * i + c] = (byte)plane[i];
            }
            return new(side, side, pixels);
        }
    }

    [Fact]
    public void PlantedCopiesAreFoundConfirmedShownAndTakenOutOfTheScore()
    {
        using var folder = new TemporaryFolder();
        string drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir, 96, seed: 11);
        RgbImage[] photos = [.. SyntheticDataSet.Load(drawn).Paths.Take(12).Select(p => ImageCodec.Decode(p))];
        string[] paths = [.. photos.Select((p, i) => folder.Write($"{i}.png", ImageCodec.EncodePng(p))),
            folder.Write("copy.jpg",
                ImageCodec.EncodeJpeg(PillowResize.Resize(photos[3], 160, 120, ResizeFilter.Bilinear), 60)),
            folder.Write("broken.jpg", [1, 2, 3])];
        var table = new ImageTable("set", ("image", paths), ("image_id", paths.Select(p => Path.GetFileName(p))),
            ("split", paths.Select((_, i) => i < 12 ? "train" : "test")), ("diagnosis", paths.Select(_ => "nevus")));
        Func<string, RgbImage> decode = path => ImageCodec.Decode(path);
        using Tensor features = Leakage.Thumbnails(table.Paths, decode, 1, default),
            turned = Leakage.Thumbnails(table.Paths, decode, 8, default);
        Assert.Equal(8 * 14, turned.shape[0]);
        // An image that cannot be read is like a flat one, and in no pair.
        Assert.Equal(1, features[13].count_nonzero().item<long>());
        IReadOnlyList<MatchedPair> pairs = Leakage.Confirm(Leakage.Rank(features, most: 91, least: -1), table.Paths,
            table.Paths, Leakage.Same, decode, default);
        MatchedPair copy = Assert.Single(pairs, p => p.Second == 12);
        Assert.Equal(3, copy.First);
        Assert.DoesNotContain(pairs, p => p.First == 13 || p.Second == 13);
        Split split = Splits.Official(table);
        Assert.Equal([12], Leakage.Touched(pairs, split));
        Assert.Empty(Leakage.Touched([], split));

        TaskResult result = Probing.Run(ones(14, 2), new("m", "cls4", "w", "k"),
            new ProbeTask(Definition, table, [.. Enumerable.Range(0, 14).Select(i => i % 2)], ["a", "b"],
                [.. Enumerable.Range(0, 14).Select(i => i >= 12)]), 1, new() { Probes = ["knn"], Resamples = 10 })[0]
            with
        {
            Truth = [0, 1],
            Predicted = [0, 0]
        };
        Assert.Equal("1", LeakageReport.WithoutTouched([result], new HashSet<string>(), 10).Footnote!.Seeds);
        string?[] scores =
            [.. Assert.Single(LeakageReport.WithoutTouched([result], new HashSet<string> { "copy.jpg" }, 10).Rows)
                .Select(c => c?.ToString())];
        Assert.Equal(["copies", "m", "knn", "2", "1"], scores.Take(5));
        Assert.Contains("nothing is left to score",
            Assert.Throws<KitException>(() =>
                LeakageReport.WithoutTouched([result], new HashSet<string> { "copy.jpg", "broken.jpg" }, 10)).Message);

        ImageGridFigure figure = LeakageReport.Pairs([copy], table, "SYNTHETIC");
        Assert.Equal("3.png train | copy.jpg test", Assert.Single(figure.Images).Label);
        Assert.Contains("SYNTHETIC", figure.ToHtml());
        Table list = LeakageReport.List("Pairs", [copy], table, table);
        Assert.Equal(["3.png", "train", "copy.jpg", "test", "nevus"],
            Assert.Single(list.Rows).Take(5).Select(c => c!.ToString()));
    }

    private static readonly TaskDefinition Definition = new()
    {
        Name = "copies",
        Version = 1,
        Title = "Copies",
        DataSets = new() { ["set"] = null },
        Label = "diagnosis",
        ClassCount = 2,
        Positive = "b",
        Split = SplitKind.Frozen,
        InPretraining = false,
    };

    /// <summary>Training or validation image and test image; each pair is one photograph by eye. Cropped
    /// copies may be missing.</summary>
    private static readonly string[] AcrossIsic2017 =
    [
        "0000162 0014826", "0000174 0015071", "0000179 0014765", "0000182 0015395", "0000184 0015310",
        "0000185 0015155",
        "0000186 0014698", "0000189 0015161", "0000193 0015436", "0000196 0014957", "0000201 0015023",
        "0000209 0015016",
        "0000217 0014973", "0000220 0015202", "0000226 0014949", "0000227 0015034", "0012175 0015982",
        "0012221 0016002",
        "0012222 0016003", "0012271 0016018", "0012887 0012989", "0013163 0013109",
    ];

    [Fact]
    public void Isic2017HasCopiesAcrossItsOfficialSplit()
    {
        KitSettings settings = RealData.Need(Isic2017.Name);
        ImageTable table = DataSetCatalog.Load(settings, Isic2017.Name);
        IReadOnlyList<MatchedPair> pairs = Leakage.Find(table.Paths,
            cancellation: TestContext.Current.CancellationToken);
        Split split = Splits.Official(table);
        HashSet<int> test = [.. split.Test];
        Assert.Equal(43, pairs.Count);
        Assert.Equal(4, pairs.Count(p => test.Contains(p.First) && test.Contains(p.Second)));
        Assert.Equal(AcrossIsic2017,
            pairs.Where(p => !test.Contains(p.First) && test.Contains(p.Second))
                .Select(p => $"{table.Ids[p.First][5..]} {table.Ids[p.Second][5..]}").Order(StringComparer.Ordinal));
        Assert.Equal(22, Leakage.Touched(pairs, split).Length);
        // No pair is labelled two ways.
        Assert.All(pairs, p => Assert.Equal(table.Column("diagnosis")[p.First], table.Column("diagnosis")[p.Second]));
    }

    [Fact]
    public void Isic2017SharesNoPhotographWithHam10000()
    {
        KitSettings settings = RealData.Need(Isic2017.Name, Ham10000.Name);
        SlowTier.Need("compares 2,750 with 7,496 images");
        IReadOnlyList<MatchedPair> pairs = Leakage.Find(DataSetCatalog.Load(settings, Isic2017.Name).Paths,
            DataSetCatalog.Load(settings, Ham10000.Name).Paths, 0, TestContext.Current.CancellationToken);
        Assert.Equal(0.58, pairs[0].Correlation, 0.005);
    }

    [Fact]
    public void NoPairOfHam10000IsAcrossItsSplit()
    {
        KitSettings settings = RealData.Need(Ham10000.Name);
        SlowTier.Need("compares 7,496 images with each other");
        ImageTable table = DataSetCatalog.Load(settings, Ham10000.Name);
        IReadOnlyList<MatchedPair> pairs =
            Leakage.Find(table.Paths, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(
            ["27636 27994", "34565 34966", "34574 34746", "34727 35235", "34921 35597", "34957 35637"],
            pairs.Select(p => $"{table.Ids[p.First][7..]} {table.Ids[p.Second][7..]}").Order(StringComparer.Ordinal));
        Assert.Empty(Leakage.Touched(pairs, Splits.Official(table)));
    }
}
