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

    // Repeatable name=value options.
    internal static Option<string[]> Set(string description) =>
        new("--set") { Description = description, Arity = ArgumentArity.ZeroOrMore };

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

    // The pairs of Set.
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

    // Runs as a task: signals are handled only after the action has returned its task.
    internal static void SetLongAction(this Command command, Func<ParseResult, CancellationToken, int> action) =>
        command.SetAction((parsed, cancellation) => Task.Run(() => action(parsed, cancellation)));
}
