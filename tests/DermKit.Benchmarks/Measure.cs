using System.Diagnostics;
using TorchSharp;

namespace DermKit.Benchmarks;

internal static class Measure
{
    /// <summary>
    /// Median seconds of each body. The bodies take turns, so that a busy neighbour slows all of
    /// them alike and their ratio holds.
    /// </summary>
    public static double[] Medians(int repeats, params Action[] bodies)
    {
        var seconds = bodies.Select(_ => new List<double>()).ToArray();
        for (int repeat = -1; repeat < repeats; repeat++)
            for (int i = 0; i < bodies.Length; i++)
            {
                using var scope = torch.NewDisposeScope();
                long start = Stopwatch.GetTimestamp();
                bodies[i]();
                if (repeat >= 0) seconds[i].Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        return [.. seconds.Select(s => s.Order().ElementAt(s.Count / 2))];
    }

    /// <summary>Runs a body with one thread of torch's, and gives the threads back.</summary>
    public static void OnOneThread(Action body)
    {
        int threads = torch.get_num_threads();
        torch.set_num_threads(1);
        try
        {
            body();
        }
        finally
        {
            torch.set_num_threads(threads);
        }
    }
}
