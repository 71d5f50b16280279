using DermKit.Pretraining;

namespace DermKit.Reporting;

/// <summary>Shows a training run in place, at most four times a second: bar, rate, time left, a chart of the loss and
/// the collapse monitors, and a warning of collapse. A log gets a line every ten seconds.</summary>
public sealed class TrainingProgress
{
    private const int Window = 50;
    private readonly string _label;
    private readonly string _stamp;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly bool _isLog = Display.IsLog;
    private readonly TimeSpan _pause = Display.Pause;
    private readonly ThinnedLine _loss = new("loss");
    private readonly ThinnedLine _lossRatio = new("loss / ln K");
    private readonly ThinnedLine _entropy = new("teacher entropy / ln K");
    private readonly ThinnedLine _spread = new("feature standard deviation");
    private readonly CollapseWatch _watch = new();
    private readonly Queue<(int Step, TimeSpan At)> _recent = new();
    private readonly Lock _gate = new();
    private Display? _display;
    private TrainingStep? _last;
    private TimeSpan _next;
    private int _before;
    private int _skipped;
    private bool _warned;

    internal TrainingProgress(string label, string stamp = "", TimeProvider? time = null)
    {
        _label = label;
        _stamp = stamp;
        _time = time ?? TimeProvider.System;
        _start = _time.GetTimestamp();
    }

    /// <summary>Why the run looks collapsed at its last step; null when it does not.</summary>
    public string? Warning => _watch.Warning;

    /// <summary>Reports a step. The last step of the run is always shown.</summary>
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
            _lossRatio.Add(step.Step, step.LossRatio);
            _entropy.Add(step.Step, step.TeacherEntropy);
            _spread.Add(step.Step, step.FeatureStd);
            _watch.Add(step);
            if (now >= _next || step.Step >= step.Steps) Draw(step, now, isStopped: false);
        }
    }

    /// <summary>Shows the last step of a run that stopped early, and ends the terminal's line.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_last is not { } step || step.Step >= step.Steps) return;
            Draw(step, _time.GetElapsedTime(_start), isStopped: true);
            _display!.End();
        }
    }

    private void Draw(TrainingStep step, TimeSpan now, bool isStopped)
    {
        _next = now + _pause;
        string state = State(step, now, isStopped);
        string plain = _isLog ? LogLine(step, state) : TerminalLine(step, state);
        if (Warning is { } warning)
        {
            // A terminal's line has no room for the warning; a log gets it once.
            if (!_warned) _display?.Above($"{_label}: {warning}");
            if (!_warned || !_isLog) plain += $"\n{_label}: {warning}";
        }
        _warned = Warning is not null;
        string html = Html(step, state);
        if (_display is null) _display = Display.Live(html, plain);
        else _display.Update(html, plain);
        if (step.Step >= step.Steps) _display.End();
    }

    private string State(TrainingStep step, TimeSpan now, bool isStopped)
    {
        string rate = $"{Tables.Number(step.ImagesPerSecond)} images/s{(_skipped > 0 ? $", {_skipped} skipped" : "")}";
        if (isStopped) return $"{rate}, stopped after {Tables.Duration(now)}";
        if (step.Step >= step.Steps)
            return $"{rate}, {Tables.Duration(now)}{(_before > 0 ? $" for the last {step.Step - _before} steps" : "")}";
        (int from, TimeSpan at) = _recent.Peek();
        if (step.Step == from) return rate;
        TimeSpan left = (now - at) / (step.Step - from) * (step.Steps - step.Step);
        return $"{rate}, {Tables.Duration(left)} left";
    }

    private string TerminalLine(TrainingStep step, string state) =>
        $"{_label} {step.Step}/{step.Steps} {LiveChart.Sparkline(_loss)} loss {Tables.Number(step.Loss)}, {state}";

    private string LogLine(TrainingStep step, string state)
    {
        // Not every method has a teacher's distribution or a loss with K outputs.
        string monitors = Known(step.LossRatio, " ({0:f3} of ln K)") + Known(_entropy.Last, ", entropy {0:f3}")
            + Known(_spread.Last, ", std {0:f3}");
        return string.Create(CultureInfo.InvariantCulture, $"{_label}: step {step.Step} of {step.Steps}, epoch "
            + $"{step.Epoch:f2}, loss {step.Loss:f4}{monitors}, gradient {step.GradientNorm:f2}, {state}");

        static string Known(double value, string text) =>
            double.IsNaN(value) ? "" : string.Format(CultureInfo.InvariantCulture, text, value);
    }

    private string Html(TrainingStep step, string state)
    {
        string epoch = Tables.Number(Math.Round(step.Epoch, 1));
        string warning = Warning is { } text
            ? $"<p class=\"kit-warning\"><strong>Warning.</strong> {Markup.Prose(text)}</p>"
            : "";
        var html = new StringBuilder("<div class=\"kit-training\"><div class=\"kit-progress\">")
            .Append($"{Markup.Stamp(_stamp)}<strong>{Markup.Escape(_label)}</strong> ")
            .Append($"{ProgressBar.Bar(_label, step.Step, step.Steps)} ")
            .Append($"<span>step {step.Step} of {step.Steps}, epoch {epoch}, {Markup.Escape(state)}</span></div>")
            .Append(warning)
            .Append(LiveChart.Svg([_lossRatio, _entropy, _spread], step.Steps))
            .Append("</div>");
        return Markup.Styled(html.ToString());
    }
}
