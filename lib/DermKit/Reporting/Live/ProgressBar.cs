namespace DermKit.Reporting;

/// <summary>Shows progress, rate and time left: in place up to four times a second, in a log every ten
/// seconds.</summary>
public sealed class ProgressBar
{
    private readonly string _label;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly TimeSpan _pause = Display.Pause;
    private readonly Lock _gate = new();
    private Display? _display;
    private TimeSpan _next;
    private (int Done, TimeSpan At)? _first;

    internal ProgressBar(string label, TimeProvider? time = null)
    {
        _label = label;
        _time = time ?? TimeProvider.System;
        _start = _time.GetTimestamp();
    }

    /// <summary>Reports progress; safe to call often and from several threads.</summary>
    public void Report(int done, int total)
    {
        lock (_gate)
        {
            TimeSpan now = _time.GetElapsedTime(_start);
            // Work before the first report, such as an earlier run's, does not count for the rate.
            _first ??= (done, now);
            if (now < _next && done < total) return;
            _next = now + _pause;
            string text = Text(done, total, now);
            string bar = $"{Bar(_label, done, total)} <span>{Markup.Escape(text)}</span>";
            string html = Markup.Styled($"<div class=\"kit-progress\">{bar}</div>");
            if (_display is null) _display = Display.Live(html, text);
            else _display.Update(html, text);
            if (done >= total) _display.End();
        }
    }

    internal static string Bar(string label, int done, int total) =>
        $"<progress value=\"{done}\" max=\"{Math.Max(total, 1)}\" aria-label=\"{Markup.Escape(label)}\"></progress>";

    private string Text(int done, int total, TimeSpan now)
    {
        (int before, TimeSpan at) = _first!.Value;
        double rate = (done - before) / (now - at).TotalSeconds;
        bool isKnown = double.IsFinite(rate) && rate > 0;
        string text = $"{_label}: {done} of {total}";
        if (isKnown) text += $", {Tables.Number(rate)}/s";
        if (done >= total) return $"{text}, {Tables.Duration(now)}";
        return isKnown ? $"{text}, {Tables.Duration(TimeSpan.FromSeconds((total - done) / rate))} left" : text;
    }
}
