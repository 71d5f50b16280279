using DermKit.Pretraining;
using System.Globalization;
using System.Text;

namespace DermKit.Reporting;

/// <summary>
/// A training run as it goes, in place at most four times a second: bar, rate, time left, a live chart of loss and collapse monitors, and a
/// warning in words when the run looks collapsed. A terminal shows one line; a log gets a line every ten seconds; what is shown last stays.
/// </summary>
public sealed class TrainingProgress
{
    private const int Window = 50;
    private readonly string _label, _stamp;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly bool _isLog = Display.IsLog;
    private readonly TimeSpan _pause = Display.Pause;
    private readonly Trace _loss = new("loss");
    private readonly Trace[] _lines = [new("loss / ln K"), new("teacher entropy / ln K"), new("feature standard deviation")];
    private readonly CollapseWatch _watch = new();
    private readonly Queue<(int Step, TimeSpan At)> _recent = new();
    private readonly Lock _gate = new();
    private Display? _display;
    private TrainingStep? _last;
    private TimeSpan _next;
    private int _before, _skipped;
    private bool _warned;

    internal TrainingProgress(string label, string stamp = "", TimeProvider? time = null)
    {
        (_label, _stamp, _time) = (label, stamp, time ?? TimeProvider.System);
        _start = _time.GetTimestamp();
    }

    /// <summary>Why the run looks collapsed at its last step; null when it does not.</summary>
    public string? Warning => _watch.Warning;

    /// <summary>Takes a step; as often as wanted. The last step of the run is always shown.</summary>
    public void Report(TrainingStep step)
    {
        lock (_gate)
        {
            TimeSpan now = _time.GetElapsedTime(_start);
            if (_last is null) _before = step.Step - 1;
            _last = step;
            if (step.Skipped) _skipped++;
            _recent.Enqueue((step.Step, now));
            if (_recent.Count > Window) _recent.Dequeue();
            _loss.Add(step.Step, step.Loss);
            foreach ((Trace line, double value) in _lines.Zip([step.LossRatio, step.TeacherEntropy, step.FeatureStd])) line.Add(step.Step, value);
            _watch.Add(step);
            if (now >= _next || step.Step >= step.Steps) Draw(step, now, stopped: false);
        }
    }

    /// <summary>Shows the last step of a run that stopped early, and ends the line in a terminal. A later step goes on in the same place.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_last is { } step && step.Step < step.Steps)
            {
                Draw(step, _time.GetElapsedTime(_start), stopped: true);
                _display!.End();
            }
        }
    }

    private void Draw(TrainingStep step, TimeSpan now, bool stopped)
    {
        _next = now + _pause;
        string state = State(step, now, stopped);
        string plain = _isLog ? LogLine(step, state) : $"{_label} {step.Step}/{step.Steps} {LiveChart.Sparkline(_loss)} loss {Tables.Number(step.Loss)}, {state}";
        if (Warning is { } warning)
        {
            // A terminal's line has no room for it, and a log would fill with it.
            if (!_warned) _display?.Above($"{_label}: {warning}");
            if (!_warned || !_isLog) plain += $"\n{_label}: {warning}";
        }
        _warned = Warning is not null;
        if (_display is null) _display = Display.Live(Html(step, state), plain);
        else _display.Update(Html(step, state), plain);
        if (step.Step >= step.Steps) _display.End();
    }

    private string State(TrainingStep step, TimeSpan now, bool stopped)
    {
        string rate = $"{Tables.Number(step.ImagesPerSecond)} images/s{(_skipped > 0 ? $", {_skipped} skipped" : "")}";
        if (stopped) return $"{rate}, stopped after {Tables.Duration(now)}";
        if (step.Step >= step.Steps) return $"{rate}, {Tables.Duration(now)}{(_before > 0 ? $" for the last {step.Step - _before} steps" : "")}";
        (int from, TimeSpan at) = _recent.Peek();
        return step.Step == from ? rate : $"{rate}, {Tables.Duration((now - at) / (step.Step - from) * (step.Steps - step.Step))} left";
    }

    private string LogLine(TrainingStep step, string state)
    {
        // A method without a teacher's distribution has no entropy, one whose loss knows no K no share of it.
        static string Known(double value, string text) => double.IsNaN(value) ? "" : string.Format(CultureInfo.InvariantCulture, text, value);
        return string.Create(CultureInfo.InvariantCulture, $"{_label}: step {step.Step} of {step.Steps}, epoch {step.Epoch:f2}, loss {step.Loss:f4}{Known(step.LossRatio, " ({0:f3} of ln K)")}{Known(_lines[1].Last, ", entropy {0:f3}")}{Known(_lines[2].Last, ", std {0:f3}")}, gradient {step.GradientNorm:f2}, {state}");
    }

    private string Html(TrainingStep step, string state)
    {
        var html = new StringBuilder($"<div class=\"kit-training\"><div class=\"kit-progress\">{Markup.Stamp(_stamp)}<strong>{Markup.Escape(_label)}</strong> {ProgressBar.Bar(_label, step.Step, step.Steps)} ")
            .Append($"<span>step {step.Step} of {step.Steps}, epoch {Tables.Number(Math.Round(step.Epoch, 1))}, {Markup.Escape(state)}</span></div>");
        if (Warning is { } warning) html.Append($"<p class=\"kit-warning\"><strong>Warning.</strong> {Markup.Prose(warning)}</p>");
        return Markup.Styled(html.Append(LiveChart.Svg(_lines, step.Steps)).Append("</div>").ToString());
    }
}
