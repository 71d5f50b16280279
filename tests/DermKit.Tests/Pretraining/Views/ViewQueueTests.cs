using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

public sealed class ViewQueueTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    public void Dispose() => tiny.Dispose();

    [Fact]
    public void BatchesComeInOrderWithTheViewsOfTheirStepAndNothingElseIsLeftOnTheThreadThatMakesThem()
    {
        using PretrainData data = tiny.Data();
        var crops = new MultiCrop(TinyPretraining.Options);
        (int[], int)[] coming = [.. Enumerable.Range(0, 3)
            .SelectMany(epoch => data.Order(4, 1, epoch).Select(numbers => (numbers, epoch)))];
        var live = new List<long>();
        using var queue = new ViewQueue(coming, (numbers, epoch) =>
        {
            Views views = crops.Make(data, numbers, epoch, CPU);
            live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            return views;
        });
        foreach ((int[] numbers, int epoch) in coming)
        {
            using WaitingBatch batch = queue.Take();
            Assert.Equal((numbers, epoch), (batch.Numbers, batch.Epoch));
            using Views expected = crops.Make(data, numbers, epoch, CPU);
            Assert.True(expected.Globals.Equals(batch.Views.Globals) && expected.Locals!.Equals(batch.Views.Locals!));
        }
        Assert.Throws<InvalidOperationException>(queue.Take);
        Assert.Equal(coming.Length, live.Count);
        Assert.Single(live.Select((count, step) => count - 2 * step).Distinct());
    }

    [Fact]
    public async Task ItStaysTwoBatchesAheadAndLetsGoOfThemWhenItEnds()
    {
        var made = new List<Views>();
        var queue = new ViewQueue(Enumerable.Range(0, 100).Select(i => (new[] { i }, 0)), (_, _) =>
        {
            var views = new Views(zeros(1), null);
            lock (made) made.Add(views);
            return views;
        });
        using (WaitingBatch first = queue.Take())
        {
            Assert.Equal([0], first.Numbers);
            // One waits, one is made and has no room yet.
            while (Made() < 3) await Task.Delay(1, TestContext.Current.CancellationToken);
            await Task.Delay(50, TestContext.Current.CancellationToken);
            Assert.Equal(3, Made());
        }
        queue.Dispose();
        Assert.Equal(3, Made());
        Assert.All(made, v => Assert.True(v.Globals.IsInvalid));

        int Made()
        {
            lock (made) return made.Count;
        }
    }

    [Fact]
    public void AFailureComesOutAtItsOwnStep()
    {
        using var queue = new ViewQueue([([0], 0), ([1], 0)],
            (numbers, _) => numbers[0] == 1 ? throw new KitException("image 1 is gone") : new Views(zeros(1), null));
        using (WaitingBatch first = queue.Take()) Assert.Equal([0], first.Numbers);
        Assert.Equal("image 1 is gone", Assert.Throws<KitException>(queue.Take).Message);
    }
}
