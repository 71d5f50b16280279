using DermKit.Notebooks;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

/// <summary>Notebooks made for a test, in a folder of their own, with the kit's dll of lib/bin.</summary>
internal sealed class GeneratedNotebook : IDisposable
{
    private readonly NotebookDocument _document = NotebookDocument.Create();

    internal static string Root { get; } = KitSettings.FromEnvironment().Root;

    internal static string LibBin { get; } = Path.Combine(Root, "lib", "bin");

    internal string Folder { get; } = Directory.CreateTempSubdirectory("kit-notebook").FullName;

    internal string Out => Path.Combine(Folder, "out");

    internal GeneratedNotebook Code(string source, params string[] tags)
    {
        NotebookCell cell = _document.InsertCode(_document.Cells.Count, $"id{_document.Cells.Count}", source);
        if (tags.Length > 0) cell.Metadata["tags"] = new JsonArray([.. tags.Select(t => (JsonNode)t)]);
        return this;
    }

    internal GeneratedNotebook Limit(double seconds)
    {
        _document.Cells[^1].Metadata["kit"] = new JsonObject { ["timeout"] = seconds };
        return this;
    }

    internal string Save(string name = "sample")
    {
        string path = Path.Combine(Folder, name + ".ipynb");
        _document.Save(path);
        return path;
    }

    internal async Task<NotebookRun> RunAsync(RunOptions? options = null, CancellationToken? cancellation = null)
    {
        options ??= new RunOptions { Root = Root };
        string path = Save();
        return await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options, _ => { },
            cancellation ?? TestContext.Current.CancellationToken);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
