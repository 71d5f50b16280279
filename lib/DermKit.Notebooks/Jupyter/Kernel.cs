using System.Threading.Channels;

namespace DermKit.Notebooks;

/// <summary>A Jupyter kernel for C#. Cells run in a child process, so the kernel survives them and answers meanwhile.
/// Shell requests are handled in order, control requests at once.</summary>
internal sealed class Kernel : IDisposable
{
    private readonly KernelSockets _sockets;
    private readonly CellOutputs _outputs;
    private readonly Channel<JupyterMessage> _shell = Channel.CreateUnbounded<JupyterMessage>();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _session = Guid.NewGuid().ToString("N");
    private readonly Func<Task<SessionClient>> _start;
    private Task<SessionClient> _child;
#pragma warning disable CA2213 // An interrupt may hold it longer than the cell runs.
    private volatile CancellationTokenSource? _running;
#pragma warning restore CA2213
    private int _count;
    private int _unnumbered;

    internal Kernel(ConnectionFile connection, string root, string folder)
    {
        _outputs = new CellOutputs(Publish);
        _start = () => SessionClient.StartAsync(root, folder, new Dictionary<string, string?>(), _outputs.Add,
            _stop.Token, live: true);
        _sockets = new KernelSockets(connection, TakeShellRequest, request => _ = HandleAsync(request, control: true));
        // Early, because the child takes a moment to start.
        _child = _start();
        _sockets.Start();
    }

    internal int Dropped => _sockets.Dropped;

    // Time after an interrupt at which the user is told that the cell continues.
    internal TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    internal async Task RunAsync(CancellationToken cancellation)
    {
        using CancellationTokenRegistration stop = cancellation.Register(_stop.Cancel);
        PublishStatus("starting", null);
        try
        {
            await foreach (JupyterMessage request in _shell.Reader.ReadAllAsync(_stop.Token))
                await HandleAsync(request, control: false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The kernel shuts down.
        }
        finally
        {
            await SessionClient.EndAsync(_child);
        }
        await _sockets.EndAsync();
    }

    internal void Interrupt()
    {
        if (_running is not { } cell) return;
        _ = cell.CancelAsync();
        _ = Task.Delay(Grace, _stop.Token).ContinueWith(_ =>
        {
            if (_running == cell)
                _outputs.Add(StreamCapture.Output("stderr",
                    "The cell was asked to stop and continues: its code does not check Display.Cancellation. "
                    + "Restarting the kernel ends it, and its variables with it.\n"));
        }, TaskContinuationOptions.OnlyOnRanToCompletion);
    }

    public void Dispose()
    {
        _outputs.Dispose();
        _sockets.Dispose();
        _stop.Dispose();
    }

    private void TakeShellRequest(JupyterMessage request)
    {
        // Older clients shut down on this channel, and must not wait for the running cell.
        if (request.Type == "shutdown_request") _ = HandleAsync(request, control: false);
        else _shell.Writer.TryWrite(request);
    }

    private async Task HandleAsync(JupyterMessage request, bool control)
    {
        PublishStatus("busy", request);
        bool abort = false;
        try
        {
            abort = await AnswerAsync(request, control);
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            // An invalid request ends neither the kernel nor its variables.
            string trace = $"{request.Type}: {e.Message}";
            Reply(request, control, KernelReplies.Error(e.GetType().Name, e.Message, trace));
        }
        PublishStatus("idle", request);
        if (abort) await AbortAsync();
        if (request.Type == "shutdown_request") await _stop.CancelAsync();
    }

    private async Task<bool> AnswerAsync(JupyterMessage request, bool control)
    {
        if (!control && request.Type == "execute_request") return await ExecuteAsync(request);
        JsonObject content = request.Content;
        JsonObject? reply = request.Type switch
        {
            "kernel_info_request" => KernelReplies.Info(),
            "is_complete_request" when !control => KernelReplies.IsComplete(await AskAsync("isComplete", content)),
            "complete_request" when !control => KernelReplies.Complete(content, await AskAsync("complete", content)),
            "inspect_request" when !control => KernelReplies.Inspect(await AskAsync("inspect", content)),
            "history_request" => new() { ["history"] = new JsonArray() },
            "comm_info_request" => new() { ["comms"] = new JsonObject() },
            "interrupt_request" => [],
            "shutdown_request" => new() { ["restart"] = content["restart"]?.DeepClone() ?? false },
            _ => null,
        };
        if (request.Type == "interrupt_request") Interrupt();
        if (reply is not null) Reply(request, control, reply);
        if (request.Type == "shutdown_request") Publish("shutdown_reply", reply!.DeepClone().AsObject(), request);
        // The protocol's answer without the requested target.
        if (request.Type == "comm_open")
            Publish("comm_close", new() { ["comm_id"] = content["comm_id"]?.DeepClone(), ["data"] = new JsonObject() },
                request);
        return false;
    }

    private async Task<bool> ExecuteAsync(JupyterMessage request)
    {
        string code = (string?)request.Content["code"] ?? "";
        bool silent = (bool?)request.Content["silent"] ?? false;
        bool stored = !silent && ((bool?)request.Content["store_history"] ?? true);
        if (stored) _count++;
        if (!silent) Publish("execute_input", new() { ["code"] = code, ["execution_count"] = _count }, request);
        _outputs.Begin(request, _count, silent);
        JsonObject? error = await RunAsync(code, stored ? $"cell-{_count}" : $"unnumbered-{++_unnumbered}");
        JsonObject reply = KernelReplies.Outcome(error, new() { ["payload"] = new JsonArray() });
        reply["execution_count"] = _count;
        if (error is null)
            reply["user_expressions"] = await EvaluateAsync(request,
                request.Content["user_expressions"] as JsonObject ?? []);
        Reply(request, control: false, reply);
        return error is not null && ((bool?)request.Content["stop_on_error"] ?? true);
    }

    // After the end of the process, the next cell starts a new one.
    private async Task<JsonObject?> RunAsync(string code, string cell)
    {
        if (string.IsNullOrWhiteSpace(code)) return null;
        var interrupted = new CancellationTokenSource();
        _running = interrupted;
        try
        {
            SessionClient child = await ChildAsync();
            Task<string?> run = child.RunAsync(code, cell);
            // Also applies an interrupt that came while the child started.
            using CancellationTokenRegistration interrupt = interrupted.Token.Register(child.Cancel);
            using CancellationTokenRegistration end = _stop.Token.Register(child.Kill);
            string? error = await run;
            if (error is not null && child.HasEnded && !_stop.IsCancellationRequested)
                AddError("ProcessEnded", $"{error.TrimEnd('.')}. The variables of all cells are lost; the next cell "
                    + "starts in a new process. Run the notebook again from its first cell.", cell);
        }
        catch (KitException e)
        {
            AddError(nameof(KitException), e.Message, cell);
        }
        finally
        {
            _running = null;
        }
        _outputs.End();
        return _outputs.Error;
    }

    private void AddError(string name, string message, string cell) =>
        _outputs.Add(new CellError(name, message, cell, []).ToOutput());

    private async Task<JsonObject> EvaluateAsync(JupyterMessage request, JsonObject expressions)
    {
        var values = new JsonObject();
        foreach ((string name, JsonNode? expression) in expressions)
        {
            _outputs.Begin(request, _count, silent: true);
            JsonObject? error = await RunAsync((string?)expression ?? "", $"expression-{++_unnumbered}");
            values[name] = KernelReplies.Outcome(error, KernelReplies.Data(_outputs.Value));
        }
        return values;
    }

    // Refuses the cells that were sent before a cell failed; answers other requests.
    private async Task AbortAsync()
    {
        for (int waiting = _shell.Reader.Count;
            waiting > 0 && _shell.Reader.TryRead(out JupyterMessage? request); waiting--)
        {
            if (request.Type != "execute_request")
            {
                await HandleAsync(request, control: false);
                continue;
            }
            PublishStatus("busy", request);
            Reply(request, control: false, new() { ["status"] = "aborted", ["execution_count"] = _count });
            PublishStatus("idle", request);
        }
    }

    private async Task<JsonObject> AskAsync(string question, JsonObject content)
    {
        string code = (string?)content["code"] ?? "";
        int cursor = KernelReplies.Utf16(code, (int?)content["cursor_pos"] ?? code.Length);
        return await (await ChildAsync()).AskAsync(question, code, cursor);
    }

    private async Task<SessionClient> ChildAsync()
    {
        if (_child.IsFaulted) _child = _start();
        SessionClient child = await _child;
        if (!child.HasEnded) return child;
        await child.DisposeAsync();
        return await (_child = _start());
    }

    private void Reply(JupyterMessage request, bool control, JsonObject content)
    {
        string type = request.Type.Replace("_request", "_reply", Ordinal);
        content.TryAdd("status", "ok");
        _sockets.Reply(control, JupyterMessage.Create(type, content, _session, request));
    }

    private void Publish(string type, JsonObject content, JupyterMessage? request) => _sockets.Publish(
        JupyterMessage.Create(type, content, _session, request, [Encoding.ASCII.GetBytes(type)]));

    private void PublishStatus(string state, JupyterMessage? request) =>
        Publish("status", new() { ["execution_state"] = state }, request);
}
