using System;
using System.IO;
using System.Text;

/// <summary>
/// Marks one version need of a 64-bit little-endian ELF library as weak, in place.
/// TorchSharp's libLibTorchSharp.so asks libstdc++ for GLIBCXX_3.4.32, which Debian 12 and Ubuntu 22.04 do not
/// define; no relocation refers to it, so the loader may treat it as optional (VER_FLG_WEAK, gABI "Symbol Versioning").
/// Only the copy in the build output is changed.
/// </summary>
public static class ElfVersionNeed
{
    private const ushort Weak = 2;
    private const uint SectionVersionNeed = 0x6ffffffe;

    /// <summary>Sets the weak flag on <paramref name="version"/>.</summary>
    /// <returns>Bytes changed: 2 the first time, 0 when the flag is set already or the need is absent.</returns>
    /// <exception cref="InvalidDataException">The file is no 64-bit little-endian ELF file.</exception>
    public static int MakeWeak(string path, string version)
    {
        byte[] elf = File.ReadAllBytes(path);
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F' || elf[4] != 2
            || elf[5] != 1)
            throw new InvalidDataException(path
                + ": expected a 64-bit little-endian ELF library. Restore the package again (delete the build output, "
                + "then build).");
        long sections = BitConverter.ToInt64(elf, 40);
        int entrySize = BitConverter.ToUInt16(elf, 58), count = BitConverter.ToUInt16(elf, 60);
        for (int i = 0; i < count; i++)
        {
            long header = sections + (long)i * entrySize;
            if (BitConverter.ToUInt32(elf, (int)header + 4) != SectionVersionNeed) continue;
            long offset = BitConverter.ToInt64(elf, (int)header + 24);
            int link = BitConverter.ToInt32(elf, (int)header + 40), needs = BitConverter.ToInt32(elf, (int)header + 44);
            long strings = BitConverter.ToInt64(elf, (int)(sections + (long)link * entrySize) + 24);
            int flags = FindFlags(elf, offset, needs, strings, version);
            if (flags < 0 || (BitConverter.ToUInt16(elf, flags) & Weak) != 0) return 0;
            elf[flags] |= (byte)Weak;
            // A running process may have the old file mapped: replace it by rename, never in place.
            string temporary = path + "." + Guid.NewGuid().ToString("N") + ".tmp";
            try
            {
                File.WriteAllBytes(temporary, elf);
                File.Replace(temporary, path, null);
            }
            finally
            {
                File.Delete(temporary);
            }
            return 2;
        }
        return 0;
    }

    private static int FindFlags(byte[] elf, long need, int needs, long strings, string version)
    {
        for (int i = 0; i < needs; i++)
        {
            int auxCount = BitConverter.ToUInt16(elf, (int)need + 2);
            long aux = need + BitConverter.ToUInt32(elf, (int)need + 8);
            for (int j = 0; j < auxCount; j++)
            {
                if (ReadString(elf, strings + BitConverter.ToUInt32(elf, (int)aux + 8)) == version) return (int)aux + 4;
                aux += BitConverter.ToUInt32(elf, (int)aux + 12);
            }
            need += BitConverter.ToUInt32(elf, (int)need + 12);
        }
        return -1;
    }

    private static string ReadString(byte[] elf, long start)
    {
        int end = Array.IndexOf(elf, (byte)0, (int)start);
        return Encoding.ASCII.GetString(elf, (int)start, end - (int)start);
    }
}

#if !KIT_TESTS
/// <summary>The build step around <see cref="ElfVersionNeed"/>; runs after every copy to the output and changes
/// nothing the second time.</summary>
public class PatchTorchNative : Microsoft.Build.Utilities.Task
{
    /// <summary>The library in the build output.</summary>
    public string LibraryPath { get; set; }

    /// <inheritdoc/>
    public override bool Execute()
    {
        if (ElfVersionNeed.MakeWeak(LibraryPath, "GLIBCXX_3.4.32") > 0)
            Log.LogMessage(Microsoft.Build.Framework.MessageImportance.Normal,
                "GLIBCXX_3.4.32 made optional in " + LibraryPath);
        return true;
    }
}
#endif
