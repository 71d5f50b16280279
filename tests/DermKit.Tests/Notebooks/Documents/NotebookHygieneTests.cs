using DermKit.Notebooks;
using DermKit.Tests.Cli;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

public sealed class NotebookHygieneTests
{
    /// <summary>A clean notebook with a title, a parameter cell and a code cell.</summary>
    private static NotebookDocument Tidy()
    {
        NotebookDocument notebook = NotebookDocument.Create();
        notebook.InsertMarkdown(0, "title", "# Title\n\n```sh\n# no title\n```");
        notebook.InsertCode(1, "parameters", "int n = 1;").Metadata["tags"] = new JsonArray("parameters");
        notebook.InsertCode(2, "run", "n + 1");
        return notebook;
    }

    private static IReadOnlyList<string> Problems(NotebookDocument notebook) =>
        NotebookHygiene.Problems(notebook, notebook.ToJson());

    [Fact]
    public void EveryNotebookOfTheKitIsClean() =>
        Assert.All(NotebookFiles.All(GeneratedNotebook.Root),
            path => Assert.Empty(NotebookHygiene.Problems(NotebookDocument.Load(path), File.ReadAllText(path))));

    private static object Spoil(Action<NotebookDocument> change) => change;

    public static TheoryData<string, object> Untidy() => new()
    {
        { "cell 'run': has outputs", Spoil(n =>
            n.Cells[2].Outputs.Add(new JsonObject { ["output_type"] = "stream" })) },
        { "cell 'run': execution_count is not null", Spoil(n => n.Cells[2].ExecutionCount = 3) },
        { "cell 'a1b2c3d4': the id does not consist of words", Spoil(n => n.Cells[2].Json["id"] = "a1b2c3d4") },
        { "cell 'run': metadata vscode", Spoil(n => n.Cells[2].Metadata["vscode"] = new JsonObject()) },
        { "cell 'title': metadata collapsed", Spoil(n => n.Cells[0].Metadata["collapsed"] = true) },
        { "an editor has changed the metadata", Spoil(n => n.Root["metadata"]!["language_info"]!["version"] = "14.0") },
        { "2 headings of level 1", Spoil(n => n.InsertMarkdown(3, "more", "text\n\n# Another")) },
        { "0 headings of level 1", Spoil(n => n.Cells[0].Source = "## Only") },
        { "cell 'run': 15 lines", Spoil(n => n.Cells[2].Source = string.Join('\n', Enumerable.Repeat("n++;", 15))) },
        { "cell 'run': a line of 121 columns", Spoil(n => n.Cells[2].Source = $"// {new string('x', 118)}") },
        { "cell 'run': '#r \"nuget:' does not run", Spoil(n => n.Cells[2].Source = "#r \"nuget: Other\"") },
        { "cell 'run': '<img' shows an image without caption", Spoil(n =>
            n.Cells[2].Source = "display(\"<img src=x>\")") },
        { "cell 'title': the image a.png has no alternative text", Spoil(n =>
            n.Cells[0].Source = "# T\n\n![](a.png)\n\n*caption*") },
        { "cell 'title': the image a.png has no caption", Spoil(n =>
            n.Cells[0].Source = "# T\n\n![what it shows](a.png)\n\ntext") },
        { "cell 'run': is for the kernel 'fsharp'", Spoil(n =>
            n.Cells[2].Metadata["polyglot_notebook"]!["kernelName"] = "fsharp") },
    };

    [Theory]
    [MemberData(nameof(Untidy), DisableDiscoveryEnumeration = true)]
    public void EachProblemIsNamed(string expected, object spoil)
    {
        NotebookDocument notebook = Tidy();
        Assert.Empty(Problems(notebook));
        ((Action<NotebookDocument>)spoil)(notebook);
        Assert.StartsWith(expected, Assert.Single(Problems(notebook)));
    }

    [Fact]
    public void AnotherLayoutIsNamed()
    {
        NotebookDocument notebook = Tidy();
        Assert.Contains("layout",
            Assert.Single(NotebookHygiene.Problems(notebook, notebook.ToJson().Replace("\n", "\r\n"))));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void AnOlderMinorIsBroughtToOneWithIds(int minor)
    {
        NotebookDocument old = NotebookDocument.Parse(NotebookDocumentTests.Old(minor), "old");
        IReadOnlyList<string> problems = Problems(old);
        Assert.Contains("nbformat is older than 4.5",
            problems.Single(p => p.StartsWith("nbformat", StringComparison.Ordinal)));
        Assert.Equal(4,
            problems.Count(p => p.EndsWith("has no id; kit notebooks clean adds one", StringComparison.Ordinal)));
        NotebookDocument clean = NotebookHygiene.Clean(old);
        Assert.Empty(Problems(clean));
        Assert.Equal(5, (int)clean.Root["nbformat_minor"]!);
        Assert.Equal(["old", "as-it-is", "int", "int-2"], clean.Cells.Select(c => (string?)c.Json["id"]));
        Assert.Equal(["markdown", "raw", "code", "code"], clean.Cells.Select(c => c.Type));
        Assert.Equal("iVBORw0KGgo=", (string?)clean.Cells[0].Json["attachments"]!["a.png"]!["image/png"]);
        Assert.Equal(["parameters"], clean.Cells[2].Tags);
        Assert.Equal(clean.ToJson(),
            NotebookHygiene.Clean(NotebookDocument.Parse(NotebookDocumentTests.Old(minor), "old")).ToJson());
        Assert.Equal(clean.ToJson(), NotebookHygiene.Clean(NotebookDocument.Parse(clean.ToJson(), "clean")).ToJson());
    }

    [Fact]
    public async Task CleanMendsAndCheckSaysWhatIsLeft()
    {
        using var folder = new TemporaryFolder();
        NotebookDocument notebook = Tidy();
        notebook.Root["metadata"]!["language_info"] = new JsonObject { ["name"] = "C#" };
        notebook.Cells[2].Json["id"] = "4f1c0b7a-1111-4222-8333-123456789abc";
        notebook.Cells[2].ExecutionCount = 5;
        notebook.Cells[2]
            .Outputs.Add(new JsonObject { ["output_type"] = "stream", ["name"] = "stdout", ["text"] = "x" });
        notebook.Cells[2].Metadata["vscode"] = new JsonObject();
        notebook.InsertCode(3, "5f1c0b7a", "n + 1");
        string path = Path.Combine(folder.Path, "a.ipynb");
        File.WriteAllText(path, notebook.ToJson().Replace("\n", "\r\n"));
        (int code, string text, _) = await KitProcess.Run(["notebooks", "check", path]);
        Assert.Equal(1, code);
        Assert.Contains($"{path}: cell '5f1c0b7a': the id", text);
        (code, text, _) = await KitProcess.Run(["notebooks", "clean", path]);
        Assert.True(code == 0, text);
        NotebookDocument clean = NotebookDocument.Load(path);
        Assert.Empty(NotebookHygiene.Problems(clean, File.ReadAllText(path)));
        Assert.Equal(["title", "parameters", "code", "code-2"], clean.Cells.Select(c => c.Id));
        Assert.Equal(notebook.Cells.Select(c => c.Source), clean.Cells.Select(c => c.Source));
        Assert.Equal(["parameters"], clean.Cells[1].Tags);

        File.WriteAllText(path, clean.ToJson().Replace("# Title", "## Title"));
        (code, text, _) = await KitProcess.Run(["notebooks", "clean", path]);
        Assert.Equal(1, code);
        Assert.Contains("0 headings of level 1", text);
        Assert.Contains("0 of 1 notebooks are clean", text);
    }
}
