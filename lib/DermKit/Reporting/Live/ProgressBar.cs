namespace DermKit.Reporting;

/// <summary>Done of all, rate and time left; in place at most four times a second, in a log every ten seconds.</summary>
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
        (_label, _time) = (label, time ?? TimeProvider.System);
        _start = _time.GetTimestamp();
    }

    /// <summary>Says how far the work is; calls may come from several threads and as often as they like.</summary>
    public void Report(int done, int total)
    {
        lock (_gate)
        {
            TimeSpan now = _time.GetElapsedTime(_start);
            // From the first report on: what came before it (opening files, work done in an earlier run) is no part of the rate.
            _first ??= (done, now);
            if (now < _next && done < total) return;
            _next = now + _pause;
            double rate = (done - _first.Value.Done) / (now - _first.Value.At).TotalSeconds;
            string text = $"{_label}: {done} of {total}";
            if (double.IsFinite(rate) && rate > 0) text += $", {Tables.Number(rate)}/s";
            if (done >= total) text += $", {Tables.Duration(now)}";
            else if (double.IsFinite(rate) && rate > 0) text += $", {Tables.Duration(TimeSpan.FromSeconds((total - done) / rate))} left";
            string html = Markup.Styled($"<div class=\"kit-progress\">{Bar(_label, done, total)} <span>{Markup.Escape(text)}</span></div>");
            if (_display is null) _display = Display.Live(html, text);
            else _display.Update(html, text);
            if (done >= total) _display.End();
        }
    }

    internal static string Bar(string label, int done, int total) => $"<progress value=\"{done}\" max=\"{Math.Max(total, 1)}\" aria-label=\"{Markup.Escape(label)}\"></progress>";
}
