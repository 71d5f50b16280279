using System.Diagnostics;
using System.IO.Pipes;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Cli.Notebooks;

/// <summary>The parent's side of a session: starts the child from lib/bin, so that it has the very dlls that #r names, and sends it cells.</summary>
internal sealed class SessionClient : IAsyncDisposable
{
    private readonly Process _process;
    private readonly NamedPipeServerStream _pipe;
    private readonly StreamWriter _writer;
    private readonly Action<JsonObject> _output;
    private readonly StringBuilder _nativeError = new();
    private readonly Task _reading;
    private volatile TaskCompletionSource<string?>? _running;
    private volatile TaskCompletionSource<JsonObject?>? _asked;
    private volatile bool _ended;

    private SessionClient(Process process, NamedPipeServerStream pipe, Action<JsonObject> output)
    {
        (_process, _pipe, _output) = (process, pipe, output);
        _writer = new StreamWriter(pipe) { AutoFlush = true, NewLine = "\n" };
        process.OutputDataReceived += (_, e) => Native("stdout", e.Data);
        process.ErrorDataReceived += (_, e) => Native("stderr", e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _reading = Task.Run(ReadAsync);
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
        NamedPipeServerStream pipe = OpenPipe(out string name);
        var start = new ProcessStartInfo(Dotnet(), ["exec", host, "session", name, folder, .. live ? new[] { "--live" } : []])
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
        Task connected = pipe.WaitForConnectionAsync(cancellation);
        try
        {
            if (await Task.WhenAny(connected, process.WaitForExitAsync(cancellation)) != connected)
                throw new KitException($"The notebook's process ended with code {process.ExitCode} before it began: {(await process.StandardError.ReadToEndAsync(cancellation)).Trim()}");
            await connected;
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            await pipe.DisposeAsync();
            throw;
        }
        return new SessionClient(process, pipe, output);
    }

    /// <summary>
    /// Opens a pipe. On Unix it is a socket, in TMPDIR where nothing else is said: there a path of more than some 100
    /// bytes,
    /// a folder that is not there or one that may not be written cannot hold it, and it is put into a short one.
    /// </summary>
    /// <param name="name">What the child opens: a name, or the path of the socket.</param>
    /// <exception cref="KitException">No folder can hold it.</exception>
    internal static NamedPipeServerStream OpenPipe(out string name)
    {
        name = $"kit-{Guid.NewGuid():N}"[..16];
        string?[] folders = OperatingSystem.IsWindows() ? [""] : [Path.GetTempPath(),
            Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp", "/dev/shm"];
        var faults = new List<string>();
        foreach (string folder in folders.OfType<string>())
        {
            string path = folder.Length == 0 ? name : Path.Combine(Path.GetFullPath(folder), name);
            try
            {
                var pipe = new NamedPipeServerStream(path, PipeDirection.InOut, 1, PipeTransmissionMode.Byte,
                    PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
                name = path;
                return pipe;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException or ArgumentException)
            {
                faults.Add($"{folder}: {e.Message}");
            }
        }
        throw new KitException($"No folder can hold the socket of the notebook's process ({string.Join("; ", faults)}); set TMPDIR to a folder that is there, may be written and has a path of at most 80 bytes.");
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

    /// <summary>Asks complete or inspect about a source text at a place in it.</summary>
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
                var message = (JsonObject)JsonNode.Parse(line)!;
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
            _running.TrySetResult($"The notebook's process ended with code {_process.ExitCode}{(tail == "" ? "" : $": {tail.Split('\n')[^1]}")}");
        }
        _running?.TrySetResult("The notebook's process closed its pipe.");
    }

    private void Native(string stream, string? line)
    {
        if (line is null) return;
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
