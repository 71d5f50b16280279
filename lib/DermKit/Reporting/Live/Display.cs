using System.Collections.Concurrent;

namespace DermKit.Reporting;

/// <summary>HTML with its plain-text form.</summary>
[TypeFormatterSource]
internal sealed record DisplayedHtml(string Html, string Plain) : IRichOutput
{
    public string ToHtml() => Html;

    public string ToPlain() => Plain;
}

/// <summary>Shows rich output in the host of this process and replaces it in place; plain text in a console.</summary>
public sealed class Display
{
    // AppContext data of the kit's host: a delegate of id, whether it is an update, and forms.
    internal const string HostKey = "DermKit.Display";

    // AppContext data of the kit's host: the token of the running cell.
    internal const string CancellationKey = "DermKit.Cancellation";

    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly bool _isTerminal;
    private Action<DisplayedHtml>? _update;

    private Display(DisplayedHtml shown, bool isTerminal)
    {
        _isTerminal = isTerminal;
        if (KitHost is null && NotebookHost.Current is { } host) _update = host.Show(shown);
        else Send(shown, isUpdate: false);
    }

    /// <summary>Cancelled when the running cell is to stop; pass it to long calls. <see cref="CancellationToken.None"/>
    /// without a notebook host.</summary>
    public static CancellationToken Cancellation => AppContext.GetData(CancellationKey) as CancellationToken?
        ?? NotebookHost.Current?.Cancellation ?? CancellationToken.None;

    // True where output goes to a file or a pipe.
    internal static bool IsLog => KitHost is null && NotebookHost.Current is null && Console.IsOutputRedirected;

    // Least time between two updates.
    internal static TimeSpan Pause => IsLog ? TimeSpan.FromSeconds(10) : TimeSpan.FromMilliseconds(250);

    private static Action<string, bool, IReadOnlyDictionary<string, string>>? KitHost =>
        AppContext.GetData(HostKey) as Action<string, bool, IReadOnlyDictionary<string, string>>;

    private bool IsLine => _isTerminal && _update is null && KitHost is null;

    /// <summary>Shows HTML, or plain text in consoles and text-only clients.</summary>
    public static Display Html(string html, string plain) => new(new(html, plain), isTerminal: false);

    /// <summary>Shows a figure.</summary>
    public static Display Show(Figure figure) => Html(figure.ToHtml(), FigureHtml.Plain(figure));

    /// <summary>Shows a table.</summary>
    public static Display Show(Table table) => Html(table.ToHtml(), table.ToString());

    /// <summary>A progress bar; pass its <see cref="ProgressBar.Report"/> as Action&lt;int, int&gt;.</summary>
    public static ProgressBar Progress(string label) => new(label);

    /// <summary>A callback of name, done and total, with a bar for each name. <paramref name="run"/> is printed before
    /// the names, such as "256 components".</summary>
    public static Action<string, int, int> ProgressFor(string run = "")
    {
        var bars = new ConcurrentDictionary<string, ProgressBar>();
        return (what, done, all) => bars.GetOrAdd(what, Bar).Report(done, all);

        ProgressBar Bar(string what) => new(run.Length > 0 ? $"{run}: {what}" : what);
    }

    /// <summary>Bar, rate, time left and chart; pass its <see cref="TrainingProgress.Report"/> to the
    /// trainer.</summary>
    public static TrainingProgress Training(string label, string stamp = "") => new(label, stamp);

    /// <summary>Replaces what is shown, or prints the new text below.</summary>
    public void Update(string html, string plain)
    {
        var shown = new DisplayedHtml(html, plain);
        if (KitHost is null && _update is not null) _update(shown);
        else Send(shown, isUpdate: true);
    }

    // One line in a terminal, overwritten until End.
    internal static Display Live(string html, string plain) => new(new(html, plain), !Console.IsOutputRedirected);

    // Prints a line above the changing one in a terminal; does nothing elsewhere.
    internal void Above(string text)
    {
        if (IsLine) Console.WriteLine($"\r{text.PadRight(Math.Max(0, Console.WindowWidth - 1))}");
    }

    // Ends the changing line in a terminal; a later update starts another.
    internal void End()
    {
        if (IsLine) Console.WriteLine();
    }

    // The first line, cut or padded to overwrite one line of a terminal.
    internal static string Line(string plain, int columns)
    {
        string first = plain.Split('\n')[0];
        int room = Math.Max(1, columns - 1);
        return "\r" + (first.Length > room ? first[..(room - 1)] + "…" : first.PadRight(room));
    }

    private void Send(DisplayedHtml shown, bool isUpdate)
    {
        if (KitHost is { } host)
        {
            var forms = new Dictionary<string, string> { ["text/html"] = shown.Html, ["text/plain"] = shown.Plain };
            host(_id, isUpdate, forms);
        }
        else if (_isTerminal) Console.Write(Line(shown.Plain, Console.WindowWidth));
        else Console.WriteLine(shown.Plain);
    }
}
