using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>
/// Takes the outputs of a session and publishes them as messages of the request that runs, or ran last:
/// printed text joined over <see cref="Pause"/> and limited, updates of a display at most four times a second with the last one always, the rest at once.
/// </summary>
/// <param name="publish">Takes type, content and the request.</param>
internal sealed class CellOutputs(Action<string, JsonObject, JupyterMessage?> publish) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50), UpdatePause = TimeSpan.FromMilliseconds(250);
    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();
    private readonly Dictionary<string, StreamLimit> _limits = [];
    private readonly Dictionary<string, long> _updated = [];
    private readonly Dictionary<string, JsonObject> _waiting = [];
    private Timer? _timer;
    private string _stream = "";
    private JupyterMessage? _request;
    private int _count;
    private bool _silent;

    /// <summary>The error of the request; null for none.</summary>
    internal JsonObject? Error { get; private set; }

    /// <summary>Data of the last value; what a user expression is read from.</summary>
    internal JsonObject? Value { get; private set; }

    /// <summary>Outputs belong to this request from here on.</summary>
    /// <param name="request">The request.</param>
    /// <param name="count">Its run number.</param>
    /// <param name="silent">Nothing is published.</param>
    internal void Begin(JupyterMessage request, int count, bool silent)
    {
        lock (_lock)
        {
            Flush(all: true);
            (_request, _count, _silent, Error, Value) = (request, count, silent, null, null);
            _limits.Clear();
        }
    }

    /// <summary>Publishes what was joined.</summary>
    internal void End()
    {
        lock (_lock) Flush(all: true);
    }

    internal void Add(JsonObject output)
    {
        lock (_lock)
        {
            switch ((string)output["output_type"]!)
            {
                case "stream":
                    Print((string)output["name"]!, NotebookCell.Text(output["text"]));
                    return;
                case "error":
                    Error = Content(output, "ename", "evalue", "traceback");
                    Publish("error", Error);
                    return;
                case "execute_result":
                    JsonObject result = Content(output, "data", "metadata");
                    Value = result["data"]!.DeepClone().AsObject();
                    result["execution_count"] = _count;
                    Publish("execute_result", result);
                    return;
                case "update_display_data":
                    Update((string)output["transient"]!["display_id"]!, Content(output, "data", "metadata", "transient"));
                    return;
                case { } display:
                    Publish(display, Content(output, "data", "metadata", "transient"));
                    return;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock) _timer?.Dispose();
    }

    private void Print(string stream, string text)
    {
        if (!_limits.TryGetValue(stream, out StreamLimit? limit)) _limits[stream] = limit = new();
        text = limit.Take(text);
        if (text.Length == 0 || _silent) return;
        if (_stream != stream) Flush();
        _stream = stream;
        if (_text.Length == 0) Arm(Pause);
        _text.Append(text);
    }

    private void Update(string id, JsonObject content)
    {
        if (_updated.TryGetValue(id, out long last) && Stopwatch.GetElapsedTime(last) < UpdatePause)
        {
            // Only the newest is worth showing.
            _waiting[id] = content;
            Arm(UpdatePause);
            return;
        }
        _waiting.Remove(id);
        _updated[id] = Stopwatch.GetTimestamp();
        Publish("update_display_data", content);
    }

    private void Arm(TimeSpan pause)
    {
        _timer ??= new(_ => Tick());
        _timer.Change(pause, Timeout.InfiniteTimeSpan);
    }

    private void Tick()
    {
        lock (_lock)
        {
            Flush();
            foreach (string id in _waiting.Keys.ToArray()) Update(id, _waiting[id]);
        }
    }

    private void Publish(string type, JsonObject content)
    {
        Flush();
        if (!_silent) publish(type, content, _request);
    }

    private void Flush(bool all = false)
    {
        if (_text.Length > 0)
        {
            publish("stream", new() { ["name"] = _stream, ["text"] = _text.ToString() }, _request);
            _text.Clear();
        }
        if (!all) return;
        if (!_silent)
            foreach (JsonObject content in _waiting.Values) publish("update_display_data", content, _request);
        _waiting.Clear();
        _updated.Clear();
    }

    /// <summary>The named parts of an nbformat output. In a message text is one string, where a notebook file has a list of lines.</summary>
    private static JsonObject Content(JsonObject output, params string[] names)
    {
        var content = new JsonObject(names.Where(n => output[n] is not null).Select(n => KeyValuePair.Create(n, output[n]?.DeepClone())));
        if (content["data"] is JsonObject data)
            foreach (string mime in data.Select(d => d.Key).Where(m => !m.EndsWith("json", StringComparison.Ordinal)).ToArray()) data[mime] = NotebookCell.Text(data[mime]);
        return content;
    }
}
