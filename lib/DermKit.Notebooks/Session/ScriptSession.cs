using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;

namespace DermKit.Notebooks;

/// <summary>Runs C# script cells in this process. Emits nbformat 4 outputs and Jupyter's update_display_data.</summary>
/// <remarks>Replaces Console.Out and Console.Error until disposed. Library code reaches the host through the AppContext
/// data DermKit.Display, DermKit.Provenance and DermKit.Cancellation.</remarks>
internal sealed class ScriptSession : IDisposable
{
    private static readonly string[] HostAssemblies =
        ((string?)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") ?? "").Split(Path.PathSeparator);

    private readonly Action<JsonObject> _emit;
    private readonly Lock _lock = new();
    private readonly ScriptOptions _options;
    private readonly ScriptGlobals _globals;
    private readonly StreamCapture _out;
    private readonly StreamCapture _error;
    private readonly (TextWriter Out, TextWriter Error) _console = (Console.Out, Console.Error);
    private readonly ConcurrentDictionary<string, string> _provenance = new();
    private readonly Dictionary<string, string> _sources = [];
    private ScriptState<object>? _state;

    internal ScriptSession(string folder, Action<JsonObject> emit)
    {
        _emit = emit;
        _options = ScriptOptions.Default
            .WithMetadataResolver(
                new CachingReferenceResolver(ScriptMetadataResolver.Default.WithBaseDirectory(folder)))
            .WithSourceResolver(ScriptSourceResolver.Default.WithBaseDirectory(folder))
            .AddReferences(typeof(Enumerable).Assembly, typeof(List<>).Assembly, typeof(Stack<>).Assembly,
                typeof(ConcurrentDictionary<,>).Assembly, typeof(Console).Assembly)
            // As .NET Interactive.
            .AddImports("System", "System.Text", "System.Collections", "System.Collections.Generic",
                "System.Threading.Tasks", "System.Linq")
            .WithLanguageVersion(LanguageVersion.Latest)
            .WithEmitDebugInformation(true)
            .WithFileEncoding(Encoding.UTF8);
        _globals = new ScriptGlobals(Display);
        _out = new StreamCapture("stdout", Emit);
        _error = new StreamCapture("stderr", Emit);
        Console.SetOut(_out);
        Console.SetError(_error);
        AppContext.SetData("DermKit.Display", (Action<string, bool, IReadOnlyDictionary<string, string>>)Display);
        AppContext.SetData("DermKit.Provenance", _provenance);
    }

    internal IReadOnlyDictionary<string, string> Provenance => _provenance;

    internal int ExecutionCount { get; private set; }

    internal async Task<CellError?> RunAsync(string source, string cell, CancellationToken cancellation = default)
    {
        ExecutionCount++;
        _sources[cell] = source;
        AppContext.SetData("DermKit.Cancellation", cancellation);
        CellError? error;
        try
        {
            error = await ExecuteAsync(source, cell, cancellation);
        }
        catch (Exception e)
        {
            error = CellError.From(e, cell, _sources);
        }
        if (cancellation.IsCancellationRequested
            && error?.Name is nameof(OperationCanceledException) or nameof(TaskCanceledException))
            error = error with
            {
                Name = "Interrupted",
                Message = "The cell was interrupted; variables keep the values that it gave them.",
            };
        EmitInOrder(error?.ToOutput());
        return error;
    }

    internal Compilation Compile(string source)
    {
        CodeDepth.Check(source, "cell");
        return Next(source, _options).GetCompilation();
    }

    internal ScriptVariable? Variable(string name) => _state?.GetVariable(name);

    public void Dispose()
    {
        Console.SetOut(_console.Out);
        Console.SetError(_console.Error);
        _out.Dispose();
        _error.Dispose();
        AppContext.SetData("DermKit.Display", null);
        AppContext.SetData("DermKit.Cancellation", null);
    }

    private DisplayedValue Display(object? value)
    {
        string id = Guid.NewGuid().ToString("N");
        Display(id, update: false, ValueFormatter.Format(value));
        return new(later => Display(id, update: true, ValueFormatter.Format(later)));
    }

    private void Display(string id, bool update, IReadOnlyDictionary<string, string> content) =>
        EmitData(update ? "update_display_data" : "display_data", content, "transient",
            new JsonObject { ["display_id"] = id });

    private async Task<CellError?> ExecuteAsync(string source, string cell, CancellationToken cancellation)
    {
        if (CellError.FromMagic(source, cell) is { } magic) return magic;
        if (CodeDepth.Problem(source) is { } problem)
            return new(CellError.Compilation, problem.Message, $"{cell}, line {problem.Line}", []);
        Script<object> script = Next(source, _options.WithFilePath(cell));
        Diagnostic[] errors = [.. script.Compile(cancellation).Where(d => d.Severity == DiagnosticSeverity.Error)];
        if (errors.Length > 0) return CellError.From(errors, source, cell);
        if (OtherCopy(script.GetCompilation()) is { } message)
            return new("AssemblyConflict", message, cell, []);

        _state = _state is null ? await script.RunAsync(_globals, _ => true, cancellation)
            : await script.RunFromAsync(_state, _ => true, cancellation);
        if (_state.Exception is { } thrown) return CellError.From(thrown, cell, _sources);
        if (_state.ReturnValue is not (null or DisplayedValue))
            EmitData("execute_result", ValueFormatter.Format(_state.ReturnValue), "execution_count", ExecutionCount);
        return null;
    }

    private Script<object> Next(string source, ScriptOptions options) => _state is null
        ? CSharpScript.Create<object>(source, options, typeof(ScriptGlobals))
        : _state.Script.ContinueWith<object>(source, options);

    // Reports a #r to another copy of a loaded library, with which the cell would not run.
    private static string? OtherCopy(Compilation compilation)
    {
        foreach (PortableExecutableReference other in compilation.DirectiveReferences)
            if (HostAssemblies.FirstOrDefault(p => Path.GetFileName(p) == Path.GetFileName(other.FilePath)) is { } own
                && Path.GetFullPath(own) != Path.GetFullPath(other.FilePath!))
                return $"#r names {other.FilePath}, but this host runs with {own}; start the kit of the clone that the "
                    + "notebook belongs to.";
        return null;
    }

    private void EmitData(string type, IReadOnlyDictionary<string, string> content, string key, JsonNode value)
    {
        EmitInOrder(new JsonObject
        {
            ["output_type"] = type,
            ["data"] = ValueFormatter.ToData(content),
            ["metadata"] = new JsonObject(),
            [key] = value,
        });
    }

    // After the text that was printed before it.
    private void EmitInOrder(JsonObject? output)
    {
        _out.Flush();
        _error.Flush();
        if (output is not null) Emit(output);
    }

    private void Emit(JsonObject output)
    {
        lock (_lock) _emit(output);
    }
}
