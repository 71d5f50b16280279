using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Tests.Imaging;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

public sealed class CropViewsTests
{
    private static IAugmentation[] Strong(double chance = 1, double blur = 0.6, double maxBlur = 2,
        double solarize = 0.4) =>
            [new ColorJitter(0.4, 0.4, 0.2, 0.1) { Chance = chance }, new Grayscale(0.3),
                new GaussianBlur(blur, maxBlur), new Solarize(solarize)];

    private static Tensor Images(int height, int width)
    {
        using var generator = new Generator(7, CPU);
        // Coarse noise: whole areas of one colour and hard edges.
        using Tensor coarse = randint(0, 256, [12, 3, height / 4, width / 4], uint8, generator: generator);
        return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3);
    }

    [Theory]
    [InlineData(64, 48), InlineData(40, 72), InlineData(256, 256)]
    public void ViewsAreThoseOfTensorExpressionsWithTheSameDraws(int height, int width)
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(height, width);
        IReadOnlyList<ViewRecipe[]> recipes =
        [
            [new(new(0.7, 1), 96, Strong(blur: 1)), new(new(0.3, 1), 96, Strong(chance: 0)),
                new(new(0.5, 1), 96, Strong(maxBlur: 6))],
            [new(new(0.01, 0.1), 16, Strong()), new(new(0.05, 0.4), 16, Strong())],
            [new(new(0.05, 0.4), 112, Strong(solarize: 0))],
            [new(new(0.05, 0.4), 16, Strong(maxBlur: 8))],
            // Sides that no vector divides.
            [new(new(0.05, 0.4), 21, Strong(), ResizeFilter.Bilinear), new(new(0.05, 0.4), 21, Strong())],
        ];
        int[] ids = [.. Enumerable.Range(20, 12)];
        for (int epoch = 0; epoch < 2; epoch++)
        {
            Tensor[] made = CropViews.Make(images, ids, 3, epoch, null, CPU, recipes);
            for (int group = 0, view = 0; group < recipes.Count; view += recipes[group++].Length)
            {
                Tensor expected =
                    cat([.. recipes[group]
                        .SelectMany((r, k) =>
                            ids.Select((id, i) => View(images.narrow(0, i, 1), r, new(3, epoch, id, view + k))))], 0);
                Assert.Equal(expected.shape, made[group].shape);
                Tensor off = (made[group] - expected).abs();
                // torch takes its weights in float32. A value at the threshold of solarisation may fall on its other
                // side, which moves it by up to 1 - 2 * 128 / 255.
                Assert.InRange(off.max().item<float>(), 0, group == 2 ? 2e-4 : 0.02);
                Assert.InRange((off > Kept(2e-4)).to(float32).mean().item<float>(), 0, 1e-4);
            }
        }
    }

    /// <summary>One view of one image: box, mirror, jitter, grey, blur and solarisation are drawn in this order, the
    /// order of the jitters last.</summary>
    private static Tensor View(Tensor image, ViewRecipe recipe, ImageRandom random)
    {
        using var scope = NewDisposeScope();
        CropBox box = recipe.Area.Draw((int)image.shape[3], (int)image.shape[2], ref random);
        bool flip = random.Uniform() < 0.5;
        var jitter = (ColorJitter)recipe.Augmentations[0];
        bool changed = random.Uniform() < jitter.Chance;
        double brightness = random.Uniform(1 - jitter.Brightness, 1 + jitter.Brightness),
            contrast = random.Uniform(1 - jitter.Contrast, 1 + jitter.Contrast);
        double saturation = random.Uniform(1 - jitter.Saturation, 1 + jitter.Saturation),
            hue = random.Uniform(-jitter.Hue, jitter.Hue);
        bool grey = random.Uniform() < ((Grayscale)recipe.Augmentations[1]).Chance;
        var blur = (GaussianBlur)recipe.Augmentations[2];
        bool blurred = random.Uniform() < blur.Chance;
        double sigma = random.Uniform(blur.MaxSigma / 20, blur.MaxSigma);
        bool solarized = random.Uniform() < ((Solarize)recipe.Augmentations[3]).Chance;
        Tensor unit = image.to(float32) / Kept(255);
        Tensor x = TorchColor.ResizedCrop(unit, box, recipe.Size, recipe.Filter, flip).clamp(Kept(0), Kept(1));
        if (changed)
            foreach (Jitter kind in ColorJitter.Orders[random.Integer(24)])
                x = kind switch
                {
                    Jitter.Brightness => TorchColor.Brightness(x, brightness),
                    Jitter.Contrast => TorchColor.Contrast(x, contrast),
                    Jitter.Saturation => TorchColor.Saturation(x, saturation),
                    _ => TorchColor.Hue(x, hue),
                };
        if (grey) x = TorchColor.Grayscale(x);
        if (blurred)
            x = TorchColor.GaussianBlur(x, sigma, Math.Min((int)Math.Ceiling(3 * blur.MaxSigma), recipe.Size / 2));
        if (solarized) x = TorchColor.Solarize(x);
        return ((x - tensor([0.485f, 0.456f, 0.406f]).view(1, 3, 1, 1))
            / tensor([0.229f, 0.224f, 0.225f]).view(1, 3, 1, 1)).MoveToOuterDisposeScope();
    }

    [Fact]
    public void AnImageInTheCornerOfALargerBatchGivesTheViewsThatItGivesAlone()
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(64, 48), large = full(12, 3, 80, 90, Kept(9), dtype: uint8);
        large.narrow(2, 0, 64).narrow(3, 0, 48).copy_(images);
        IReadOnlyList<ViewRecipe[]> recipes = [[new(new(0.3, 1), 32, Strong())]];
        int[] ids = [.. Enumerable.Range(0, 12)];
        ImageSize[] sizes = [.. Enumerable.Repeat(new ImageSize((48, 64), (48, 64)), 12)];
        Assert.True(CropViews.Make(images, ids, 1, 0, null, CPU, recipes)[0]
            .Equals(CropViews.Make(large, ids, 1, 0, sizes, CPU, recipes)[0]));
    }

    [Fact]
    public void TheNumberOfThreadsChangesNoBitAndNothingLeaks()
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(64, 64);
        var crops = new MultiCrop(TinyPretraining.Options);
        int[] ids = [.. Enumerable.Range(0, 12)];
        int threads = get_num_threads();
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using Views first = crops.Make(images, ids, 0);
        Assert.Equal(live + 2, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        try
        {
            set_num_threads(threads == 1 ? 2 : 1);
            using Views second = crops.Make(images, ids, 0);
            Assert.True(first.Globals.Equals(second.Globals));
            Assert.True(first.Locals!.Equals(second.Locals!));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void ViewsGoToTheDeviceAskedFor()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<ViewRecipe[]> recipes = [[new(new(0.3, 1), 32, Strong()), new(new(0.3, 1), 32, Strong())],
            [new(new(0.3, 1), 20, Strong())]];
        int[] ids = [.. Enumerable.Range(0, 12)];
        foreach (Tensor[] made in new[]
        {
            CropViews.Make(Images(64, 64), ids, 1, 0, null, META, recipes),
            CropViews.Make(Images(64, 64).to(META), ids, 1, 0, null, META, recipes)
        })
            Assert.Equal(["META 24,3,32,32", "META 12,3,20,20"],
                made.Select(v => $"{v.device_type} {string.Join(',', v.shape)}"));
        Assert.Throws<ArgumentException>(() =>
            CropViews.Make(Images(64, 64), ids, 1, 0, null, CPU, [[recipes[0][0], recipes[1][0]]]));
    }
}
