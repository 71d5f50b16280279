namespace DermKit.Notebooks;

/// <summary>Writes outputs into cells: joins stream text, applies display updates.</summary>
internal sealed class OutputRecorder
{
    private readonly Dictionary<string, JsonObject> _displays = [];
    private readonly Lock _lock = new();
    private NotebookCell? _cell;
    private StreamLimit _limit = new();

    internal void Begin(NotebookCell cell)
    {
        lock (_lock)
        {
            _cell = cell;
            _limit = new();
        }
    }

    internal void Add(JsonObject output)
    {
        lock (_lock)
        {
            if (_cell is null) return;
            string? id = (string?)output["transient"]?["display_id"];
            output.Remove("transient");
            string? type = (string?)output["output_type"];
            if (type == "stream") AddStream(_cell.Outputs, output);
            else if (type != "update_display_data")
            {
                if (id is not null) _displays[id] = output;
                _cell.Outputs.Add(output);
            }
            else if (id is not null && _displays.TryGetValue(id, out JsonObject? shown))
                shown["data"] = output["data"]!.DeepClone();
        }
    }

    private void AddStream(JsonArray outputs, JsonObject output)
    {
        string text = _limit.Take(NotebookCell.Text(output["text"]));
        if (text.Length == 0) return;
        if (outputs.LastOrDefault() is JsonObject last && (string?)last["output_type"] == "stream"
            && (string?)last["name"] == (string?)output["name"])
        {
            var lines = (JsonArray)last["text"]!;
            // Continues the last line of the previous output.
            if ((string?)lines[^1] is { } open && !open.EndsWith('\n'))
            {
                lines.RemoveAt(lines.Count - 1);
                text = open + text;
            }
            foreach (JsonNode? line in NotebookCell.Lines(text)) lines.Add(line!.DeepClone());
        }
        else
        {
            output["text"] = NotebookCell.Lines(text);
            outputs.Add(output);
        }
    }
}
