using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace DermKit.Notebooks;

/// <summary>
/// A Jupyter kernel for C# cells. This process speaks the protocol; the cells run in a child, the one that also runs notebooks headless. So a cell that kills its
/// process takes neither the kernel nor the outputs before it, and interrupt, shutdown and heartbeat are answered whatever a cell does.
/// Requests of the shell are taken in their order, those of the control channel at once.
/// </summary>
internal sealed class Kernel : IDisposable
{
    private readonly KernelSockets _sockets;
    private readonly CellOutputs _outputs;
    private readonly Channel<JupyterMessage> _shell = Channel.CreateUnbounded<JupyterMessage>();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _session = Guid.NewGuid().ToString("N"), _root, _folder;
    private Task<SessionClient> _child;
    private volatile CancellationTokenSource? _running;
    private int _count, _quiet;

    /// <param name="connection">Addresses and key.</param>
    /// <param name="root">Folder of Kit.sln.</param>
    /// <param name="folder">The notebook's folder, from which #r is resolved.</param>
    /// <exception cref="KitException">A port is in use.</exception>
    internal Kernel(ConnectionFile connection, string root, string folder)
    {
        (_root, _folder) = (root, folder);
        _outputs = new CellOutputs(Publish);
        _sockets = new KernelSockets(connection, Shell, request => _ = HandleAsync(request, control: true));
        // Before the first cell asks for it: the child needs a moment to begin.
        _child = StartAsync();
        _sockets.Start();
    }

    /// <summary>How many messages were dropped for a wrong signature or form.</summary>
    internal int Dropped => _sockets.Dropped;

    /// <summary>How long an interrupted cell may run on before the user is told what to do.</summary>
    internal TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Answers requests until a shutdown request comes or <paramref name="cancellation"/> is cancelled.</summary>
    internal async Task RunAsync(CancellationToken cancellation)
    {
        using CancellationTokenRegistration stop = cancellation.Register(_stop.Cancel);
        Publish("status", new() { ["execution_state"] = "starting" }, null);
        try
        {
            await foreach (JupyterMessage request in _shell.Reader.ReadAllAsync(_stop.Token)) await HandleAsync(request, control: false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end of a kernel.
        }
        await EndChildAsync();
        await _sockets.FlushAsync();
    }

    /// <summary>Asks the running cell to stop; tells the user what to do when it does not.</summary>
    internal void Interrupt()
    {
        if (_running is not { } cell) return;
        _ = cell.CancelAsync();
        _ = Task.Delay(Grace, _stop.Token).ContinueWith(_ =>
        {
            if (_running == cell) _outputs.Add(StreamCapture.Output("stderr", "The cell was asked to stop and runs on: its code does not look at Display.Cancellation. Restarting the kernel ends it, and its variables with it.\n"));
        }, TaskContinuationOptions.OnlyOnRanToCompletion);
    }

    public void Dispose()
    {
        _outputs.Dispose();
        _sockets.Dispose();
        _stop.Dispose();
    }

    private Task<SessionClient> StartAsync() => SessionClient.StartAsync(_root, _folder, new Dictionary<string, string?>(), _outputs.Add, _stop.Token, live: true);

    private async Task EndChildAsync()
    {
        try
        {
            SessionClient child = await _child;
            child.Kill();
            await child.DisposeAsync();
        }
        catch (Exception e) when (e is KitException or OperationCanceledException)
        {
            // It never began, which a cell that needed it was told.
        }
    }

    private void Shell(JupyterMessage request)
    {
        // Older clients shut down on this channel, and not to wait for the running cell.
        if (request.Type == "shutdown_request") _ = HandleAsync(request, control: false);
        else _shell.Writer.TryWrite(request);
    }

    private async Task HandleAsync(JupyterMessage request, bool control)
    {
        Publish("status", new() { ["execution_state"] = "busy" }, request);
        bool abort = false;
        try
        {
            abort = await AnswerAsync(request, control);
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            // A request that cannot be taken, such as one with a number for its code, ends neither the kernel nor its variables.
            Reply(request, control, new() { ["status"] = "error", ["ename"] = e.GetType().Name, ["evalue"] = e.Message, ["traceback"] = new JsonArray($"{request.Type}: {e.Message}") });
        }
        Publish("status", new() { ["execution_state"] = "idle" }, request);
        if (abort) await AbortAsync();
        if (request.Type == "shutdown_request") await _stop.CancelAsync();
    }

    /// <returns>True for a cell that failed, when those behind it are not to run.</returns>
    private async Task<bool> AnswerAsync(JupyterMessage request, bool control)
    {
        switch (request.Type)
        {
            case "execute_request" when !control:
                return await ExecuteAsync(request);
            case "kernel_info_request":
                Reply(request, control, KernelReplies.Info());
                break;
            case "is_complete_request" when !control:
                Reply(request, control, KernelReplies.IsComplete(await AskAsync("isComplete", request.Content)));
                break;
            case "complete_request" when !control:
                Reply(request, control, KernelReplies.Complete(request.Content, await AskAsync("complete", request.Content)));
                break;
            case "inspect_request" when !control:
                Reply(request, control, KernelReplies.Inspect(await AskAsync("inspect", request.Content)));
                break;
            case "history_request":
                Reply(request, control, new() { ["status"] = "ok", ["history"] = new JsonArray() });
                break;
            case "comm_info_request":
                Reply(request, control, new() { ["status"] = "ok", ["comms"] = new JsonObject() });
                break;
            case "comm_open":
                // The protocol's answer of a kernel that has no such target.
                Publish("comm_close", new() { ["comm_id"] = request.Content["comm_id"]?.DeepClone(), ["data"] = new JsonObject() }, request);
                break;
            case "interrupt_request":
                Interrupt();
                Reply(request, control, new() { ["status"] = "ok" });
                break;
            case "shutdown_request":
                var content = new JsonObject { ["status"] = "ok", ["restart"] = request.Content["restart"]?.DeepClone() ?? false };
                Reply(request, control, content);
                Publish("shutdown_reply", content.DeepClone().AsObject(), request);
                break;
        }
        return false;
    }

    private async Task<bool> ExecuteAsync(JupyterMessage request)
    {
        string code = (string?)request.Content["code"] ?? "";
        bool silent = (bool?)request.Content["silent"] ?? false, stored = !silent && ((bool?)request.Content["store_history"] ?? true);
        if (stored) _count++;
        if (!silent) Publish("execute_input", new() { ["code"] = code, ["execution_count"] = _count }, request);
        _outputs.Begin(request, _count, silent);
        JsonObject? error = await RunAsync(code, stored ? $"cell-{_count}" : $"unnumbered-{++_quiet}");
        var reply = error?.DeepClone().AsObject() ?? new JsonObject { ["payload"] = new JsonArray() };
        reply["status"] = error is null ? "ok" : "error";
        reply["execution_count"] = _count;
        if (error is null) reply["user_expressions"] = await EvaluateAsync(request, request.Content["user_expressions"] as JsonObject ?? []);
        Reply(request, control: false, reply);
        return error is not null && ((bool?)request.Content["stop_on_error"] ?? true);
    }

    /// <summary>Runs a cell; an end of its process becomes an error of the cell, and the next one has a new process.</summary>
    private async Task<JsonObject?> RunAsync(string code, string cell)
    {
        if (string.IsNullOrWhiteSpace(code)) return null;
        // Not disposed: an interrupt may hold it a moment longer than the cell runs.
        var asked = new CancellationTokenSource();
        _running = asked;
        try
        {
            SessionClient child = await ChildAsync();
            Task<string?> run = child.RunAsync(code, cell);
            // Also what was asked while the child began.
            using CancellationTokenRegistration interrupt = asked.Token.Register(child.Cancel), end = _stop.Token.Register(child.Kill);
            string? error = await run;
            if (error is not null && child.HasEnded && !_stop.IsCancellationRequested)
                _outputs.Add(new CellError("ProcessEnded", $"{error.TrimEnd('.')}. The variables of all cells are lost; the next cell starts in a new process. Run the notebook again from its first cell.", cell, []).ToOutput());
        }
        catch (KitException e)
        {
            _outputs.Add(new CellError(nameof(KitException), e.Message, cell, []).ToOutput());
        }
        finally
        {
            _running = null;
        }
        _outputs.End();
        return _outputs.Error;
    }

    private async Task<JsonObject> EvaluateAsync(JupyterMessage request, JsonObject expressions)
    {
        var values = new JsonObject();
        foreach ((string name, JsonNode? expression) in expressions)
        {
            _outputs.Begin(request, _count, silent: true);
            JsonObject? error = await RunAsync((string?)expression ?? "", $"expression-{++_quiet}");
            JsonObject value = error?.DeepClone().AsObject() ?? new JsonObject { ["data"] = _outputs.Value?.DeepClone() ?? new JsonObject(), ["metadata"] = new JsonObject() };
            value["status"] = error is null ? "ok" : "error";
            values[name] = value;
        }
        return values;
    }

    /// <summary>Refuses the cells that were sent before the one that failed ended; other requests are answered.</summary>
    private async Task AbortAsync()
    {
        for (int waiting = _shell.Reader.Count; waiting > 0 && _shell.Reader.TryRead(out JupyterMessage? request); waiting--)
        {
            if (request.Type != "execute_request")
            {
                await HandleAsync(request, control: false);
                continue;
            }
            Publish("status", new() { ["execution_state"] = "busy" }, request);
            Reply(request, control: false, new() { ["status"] = "aborted", ["execution_count"] = _count });
            Publish("status", new() { ["execution_state"] = "idle" }, request);
        }
    }

    private async Task<JsonObject?> AskAsync(string question, JsonObject content)
    {
        string code = (string?)content["code"] ?? "";
        SessionClient child = await ChildAsync();
        return await child.AskAsync(question, code, KernelReplies.Utf16(code, (int?)content["cursor_pos"] ?? code.Length));
    }

    private async Task<SessionClient> ChildAsync()
    {
        if (_child.IsFaulted) _child = StartAsync();
        SessionClient child = await _child;
        if (!child.HasEnded) return child;
        await child.DisposeAsync();
        return await (_child = StartAsync());
    }

    private void Reply(JupyterMessage request, bool control, JsonObject content) =>
        _sockets.Reply(control, JupyterMessage.Create(request.Type.Replace("_request", "_reply", StringComparison.Ordinal), content, _session, request));

    private void Publish(string type, JsonObject content, JupyterMessage? request) =>
        _sockets.Publish(JupyterMessage.Create(type, content, _session, request, [System.Text.Encoding.ASCII.GetBytes(type)]));
}
