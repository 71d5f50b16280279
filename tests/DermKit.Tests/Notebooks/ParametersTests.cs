using DermKit.Cli.Notebooks;

namespace DermKit.Tests.Notebooks;

public sealed class ParametersTests : IDisposable
{
    private readonly GeneratedNotebook _notebook = new GeneratedNotebook()
        .Code("// what may be changed\nint epochs = 3;\nvar rate = 0.5;\nstring name = \"a\";\nbool fast = false;\nint[] seeds = { 1, 9 };\nDayOfWeek day = DayOfWeek.Monday;\nconst int Fixed = 1;", "parameters")
        .Code("$\"{epochs} {rate} {name} {fast} {string.Join('+', seeds)} {day}\"");

    public void Dispose() => _notebook.Dispose();

    private NotebookDocument Prepare(params (string, string)[] set) => NotebookRunner.Prepare(_notebook.Save(), set.ToDictionary(s => s.Item1, s => s.Item2));

    [Fact]
    public async Task ValuesTakeTheDeclaredTypesAndStandInTheReport()
    {
        NotebookRun run = await _notebook.RunAsync(new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Set = new Dictionary<string, string> { ["epochs"] = "7", ["rate"] = "1e-3", ["name"] = "say \"ä\"\\", ["fast"] = "true", ["seeds"] = "4, 5", ["day"] = "DayOfWeek.Friday" },
        });
        Assert.Null(run.Error);
        Assert.Contains("epochs = 7;\nrate = 0.001d;", run.Executed.Cells[1].Source);
        Assert.Equal(["injected-parameters"], run.Executed.Cells[1].Tags);
        Assert.Equal("7 0.001 say \"ä\"\\ True 4+5 Friday", NotebookCell.Text(run.Executed.Cells[2].Outputs.Single()!["data"]!["text/plain"]));
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
        Assert.Contains("did you mean epochs?", Assert.Throws<KitException>(() => Parameters.CheckNames(["epoch"], [notebook])).Message);
        Assert.Contains("no notebook", Assert.Throws<KitException>(() => Parameters.CheckNames(["Fixed"], [notebook])).Message);
        Assert.Contains("declare no parameters", Assert.Throws<KitException>(() => Parameters.CheckNames(["x"], [NotebookDocument.Create()])).Message);
        Parameters.CheckNames(["day", "seeds"], [NotebookDocument.Create(), notebook]);
    }

    [Fact]
    public void WithoutValuesNothingIsInserted() => Assert.Equal(2, Prepare().Cells.Count);
}
