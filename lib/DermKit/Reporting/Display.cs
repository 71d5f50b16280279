using System.Diagnostics;
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

    /// <summary>Replaces what is shown.</summary>
    public void Update(string html, string plain) => Send(html, plain, isUpdate: true);

    private void Send(string html, string plain, bool isUpdate)
    {
        if (AppContext.GetData(HostKey) is Action<string, bool, IReadOnlyDictionary<string, string>> host)
            host(_id, isUpdate, new Dictionary<string, string> { ["text/html"] = html, ["text/plain"] = plain });
        else if (isUpdate && _interactive is not null)
            _interactive.GetType().GetMethod("Update", [typeof(object)])!.Invoke(_interactive, [new DisplayedHtml(html, plain)]);
        else if (!isUpdate && InteractiveContext() is { } context)
            // The extension method display(x) sends updates under another id in that host; this method does not.
            _interactive = context.GetType().GetMethod("Display", [typeof(object), typeof(string[])])!
                .Invoke(context, [new DisplayedHtml(html, plain), new[] { "text/html" }]);
        else if (!isUpdate)
            Console.WriteLine(plain);
        else if (!Console.IsOutputRedirected)
            Console.Write($"\r{plain} ");
    }

    private static object? InteractiveContext() => AppDomain.CurrentDomain.GetAssemblies()
        .FirstOrDefault(a => a.GetName().Name == "Microsoft.DotNet.Interactive")?
        .GetType("Microsoft.DotNet.Interactive.KernelInvocationContext")?
        .GetProperty("Current", BindingFlags.Public | BindingFlags.Static)?.GetValue(null);
}

/// <summary>Progress in place, at most four times a second, so that a host is never flooded.</summary>
public sealed class ProgressBar
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);
    private readonly string _label;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _gate = new();
    private Display? _display;
    private TimeSpan _next;

    internal ProgressBar(string label) => _label = label;

    /// <summary>Says how far the work is; calls may come from several threads and as often as they like.</summary>
    public void Report(int done, int total)
    {
        lock (_gate)
        {
            if (_clock.Elapsed < _next && done < total) return;
            _next = _clock.Elapsed + Pause;
            string text = FormattableString.Invariant($"{_label}: {done} of {total}, {_clock.Elapsed.TotalSeconds:0.0} s");
            string html = Markup.Styled($"<div class=\"kit-progress\"><progress value=\"{done}\" max=\"{Math.Max(total, 1)}\" aria-label=\"{Markup.Escape(_label)}\"></progress> <span>{Markup.Escape(text)}</span></div>");
            if (_display is null) _display = Display.Html(html, text);
            else _display.Update(html, text);
        }
    }
}
