using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>
/// Runs C# script cells one after another in this process: #r relative to the notebook's folder, top-level await, a trailing expression as
/// the cell's value, display(x). Outputs leave as nbformat 4 objects; an update of an earlier display as update_display_data, as in Jupyter's messages.
/// </summary>
/// <remarks>Takes over Console.Out and Console.Error until disposed, and sets the AppContext data DermKit.Display, DermKit.Provenance and DermKit.Cancellation, by which library code reaches the host without knowing it.</remarks>
public sealed class ScriptSession : IDisposable
{
    /// <summary>The namespaces that a cell may use without saying so; those of .NET Interactive.</summary>
    private static readonly string[] Imports = ["System", "System.Text", "System.Collections", "System.Collections.Generic", "System.Threading.Tasks", "System.Linq"];

    private static readonly Lazy<Dictionary<string, string>> HostAssemblies = new(() => ((string?)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .DistinctBy(p => Path.GetFileNameWithoutExtension(p), StringComparer.OrdinalIgnoreCase)
        .ToDictionary(p => Path.GetFileNameWithoutExtension(p), StringComparer.OrdinalIgnoreCase));

    private readonly Action<JsonObject> _emit;
    private readonly Lock _lock = new();
    private readonly ScriptOptions _options;
    private readonly ScriptGlobals _globals;
    private readonly StreamCapture _out, _error;
    private readonly (TextWriter Out, TextWriter Error) _console = (Console.Out, Console.Error);
    private readonly ConcurrentDictionary<string, string> _provenance = new();
    private readonly Dictionary<string, string> _sources = [];
    private ScriptState<object>? _state;

    /// <summary>Starts a session.</summary>
    /// <param name="folder">The notebook's folder, from which #r is resolved.</param>
    /// <param name="emit">Takes each output, one at a time, on whatever thread makes it.</param>
    public ScriptSession(string folder, Action<JsonObject> emit)
    {
        _emit = emit;
        _options = ScriptOptions.Default
            .WithMetadataResolver(ScriptMetadataResolver.Default.WithBaseDirectory(folder))
            .WithSourceResolver(ScriptSourceResolver.Default.WithBaseDirectory(folder))
            .AddReferences(typeof(Enumerable).Assembly, typeof(List<>).Assembly, typeof(Stack<>).Assembly, typeof(ConcurrentDictionary<,>).Assembly, typeof(Console).Assembly)
            .AddImports(Imports)
            .WithLanguageVersion(LanguageVersion.Latest)
            .WithEmitDebugInformation(true)
            .WithFileEncoding(Encoding.UTF8);
        _globals = new ScriptGlobals(this);
        _out = new StreamCapture("stdout", Emit);
        _error = new StreamCapture("stderr", Emit);
        Console.SetOut(_out);
        Console.SetError(_error);
        AppContext.SetData("DermKit.Display", (Action<string, bool, IReadOnlyDictionary<string, string>>)Display);
        AppContext.SetData("DermKit.Provenance", _provenance);
    }

    /// <summary>What library code noted about the origin of the results.</summary>
    public IReadOnlyDictionary<string, string> Provenance => _provenance;

    /// <summary>How many cells were run.</summary>
    public int ExecutionCount { get; private set; }

    /// <summary>Runs a cell and emits its outputs, an error among them.</summary>
    /// <param name="source">The C# text.</param>
    /// <param name="cell">How errors and stack traces name the cell.</param>
    /// <param name="cancellation">Reaches library code as AppContext data DermKit.Cancellation; a cell that does not look at it runs on.</param>
    /// <returns>Null, or why the cell failed. Variables set before a failure stay.</returns>
    public async Task<CellError?> RunAsync(string source, string cell, CancellationToken cancellation = default)
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
        if (cancellation.IsCancellationRequested && error?.Name is nameof(OperationCanceledException) or nameof(TaskCanceledException))
            error = error with { Name = "Interrupted", Message = "The cell was asked to stop, and did; variables are as it left them." };
        FlushStreams();
        if (error is not null) Emit(error.ToOutput());
        return error;
    }

    /// <summary>A text as the next cell, to be looked at and not run.</summary>
    /// <exception cref="KitException">The text is too deep for the compiler.</exception>
    internal Compilation Compile(string source)
    {
        CodeDepth.Check(source, "cell");
        return Next(source, _options).GetCompilation();
    }

    /// <summary>The value of a variable; false when no cell has declared it.</summary>
    internal bool Variable(string name, out object? value)
    {
        ScriptVariable? variable = _state?.GetVariable(name);
        value = variable?.Value;
        return variable is not null;
    }

    /// <summary>Gives the console back.</summary>
    public void Dispose()
    {
        Console.SetOut(_console.Out);
        Console.SetError(_console.Error);
        _out.Dispose();
        _error.Dispose();
        AppContext.SetData("DermKit.Display", null);
        AppContext.SetData("DermKit.Cancellation", null);
    }

    internal string Display(object? value, string? id = null)
    {
        bool update = id is not null;
        id ??= Guid.NewGuid().ToString("N");
        Display(id, update, ValueFormatter.Format(value));
        return id;
    }

    private void Display(string id, bool update, IReadOnlyDictionary<string, string> content)
    {
        FlushStreams();
        Emit(new JsonObject
        {
            ["output_type"] = update ? "update_display_data" : "display_data",
            ["data"] = ValueFormatter.ToData(content),
            ["metadata"] = new JsonObject(),
            ["transient"] = new JsonObject { ["display_id"] = id },
        });
    }

    private async Task<CellError?> ExecuteAsync(string source, string cell, CancellationToken cancellation)
    {
        if (CellError.FromMagic(source, cell) is { } magic) return magic;
        if (CodeDepth.Problem(source) is { } problem)
            return new("CompilationError", problem.Message, $"{cell}, line {problem.Line}", []);
        ScriptOptions options = _options.WithFilePath(cell);
        Script<object> script = Next(source, options);
        Diagnostic[] errors = [.. script.Compile(cancellation).Where(d => d.Severity == DiagnosticSeverity.Error)];
        if (errors.Length > 0) return CellError.From(errors, source, cell);
        if (OtherCopy(script.GetCompilation()) is { } message) return new CellError("AssemblyConflict", message, cell, []);

        _state = _state is null ? await script.RunAsync(_globals, _ => true, cancellation) : await script.RunFromAsync(_state, _ => true, cancellation);
        if (_state.Exception is { } thrown) return CellError.From(thrown, cell, _sources);
        if (_state.ReturnValue is not (null or DisplayedValue))
        {
            IReadOnlyDictionary<string, string> content = ValueFormatter.Format(_state.ReturnValue);
            FlushStreams();
            Emit(new JsonObject
            {
                ["output_type"] = "execute_result",
                ["data"] = ValueFormatter.ToData(content),
                ["execution_count"] = ExecutionCount,
                ["metadata"] = new JsonObject(),
            });
        }
        return null;
    }

    private Script<object> Next(string source, ScriptOptions options) => _state is null
        ? CSharpScript.Create<object>(source, options, typeof(ScriptGlobals))
        : _state.Script.ContinueWith<object>(source, options);

    /// <summary>A process has one copy of a library: that beside the host. A cell compiled against another copy would run against this one.</summary>
    private static string? OtherCopy(Compilation compilation)
    {
        foreach (string path in compilation.DirectiveReferences.OfType<PortableExecutableReference>().Select(r => r.FilePath!))
            if (HostAssemblies.Value.TryGetValue(Path.GetFileNameWithoutExtension(path), out string? own) && Path.GetFullPath(own) != Path.GetFullPath(path))
                return $"#r names {path}, but this host runs with {own}; start the kit of the clone that the notebook belongs to.";
        return null;
    }

    private void FlushStreams()
    {
        _out.Flush();
        _error.Flush();
    }

    private void Emit(JsonObject output)
    {
        lock (_lock) _emit(output);
    }
}

/// <summary>What a cell can name without a #r.</summary>
public sealed class ScriptGlobals
{
    private readonly ScriptSession _session;

    internal ScriptGlobals(ScriptSession session) => _session = session;

    /// <summary>Shows a value under the cell.</summary>
    /// <returns>A handle by which the shown value can be replaced.</returns>
#pragma warning disable IDE1006 // the name that notebook hosts share
    public DisplayedValue display(object? value) => new(_session, _session.Display(value));
#pragma warning restore IDE1006
}

/// <summary>A value shown under a cell.</summary>
public sealed class DisplayedValue
{
    private readonly ScriptSession _session;
    private readonly string _id;

    internal DisplayedValue(ScriptSession session, string id) => (_session, _id) = (session, id);

    /// <summary>Shows another value in its place.</summary>
    public void Update(object? value) => _session.Display(value, _id);
}
