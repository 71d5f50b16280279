namespace DermKit.Notebooks;

/// <summary>The address, ports and key that a Jupyter client writes for its kernel.</summary>
internal sealed record ConnectionFile(IPAddress Address, int Shell, int Publish, int Input, int Control,
    int Heartbeat, byte[] Key)
{
    internal static ConnectionFile Read(string path)
    {
        JsonObject root = Parse(path);
        JsonNode Node(string name) => root[name]
            ?? throw new KitException($"{path}: the key '{name}' is missing. Keys found: "
                + $"{(root.Count == 0 ? "none" : string.Join(", ", root.Select(p => p.Key)))}. Let the Jupyter client "
                + "write the file.");
        string Text(string name) => Node(name) is JsonValue value && value.TryGetValue(out string? text) ? text
            : throw new KitException($"{path}: '{name}' is {Node(name).ToJsonString()}; expected text.");
        int Port(string name) =>
            Node(name) is JsonValue value && value.TryGetValue(out int port) && port is > 0 and <= 65535 ? port
            : throw new KitException(
                $"{path}: '{name}' is {Node(name).ToJsonString()}; expected a port from 1 to 65535.");
        void Expect(string name, string expected)
        {
            if (Text(name) != expected)
                throw new KitException($"{path}: '{name}' is '{Text(name)}'; this kernel supports {expected} only.");
        }

        Expect("transport", "tcp");
        Expect("signature_scheme", "hmac-sha256");
        string ip = Text("ip");
        if (!IPAddress.TryParse(ip == "localhost" ? "127.0.0.1" : ip, out IPAddress? address)
            || !IPAddress.IsLoopback(address) || address.GetAddressBytes().Length != 4)
            throw new KitException($"{path}: 'ip' is '{ip}'; this kernel listens on the loopback only (127.0.0.1), "
                + "because whoever reaches its ports and has the key runs code as you.");
        string key = Text("key");
        if (key.Length == 0)
            throw new KitException($"{path}: 'key' is empty; an unsigned kernel would run code of anybody on this "
                + "machine. Let the client create a key.");
        var file = new ConnectionFile(address, Port("shell_port"), Port("iopub_port"), Port("stdin_port"),
            Port("control_port"), Port("hb_port"), Encoding.UTF8.GetBytes(key));
        int[] ports = [file.Shell, file.Publish, file.Input, file.Control, file.Heartbeat];
        IGrouping<int, int>? repeated = ports.GroupBy(p => p).FirstOrDefault(g => g.Count() > 1);
        return repeated is null ? file
            : throw new KitException($"{path}: the port {repeated.Key} is named {repeated.Count()} times; each channel "
                + "needs its own.");
    }

    private static JsonObject Parse(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path), documentOptions: new() { AllowDuplicateProperties = false })
                as JsonObject ?? throw new KitException($"{path}: expected a connection file (a JSON object).");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KitException($"{path}: expected the connection file of a Jupyter client, which is not readable "
                + $"({e.Message}). A client writes it and passes its name for {{connection_file}}.", e);
        }
        catch (JsonException e)
        {
            throw new KitException($"{path}: expected a connection file (JSON), found an error at line "
                + $"{e.LineNumber + 1}: {e.Message}", e);
        }
    }
}
