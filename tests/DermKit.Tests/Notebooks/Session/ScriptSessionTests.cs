using DermKit.Notebooks;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

/// <summary>A session takes over the process's console, so these run with nothing beside them.</summary>
[CollectionDefinition("console", DisableParallelization = true)]
public sealed class ConsoleCollection;

[Collection("console")]
public sealed class ScriptSessionTests : IDisposable
{
    private readonly List<JsonObject> _outputs = [];
    private readonly ScriptSession _session;

    public ScriptSessionTests() => _session = new ScriptSession(AppContext.BaseDirectory, _outputs.Add);

    public void Dispose() => _session.Dispose();

    private async Task<CellError?> Run(string source) =>
        await _session.RunAsync(source, $"cell-{_session.ExecutionCount + 1}", TestContext.Current.CancellationToken);

    private async Task Succeeds(string source)
    {
        CellError? error = await Run(source);
        Assert.True(error is null, error?.Summary);
    }

    private string Data(int output, string mime = "text/plain") => NotebookCell.Text(_outputs[output]["data"]![mime]);

    private string? Kind(int output) => (string?)_outputs[output]["output_type"];

    [Fact]
    public async Task StateAndUsingsStay()
    {
        await Succeeds("using System.Globalization;\nint x = 20;\nint Twice(int n) => 2 * n;");
        await Succeeds("x += 1; // nothing to show\nvar culture = CultureInfo.InvariantCulture;");
        Assert.Empty(_outputs);
        await Succeeds("Twice(x)");
        Assert.Equal(("execute_result", "42"), (Kind(0), Data(0)));
        Assert.Equal(3, (int)_outputs[0]["execution_count"]!);
    }

    [Fact]
    public async Task DefaultImportsAreThoseOfDotnetInteractive()
    {
        await Succeeds("new List<int> { 3, 1 }.Order().First() + new StringBuilder(\"x\").Length");
        Assert.Contains("'Path' does not exist", (await Run("Path.Combine(\"a\", \"b\")"))!.Message);
        Assert.Equal("2", Data(0));
    }

    [Fact]
    public async Task AwaitAtTopLevel()
    {
        await Succeeds("await Task.Yield();\nint n = await Task.FromResult(7);\nn");
        Assert.Equal("7", Data(0));
    }

    [Fact]
    public async Task StreamsAndDisplaysKeepTheirOrder()
    {
        await Succeeds("Console.Write(\"a\"); Console.Write('b');\ndisplay(1);\nConsole.Error.WriteLine(\"oops\");\n"
            + "Console.WriteLine(2.5);\n\"last\"");
        Assert.Equal(["stream", "display_data", "stream", "stream", "execute_result"],
            _outputs.Select((_, i) => Kind(i)));
        Assert.Equal(["ab", "oops\n", "2.5\n"],
            _outputs.Where(o => o.ContainsKey("name")).Select(o => NotebookCell.Text(o["text"])));
        Assert.Equal("stderr", (string?)_outputs[2]["name"]);
    }

    [Fact]
    public async Task DisplayIsUpdatedFromALaterCell()
    {
        await Succeeds("var shown = display(\"one\");");
        await Succeeds("shown.Update(\"two\")");
        Assert.Equal(["display_data", "update_display_data"], _outputs.Select((_, i) => Kind(i)));
        Assert.Equal((string?)_outputs[0]["transient"]!["display_id"],
            (string?)_outputs[1]["transient"]!["display_id"]);
        Assert.Equal("two", Data(1));
    }

    [Fact]
    public async Task DisplayAsLastExpressionShowsOnce()
    {
        await Succeeds("display(5)");
        Assert.Equal(("5", 1), (Data(0), _outputs.Count));
    }

    [Fact]
    public async Task CompileErrorNamesCellAndLine()
    {
        await Succeeds("int a = 1;");
        CellError? error = await Run("a++;\n\nint b = missing + a;\nalso.missing();");
        Assert.Equal("CompilationError", error!.Name);
        Assert.StartsWith("cell-2, line 3: CompilationError: CS0103:", error.Summary);
        Assert.Equal(["    int b = missing + a;",
            "cell-2, line 4: CS0103: The name 'also' does not exist in the current context", "    also.missing();"],
            error.Details.Select(d => d.TrimEnd()));
        Assert.Equal("error", Kind(0));
        Assert.Equal(error.Summary, (string?)_outputs[0]["traceback"]![0]);
        await Succeeds("a");
        Assert.Equal("1", Data(1));
    }

    [Fact]
    public async Task RuntimeErrorNamesTheLinesOfAllCellsOnTheStack()
    {
        await Succeeds("int Divide(int n)\n{\n    return 1 / n;\n}");
        CellError? error = await Run("int kept = 5;\nConsole.WriteLine(\"before\");\nDivide(0)");
        Assert.Equal(("DivideByZeroException", "cell-1, line 3"), (error!.Name, error.Place));
        Assert.Equal(["   at cell-1, line 3: return 1 / n;", "   at cell-2, line 3: Divide(0)"], error.Details);
        Assert.Equal(["stream", "error"], _outputs.Select((_, i) => Kind(i)));
        await Succeeds("kept");
        Assert.Equal("5", Data(2));
    }

    [Fact]
    public async Task ErrorAfterAwaitAndInnerErrorsAreNamed()
    {
        CellError? error = await Run("await Task.Delay(1);\ntry { throw new System.IO.IOException(\"disk\"); }\ncatch "
            + "(System.IO.IOException e)\n{\n    throw new InvalidOperationException(\"load\", e);\n}");
        Assert.Equal(("InvalidOperationException", "cell-1, line 5"), (error!.Name, error.Place));
        Assert.Contains("caused by IOException: disk", error.Details);
        error = await Run("Task.Run(() => throw new KeyNotFoundException(\"k\")).Wait();");
        Assert.Equal("KeyNotFoundException", error!.Name);
    }

    [Fact]
    public async Task WarningsStopNothing() =>
        await Succeeds("int unused; string? s = null; async Task F() { }\n#warning look");

    [Fact]
    public async Task MissingDllNamesTheRemedy()
    {
        CellError? error = await Run("#r \"../nowhere/DermKit.dll\"");
        Assert.Contains("dotnet build Kit.sln -c Release", error!.Message);
        error = await Run("#!share --from python x\nint y = 1;");
        Assert.Contains("magic commands", error!.Message);
        Assert.Equal("cell-2, line 1", error.Place);
    }

    [Fact]
    public async Task AnotherCopyOfALoadedDllIsRefused()
    {
        string copy = Path.Combine(Directory.CreateTempSubdirectory("kit").FullName, "DermKit.dll");
        File.Copy(typeof(KitSettings).Assembly.Location, copy);
        CellError? error = await Run($"#r \"{copy}\"");
        Assert.Equal("AssemblyConflict", error!.Name);
        await Succeeds("#r \"DermKit.dll\"\nDermKit.RunMode.Quick.ToString()");
        Assert.Equal("Quick", Data(1));
    }

    [Fact]
    public async Task TheTypesFormatterIsFoundByName()
    {
        await Succeeds("""
            public class TypeFormatterSourceAttribute : Attribute
            {
                public TypeFormatterSourceAttribute(Type type) => FormatterSourceType = type;
                public Type FormatterSourceType { get; }
                public string[] PreferredMimeTypes { get; set; }
            }
            public class Look { public string MimeType { get; set; } public bool Format(object o, System.IO.TextWriter w) { if (MimeType == "text/never") return false; w.Write(MimeType == "application/json" ? "{\"n\": 1}" : $"<b>{o}</b>"); return true; } }
            public class Source { public IEnumerable<object> CreateTypeFormatters() => new[] { "text/never", "application/json", "text/html" }.Select(m => new Look { MimeType = m }); }
            [TypeFormatterSource(typeof(Source), PreferredMimeTypes = new[] { "text/html" })]
            public interface IShown { }
            public class Base : IShown { public override string ToString() => "plain"; }
            public class Derived : Base { }
            """);
        await Succeeds("new Derived()");
        Assert.Equal("<b>plain</b>", Data(0, "text/html"));
        Assert.Equal(1, (int)_outputs[0]["data"]!["application/json"]!["n"]!);
        Assert.Equal("plain", Data(0));
        Assert.Equal(["text/html", "application/json", "text/plain"],
            _outputs[0]["data"]!.AsObject().Select(d => d.Key));
    }

    [Theory]
    [InlineData("new[] { 1.5, 2 }", "[1.5, 2]", "<td>1.5</td>")]
    [InlineData("new[] { new { Name = \"a<b\", N = 1 } }", "Name = a<b",
        "<th>Name</th><th>N</th></tr></thead>\n<tbody>\n<tr><td>a&lt;b</td><td>1</td></tr>")]
    [InlineData("new Dictionary<string, int> { [\"k\"] = 3 }", "k", "<td>k</td><td>3</td>")]
    [InlineData("Enumerable.Range(0, 1000).Select(i => i)", ".. more", "<td>49</td>")]
    [InlineData("Enumerable.Range(0, 60).ToList()", ".. 10 more", ".. 10 more")]
    public async Task SequencesAreTables(string source, string plain, string html)
    {
        await Succeeds(source);
        Assert.Contains(plain, Data(0));
        Assert.Contains(html, Data(0, "text/html"));
    }

    [Fact]
    public async Task DataFramesAreTables()
    {
        await Succeeds("#r \"Microsoft.Data.Analysis.dll\"\nusing Microsoft.Data.Analysis;\nnew DataFrame(new "
            + "PrimitiveDataFrameColumn<int>(\"n\", new[] { 1, 2 }), new StringDataFrameColumn(\"s\", new[] { \"a\", "
            + "\"<\" }))");
        Assert.Contains("<th>n</th><th>s</th>", Data(0, "text/html"));
        Assert.Contains("<td>2</td><td>&lt;</td>", Data(0, "text/html"));
    }

    [Fact]
    public async Task TensorsBringTheirOwnFormatters()
    {
        await Succeeds("#r \"TorchSharp.dll\"\nusing TorchSharp;\ntorch.arange(6).reshape(2, 3)");
        Assert.Equal("[2x3], type = Int64, device = cpu\n 0 1 2\n 3 4 5\n", Data(0));
        Assert.Contains("type = Int64", Data(0, "text/html"));
    }

    [Fact]
    public async Task ImagesHaveBothForms()
    {
        await Succeeds(
            "#r \"DermKit.dll\"\nusing DermKit.Imaging;\nnew RgbImage(2, 1, new byte[] { 255, 0, 0, 0, 0, 255 })");
        Assert.Equal("Image of 2 x 1 pixels", Data(0));
        Assert.StartsWith("<img src=\"data:image/png;base64,", Data(0, "text/html"));
        Assert.Contains("alt=\"Image of 2 x 1 pixels\"", Data(0, "text/html"));
    }

    [Fact]
    public async Task LibraryCodeReachesTheHost()
    {
        var display = (Action<string, bool, IReadOnlyDictionary<string, string>>)AppContext.GetData("DermKit.Display")!;
        display("id", false, new Dictionary<string, string> { ["text/html"] = "<i>", ["text/plain"] = "i" });
        display("id", true, new Dictionary<string, string> { ["text/html"] = "<u>" });
        Assert.Equal(["display_data", "update_display_data"], _outputs.Select((_, i) => Kind(i)));
        ((IDictionary<string, string>)AppContext.GetData("DermKit.Provenance")!)["seeds"] = "1, 9";
        Assert.Equal("1, 9", _session.Provenance["seeds"]);
        await Succeeds(
            "((System.Threading.CancellationToken)AppContext.GetData(\"DermKit.Cancellation\")).CanBeCanceled");
        Assert.Equal("True", Data(2));
    }
}
