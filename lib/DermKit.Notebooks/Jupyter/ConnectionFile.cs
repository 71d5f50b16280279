using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>Where a Jupyter client expects the kernel, as its connection file says it. Keys that the kit does not need are passed over, as clients add their own.</summary>
/// <param name="Address">A loopback address.</param>
/// <param name="Shell">Port of requests.</param>
/// <param name="Publish">Port of outputs (iopub).</param>
/// <param name="Input">Port of questions to the user (stdin).</param>
/// <param name="Control">Port of interrupt and shutdown.</param>
/// <param name="Heartbeat">Port that gives back what it gets.</param>
/// <param name="Key">The key of the messages' signatures.</param>
internal sealed record ConnectionFile(IPAddress Address, int Shell, int Publish, int Input, int Control, int Heartbeat, byte[] Key)
{
    /// <summary>Reads a file.</summary>
    /// <exception cref="KitException">The file is missing or no JSON object, a key is missing or of another type, two ports are the same, or it asks for anything but signed messages over TCP on the loopback.</exception>
    internal static ConnectionFile Read(string path)
    {
        JsonObject root;
        try
        {
            root = JsonNode.Parse(File.ReadAllBytes(path), documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject ?? throw new KitException($"{path}: expected a connection file (a JSON object).");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KitException($"{path}: expected the connection file of a Jupyter client, which cannot be read ({e.Message}). A client makes it and puts its name for {{connection_file}}.", e);
        }
        catch (JsonException e)
        {
            throw new KitException($"{path}: expected a connection file (JSON), found an error at line {e.LineNumber + 1}: {e.Message}", e);
        }
        JsonNode Node(string name) => root[name] ?? throw new KitException($"{path}: the key '{name}' is missing. Keys found: {(root.Count == 0 ? "none" : string.Join(", ", root.Select(p => p.Key)))}. Let the Jupyter client write the file.");
        string Text(string name) => Node(name) is JsonValue value && value.TryGetValue(out string? text) ? text : throw new KitException($"{path}: '{name}' is {Node(name).ToJsonString()}; expected a text.");
        int Port(string name) => Node(name) is JsonValue value && value.TryGetValue(out int port) && port is > 0 and <= 65535 ? port : throw new KitException($"{path}: '{name}' is {Node(name).ToJsonString()}; expected a port from 1 to 65535.");
        void Expect(string name, string expected)
        {
            if (Text(name) != expected) throw new KitException($"{path}: '{name}' is '{Text(name)}'; this kernel speaks {expected} only.");
        }

        Expect("transport", "tcp");
        Expect("signature_scheme", "hmac-sha256");
        string ip = Text("ip");
        if (!IPAddress.TryParse(ip == "localhost" ? "127.0.0.1" : ip, out IPAddress? address) || !IPAddress.IsLoopback(address) || address.GetAddressBytes().Length != 4)
            throw new KitException($"{path}: 'ip' is '{ip}'; this kernel listens on the loopback only (127.0.0.1), because whoever reaches its ports and has the key runs code as you.");
        if (Text("key") is not { Length: > 0 } key) throw new KitException($"{path}: 'key' is empty; an unsigned kernel would take code from anybody on this machine. Let the client make a key.");
        var file = new ConnectionFile(address, Port("shell_port"), Port("iopub_port"), Port("stdin_port"), Port("control_port"), Port("hb_port"), Encoding.UTF8.GetBytes(key));
        int[] ports = [file.Shell, file.Publish, file.Input, file.Control, file.Heartbeat];
        return ports.GroupBy(p => p).FirstOrDefault(g => g.Count() > 1) is { } twice ? throw new KitException($"{path}: the port {twice.Key} is named {twice.Count()} times; each channel needs one of its own.") : file;
    }
}
