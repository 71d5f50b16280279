using System.Text;

namespace DermKit.Cli;

/// <summary>Removes control characters of files; line ends, tabs and a leading carriage return pass.</summary>
internal sealed class TerminalWriter(TextWriter inner) : TextWriter
{
    // Unfiltered, for progress that writes its own escape sequences.
    internal static TextWriter Terminal { get; private set; } = Console.Out;

    public override Encoding Encoding => inner.Encoding;

    // Filters both streams from now on, and makes them UTF-8 in every locale.
    internal static void Install()
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        Terminal = Console.Out;
#pragma warning disable CA2000 // The console keeps them until the process ends.
        Console.SetOut(new TerminalWriter(Terminal));
        Console.SetError(new TerminalWriter(Console.Error));
#pragma warning restore CA2000
    }

    public override void Write(char value) => inner.Write(Printable.Text(value.ToString()));

    public override void Write(string? value) => inner.Write(Filter(value));

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void WriteLine(string? value) => inner.WriteLine(Filter(value));

    public override void Flush() => inner.Flush();

    private static string Filter(string? text) => text is ['\r', ..] ? "\r" + Printable.Text(text[1..])
        : Printable.Text((text ?? "").Replace("\r\n", "\n"));
}
