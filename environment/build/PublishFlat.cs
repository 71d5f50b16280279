using System;
using System.IO;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Copies a folder into another; a changed file lands by rename, because a running kernel may have the old one mapped.</summary>
public class PublishFlat : Task
{
    /// <summary>Source folder.</summary>
    public string From { get; set; }

    /// <summary>Target folder; made when missing.</summary>
    public string To { get; set; }

    /// <inheritdoc/>
    public override bool Execute()
    {
        string root = Path.GetFullPath(From).TrimEnd('/', '\\') + Path.DirectorySeparatorChar;
        foreach (string file in Directory.GetFiles(root, "*", SearchOption.AllDirectories))
        {
            FileInfo source = new FileInfo(file), target = new FileInfo(Path.Combine(To, file.Substring(root.Length)));
            if (target.Exists && target.Length == source.Length && target.LastWriteTimeUtc == source.LastWriteTimeUtc) continue;
            Directory.CreateDirectory(target.DirectoryName);
            string temporary = target.FullName + "." + Guid.NewGuid().ToString("N") + ".tmp";
            source.CopyTo(temporary);
            if (target.Exists) target.Delete();
            File.Move(temporary, target.FullName);
        }
        return true;
    }
}
