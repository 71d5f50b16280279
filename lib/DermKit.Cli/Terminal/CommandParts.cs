namespace DermKit.Cli;

internal static class CommandParts
{
    internal static Option<T> Option<T>(string name, string description) => new(name) { Description = description };

    internal static Argument<T> Argument<T>(string name, string description) => new(name) { Description = description };

    internal static Argument<string[]> Arguments(string name, string description) =>
        new(name) { Description = description, Arity = ArgumentArity.ZeroOrMore };

    internal static Option<string[]> ListOption(string name, string description) =>
        new(name) { Description = description, AllowMultipleArgumentsPerToken = true };

    internal static Option<string?> Mode()
    {
        Option<string?> mode = Option<string?>("--mode", "quick, workshop or full (default: KIT_MODE, else quick)");
        mode.AcceptOnlyFromAmong("quick", "workshop", "full");
        return mode;
    }

    internal static Option<string?> Device() =>
        Option<string?>("--device", "cpu, cuda or cuda:N (default: KIT_DEVICE, else cpu)");

    internal static KitSettings Settings(this ParseResult parsed, Option<string?>? mode, Option<string?> device)
    {
        KitSettings settings = KitSettings.FromEnvironment();
        string? named = mode is null ? null : parsed.GetValue(mode);
        return settings with
        {
            Device = parsed.GetValue(device) ?? settings.Device,
            Mode = named is null ? settings.Mode : Enum.Parse<RunMode>(named, ignoreCase: true),
        };
    }

    // Null for none.
    internal static string[]? Named(this ParseResult parsed, Option<string[]> option) =>
        parsed.GetValue(option) is { Length: > 0 } names ? names : null;

    // The command line without some options and their values; of a file elsewhere only the name.
    internal static string Words(this ParseResult parsed, params string[] without)
    {
        string[] words = [.. parsed.Tokens.Select(t => t.Value)
            .Select(w => Path.IsPathRooted(w) ? Path.GetFileName(w) : w)];
        bool IsLeftOut(int i) => i >= 0 && without.Contains(words[i]);
        return string.Join(' ', words.Where((_, i) => !IsLeftOut(i) && !IsLeftOut(i - 1)));
    }

    // The pairs of a repeated option --set name=value.
    internal static Dictionary<string, string> Pairs(this ParseResult parsed, Option<string[]> set)
    {
        var pairs = new Dictionary<string, string>();
        foreach (string pair in parsed.GetValue(set) ?? [])
        {
            int at = pair.IndexOf('=', Ordinal);
            if (at <= 0) throw new KitException($"--set {pair}: expected name=value.");
            pairs[pair[..at].Trim()] = pair[(at + 1)..];
        }
        return pairs;
    }

    // Sets the action, whose result is the exit code. It runs as a task: signals are handled only after it has begun.
    internal static Command Runs(this Command command, Func<ParseResult, CancellationToken, int> action)
    {
        command.SetAction((parsed, cancellation) => Task.Run(() => action(parsed, cancellation)));
        return command;
    }

    internal static Command Runs(this Command command, Action<ParseResult, CancellationToken> action) =>
        command.Runs((parsed, cancellation) =>
        {
            action(parsed, cancellation);
            return 0;
        });

    // The kit's own data folder.
    internal static string Data(this KitSettings settings) => Path.Combine(settings.Root, "data");
}
