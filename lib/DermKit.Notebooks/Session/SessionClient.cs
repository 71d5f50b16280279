using System.IO.Pipes;
using static System.Runtime.InteropServices.RuntimeEnvironment;

namespace DermKit.Notebooks;

/// <summary>The parent's side. The child starts from lib/bin, so that it loads the dlls that #r names.</summary>
internal sealed class SessionClient : IAsyncDisposable
{
    private readonly Process _process;
    private readonly int _id;
    private readonly SessionPipe _pipe;
#pragma warning disable CA2213 // It has no buffer to flush; the pipe is disposed.
    private readonly StreamWriter _writer;
#pragma warning restore CA2213
    private readonly Action<JsonObject> _output;
    private readonly StringBuilder _nativeError = new();
    private readonly Task _reading;
    private readonly Timer _memoryTimer;
    private volatile MemoryReading? _memory;
    private volatile TaskCompletionSource<string?>? _running;
    private volatile TaskCompletionSource<JsonObject?>? _asked;
    private volatile bool _ended;

    private SessionClient(Process process, SessionPipe pipe, Action<JsonObject> output)
    {
        _process = process;
        _pipe = pipe;
        _output = output;
        _id = process.Id;
        _writer = new StreamWriter(pipe.Stream) { AutoFlush = true, NewLine = "\n" };
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
        string[] liveOption = live ? ["--live"] : [];
        string host = Host(root);
        var pipe = new SessionPipe();
        var start = new ProcessStartInfo(Dotnet(), ["exec", host, "session", pipe.Name, folder, .. liveOption])
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

    internal Task<string?> RunAsync(string source, string cell)
    {
        var running = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _running = running;
        Send(new JsonObject { ["op"] = "run", ["cell"] = cell, ["source"] = source });
        if (HasEnded) running.TrySetResult("The notebook's process has ended.");
        return running.Task;
    }

    // Asks complete, inspect or isComplete; null when the process has ended.
    internal Task<JsonObject?> AskAsync(string question, string source, int cursor)
    {
        var asked = new TaskCompletionSource<JsonObject?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked = asked;
        Send(new JsonObject { ["op"] = question, ["source"] = source, ["cursor"] = cursor });
        if (HasEnded) asked.TrySetResult(null);
        return asked.Task;
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
        _asked?.TrySetResult(null);
        if (_running is { Task.IsCompleted: false } running) running.TrySetResult(fault ?? DescribeEnd());
    }

    private void Take(JsonObject message)
    {
        switch ((string?)message["op"])
        {
            case "output":
                _output((JsonObject)message["output"]!.DeepClone());
                break;
            case "answer":
                _asked?.TrySetResult((JsonObject)message["answer"]!.DeepClone());
                break;
            case "done":
                PeakMemory = (long)message["peak"]!;
                Provenance = message["provenance"]!.AsObject().ToDictionary(p => p.Key, p => (string)p.Value!);
                _running?.TrySetResult((string?)message["error"]);
                break;
        }
    }

    private string DescribeEnd()
    {
        if (!_process.WaitForExit(5000)) return "The notebook's process closed its pipe.";
        // Also waits for redirected output.
        _process.WaitForExit();
        string tail;
        lock (_nativeError) tail = _nativeError.ToString().Trim();
        string last = tail == "" ? "" : $": {tail.Split('\n')[^1]}";
        string advice = ProcessEnd.Advice(_process.ExitCode, _memory);
        return "The notebook's process "
            + $"{ProcessEnd.Describe(_process.ExitCode)}{last}{(advice == "" ? "" : $".{advice}")}";
    }

    // An ended process has no memory to read.
    private void ReadMemory()
    {
        try
        {
            // A handle of its own: other threads use _process.
            using var process = Process.GetProcessById(_id);
            if (MemoryReading.Of(process) is { Resident: > 0 } reading) _memory = reading;
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
            lock (_writer) _writer.WriteLine(message.ToJsonString());
        }
        catch (IOException)
        {
            // The child has ended; the reading side reports it.
        }
    }

    private static readonly Regex NnpackWarning = new(@"\[W[^\]]*NNPACK\.cpp:\d+\] Could not initialize NNPACK!.*$");
}
