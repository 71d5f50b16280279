using DermKit.Evaluation;
using DermKit.Studies;

namespace DermKit.Cli;

internal static class VerifyCommand
{
    internal static Command Create()
    {
        var name = new Argument<string?>("name")
        {
            Description = "A file of data/results, or the path of another .json file (default: every file)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var full = Option<bool>("--full", "Scores the rows again, without stored features and results");
        Option<string[]> tasks = ListOption("--tasks",
            "With --full: tasks to score again (default: all that are here)");
        Option<string[]> models = ListOption("--models",
            "With --full: models to score again (default: all that are here)");
        var tolerance = Option<double?>("--tolerance", "With --full: most that an F1 may differ (default: the file's)");
        Option<string?> device = Device();
        var command = new Command("verify",
            "Checks published numbers: labels, image files, weights and features of a few images, in about a minute a "
            + "file; prints PASS, FAIL or SKIP")
        {
            name, full, tasks, models, tolerance, device
        };
        command.Validators.Add(result =>
        {
            bool isPart = result.GetValue(tasks) is { Length: > 0 } || result.GetValue(models) is { Length: > 0 };
            if ((isPart || result.GetValue(tolerance) is not null) && !result.GetValue(full))
                result.AddError("--tasks, --models and --tolerance need --full.");
            if (isPart && result.GetValue(name) is null) result.AddError("--tasks and --models need a NAME.");
            if (result.GetValue(tolerance) is { } most && !(most > 0))
                result.AddError($"--tolerance: expected a number above 0, found {most}.");
        });
        return command.Runs((parsed, cancellation) =>
        {
            KitSettings settings = parsed.Settings(null, device);
            string folder = PublishedFile.Folder(settings);
            string? given = parsed.GetValue(name);
            int[] count = new int[3];
            bool isChecked = false;
            string[] files = given is null ? PublishedFile.Names(folder) : [given];
            foreach ((string file, PublishedCheck check) in files.SelectMany(f => PublishedRuns.Verify(settings, folder,
                f, parsed.GetValue(full), parsed.Named(tasks), parsed.Named(models), parsed.GetValue(tolerance),
                cancellation).Select(c => (f, c))))
            {
                string outcome = check.Outcome.ToString().ToUpperInvariant();
                Console.WriteLine(Printable.Line($"{outcome}  {file}, {check.What}: {check.Found}"));
                count[(int)check.Outcome]++;
                isChecked |= check is { IsArithmetic: false, Outcome: not PublishedOutcome.Skip };
            }
            Console.WriteLine($"{count[0]} passed, {count[1]} failed, {count[2]} skipped");
            if (given is not null && !isChecked) Console.WriteLine("Nothing could be checked.");
            return count[1] > 0 || given is not null && !isChecked ? 1 : 0;
        });
    }
}
