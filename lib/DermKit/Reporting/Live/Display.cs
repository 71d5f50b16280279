using System.Reflection;

namespace DermKit.Reporting;

/// <summary>HTML with its plain-text form, as notebook hosts take it.</summary>
[TypeFormatterSource(typeof(RichFormatterSource), PreferredMimeTypes = ["text/html", "text/plain"])]
public sealed record DisplayedHtml(string Html, string Plain);

/// <summary>Shows rich output from library code in whichever host runs the process, and changes it in place.</summary>
public sealed class Display
{
    internal const string HostKey = "DermKit.Display";
    internal const string CancellationKey = "DermKit.Cancellation";
    private readonly string _id = Guid.NewGuid().ToString("N");
    private object? _interactive;
    private bool _line;

    private Display() { }

    /// <summary>
    /// Set by the host and cancelled when the running cell is to stop; a cell passes it to the library's long calls.
    /// <see cref="CancellationToken.None"/> in a host that sets none.
    /// </summary>
    public static CancellationToken Cancellation => AppContext.GetData(CancellationKey) as CancellationToken? ?? CancellationToken.None;

    /// <summary>Shows HTML; <paramref name="plain"/> is what a console or a text-only client prints.</summary>
    public static Display Html(string html, string plain)
    {
        var display = new Display();
        display.Send(html, plain, isUpdate: false);
        return display;
    }

    /// <summary>Shows a figure.</summary>
    public static Display Show(Figure figure) => Html(figure.ToHtml(), FigureHtml.Plain(figure));

    /// <summary>Shows a table.</summary>
    public static Display Show(Table table) => Html(table.ToHtml(), table.ToString());

    /// <summary>A bar that fills; pass its <see cref="ProgressBar.Report"/> where the library takes Action&lt;int, int&gt;.</summary>
    public static ProgressBar Progress(string label) => new(label);

    /// <summary>Bar, rate, time left and live chart of a training run; pass its <see cref="TrainingProgress.Report"/> to the trainer.</summary>
    /// <param name="label">Names the run.</param>
    /// <param name="stamp">See <see cref="Figure.Stamp"/>.</param>
    public static TrainingProgress Training(string label, string stamp = "") => new(label, stamp);

    /// <summary>Replaces what is shown; where nothing can be replaced, it is printed below.</summary>
    public void Update(string html, string plain) => Send(html, plain, isUpdate: true);

    /// <summary>True where output goes to a file or a pipe: what is live prints a line now and then instead of changing in place.</summary>
    internal static bool IsLog => AppContext.GetData(HostKey) is null && InteractiveContext() is null && Console.IsOutputRedirected;

    /// <summary>Time between two draws of what is live: a host is never flooded, nor is a log.</summary>
    internal static TimeSpan Pause => IsLog ? TimeSpan.FromSeconds(10) : TimeSpan.FromMilliseconds(250);

    /// <summary>Shows what is going to change: in a terminal one line, overwritten until <see cref="End"/>.</summary>
    internal static Display Live(string html, string plain)
    {
        var display = new Display { _line = !Console.IsOutputRedirected };
        display.Send(html, plain, isUpdate: false);
        return display;
    }

    /// <summary>In a terminal prints a line that stays above the one that changes; elsewhere nothing.</summary>
    internal void Above(string text)
    {
        if (IsLine) Console.WriteLine($"\r{text.PadRight(Math.Max(0, Console.WindowWidth - 1))}");
    }

    /// <summary>Ends the line in a terminal; a later update begins another.</summary>
    internal void End()
    {
        if (IsLine) Console.WriteLine();
    }

    private bool IsLine => _line && _interactive is null && AppContext.GetData(HostKey) is null;

    /// <summary>A text as one line of a terminal that overwrites the one before: a longer text would wrap, a shorter one leave a rest.</summary>
    internal static string Line(string plain, int columns)
    {
        string first = plain.Split('\n')[0];
        int room = Math.Max(1, columns - 1);
        return "\r" + (first.Length > room ? first[..(room - 1)] + "…" : first.PadRight(room));
    }

    private void Send(string html, string plain, bool isUpdate)
    {
        if (AppContext.GetData(HostKey) is Action<string, bool, IReadOnlyDictionary<string, string>> host)
            host(_id, isUpdate, new Dictionary<string, string> { ["text/html"] = html, ["text/plain"] = plain });
        else if (isUpdate && _interactive is not null)
            _interactive.GetType().GetMethod("Update", [typeof(object)])!.Invoke(_interactive, [new DisplayedHtml(html, plain)]);
        else if (!isUpdate && InteractiveContext() is { } context)
            // That host's display(x) sends updates under another id; its context's extension does not.
            _interactive = context.GetType().Assembly.GetType("Microsoft.DotNet.Interactive.KernelInvocationContextExtensions")!
                .GetMethod("Display", [context.GetType(), typeof(object), typeof(string[])])!.Invoke(null, [context, new DisplayedHtml(html, plain), new[] { "text/html", "text/plain" }]);
        else if (_line)
            Console.Write(Line(plain, Console.WindowWidth));
        else
            Console.WriteLine(plain);
    }

    private static object? InteractiveContext() => AppDomain.CurrentDomain.GetAssemblies()
        .FirstOrDefault(a => a.GetName().Name == "Microsoft.DotNet.Interactive")?
        .GetType("Microsoft.DotNet.Interactive.KernelInvocationContext")?
        .GetProperty("Current", BindingFlags.Public | BindingFlags.Static)?.GetValue(null);
}
