namespace DermKit.Notebooks;

/// <summary>The address, ports and key that a Jupyter client writes for its kernel.</summary>
internal sealed record ConnectionFile(IPAddress Address, int Shell, int Publish, int Input, int Control,
    int Heartbeat, byte[] Key)
{
    internal static ConnectionFile Read(string path)
    {
        JsonObject root = Parse(path);
        T Value<T>(string name, string expected, Predicate<T> isValid)
        {
            if (root[name] is not { } node)
                throw new KitException($"{path}: the key '{name}' is missing. Keys found: "
                    + $"{string.Join(", ", root.Select(p => p.Key))}. Let the Jupyter client write the file.");
            return node is JsonValue value && value.TryGetValue(out T? found) && isValid(found) ? found
                : throw new KitException($"{path}: '{name}' is {node.ToJsonString()}; {expected}.");
        }

        void Expect(string name, string only) =>
            Value<string>(name, $"expected text, and this kernel supports {only} only", text => text == only);
        int Port(string name) => Value<int>(name, "expected a port from 1 to 65535", port => port is > 0 and <= 65535);
        IPAddress? Loopback(string ip) => IPAddress.TryParse(ip == "localhost" ? "127.0.0.1" : ip, out var address)
            && IPAddress.IsLoopback(address) && address.GetAddressBytes().Length == 4 ? address : null;

        Expect("transport", "tcp");
        Expect("signature_scheme", "hmac-sha256");
        string ip = Value<string>("ip", "this kernel listens on the loopback only (127.0.0.1), because whoever reaches "
            + "its ports and has the key runs code as you", text => Loopback(text) is not null);
        string key = Value<string>("key", "expected text that is not empty, as an unsigned kernel would run code of "
            + "anybody on this machine; let the client create a key", text => text.Length > 0);
        int[] ports =
            [.. new[] { "shell_port", "iopub_port", "stdin_port", "control_port", "hb_port" }.Select(Port)];
        IGrouping<int, int>? repeated = ports.GroupBy(p => p).FirstOrDefault(g => g.Count() > 1);
        return repeated is null
            ? new(Loopback(ip)!, ports[0], ports[1], ports[2], ports[3], ports[4], Encoding.UTF8.GetBytes(key))
            : throw new KitException($"{path}: the port {repeated.Key} is named {repeated.Count()} times; each channel "
                + "needs its own.");
    }

    private static JsonObject Parse(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path), null, NotebookJson.Strict) as JsonObject
                ?? throw new KitException($"{path}: expected a connection file (a JSON object).");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new KitException($"{path}: expected a connection file (JSON), whose name a Jupyter client passes for "
                + $"{{connection_file}}; this one is not readable: {e.Message}", e);
        }
    }
}
