using System.Reflection;
using System.Runtime.Loader;

namespace DermKit.Reporting;

/// <summary>A notebook host of this process other than the kit's own.</summary>
internal interface INotebookHost
{
    /// <summary>Whether the caller runs in a cell of that host.</summary>
    bool IsRunningCell { get; }

    /// <summary>Cancelled when the running cell is to stop.</summary>
    CancellationToken Cancellation { get; }

    /// <summary>Shows a value under the running cell; the result replaces it, also after the cell has ended.</summary>
    Action<DisplayedHtml> Show(DisplayedHtml shown);
}

/// <summary>Loads DermKit.Interactive where .NET Interactive runs this process; nothing else needs it.</summary>
internal static class NotebookHost
{
    private static INotebookHost? _loaded;

    // The host whose cell the caller runs in, or null.
    internal static INotebookHost? Current
    {
        get
        {
            _loaded ??= Load();
            return _loaded is { IsRunningCell: true } ? _loaded : null;
        }
    }

    private static INotebookHost? Load()
    {
        Assembly[] loaded = AppDomain.CurrentDomain.GetAssemblies();
        if (!loaded.Any(a => a.GetName().Name == "Microsoft.DotNet.Interactive")) return null;
        string folder = Path.GetDirectoryName(typeof(NotebookHost).Assembly.Location)!;
        string path = Path.Combine(folder, "DermKit.Interactive.dll");
        if (!File.Exists(path)) return null;
        // In another context than this the bridge would load a second DermKit with other types.
        AssemblyLoadContext context = AssemblyLoadContext.GetLoadContext(typeof(NotebookHost).Assembly)!;
        Assembly bridge = context.LoadFromAssemblyPath(path);
        Type type = bridge.GetType("DermKit.Interactive.InteractiveHost", throwOnError: true)!;
        return (INotebookHost)Activator.CreateInstance(type, nonPublic: true)!;
    }
}
