using DermKit.Pretraining;
using DermKit.Studies;

namespace DermKit.Cli;

internal static class SpeedrunCommand
{
    internal static Command Create()
    {
        var config = Argument<string>("config", "A file, or a name in data/pretraining (simclr-10min)");
        var minutes = Option<double?>("--minutes", "Minutes of training: 10 or 60 (default: 60)");
        var seed = Option<int?>("--seed", "Seed of weights, order and augmentation (default: the config's)");
        var final = Option<bool>("--final",
            "Scores on the frozen test images too, once for any weights; an entry of this name is not trained again");
        var name = Option<string?>("--name", "Name of the entry (default: the name of the config)");
        var set = Option<string[]>("--set", "key=value, which overrides the config; may be repeated");
        return new Command("speedrun",
            "Trains a backbone from random weights on two cores in 10 or 60 minutes and enters its scores on locked "
            + "probes into data/speedrun")
        {
            config, minutes, seed, final, name, set
        }.Runs((parsed, cancellation) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string file = PretrainOptions.Find(settings, parsed.GetValue(config)!);
            PretrainOptions options = PretrainOptions.Read(file, parsed.Pairs(set));
            if (parsed.GetValue(seed) is { } given) options = options with { Seed = given };
            var plan = new SpeedrunPlan(parsed.GetValue(name) ?? Path.GetFileNameWithoutExtension(file), options,
                parsed.GetValue(minutes) ?? 60);
            SpeedrunEntry entry = new SpeedrunRun(settings, plan, Console.WriteLine)
                .Run(parsed.GetValue(final), cancellation);
            Console.WriteLine(Rate(entry, options.Epochs));
            bool isDrawn = entry.Stamp.Length > 0;
            if (!isDrawn) SpeedrunPage.Write(settings);
            var ledger = new SpeedrunLedger(settings, isDrawn);
            Console.WriteLine(SpeedrunPage.Entries(ledger.Entries()));
            Console.WriteLine(ledger.PathOf(entry.Name));
        });
    }

    private static string Rate(SpeedrunEntry entry, int epochs)
    {
        double fit = epochs * entry.Steps / (double)entry.StepsOfConfig * entry.Minutes / entry.MinutesTrained;
        string ended = entry.Steps == entry.StepsOfConfig ? "" : " The schedule did not end, and the learning rate had "
            + "not come down: give it the epochs that fit.";
        return FormattableString.Invariant($"{entry.Steps} of {entry.StepsOfConfig} steps in {entry.MinutesTrained} ")
            + FormattableString.Invariant($"minutes with their views, {entry.ImagesPerSecond} images/s: {fit:0.0} ")
            + FormattableString.Invariant($"epochs fit into {entry.Minutes} minutes; decoding of the cache and probes ")
            + $"do not count.{ended}";
    }
}
