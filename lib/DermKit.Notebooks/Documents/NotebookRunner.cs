using System.Globalization;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>How notebooks are run.</summary>
internal sealed record RunOptions
{
    /// <summary>Folder of Kit.sln.</summary>
    internal required string Root { get; init; }

    /// <summary>quick, workshop or full; the child sees it as KIT_MODE.</summary>
    internal string Mode { get; init; } = "quick";

    /// <summary>As torch spells it; the child sees it as KIT_DEVICE.</summary>
    internal string Device { get; init; } = "cpu";

    /// <summary>New values of parameters, as text.</summary>
    internal IReadOnlyDictionary<string, string> Set { get; init; } = new Dictionary<string, string>();

    /// <summary>Time limit of a cell; a cell's metadata kit.timeout (seconds) goes before it.</summary>
    internal TimeSpan? Timeout { get; init; }

    /// <summary>How long a cell that was asked to stop may take before its process is ended.</summary>
    internal TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Further variables for the child; null takes one away.</summary>
    internal IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>The command line, for the report.</summary>
    internal string Command { get; init; } = "";
}

/// <summary>Where a run stands.</summary>
/// <param name="Cell">Number of the code cell, from 1.</param>
/// <param name="Cells">How many code cells the notebook has.</param>
/// <param name="Title">The heading that the cell stands under.</param>
/// <param name="Elapsed">Null when the cell starts; its duration when it ended.</param>
/// <param name="Failed">True when the cell ended with an error.</param>
internal sealed record CellProgress(int Cell, int Cells, string Title, TimeSpan? Elapsed, bool Failed);

/// <summary>Runs a notebook in a child process of its own and fills in its outputs. Stops at the first cell that fails, unless it is tagged raises-exception.</summary>
internal static class NotebookRunner
{
    /// <summary>The longest time limit of a cell: thirty days.</summary>
    internal const int MostSeconds = 30 * 24 * 3600;

    /// <summary>A notebook without outputs and with the new parameter values in a cell of their own; finds before a run what would stop it.</summary>
    /// <exception cref="KitException">The file cannot be read, it names no kernel or one of another language, a cell is in another language, a cell's time limit is none, or a parameter's value does not fit its type.</exception>
    internal static NotebookDocument Prepare(string path, IReadOnlyDictionary<string, string> set)
    {
        NotebookDocument notebook = NotebookDocument.Load(path);
        JsonNode? kernel = notebook.Root["metadata"]?["kernelspec"];
        if (kernel?["name"] is not { } name)
            throw new KitException($"{path}: names no kernel (metadata.kernelspec), so nothing says that its cells are C#. Choose the kernel .NET (C#) in your editor and save, or run: kit notebooks clean {path}");
        if (name.ToString() != KernelSpec.DefaultName && kernel["language"]?.ToString() is not ("C#" or "csharp"))
            throw new KitException($"{path}: is for the kernel '{name}'; this host runs C# notebooks only ({KernelSpec.DefaultName}).");
        if (notebook.Cells.FirstOrDefault(c => c.IsCode && c.Language != "csharp") is { } other)
            throw new KitException($"{path}: the cell '{other.Id}' is for the kernel '{other.Language}'; this host runs csharp cells only.");
        foreach (NotebookCell cell in notebook.Cells) _ = Limit(cell, path);
        notebook.ClearOutputs();
        Parameters.Inject(notebook, set);
        return notebook;
    }

    /// <summary>Runs a prepared notebook, whose cells take the outputs.</summary>
    /// <exception cref="KitException">lib/bin is not built.</exception>
    internal static async Task<NotebookRun> RunAsync(NotebookDocument notebook, string path, RunOptions options, Action<CellProgress> progress, CancellationToken cancellation)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var environment = new Dictionary<string, string?>(options.Environment) { ["KIT_MODE"] = options.Mode, ["KIT_DEVICE"] = options.Device };
        var recorder = new OutputRecorder();
        string? error;
        SortedDictionary<string, string> provenance;
        await using (SessionClient client = await SessionClient.StartAsync(options.Root, Path.GetDirectoryName(Path.GetFullPath(path))!, environment, recorder.Add, cancellation))
        {
            error = await RunCellsAsync(client, notebook, recorder, options, progress, cancellation);
            provenance = new(client.Provenance.ToDictionary(), StringComparer.Ordinal)
            {
                ["peak memory"] = string.Create(CultureInfo.InvariantCulture, $"{client.PeakMemory / 1073741824.0:0.00} GiB"),
            };
        }
        var set = new Dictionary<string, string>(Parameters.Set(notebook));
        foreach ((string name, string value) in options.Set) set[name] = value;
        if (set.Count > 0) provenance["parameters set"] = string.Join(", ", set.Select(s => $"{s.Key}={s.Value}"));
        return new NotebookRun(notebook, Path.GetFileNameWithoutExtension(path), options.Mode, options.Device, clock.Elapsed, provenance, error, options.Command);
    }

    private static async Task<string?> RunCellsAsync(
        SessionClient client, NotebookDocument notebook, OutputRecorder recorder, RunOptions options, Action<CellProgress> progress, CancellationToken cancellation)
    {
        NotebookCell[] cells = [.. notebook.Cells.Where(c => c.IsCode && !string.IsNullOrWhiteSpace(c.Source))];
        for (int i = 0; i < cells.Length; i++)
        {
            NotebookCell cell = cells[i];
            string name = $"cell-{i + 1}", title = Heading(notebook, cell);
            progress(new(i + 1, cells.Length, title, null, false));
            recorder.Begin(cell);
            cell.ExecutionCount = i + 1;
            DateTime start = DateTime.UtcNow;
            (string? error, bool stopped) = await RunCellAsync(client, cell, name, recorder, options, cancellation);
            DateTime end = DateTime.UtcNow;
            // The names under which nbclient keeps a cell's times.
            cell.Metadata["execution"] = new JsonObject
            {
                ["iopub.execute_input"] = start.ToString("O", CultureInfo.InvariantCulture),
                ["shell.execute_reply"] = end.ToString("O", CultureInfo.InvariantCulture),
            };
            progress(new(i + 1, cells.Length, title, end - start, error is not null));
            if (error is not null && (stopped || !cell.Tags.Contains("raises-exception")))
                return error;
        }
        return null;
    }

    private static TimeSpan? Limit(NotebookCell cell, string where) => cell.Metadata["kit"]?["timeout"] is not { } given ? null
        : given is JsonValue value && value.TryGetValue(out double seconds) && seconds is > 0 and <= MostSeconds ? TimeSpan.FromSeconds(seconds)
        : throw new KitException($"{where}: the cell '{cell.Id}' has kit.timeout {given.ToJsonString()} in its metadata; expected seconds, more than 0 and at most {MostSeconds}.");

    private static async Task<(string? Error, bool Stopped)> RunCellAsync(
        SessionClient client, NotebookCell cell, string name, OutputRecorder recorder, RunOptions options, CancellationToken cancellation)
    {
        TimeSpan limit = Limit(cell, name) ?? options.Timeout ?? System.Threading.Timeout.InfiniteTimeSpan;
        // What the child cannot say itself: that its process died or was stopped.
        string Record(string kind, string message)
        {
            var error = new CellError(kind, message, name, []);
            recorder.Add(error.ToOutput());
            return error.Summary;
        }

        Task<string?> run = client.RunAsync(cell.Source, name);
        try
        {
            string? error = await run.WaitAsync(limit, cancellation);
            return client.HasEnded && error is not null ? (Record("ProcessEnded", error), true) : (error, false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            string message = e is TimeoutException
                ? string.Create(CultureInfo.InvariantCulture, $"Ran longer than its limit of {limit.TotalSeconds:0.###} s (--timeout, or kit.timeout in the cell's metadata).")
                : "The run was cancelled.";
            client.Cancel();
            if (await Task.WhenAny(run, Task.Delay(options.Grace, CancellationToken.None)) != run)
            {
                client.Kill();
                await run;
            }
            return (Record(e is TimeoutException ? "CellTimeout" : "Cancelled", message), true);
        }
    }

    /// <summary>The nearest heading above a cell; its first line of code when there is none.</summary>
    private static string Heading(NotebookDocument notebook, NotebookCell cell)
    {
        string? heading = notebook.Cells.TakeWhile(c => c.Id != cell.Id).Where(c => c.Type == "markdown")
            .SelectMany(c => c.Source.Split('\n')).LastOrDefault(l => l.StartsWith('#'));
        return heading?.TrimStart('#').Trim() ?? cell.Source.Split('\n')[0].Trim();
    }
}
