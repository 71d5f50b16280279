namespace DermKit.Notebooks;

/// <summary>Emits console text: complete lines at once, open ones after a quarter of a second or at the end.</summary>
internal sealed class StreamCapture : TextWriter
{
    private const int Most = 1 << 16;

    private readonly string _name;
    private readonly Action<JsonObject> _emit;
    private readonly StringBuilder _pending = new();
    private readonly Timer _timer;
    private bool _closed;

    internal StreamCapture(string name, Action<JsonObject> emit)
        : base(CultureInfo.InvariantCulture)
    {
        _name = name;
        _emit = emit;
        NewLine = "\n";
        _timer = new Timer(_ => TryFlush());
        AppDomain.CurrentDomain.ProcessExit += AtExit;
    }

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => Write([value]);

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (_pending)
        {
            if (_pending.Length == 0 && !_closed)
                _timer.Change(TimeSpan.FromMilliseconds(250), Timeout.InfiniteTimeSpan);
            _pending.Append(buffer);
            if (_closed || _pending.Length >= Most || buffer.Contains('\n')) Flush();
        }
    }

    public override void Flush()
    {
        lock (_pending)
        {
            for (int first = 0; first < _pending.Length;)
            {
                int count = Math.Min(Most, _pending.Length - first);
                // Keeps surrogate pairs together.
                if (first + count < _pending.Length && char.IsHighSurrogate(_pending[first + count - 1])) count--;
                _emit(Output(_name, _pending.ToString(first, count)));
                first += count;
            }
            _pending.Clear();
        }
    }

    internal static JsonObject Output(string name, string text) =>
        new() { ["output_type"] = "stream", ["name"] = name, ["text"] = NotebookCell.Lines(text) };

    protected override void Dispose(bool disposing)
    {
        AppDomain.CurrentDomain.ProcessExit -= AtExit;
        lock (_pending) _closed = true;
        Flush();
        _timer.Dispose();
        base.Dispose(disposing);
    }

    private void AtExit(object? sender, EventArgs e) => TryFlush();

    // On a thread where nothing handles an exception.
    private void TryFlush()
    {
        try
        {
            Flush();
        }
        catch (IOException)
        {
            // The parent has ended.
        }
    }
}
