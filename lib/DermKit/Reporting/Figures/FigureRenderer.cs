using System.Reflection;
using System.Runtime.Loader;

namespace DermKit.Reporting;

/// <summary>Implemented by DermKit.Figures, which only <see cref="FigureRenderer"/> loads.</summary>
internal interface IFigureRenderer
{
    /// <summary>JSON {data, layout} for Plotly.newPlot, without colours of text and background.</summary>
    string PlotlySpec(Figure figure);

    /// <summary>Source of plotly.js.</summary>
    string PlotlyJs();

    /// <summary>figure.css, or figure.js.</summary>
    string Asset(string name);
}

/// <summary>Loads DermKit.Figures into its own context: Plotly.NET needs a newer FSharp.Core than some hosts.</summary>
internal static class FigureRenderer
{
    private static readonly Lazy<IFigureRenderer> Renderer = new(Load);

    internal static string PlotlySpec(Figure figure) => Renderer.Value.PlotlySpec(figure);

    internal static string PlotlyJs() => Renderer.Value.PlotlyJs();

    internal static string Asset(string name) => Renderer.Value.Asset(name);

    private static IFigureRenderer Load()
    {
        string folder = Path.GetDirectoryName(typeof(FigureRenderer).Assembly.Location)!;
        string path = Path.Combine(folder, "figures", "DermKit.Figures.dll");
        if (!File.Exists(path))
            throw new KitException(
                $"{path} is missing; build the kit (dotnet build Kit.sln -c Release) before drawing figures.");
        Assembly figures = new FiguresContext(path).LoadFromAssemblyPath(path);
        Type type = figures.GetType("DermKit.Figures.PlotlyRenderer", throwOnError: true)!;
        return (IFigureRenderer)Activator.CreateInstance(type, nonPublic: true)!;
    }

    private sealed class FiguresContext(string path) : AssemblyLoadContext("DermKit.Figures")
    {
        private readonly AssemblyDependencyResolver _resolver = new(path);

        protected override Assembly? Load(AssemblyName name)
        {
            // A second copy of DermKit would have other Figure types.
            if (name.Name == "DermKit") return typeof(FigureRenderer).Assembly;
            return _resolver.ResolveAssemblyToPath(name) is { } file ? LoadFromAssemblyPath(file) : null;
        }
    }
}
