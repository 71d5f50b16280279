using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DermKit.Notebooks;

/// <summary>A message of Jupyter's wire protocol 5.3: on the wire identities, a delimiter, a signature (HMAC-SHA256 in hexadecimal) and four JSON dictionaries.</summary>
/// <param name="Identities">Routing prefix of a request, which its reply repeats; the topic of a published message.</param>
/// <param name="Header">Id, type, session, user, date and protocol version.</param>
/// <param name="Parent">The header of the request that this answers; empty for none.</param>
/// <param name="Content">What the type asks for.</param>
internal sealed record JupyterMessage(IReadOnlyList<byte[]> Identities, JsonObject Header, JsonObject Parent, JsonObject Content)
{
    internal const string ProtocolVersion = "5.3";
    private static readonly byte[] Delimiter = "<IDS|MSG>"u8.ToArray();

    /// <summary>Such as execute_request.</summary>
    internal string Type => (string?)Header["msg_type"] ?? "";

    /// <summary>A message of this process.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="content">What the type asks for.</param>
    /// <param name="session">The sender's session.</param>
    /// <param name="request">What it answers.</param>
    /// <param name="identities">Null: those of <paramref name="request"/>.</param>
    internal static JupyterMessage Create(string type, JsonObject content, string session, JupyterMessage? request, IReadOnlyList<byte[]>? identities = null) =>
        new(identities ?? request?.Identities ?? [], new JsonObject
        {
            ["msg_id"] = Guid.NewGuid().ToString("N"),
            ["msg_type"] = type,
            ["session"] = session,
            ["username"] = "kernel",
            ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture),
            ["version"] = ProtocolVersion,
        }, request?.Header.DeepClone().AsObject() ?? [], content);

    /// <summary>The frames of the message, signed.</summary>
    internal IReadOnlyList<byte[]> ToFrames(byte[] key)
    {
        byte[][] parts = [.. new[] { Header, Parent, [], Content }.Select(part => Encoding.UTF8.GetBytes(part.ToJsonString()))];
        return [.. Identities, Delimiter, Signature(key, parts), .. parts];
    }

    /// <summary>Reads frames.</summary>
    /// <returns>Null for frames that are no message or whose signature is not that of <paramref name="key"/>.</returns>
    internal static JupyterMessage? Read(IReadOnlyList<byte[]> frames, byte[] key)
    {
        int at = 0;
        while (at < frames.Count && !frames[at].AsSpan().SequenceEqual(Delimiter)) at++;
        // Frames after the four dictionaries are binary buffers of widgets, which this kernel has none of.
        if (frames.Count < at + 6) return null;
        byte[][] parts = [.. frames.Skip(at + 2).Take(4)];
        if (!CryptographicOperations.FixedTimeEquals(frames[at + 1], Signature(key, parts))) return null;
        try
        {
            JsonObject[] read = [.. parts.Select(p => JsonNode.Parse(p, documentOptions: new() { MaxDepth = 256, AllowDuplicateProperties = false })!.AsObject())];
            // Here and not later: a type that is no text makes no message.
            if ((string?)read[0]["msg_type"] is null) return null;
            return new([.. frames.Take(at)], read[0], read[1], read[3]);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException or ArgumentException)
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
