using DermKit.Imaging;
using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

public sealed class CropViewsTests
{
    private static readonly ColorJitter Strong = new() { Chance = 1, Grayscale = 0.3, Blur = 0.6, Solarize = 0.4 };

    private static Tensor Images(int height, int width)
    {
        using var generator = new Generator(7, CPU);
        // Coarse noise: whole areas of one colour and hard edges.
        using Tensor coarse = randint(0, 256, [12, 3, height / 4, width / 4], uint8, generator: generator);
        return coarse.repeat_interleave(4, 2).repeat_interleave(4, 3);
    }

    [Theory]
    [InlineData(64, 48), InlineData(40, 72), InlineData(256, 256)]
    public void PassesAndTensorOperationsAgree(int height, int width)
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(height, width);
        IReadOnlyList<ViewRecipe[]> recipes =
        [
            [new(new(0.7, 1), 96, Strong with { Blur = 1 }), new(new(0.3, 1), 96, Strong with { Chance = 0 }), new(new(0.5, 1), 96, Strong)],
            [new(new(0.01, 0.1), 16, Strong), new(new(0.05, 0.4), 16, Strong)],
            [new(new(0.05, 0.4), 112, Strong with { Solarize = 0 })],
            [new(new(0.05, 0.4), 16, Strong with { BlurMax = 8 })],
        ];
        int[] ids = [.. Enumerable.Range(20, 12)];
        for (int epoch = 0; epoch < 6; epoch++)
        {
            Tensor[] fast = CropViews.Make(images, ids, 3, epoch, true, null, recipes), plain = CropViews.Make(images, ids, 3, epoch, false, null, recipes);
            for (int g = 0; g < recipes.Count; g++)
            {
                Assert.Equal(plain[g].shape, fast[g].shape);
                Tensor off = (fast[g] - plain[g]).abs();
                // torch takes its weights in float32. A value at the threshold of solarisation may fall on its other side, which moves it by up to 1 - 2 * 128 / 255.
                Assert.InRange(off.max().item<float>(), 0, g == 2 ? 2e-4 : 0.02);
                Assert.InRange((off > 2e-4).to(float32).mean().item<float>(), 0, 1e-4);
            }
        }
    }

    [Fact]
    public void AnImageInTheCornerOfALargerBatchGivesTheViewsThatItGivesAlone()
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(64, 48), large = full(12, 3, 80, 90, (byte)9, dtype: uint8);
        large.narrow(2, 0, 64).narrow(3, 0, 48).copy_(images);
        IReadOnlyList<ViewRecipe[]> recipes = [[new(new(0.3, 1), 32, Strong)]];
        int[] ids = [.. Enumerable.Range(0, 12)];
        ImageSize[] sizes = [.. Enumerable.Repeat(new ImageSize((48, 64), (48, 64)), 12)];
        foreach (bool passes in new[] { true, false })
            Assert.True(CropViews.Make(images, ids, 1, 0, passes, null, recipes)[0].Equals(CropViews.Make(large, ids, 1, 0, passes, sizes, recipes)[0]), $"passes {passes}");
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
    public void ASideThatNoVectorDividesTakesTensorOperations()
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(64, 64);
        IReadOnlyList<ViewRecipe[]> recipes = [[new(new(0.3, 1), 20, Strong)]];
        int[] ids = [.. Enumerable.Range(0, 12)];
        Assert.True(CropViews.Make(images, ids, 1, 0, null, recipes)[0].Equals(CropViews.Make(images, ids, 1, 0, false, null, recipes)[0]));
    }
}
