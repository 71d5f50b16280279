using System.Security.Cryptography;

namespace DermKit.Notebooks;

/// <summary>Jupyter's wire protocol 5.3: identities, a delimiter, a signature and four JSON dictionaries.</summary>
internal sealed record JupyterMessage(IReadOnlyList<byte[]> Identities, JsonObject Header, JsonObject Parent,
    JsonObject Content)
{
    internal const string ProtocolVersion = "5.3";
    private static readonly byte[] Delimiter = "<IDS|MSG>"u8.ToArray();

    internal string Type => (string?)Header["msg_type"] ?? "";

    // Null identities repeat the request's.
    internal static JupyterMessage Create(string type, JsonObject content, string session, JupyterMessage? request,
        IReadOnlyList<byte[]>? identities = null)
    {
        var header = new JsonObject
        {
            ["msg_id"] = Guid.NewGuid().ToString("N"),
            ["msg_type"] = type,
            ["session"] = session,
            ["username"] = "kernel",
            ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture),
            ["version"] = ProtocolVersion,
        };
        return new(identities ?? request?.Identities ?? [], header, request?.Header.DeepClone().AsObject() ?? [],
            content);
    }

    internal IReadOnlyList<byte[]> ToFrames(byte[] key)
    {
        byte[][] parts =
            [.. new[] { Header, Parent, [], Content }.Select(part => Encoding.UTF8.GetBytes(part.ToJsonString()))];
        return [.. Identities, Delimiter, Signature(key, parts), .. parts];
    }

    // Null when the frames are no message or signed with another key.
    internal static JupyterMessage? Read(IReadOnlyList<byte[]> frames, byte[] key)
    {
        int at = frames.TakeWhile(f => !f.AsSpan().SequenceEqual(Delimiter)).Count();
        // Further frames are buffers of widgets, which this kernel does not have.
        if (frames.Count < at + 6) return null;
        byte[][] parts = [.. frames.Skip(at + 2).Take(4)];
        if (!CryptographicOperations.FixedTimeEquals(frames[at + 1], Signature(key, parts))) return null;
        try
        {
            JsonObject[] read = [.. parts.Select(p => JsonNode.Parse(p, null, NotebookJson.Strict)!.AsObject())];
            // Fails here, not later, when the type is no text.
            if ((string?)read[0]["msg_type"] is null) return null;
            return new([.. frames.Take(at)], read[0], read[1], read[3]);
        }
        catch (Exception e)
            when (e is JsonException or InvalidOperationException or NullReferenceException or ArgumentException)
        {
            return null;
        }
    }

    private static byte[] Signature(byte[] key, byte[][] parts)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        foreach (byte[] part in parts) hash.AppendData(part);
        return Encoding.ASCII.GetBytes(Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}
