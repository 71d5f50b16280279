using DermKit.Notebooks;

namespace DermKit.Tests.Notebooks;

public sealed class ParametersTests : IDisposable
{
    private readonly GeneratedNotebook _notebook = new GeneratedNotebook()
        .Code("// what may be changed\nint epochs = 3;\nvar rate = 0.5;\nstring name = \"a\";\nbool fast = false;\n"
            + "int[] seeds = { 1, 9 };\nDayOfWeek day = DayOfWeek.Monday;\nconst int Fixed = 1;", "parameters")
        .Code("$\"{epochs} {rate} {name} {fast} {string.Join('+', seeds)} {day}\"");

    public void Dispose() => _notebook.Dispose();

    private NotebookDocument Prepare(params (string, string)[] set) =>
        NotebookRunner.Prepare(_notebook.Save(), set.ToDictionary(s => s.Item1, s => s.Item2));

    [Fact]
    public async Task ValuesTakeTheDeclaredTypesAndStandInTheReport()
    {
        NotebookRun run = await _notebook.RunAsync(new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Set = new Dictionary<string, string>
            {
                ["epochs"] = "7",
                ["rate"] = "1e-3",
                ["name"] = "say \"ä\"\\",
                ["fast"] = "true",
                ["seeds"] = "4, 5",
                ["day"] = "DayOfWeek.Friday"
            },
        });
        Assert.Null(run.Error);
        Assert.Contains("epochs = 7;\nrate = 0.001d;", run.Executed.Cells[1].Source);
        Assert.Equal(["injected-parameters"], run.Executed.Cells[1].Tags);
        Assert.Equal("7 0.001 say \"ä\"\\ True 4+5 Friday",
            NotebookCell.Text(run.Executed.Cells[2].Outputs.Single()!["data"]!["text/plain"]));
        Assert.Contains("epochs=7", run.Provenance["parameters set"]);
    }

    [Theory]
    [InlineData("epochs", "many")]
    [InlineData("epochs", "1.5")]
    [InlineData("rate", "1,5")]
    [InlineData("rate", "NaN")]
    [InlineData("fast", "yes")]
    [InlineData("seeds", "1,x")]
    public void ValuesThatDoNotFitAreNamed(string name, string value) =>
        Assert.StartsWith($"--set {name}=", Assert.Throws<KitException>(() => Prepare((name, value))).Message);

    [Fact]
    public void UnknownNamesNameTheNearest()
    {
        NotebookDocument notebook = NotebookDocument.Load(_notebook.Save());
        Assert.Contains("did you mean epochs?",
            Assert.Throws<KitException>(() => Parameters.CheckNames(["epoch"], [notebook])).Message);
        Assert.Contains("no notebook",
            Assert.Throws<KitException>(() => Parameters.CheckNames(["Fixed"], [notebook])).Message);
        Assert.Contains("declare no parameters",
            Assert.Throws<KitException>(() => Parameters.CheckNames(["x"], [NotebookDocument.Create()])).Message);
        Parameters.CheckNames(["day", "seeds"], [NotebookDocument.Create(), notebook]);
    }

    [Fact]
    public async Task EarlierInjectedCellsAreReplacedAndWhatTheySetAloneStays()
    {
        using var notebook = new GeneratedNotebook()
            .Code("int epochs = 3;\nvar rate = 0.5;\nstring name = \"a\";", "parameters")
            // The first as papermill writes it, the second as the kit does.
            .Code("// Parameters\nvar epochs = 5;\nvar rate = 0.25;", "injected-parameters")
            .Code("// set on the command line\nepochs = 6;\nname = \"b\";", "injected-parameters")
            .Code("$\"{epochs} {rate} {name}\"");
        Assert.Equal(4, NotebookRunner.Prepare(notebook.Save(), new Dictionary<string, string>()).Cells.Count);
        NotebookRun run =
            await notebook.RunAsync(new RunOptions
            {
                Root = GeneratedNotebook.Root,
                Set = new Dictionary<string, string> { ["epochs"] = "7" }
            });
        Assert.Null(run.Error);
        Assert.Equal(3, run.Executed.Cells.Count);
        Assert.Equal(["injected-parameters"], run.Executed.Cells[1].Tags);
        Assert.Equal("// set before\nvar rate = 0.25;\nname = \"b\";\n// set on the command line\nepochs = 7;",
            run.Executed.Cells[1].Source);
        Assert.Equal("7 0.25 b", NotebookCell.Text(run.Executed.Cells[2].Outputs.Single()!["data"]!["text/plain"]));
        Assert.Equal("rate=0.25, name=\"b\", epochs=7", run.Provenance["parameters set"]);
        // A second run of what the first one wrote.
        NotebookDocument again = NotebookDocument.Parse(run.Executed.ToJson(), "copy");
        Parameters.Inject(again, new Dictionary<string, string> { ["epochs"] = "8", ["rate"] = "1" });
        Assert.Equal("// set before\nname = \"b\";\n// set on the command line\nepochs = 8;\nrate = 1d;",
            again.Cells[1].Source);
    }

    [Fact]
    public void WithoutValuesNothingIsInserted() => Assert.Equal(2, Prepare().Cells.Count);
}
