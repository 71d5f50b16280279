using DermKit.Notebooks;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

public sealed class OutputRecorderTests
{
    private readonly OutputRecorder _recorder = new();
    private readonly NotebookDocument _notebook = NotebookDocument.Create();

    private NotebookCell Begin()
    {
        NotebookCell cell = _notebook.InsertCode(_notebook.Cells.Count, $"id{_notebook.Cells.Count}", "1");
        _recorder.Begin(cell);
        return cell;
    }

    private static JsonObject Display(string type, string id, string text) => new()
    {
        ["output_type"] = type,
        ["data"] = new JsonObject { ["text/plain"] = text },
        ["metadata"] = new JsonObject(),
        ["transient"] = new JsonObject { ["display_id"] = id },
    };

    [Fact]
    public void StreamTextIsJoinedLineByLine()
    {
        NotebookCell cell = Begin();
        foreach ((string name, string text) in new[]
        {
            ("stdout", "a"), ("stdout", "b\nc"), ("stdout", "d\n"), ("stderr", "e\n"), ("stdout", "f")
        }) _recorder.Add(StreamCapture.Output(name, text));
        Assert.Equal(["ab\n|cd\n", "e\n", "f"],
            cell.Outputs.Select(o => string.Join('|', ((JsonArray)o!["text"]!).Select(l => (string?)l))));
    }

    [Fact]
    public void ARunawayStreamIsCutOncePerCell()
    {
        NotebookCell cell = Begin();
        string line = new string('x', 999) + "\n";
        for (int i = 0; i < 1200; i++) _recorder.Add(StreamCapture.Output("stdout", line));
        _recorder.Add(StreamCapture.Output("stderr", "more"));
        string text = NotebookCell.Text(cell.Outputs.Single()!["text"]);
        Assert.InRange(text.Length, StreamLimit.MaxCharacters, StreamLimit.MaxCharacters + 100);
        Assert.EndsWith(".. cut after 1000000 characters\n", text);
        NotebookCell next = Begin();
        _recorder.Add(StreamCapture.Output("stdout", "again"));
        Assert.Equal("again", NotebookCell.Text(next.Outputs.Single()!["text"]));
    }

    [Fact]
    public void UpdatesChangeTheDisplayWhereItStands()
    {
        NotebookCell first = Begin();
        _recorder.Add(Display("display_data", "d", "one"));
        NotebookCell second = Begin();
        _recorder.Add(Display("update_display_data", "d", "two"));
        _recorder.Add(Display("update_display_data", "unknown", "three"));
        Assert.Equal("two", (string?)first.Outputs.Single()!["data"]!["text/plain"]);
        Assert.Empty(second.Outputs);
        Assert.DoesNotContain("transient", _notebook.ToJson());
    }
}
