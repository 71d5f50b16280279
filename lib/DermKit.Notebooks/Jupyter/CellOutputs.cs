namespace DermKit.Notebooks;

/// <summary>Publishes outputs as messages of the last request; limits text, and display updates to 4/s.</summary>
internal sealed class CellOutputs(Action<string, JsonObject, JupyterMessage?> publish) : IDisposable
{
    private static readonly TimeSpan TextInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan UpdateInterval = TimeSpan.FromMilliseconds(250);
    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();
    private readonly Dictionary<string, long> _updated = [];
    private readonly Dictionary<string, JsonObject> _waiting = [];

    // Of both streams together, as in reports.
    private StreamLimit _limit = new();

    private Timer? _timer;
    private string _stream = "";
    private JupyterMessage? _request;
    private int _count;
    private bool _silent;

    internal JsonObject? Error { get; private set; }

    internal JsonObject? Value { get; private set; }

    // Assigns later outputs to a request; silent ones are not published.
    internal void Begin(JupyterMessage request, int count, bool silent)
    {
        lock (_lock)
        {
            FlushAll();
            _request = request;
            _count = count;
            _silent = silent;
            Error = null;
            Value = null;
            _limit = new();
        }
    }

    internal void End()
    {
        lock (_lock) FlushAll();
    }

    internal void Add(JsonObject output)
    {
        lock (_lock)
        {
            string type = (string)output["output_type"]!;
            if (type == "stream")
            {
                Print((string)output["name"]!, NotebookCell.Text(output["text"]));
                return;
            }
            JsonObject content = Content(output);
            if (type == "error") Error = content;
            if (type == "execute_result")
            {
                Value = (JsonObject)content["data"]!.DeepClone();
                content["execution_count"] = _count;
            }
            if (type == "update_display_data") Update((string)content["transient"]!["display_id"]!, content);
            else Publish(type, content);
        }
    }

    public void Dispose()
    {
        lock (_lock) _timer?.Dispose();
    }

    private void Print(string stream, string text)
    {
        text = _limit.Take(text);
        if (text.Length == 0 || _silent) return;
        if (_stream != stream) FlushText();
        _stream = stream;
        if (_text.Length == 0) StartTimer(TextInterval);
        _text.Append(text);
    }

    private void Update(string id, JsonObject content)
    {
        if (_updated.TryGetValue(id, out long last) && Stopwatch.GetElapsedTime(last) < UpdateInterval)
        {
            _waiting[id] = content;
            StartTimer(UpdateInterval);
            return;
        }
        _waiting.Remove(id);
        _updated[id] = Stopwatch.GetTimestamp();
        Publish("update_display_data", content);
    }

    private void StartTimer(TimeSpan interval)
    {
        _timer ??= new(_ => Tick());
        _timer.Change(interval, Timeout.InfiniteTimeSpan);
    }

    private void Tick()
    {
        lock (_lock)
        {
            FlushText();
            foreach (string id in _waiting.Keys.ToArray()) Update(id, _waiting[id]);
        }
    }

    private void Publish(string type, JsonObject content)
    {
        FlushText();
        if (!_silent) publish(type, content, _request);
    }

    private void FlushText()
    {
        if (_text.Length == 0) return;
        publish("stream", new() { ["name"] = _stream, ["text"] = _text.ToString() }, _request);
        _text.Clear();
    }

    private void FlushAll()
    {
        FlushText();
        if (!_silent)
            foreach (JsonObject content in _waiting.Values) publish("update_display_data", content, _request);
        _waiting.Clear();
        _updated.Clear();
    }

    // An output without its type; text becomes one string, as in messages.
    private static JsonObject Content(JsonObject output)
    {
        var content = (JsonObject)output.DeepClone();
        content.Remove("output_type");
        if (content["data"] is JsonObject data)
            foreach (string mime in data.Select(d => d.Key).Where(m => !m.EndsWith("json", Ordinal)).ToArray())
                data[mime] = NotebookCell.Text(data[mime]);
        return content;
    }
}
