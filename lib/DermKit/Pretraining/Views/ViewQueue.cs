using System.Collections.Concurrent;

namespace DermKit.Pretraining;

internal sealed record WaitingBatch(int[] Numbers, int Epoch, Views Views) : IDisposable
{
    public void Dispose() => Views.Dispose();
}

/// <summary>Makes coming views on its own thread while the device works. Draws depend on (seed, epoch, image, view)
/// alone, so the views are the same.</summary>
internal sealed class ViewQueue : IDisposable
{
    // One more is being made.
    private const int Waiting = 1;

    private readonly BlockingCollection<WaitingBatch> ready = new(Waiting);
    private readonly CancellationTokenSource stop = new();
    private readonly Task maker;

    public ViewQueue(IEnumerable<(int[] Numbers, int Epoch)> coming, Func<int[], int, Views> make) =>
        maker = Task.Factory.StartNew(
            () => Make(coming, make), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    // The caller disposes it. Throws KitException if an image is no longer readable.
    public WaitingBatch Take()
    {
        if (ready.TryTake(out WaitingBatch? batch, Timeout.Infinite)) return batch;
        maker.GetAwaiter().GetResult();
        throw new InvalidOperationException("All steps have been taken.");
    }

    private void Make(IEnumerable<(int[] Numbers, int Epoch)> coming, Func<int[], int, Views> make)
    {
        try
        {
            foreach ((int[] numbers, int epoch) in coming)
            {
                var batch = new WaitingBatch(numbers, epoch, make(numbers, epoch));
                try
                {
                    ready.Add(batch, stop.Token);
                }
                catch (OperationCanceledException)
                {
                    batch.Dispose();
                    return;
                }
            }
        }
        finally
        {
            ready.CompleteAdding();
        }
    }

    // Failures of steps that were not reached are ignored.
    public void Dispose()
    {
        stop.Cancel();
        Task.WaitAny(maker);
        while (ready.TryTake(out WaitingBatch? batch)) batch.Dispose();
        ready.Dispose();
        stop.Dispose();
    }
}
