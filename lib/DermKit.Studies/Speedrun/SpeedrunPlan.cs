using DermKit.Data;
using DermKit.Pretraining;
using System.Text.Json;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>What is trained for how many minutes, and the rules that all entries keep.</summary>
internal sealed record SpeedrunPlan(string Name, PretrainOptions Options, double Minutes)
{
    // Sets whose images may be in published weights.
    private static readonly string[] Sets = [Isic2017.Name, PadUfes20.Name];

    // On the drawn set, to try a config; never in the ledger.
    public bool IsDrawn => Options.Sets is [SyntheticDataSet.Name];

    // The locked probes.
    public string[] Tasks => IsDrawn ? ["synthetic-diagnosis", "synthetic-malignancy", "synthetic-skin-type"]
        : ["isic2017-diagnosis", "isic2017-melanoma", "pad-diagnosis", "pad-malignant", "pad-skin-type"];

    // Of libtorch, or of the views.
    public static int Threads => Math.Max(get_num_threads(), Environment.ProcessorCount);

    // Names sets and precision; throws where a rule is broken.
    public SpeedrunPlan Checked(KitSettings settings, int threads)
    {
        string[] sets = Options.Sets.Length > 0 ? Options.Sets : Sets;
        Expect(Name.Length is > 0 and < 60 && Name.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-'),
            "--name", "lower-case letters, digits and '-'", Name);
        Expect(Options.InitialWeights is null, "key 'initialWeights'", "none (entries start from random weights)",
            Options.InitialWeights);
        Expect(IsDrawn || sets.All(Sets.Contains), "key 'sets'", $"{string.Join(", ", Sets)}, whose images may be in "
            + $"published weights, or {SyntheticDataSet.Name} alone to try a config", string.Join(", ", sets));
        Expect(settings.Device == "cpu", "KIT_DEVICE", "cpu", settings.Device);
        Expect(IsDrawn ? Minutes is > 0 and <= 60 : Minutes is 10 or 60, "--minutes",
            IsDrawn ? "more than 0 and at most 60" : "10 or 60", Minutes);
        Expect(IsDrawn || threads <= 2, "threads", "at most 2 (taskset -c 0,1, OMP_NUM_THREADS=2)", threads);
        return this with { Options = Options.On(CPU) with { Sets = sets } };
    }

    // As in a file of data/pretraining, without the seed.
    public SortedDictionary<string, JsonElement> Config() =>
        new(Options.Changed().Where(k => k.Name != nameof(Options.Seed))
            .ToDictionary(k => PretrainOptions.Spelled(k.Name), k => k.Value), StringComparer.Ordinal)
        {
            ["method"] = JsonSerializer.SerializeToElement(Options.Method),
        };

    private static void Expect(bool holds, string where, string expected, object? found)
    {
        if (!holds)
            throw new KitException(FormattableString.Invariant(
                $"kit speedrun, {where}: expected {expected}, found {found}. data/speedrun/README.md has the rules."));
    }
}
