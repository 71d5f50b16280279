using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>A console writer whose text leaves as stream outputs: at the end of a line, and what has none after a quarter of a second or at the end of the process.</summary>
internal sealed class StreamCapture : TextWriter
{
    /// <summary>Most characters of one output, so that whoever limits them need not take a whole flood at once.</summary>
    private const int Most = 1 << 16;

    private readonly string _name;
    private readonly Action<JsonObject> _emit;
    private readonly StringBuilder _pending = new();
    private readonly Timer _later;
    private bool _closed;

    internal StreamCapture(string name, Action<JsonObject> emit) : base(System.Globalization.CultureInfo.InvariantCulture)
    {
        (_name, _emit) = (name, emit);
        _later = new Timer(_ => FlushUnasked());
        AppDomain.CurrentDomain.ProcessExit += AtExit;
    }

    public override Encoding Encoding => Encoding.UTF8;

    public override string NewLine => "\n";

    public override void Write(char value) => Write([value]);

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (_pending)
        {
            if (_pending.Length == 0 && !_closed) _later.Change(TimeSpan.FromMilliseconds(250), Timeout.InfiniteTimeSpan);
            _pending.Append(buffer);
            if (_closed || _pending.Length >= Most || buffer.Contains('\n')) Flush();
        }
    }

    public override void WriteLine(string? value) => Write(value + "\n");

    public override void Flush()
    {
        lock (_pending)
        {
            for (int first = 0; first < _pending.Length;)
            {
                int count = Math.Min(Most, _pending.Length - first);
                // The halves of a character outside the basic plane stay together.
                if (first + count < _pending.Length && char.IsHighSurrogate(_pending[first + count - 1])) count--;
                _emit(Output(_name, _pending.ToString(first, count)));
                first += count;
            }
            _pending.Clear();
        }
    }

    internal static JsonObject Output(string name, string text) => new() { ["output_type"] = "stream", ["name"] = name, ["text"] = NotebookCell.Lines(text) };

    protected override void Dispose(bool disposing)
    {
        AppDomain.CurrentDomain.ProcessExit -= AtExit;
        lock (_pending) _closed = true;
        Flush();
        _later.Dispose();
        base.Dispose(disposing);
    }

    private void AtExit(object? sender, EventArgs e) => FlushUnasked();

    /// <summary>On a thread where nobody waits for an error.</summary>
    private void FlushUnasked()
    {
        try
        {
            Flush();
        }
        catch (IOException)
        {
            // Who listened is gone.
        }
    }
}
