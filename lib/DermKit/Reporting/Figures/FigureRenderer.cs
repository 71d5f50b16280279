using System.Reflection;
using System.Runtime.Loader;

namespace DermKit.Reporting;

/// <summary>Draws figures; implemented by DermKit.Figures, which only <see cref="FigureRenderer"/> loads.</summary>
public interface IFigureRenderer
{
    /// <summary>The figure as JSON {data, layout} for Plotly.newPlot, without colours of text or background.</summary>
    string PlotlySpec(Figure figure);

    /// <summary>Source of plotly.js.</summary>
    string PlotlyJs();
}

/// <summary>Loads the drawing code into a context of its own: Plotly.NET needs a newer FSharp.Core than some notebook hosts bring.</summary>
public static class FigureRenderer
{
    private static readonly Lazy<IFigureRenderer> Renderer = new(Load);

    /// <inheritdoc cref="IFigureRenderer.PlotlySpec"/>
    public static string PlotlySpec(Figure figure) => Renderer.Value.PlotlySpec(figure);

    /// <inheritdoc cref="IFigureRenderer.PlotlyJs"/>
    public static string PlotlyJs() => Renderer.Value.PlotlyJs();

    private static IFigureRenderer Load()
    {
        string path = Path.Combine(Path.GetDirectoryName(typeof(FigureRenderer).Assembly.Location)!, "figures", "DermKit.Figures.dll");
        if (!File.Exists(path)) throw new KitException($"{path} is missing; build the kit (dotnet build Kit.sln -c Release) before drawing figures.");
        Type type = new FiguresContext(path).LoadFromAssemblyPath(path).GetType("DermKit.Figures.PlotlyRenderer", throwOnError: true)!;
        return (IFigureRenderer)Activator.CreateInstance(type)!;
    }

    private sealed class FiguresContext(string path) : AssemblyLoadContext("DermKit.Figures")
    {
        private readonly AssemblyDependencyResolver _resolver = new(path);

        protected override Assembly? Load(AssemblyName name)
        {
            // The asking assembly itself: a second copy of DermKit would have other Figure types.
            if (name.Name == "DermKit") return typeof(FigureRenderer).Assembly;
            return _resolver.ResolveAssemblyToPath(name) is { } file ? LoadFromAssemblyPath(file) : null;
        }
    }
}
