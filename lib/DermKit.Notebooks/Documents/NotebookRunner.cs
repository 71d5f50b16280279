namespace DermKit.Notebooks;

/// <summary>Runs a notebook in a child process, up to the first failing cell without raises-exception.</summary>
internal static class NotebookRunner
{
    internal const int MostSeconds = 30 * 24 * 3600;

    internal static NotebookDocument Prepare(string path, IReadOnlyDictionary<string, string> set)
    {
        NotebookDocument notebook = NotebookDocument.Load(path);
        JsonNode? kernel = notebook.Root["metadata"]?["kernelspec"];
        if (kernel?["name"] is not { } name)
            throw new KitException($"{path}: names no kernel (metadata.kernelspec), so the language of its cells is "
                + $"unknown. Choose the kernel .NET (C#) in your editor and save, or run: kit notebooks clean {path}");
        if (name.ToString() != KernelSpec.DefaultName && kernel["language"]?.ToString() is not ("C#" or "csharp"))
            throw new KitException(
                $"{path}: is for the kernel '{name}'; this host runs C# notebooks only ({KernelSpec.DefaultName}).");
        if (notebook.Cells.FirstOrDefault(c => c.IsCode && c.Language != "csharp") is { } other)
            throw new KitException($"{path}: the cell '{other.Id}' is for the kernel '{other.Language}'; this host "
                + "runs csharp cells only.");
        foreach (NotebookCell cell in notebook.Cells) _ = Limit(cell, path);
        notebook.ClearOutputs();
        Parameters.Inject(notebook, set);
        return notebook;
    }

    internal static StartedNotebook Start(string path, RunOptions options, CancellationToken cancellation)
    {
        var environment = new Dictionary<string, string?>(options.Environment)
        {
            ["KIT_MODE"] = options.Mode,
            ["KIT_DEVICE"] = options.Device,
        };
        var recorder = new OutputRecorder();
#pragma warning disable CA2000 // RunAsync disposes the client.
        Task<SessionClient> client = SessionClient.StartAsync(options.Root,
            Path.GetDirectoryName(Path.GetFullPath(path))!, environment, recorder.Add, cancellation);
#pragma warning restore CA2000
        return new(client, recorder);
    }

    internal static async Task<NotebookRun> RunAsync(NotebookDocument notebook, string path, RunOptions options,
        Action<CellProgress> progress, CancellationToken cancellation, StartedNotebook? started = null)
    {
        var clock = Stopwatch.StartNew();
        started ??= Start(path, options, cancellation);
        await using SessionClient client = await started.Client;
        string? error = await RunCellsAsync(client, notebook, started.Recorder, options, progress, cancellation);
        Dictionary<string, string> provenance = client.Provenance.ToDictionary();
        provenance["peak memory"] = Invariant($"{client.PeakMemory / 1073741824.0:0.00} GiB");
        var set = new Dictionary<string, string>(Parameters.Set(notebook));
        foreach ((string name, string value) in options.Set) set[name] = value;
        if (set.Count > 0) provenance["parameters set"] = string.Join(", ", set.Select(s => $"{s.Key}={s.Value}"));
        return new NotebookRun(notebook, Path.GetFileNameWithoutExtension(path), options.Mode, options.Device,
            clock.Elapsed, provenance, error, options.Command);
    }

    private static async Task<string?> RunCellsAsync(SessionClient client, NotebookDocument notebook,
        OutputRecorder recorder, RunOptions options, Action<CellProgress> progress, CancellationToken cancellation)
    {
        NotebookCell[] cells = [.. notebook.Cells.Where(c => c.IsCode && !string.IsNullOrWhiteSpace(c.Source))];
        foreach ((int index, NotebookCell cell) in cells.Index())
        {
            int number = index + 1;
            var shown = new CellProgress(number, cells.Length, Heading(notebook, cell), null, false);
            progress(shown);
            recorder.Begin(cell);
            cell.ExecutionCount = number;
            DateTime start = DateTime.UtcNow;
            (string? error, bool stopped) =
                await RunCellAsync(client, cell, $"cell-{number}", recorder, options, cancellation);
            DateTime end = DateTime.UtcNow;
            // nbclient's names for a cell's times.
            cell.Metadata["execution"] = new JsonObject
            {
                ["iopub.execute_input"] = start.ToString("O"),
                ["shell.execute_reply"] = end.ToString("O"),
            };
            progress(shown with { Elapsed = end - start, Failed = error is not null });
            if (error is not null && (stopped || !cell.Tags.Contains("raises-exception"))) return error;
        }
        return null;
    }

    private static TimeSpan? Limit(NotebookCell cell, string where)
    {
        if (cell.Metadata["kit"]?["timeout"] is not { } given) return null;
        return given is JsonValue value && value.TryGetValue(out double seconds) && seconds is > 0 and <= MostSeconds
            ? TimeSpan.FromSeconds(seconds)
            : throw new KitException($"{where}: the cell '{cell.Id}' has kit.timeout {given.ToJsonString()} in its "
                + $"metadata; expected seconds, more than 0 and at most {MostSeconds}.");
    }

    private static async Task<(string? Error, bool Stopped)> RunCellAsync(SessionClient client, NotebookCell cell,
        string name, OutputRecorder recorder, RunOptions options, CancellationToken cancellation)
    {
        TimeSpan limit = Limit(cell, name) ?? options.Timeout ?? Timeout.InfiniteTimeSpan;
        // For an error that the child cannot record: its process ended or was stopped.
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
            client.Cancel();
            if (await Task.WhenAny(run, Task.Delay(options.Grace, CancellationToken.None)) != run)
            {
                client.Kill();
                await run;
            }
            if (e is not TimeoutException) return (Record("Cancelled", "The run was cancelled."), true);
            string length = Invariant($"Ran longer than its limit of {limit.TotalSeconds:0.###} s");
            return (Record("CellTimeout", $"{length} (--timeout, or kit.timeout in the cell's metadata)."), true);
        }
    }

    private static string Heading(NotebookDocument notebook, NotebookCell cell)
    {
        string? heading = notebook.Cells.TakeWhile(c => c.Id != cell.Id).Where(c => c.IsMarkdown)
            .SelectMany(c => c.Source.Split('\n')).LastOrDefault(l => l.StartsWith('#'));
        return heading?.TrimStart('#').Trim() ?? cell.Source.Split('\n')[0].Trim();
    }
}

internal sealed record StartedNotebook(Task<SessionClient> Client, OutputRecorder Recorder);
