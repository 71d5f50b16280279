namespace DermKit.Data;

/// <summary>
/// CRC-32 of zip and gzip (ISO 3309, polynomial 0xEDB88320), which System.IO.Compression writes but does not check.
/// </summary>
internal static class Crc32
{
    // Table k gives what a byte does to the sum when k more bytes follow it.
    private static readonly uint[] Tables = Build();

    /// <summary>The checksum of all bytes so far and these; the first call takes 0.</summary>
    internal static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        uint sum = ~crc;
        for (; bytes.Length >= 4; bytes = bytes[4..])
        {
            sum ^= (uint)(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24);
            sum = Tables[768 + (sum & 0xFF)] ^ Tables[512 + (sum >> 8 & 0xFF)] ^ Tables[256 + (
                sum >> 16 & 0xFF)] ^ Tables[sum >> 24];
        }
        foreach (byte b in bytes) sum = sum >> 8 ^ Tables[(sum ^ b) & 0xFF];
        return ~sum;
    }

    private static uint[] Build()
    {
        uint[] tables = new uint[4 * 256];
        for (uint i = 0; i < tables.Length; i++)
        {
            uint sum = i < 256 ? i : tables[i - 256];
            for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1) * 0xEDB88320;
            tables[i] = sum;
        }
        return tables;
    }
}
