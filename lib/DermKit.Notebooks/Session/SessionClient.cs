using System.Diagnostics;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>The parent's side of a session: starts the child from lib/bin, so that it has the very dlls that #r names, and sends it cells.</summary>
internal sealed partial class SessionClient : IAsyncDisposable
{
    private readonly Process _process;
    private readonly int _id;
    private readonly NamedPipeServerStream _pipe;
    private readonly StreamWriter _writer;
    private readonly Action<JsonObject> _output;
    private readonly StringBuilder _nativeError = new();
    private readonly Task _reading;
    private readonly Timer _looking;
    private volatile ProcessEnd.MemoryReading? _memory;
    private volatile TaskCompletionSource<string?>? _running;
    private volatile TaskCompletionSource<JsonObject?>? _asked;
    private volatile bool _ended;

    private SessionClient(Process process, NamedPipeServerStream pipe, Action<JsonObject> output)
    {
        (_process, _pipe, _output) = (process, pipe, output);
        _id = process.Id;
        _writer = new StreamWriter(pipe) { AutoFlush = true, NewLine = "\n" };
        process.OutputDataReceived += (_, e) => Native("stdout", e.Data);
        process.ErrorDataReceived += (_, e) => Native("stderr", e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _reading = Task.Run(ReadAsync);
        _looking = new Timer(_ => LookAtMemory(), null, TimeSpan.Zero, TimeSpan.FromSeconds(0.5));
    }

    /// <summary>Largest resident memory of the child so far, in bytes.</summary>
    internal long PeakMemory { get; private set; }

    /// <summary>What library code in the child noted.</summary>
    internal IReadOnlyDictionary<string, string> Provenance { get; private set; } = new Dictionary<string, string>();

    /// <summary>True when the child is gone or has closed its pipe.</summary>
    internal bool HasEnded => _ended;

    /// <param name="root">Folder of Kit.sln.</param>
    /// <param name="folder">The notebook's folder, where the child works.</param>
    /// <param name="environment">Variables for the child; null takes one away.</param>
    /// <param name="output">Takes the cells' outputs.</param>
    /// <param name="cancellation">Gives up the start.</param>
    /// <param name="live">True for a host whose page brings neither style nor scripts.</param>
    /// <exception cref="KitException">lib/bin is not built, or the child ended before it was ready.</exception>
    internal static async Task<SessionClient> StartAsync(string root, string folder, IReadOnlyDictionary<string, string?> environment, Action<JsonObject> output, CancellationToken cancellation, bool live = false)
    {
        string host = Path.Combine(root, "lib", "bin", "DermKit.Cli.dll");
        if (!File.Exists(host)) throw new KitException($"{host}: not found; build the kit first: dotnet build Kit.sln -c Release");
        var pipe = new SessionPipe();
        var start = new ProcessStartInfo(Dotnet(), ["exec", host, "session", pipe.Name, folder, .. live ? new[] { "--live" } : []])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach ((string key, string? value) in environment) start.Environment[key] = value;
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task connected = pipe.Stream.WaitForConnectionAsync(cancellation);
        try
        {
            if (await Task.WhenAny(connected, process.WaitForExitAsync(cancellation)) != connected)
            {
                // A start that was given up ends the wait too, and a process that runs has no exit code.
                cancellation.ThrowIfCancellationRequested();
                throw new KitException($"The notebook's process {ProcessEnd.Describe(process.ExitCode)} before it began: {(await process.StandardError.ReadToEndAsync(cancellation)).Trim()}{ProcessEnd.Advice(process.ExitCode, null)}");
            }
            await connected;
            pipe.RemoveFolder();
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            pipe.Dispose();
            throw;
        }
        return new SessionClient(process, pipe.Stream, output);
    }

    /// <summary>Runs a cell. The result is null, or one line that says why it failed; an end of the process counts as a failure.</summary>
    internal Task<string?> RunAsync(string source, string cell)
    {
        var running = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _running = running;
        Send(new JsonObject { ["op"] = "run", ["cell"] = cell, ["source"] = source });
        if (HasEnded) running.TrySetResult("The notebook's process has ended.");
        return running.Task;
    }

    /// <summary>Asks complete, inspect or isComplete about a source text at a place in it.</summary>
    /// <returns>Null when the process has ended.</returns>
    internal Task<JsonObject?> AskAsync(string question, string source, int cursor)
    {
        var asked = new TaskCompletionSource<JsonObject?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked = asked;
        Send(new JsonObject { ["op"] = question, ["source"] = source, ["cursor"] = cursor });
        if (HasEnded) asked.TrySetResult(null);
        return asked.Task;
    }

    /// <summary>Asks the running cell to stop.</summary>
    internal void Cancel() => Send(new JsonObject { ["op"] = "cancel" });

    /// <summary>Ends the child at once, with what it started.</summary>
    internal void Kill()
    {
        if (_process.HasExited) return;
        _process.Refresh();
        PeakMemory = Math.Max(PeakMemory, _process.PeakWorkingSet64);
        _process.Kill(entireProcessTree: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _looking.DisposeAsync();
        await _pipe.DisposeAsync();
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
        using var reader = new StreamReader(_pipe, leaveOpen: true);
        string? broken = null;
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                // As deep as a display of JSON may be, and what stands around it here.
                var message = (JsonObject)JsonNode.Parse(line, documentOptions: new() { MaxDepth = 260 })!;
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
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The pipe was closed on this side; whoever closed it waits for nothing more.
        }
        catch (Exception e)
        {
            // After a message that cannot be taken nothing from this child can be trusted.
            broken = $"A message of the notebook's process could not be taken: {e.Message}";
            Kill();
        }
        finally
        {
            _ended = true;
        }
        _asked?.TrySetResult(null);
        if (broken is not null) _running?.TrySetResult(broken);
        if (_running is { Task.IsCompleted: false } && _process.WaitForExit(5000))
        {
            _process.WaitForExit();
            string tail;
            lock (_nativeError) tail = _nativeError.ToString().Trim();
            string last = tail == "" ? "" : $": {tail.Split('\n')[^1]}";
            string advice = ProcessEnd.Advice(_process.ExitCode, _memory);
            _running.TrySetResult($"The notebook's process {ProcessEnd.Describe(_process.ExitCode)}{last}{(advice == "" ? "" : "." + advice)}");
        }
        _running?.TrySetResult("The notebook's process closed its pipe.");
    }

    [GeneratedRegex(@"\[W[^\]]*NNPACK\.cpp:\d+\] Could not initialize NNPACK!.*$")]
    private static partial Regex NnpackWarning();

    /// <summary>A process that was killed can be asked no more, so its memory is looked at while it runs.</summary>
    private void LookAtMemory()
    {
        try
        {
            // Through a handle of its own: others use _process at the same time.
            using var process = Process.GetProcessById(_id);
            if (ProcessEnd.MemoryReading.Of(process) is { Resident: > 0 } reading) _memory = reading;
        }
        catch (Exception)
        {
            // A reading that fails, as at the end of the process, leaves the last one. On a timer's thread an exception
            // would end this process.
        }
    }

    private void Native(string stream, string? line)
    {
        if (line is null) return;
        // libtorch says so once for each kind of convolution on some processors, and computes without NNPACK.
        string shown = NnpackWarning().Replace(line, "");
        if (shown == "" && line != "") return;
        line = shown;
        if (stream == "stderr")
            lock (_nativeError) _nativeError.AppendLine(line);
        _output(StreamCapture.Output(stream, line + "\n"));
    }

    private void Send(JsonObject message)
    {
        try
        {
            lock (_writer) _writer.WriteLine(message.ToJsonString());
        }
        catch (IOException)
        {
            // The child is gone, which the reading side reports with its exit code.
        }
    }

    /// <summary>The dotnet program of the runtime that runs this process; an apphost's own path would not do.</summary>
    internal static string Dotnet()
    {
        string name = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "dotnet.exe" : "dotnet";
        string beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        return File.Exists(beside) ? beside : name;
    }
}
