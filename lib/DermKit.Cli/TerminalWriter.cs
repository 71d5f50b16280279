using System.Text;

namespace DermKit.Cli;

/// <summary>
/// What stands before standard output and error of every command: no control character of a file reaches a terminal
/// or a
/// log. Line ends and tabs pass, and the return at the start of a text, with which the kit overwrites its own line.
/// </summary>
internal sealed class TerminalWriter(TextWriter inner) : TextWriter
{
    /// <summary>
    /// Standard output as it is, for progress that writes escape sequences of its own and takes none of a file.
    /// </summary>
    internal static TextWriter Terminal { get; private set; } = Console.Out;

    public override Encoding Encoding => inner.Encoding;

    /// <summary>
    /// Stands before both streams of this process from now on, which are UTF-8 whatever the locale says.
    /// </summary>
    internal static void Install()
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        Terminal = Console.Out;
        Console.SetOut(new TerminalWriter(Terminal));
        Console.SetError(new TerminalWriter(Console.Error));
    }

    public override void Write(char value) => inner.Write(Printable.Text(value.ToString()));

    public override void Write(string? value) => inner.Write(Safe(value));

    public override void Write(char[] buffer, int index, int count) => inner.Write(Safe(new string(buffer, index,
        count)));

    public override void Write(ReadOnlySpan<char> buffer) => inner.Write(Safe(buffer.ToString()));

    public override void WriteLine(string? value) => inner.WriteLine(Safe(value));

    public override void Flush() => inner.Flush();

    private static string Safe(string? text) => text is null ? "" : text is ['\r', ..]
        ? "\r" + Printable.Text(text[1..]) : Printable.Text(text.Replace("\r\n", "\n"));
}
