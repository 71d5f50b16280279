using System.Text;

namespace DermKit.Cli;

/// <summary>Removes control characters of files; line ends, tabs and a leading carriage return pass.</summary>
internal sealed class TerminalWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    // Filters both streams from now on, and makes them UTF-8 in every locale.
    internal static void Install()
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
#pragma warning disable CA2000 // The console keeps them until the process ends.
        Console.SetOut(new TerminalWriter(Console.Out));
        Console.SetError(new TerminalWriter(Console.Error));
#pragma warning restore CA2000
    }

    public override void Write(char value) => inner.Write(Printable.Text(value.ToString()));

    public override void Write(string? value) => inner.Write(Filter(value));

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void WriteLine(string? value) => inner.WriteLine(Filter(value));

    public override void Flush() => inner.Flush();

    private static string Filter(string? text) => text is ['\r', ..] ? "\r" + Printable.Text(text[1..])
        : Printable.Text((text ?? "").Replace("\r\n", "\n"));
}
