using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Cli.Notebooks;

/// <summary>A console writer whose text leaves as stream outputs, line by line.</summary>
internal sealed class StreamCapture(string name, Action<JsonObject> emit) : TextWriter(System.Globalization.CultureInfo.InvariantCulture)
{
    private readonly StringBuilder _pending = new();

    public override Encoding Encoding => Encoding.UTF8;

    public override string NewLine => "\n";

    public override void Write(char value)
    {
        lock (_pending) _pending.Append(value);
        if (value == '\n') Flush();
    }

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (_pending) _pending.Append(buffer);
        if (buffer.Contains('\n')) Flush();
    }

    public override void WriteLine(string? value) => Write(value + "\n");

    public override void Flush()
    {
        lock (_pending)
        {
            if (_pending.Length == 0) return;
            emit(Output(name, _pending.ToString()));
            _pending.Clear();
        }
    }

    internal static JsonObject Output(string name, string text) => new() { ["output_type"] = "stream", ["name"] = name, ["text"] = NotebookCell.Lines(text) };
}
