using System.Collections.Concurrent;

namespace DermKit.Pretraining;

/// <summary>A batch that waits for its step.</summary>
/// <param name="Numbers">Its images.</param>
/// <param name="Epoch">From 0.</param>
/// <param name="Views">What the method sees.</param>
internal sealed record WaitingBatch(int[] Numbers, int Epoch, Views Views) : IDisposable
{
    public void Dispose() => Views.Dispose();
}

/// <summary>
/// Makes the views of coming steps on a thread of its own while a step runs, so that reading, decoding and cutting cost no time of the device.
/// Draws depend on (seed, epoch, image, view) alone, so the views are those that the step would have made itself.
/// </summary>
internal sealed class ViewQueue : IDisposable
{
    /// <summary>Batches that wait; one more is being made.</summary>
    private const int Waiting = 1;

    private readonly BlockingCollection<WaitingBatch> ready = new(Waiting);
    private readonly CancellationTokenSource stop = new();
    private readonly Task maker;

    /// <summary>Begins to make views.</summary>
    /// <param name="coming">The images and the epoch of each step.</param>
    /// <param name="make">Makes the views of one.</param>
    public ViewQueue(IEnumerable<(int[] Numbers, int Epoch)> coming, Func<int[], int, Views> make) => maker = Task.Factory.StartNew(() =>
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
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The next batch; the caller disposes of it.</summary>
    /// <exception cref="KitException">Its images cannot be read any more.</exception>
    /// <exception cref="InvalidOperationException">There is no further step.</exception>
    public WaitingBatch Take()
    {
        if (ready.TryTake(out WaitingBatch? batch, Timeout.Infinite)) return batch;
        maker.GetAwaiter().GetResult();
        throw new InvalidOperationException("All steps have been taken.");
    }

    /// <summary>Stops and lets go of what waits. A failure that no step came to is of no use to anybody.</summary>
    public void Dispose()
    {
        stop.Cancel();
        Task.WaitAny(maker);
        while (ready.TryTake(out WaitingBatch? batch)) batch.Dispose();
        ready.Dispose();
        stop.Dispose();
    }
}
