using System.Globalization;
using DermKit.Notebooks;

namespace DermKit.Tests.Notebooks;

public sealed class SessionMemoryTests
{
    private const double Mebibyte = 1 << 20;

    /// <summary>Without a cache of references each cell adds a copy of their metadata, some 4 MiB.</summary>
    [Fact]
    public async Task AHundredTrivialCellsStayBelow350Mebibytes()
    {
        using var notebook = new GeneratedNotebook();
        string library = Path.GetRelativePath(notebook.Folder, Path.Combine(GeneratedNotebook.LibBin, "DermKit.dll"));
        notebook.Code($"#r \"{library.Replace('\\', '/')}\"\nusing DermKit;\nusing DermKit.Reporting;\nint n = 0;");
        for (int i = 0; i < 100; i++) notebook.Code("n++;");
        notebook.Code("using System.Diagnostics;\nProcess.GetCurrentProcess().PeakWorkingSet64");
        NotebookRun run = await notebook.RunAsync();
        Assert.Null(run.Error);
        string peak = NotebookCell.Text(run.Executed.Cells[^1].Outputs[0]!["data"]!["text/plain"]);
        Assert.InRange(double.Parse(peak, CultureInfo.InvariantCulture) / Mebibyte, 50, 350);
    }
}
