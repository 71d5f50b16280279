using System.IO.Pipes;
using static System.Runtime.InteropServices.RuntimeEnvironment;

namespace DermKit.Notebooks;

/// <summary>The parent's side. The child starts from lib/bin, so that it loads the dlls that #r names.</summary>
internal sealed class SessionClient : IAsyncDisposable
{
    private readonly Process _process;
    private readonly int _id;
    private readonly SessionPipe _pipe;
    private readonly Action<JsonObject> _output;
    private readonly StringBuilder _nativeError = new();
    private readonly Task _reading;
    private readonly Timer _memoryTimer;
    private volatile string? _memory;
    private volatile TaskCompletionSource<JsonObject>? _pending;
    private volatile bool _ended;

    private SessionClient(Process process, SessionPipe pipe, Action<JsonObject> output)
    {
        _process = process;
        _pipe = pipe;
        _output = output;
        _id = process.Id;
        process.OutputDataReceived += (_, e) => AddNativeOutput("stdout", e.Data);
        process.ErrorDataReceived += (_, e) => AddNativeOutput("stderr", e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _reading = Task.Run(ReadAsync);
        _memoryTimer = new Timer(_ => ReadMemory(), null, TimeSpan.Zero, TimeSpan.FromSeconds(0.5));
    }

    internal long PeakMemory { get; private set; }

    internal IReadOnlyDictionary<string, string> Provenance { get; private set; } = new Dictionary<string, string>();

    internal bool HasEnded => _ended;

    internal static async Task<SessionClient> StartAsync(string root, string folder,
        IReadOnlyDictionary<string, string?> environment, Action<JsonObject> output, CancellationToken cancellation,
        bool live = false)
    {
        string host = Host(root);
        var pipe = new SessionPipe();
        string[] command = ["exec", host, "session", pipe.Name, folder];
        var start = new ProcessStartInfo(Dotnet(), live ? [.. command, "--live"] : command)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach ((string key, string? value) in environment) start.Environment[key] = value;
        Process? process = null;
        try
        {
            process = Process.Start(start)!;
            process.StandardInput.Close();
            Task connected = pipe.Stream.WaitForConnectionAsync(cancellation);
            if (await Task.WhenAny(connected, process.WaitForExitAsync(cancellation)) != connected)
            {
                // A cancelled start ends the wait too, and a running process has no exit code.
                cancellation.ThrowIfCancellationRequested();
                string text = (await process.StandardError.ReadToEndAsync(cancellation)).Trim();
                throw new KitException($"The notebook's process {ProcessEnd.Describe(process.ExitCode)} before it "
                    + $"began: {text}{ProcessEnd.Advice(process.ExitCode, null)}");
            }
            await connected;
            pipe.RemoveFolder();
            return new SessionClient(process, pipe, output);
        }
        catch
        {
            process?.Kill(entireProcessTree: true);
            process?.Dispose();
            pipe.Dispose();
            throw;
        }
    }

    // Ends a process that may not have started.
    internal static async Task EndAsync(Task<SessionClient> started)
    {
        try
        {
            SessionClient client = await started;
            client.Kill();
            await client.DisposeAsync();
        }
        catch (Exception e) when (e is KitException or OperationCanceledException)
        {
            // It never started, which its cell reports.
        }
    }

    internal static string Host(string root)
    {
        string host = Path.Combine(root, "lib", "bin", "DermKit.Cli.dll");
        return File.Exists(host) ? host
            : throw new KitException($"{host}: not found; build the kit first: dotnet build Kit.sln -c Release");
    }

    internal static string Dotnet()
    {
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        string beside = Path.GetFullPath(Path.Combine(GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(beside) ? beside : name;
    }

    // The error of a cell. One cell or question at a time.
    internal async Task<string?> RunAsync(string source, string cell)
    {
        var request = new JsonObject { ["op"] = "run", ["source"] = source, ["cell"] = cell };
        return (string?)(await RequestAsync(request))["error"];
    }

    // Asks complete, inspect or isComplete. An answer with the key error says why there is none.
    internal async Task<JsonObject> AskAsync(string question, string source, int cursor)
    {
        var request = new JsonObject { ["op"] = question, ["source"] = source, ["cursor"] = cursor };
        JsonObject message = await RequestAsync(request);
        return message["answer"] as JsonObject ?? message;
    }

    internal void Cancel() => Send(new JsonObject { ["op"] = "cancel" });

    internal void Kill()
    {
        if (_process.HasExited) return;
        _process.Refresh();
        PeakMemory = Math.Max(PeakMemory, _process.PeakWorkingSet64);
        _process.Kill(entireProcessTree: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _memoryTimer.DisposeAsync();
        _pipe.Dispose();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Kill();
        }
        await _reading;
        _process.Dispose();
    }

    private Task<JsonObject> RequestAsync(JsonObject request)
    {
        var pending = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending = pending;
        Send(request);
        if (HasEnded) pending.TrySetResult(new() { ["error"] = "The notebook's process has ended." });
        return pending.Task;
    }

    private async Task ReadAsync()
    {
        string? fault = null;
        try
        {
            using var reader = new StreamReader(_pipe.Stream, leaveOpen: true);
            // The deepest JSON display, inside a message.
            while (await reader.ReadLineAsync() is { } line)
                Take((JsonObject)JsonNode.Parse(line, documentOptions: new() { MaxDepth = 260 })!);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // This side closed the pipe.
        }
        catch (Exception e)
        {
            // After an invalid message, nothing from this child can be trusted.
            fault = $"A message of the notebook's process is invalid: {e.Message}";
            Kill();
        }
        finally
        {
            _ended = true;
        }
        if (_pending is { Task.IsCompleted: false } pending)
            pending.TrySetResult(new() { ["error"] = fault ?? DescribeEnd() });
    }

    private void Take(JsonObject message)
    {
        if (message["output"] is { } output)
        {
            _output((JsonObject)output.DeepClone());
            return;
        }
        if (message["provenance"] is JsonObject provenance)
        {
            PeakMemory = (long)message["peak"]!;
            Provenance = provenance.ToDictionary(p => p.Key, p => (string)p.Value!);
        }
        _pending?.TrySetResult(message);
    }

    private string DescribeEnd()
    {
        if (!_process.WaitForExit(5000)) return "The notebook's process closed its pipe.";
        // Also waits for redirected output.
        _process.WaitForExit();
        string tail;
        lock (_nativeError) tail = _nativeError.ToString().Trim();
        string last = tail == "" ? "" : $": {tail.Split('\n')[^1]}";
        int code = _process.ExitCode;
        return $"The notebook's process {ProcessEnd.Describe(code)}{last}{ProcessEnd.Advice(code, _memory)}";
    }

    // An ended process has no memory to read.
    private void ReadMemory()
    {
        try
        {
            // A handle of its own: other threads use _process.
            using var process = Process.GetProcessById(_id);
            if (process.WorkingSet64 > 0) _memory = ProcessEnd.Memory(process);
        }
        catch (Exception)
        {
            // The process is ending. An exception on a timer's thread would end this process.
        }
    }

    private void AddNativeOutput(string stream, string? line)
    {
        if (line is null) return;
        // libtorch prints this for kinds of convolution on some processors, and computes without NNPACK.
        string shown = NnpackWarning.Replace(line, "");
        if (shown == "" && line != "") return;
        if (stream == "stderr")
            lock (_nativeError) _nativeError.AppendLine(shown);
        _output(StreamCapture.Output(stream, shown + "\n"));
    }

    private void Send(JsonObject message)
    {
        try
        {
            SessionPipe.Send(_pipe.Stream, message);
        }
        catch (IOException)
        {
            // The child has ended; the reading side reports it.
        }
    }

    private static readonly Regex NnpackWarning = new(@"\[W[^\]]*NNPACK\.cpp:\d+\] Could not initialize NNPACK!.*$");
}
