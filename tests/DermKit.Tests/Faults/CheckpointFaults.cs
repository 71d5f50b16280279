using DermKit.Models;
using DermKit.Pretraining;
using DermKit.Tests.Pretraining;
using System.Reflection;
using System.Text.Json;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Faults;

/// <summary>What is no checkpoint of this run is refused in words, and neither the folder nor
/// the model is changed.</summary>
public sealed class CheckpointFaults : IDisposable
{
    private readonly TinyPretraining tiny = new();
    private static readonly DinoOptions Options = TinyPretraining.Options with { Epochs = 1, WarmupEpochs = 0 };

    public CheckpointFaults() => tiny.Run("run", Options);

    private string File => Path.Combine(tiny.Folder("run"), "checkpoint.safetensors");

    public void Dispose() => tiny.Dispose();

    /// <summary>Message of the refusal; checks on the way that nothing was changed.</summary>
    private string Refused(PretrainOptions options, TinyPretraining? other = null)
    {
        byte[] before = System.IO.File.ReadAllBytes(File),
            log = System.IO.File.ReadAllBytes(Path.Combine(tiny.Folder("run"), "log.jsonl"));
        using PretrainData data = (other ?? tiny).Data(options);
        string message =
            Assert.Throws<KitException>(() => new Pretrainer(options, data, CPU, tiny.Folder("run"))).Message;
        Assert.StartsWith(File, message);
        Assert.Equal(before, System.IO.File.ReadAllBytes(File));
        Assert.Equal(log, System.IO.File.ReadAllBytes(Path.Combine(tiny.Folder("run"), "log.jsonl")));
        Assert.Equal(2, Directory.GetFiles(tiny.Folder("run")).Length);

        using PretrainMethod dino = options.Create(CPU);
        using var updates = new TrainingLoop(dino, options, 3);
        Dictionary<string, Tensor> state = dino.State.ToDictionary(s => s.Key, s => s.Value.detach().clone());
        Assert.Equal(message,
            Assert.Throws<KitException>(() => Checkpoint.Load(File, updates, options, data.Key)).Message);
        Assert.All(dino.State,
            s => Assert.True(s.Value.Equals(state[s.Key]), $"{s.Key} was changed by a checkpoint that was refused"));
        Assert.Equal(0, updates.Done);
        foreach (Tensor value in state.Values) value.Dispose();
        return message;
    }

    /// <summary>Writes the checkpoint again with other metadata or fewer tensors.</summary>
    private void Rewrite(Action<Dictionary<string, string>> metadata, Func<string, bool>? keep = null,
        string? file = null)
    {
        string path = file ?? File;
        using var scope = NewDisposeScope();
        Dictionary<string, string> meta;
        Dictionary<string, Tensor> tensors;
        using (SafeTensorsFile opened = SafeTensorsFile.Open(path))
        {
            meta = new(opened.Metadata);
            tensors = opened.Entries.Keys.Where(keep ?? (_ => true)).ToDictionary(k => k, k => opened.Load(k));
        }
        metadata(meta);
        SafeTensors.Save(path, tensors, meta);
    }

    [Fact]
    public void OtherOptionsAreNamed()
    {
        string message = Refused(Options with { Seed = 2, TeacherMomentum = 0.5 });
        Assert.Contains("seed was 1, is 2", message);
        Assert.Contains("teacherMomentum was 0.996, is 0.5", message);
        Assert.DoesNotContain("batch", message);
    }

    /// <summary>Another value of a key's type; whether it could be trained with does not matter here.</summary>
    private static object? Other(object? value) => value switch
    {
        null => "weights.safetensors",
        int number => number + 1,
        double number => number + 0.125,
        bool flag => !flag,
        string text => text + "x",
        Enum kind => Enum.ToObject(kind.GetType(),
            Convert.ToInt32(kind, System.Globalization.CultureInfo.InvariantCulture) == 0 ? 1 : 0),
        string[] list => (string[])[.. list, "other"],
        int[] list => (int[])[.. list, 1],
        _ => throw new ArgumentException($"{value.GetType()} is a new type of key"),
    };

    [Fact]
    public void EachKeyIsRefusedByNameOrLeavesTheCourseOfTrainingAsItIs()
    {
        string[] free = ["checkpointEvery", "initialShare", "keepEvery", "keepLast", "monitorEvery"];
        using PretrainData data = tiny.Data(Options);
        var resumed = new List<string>();
        int refused = 0;
        foreach (PropertyInfo key in PretrainOptions.Keys(typeof(DinoOptions)))
        {
            DinoOptions changed = Options with { };
            key.SetValue(changed, Other(key.GetValue(Options)));
            string name = JsonNamingPolicy.CamelCase.ConvertName(key.Name);
            using var dino = new Dino(Options, CPU);
            using var updates = new TrainingLoop(dino, Options, 3);
            if (free.Contains(name))
            {
                Checkpoint.Load(File, updates, changed, data.Key);
                Assert.Equal(3, updates.Done);
                resumed.Add(name);
                continue;
            }
            string message =
                Assert.Throws<KitException>(() => Checkpoint.Load(File, updates, changed, data.Key)).Message;
            Assert.Contains($"made with other options: {name} was ", message, StringComparison.Ordinal);
            Assert.DoesNotContain(";", message, StringComparison.Ordinal);
            Assert.Equal(0, updates.Done);
            refused++;
        }
        Assert.Equal(free, resumed.Order(StringComparer.Ordinal));
        Assert.True(refused > 40);
    }

    [Fact]
    public void ARunContinuesToTheSameWeightsWithOtherKeysOfWhatIsKept()
    {
        PretrainOptions options = TinyPretraining.Options;
        byte[] whole = tiny.Run("all", options).Checkpoint;
        using PretrainData data = tiny.Data(options);
        using (var trainer = new Pretrainer(options with { KeepLast = 5, CheckpointEvery = 1 }, data, CPU,
            tiny.Folder("part")))
        using (var stop = new CancellationTokenSource())
            Assert.ThrowsAny<OperationCanceledException>(() =>
                trainer.Run(s => { if (s.Step == 7) stop.Cancel(); }, stop.Token));
        using (var trainer = new Pretrainer(options with { KeepEvery = 4, MonitorEvery = 1, CheckpointEvery = 100 },
            data, CPU, tiny.Folder("part")))
        {
            Assert.Equal(7, trainer.Done);
            trainer.Run();
        }
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("part"))) Assert.Equal(12, trainer.Done);
        using SafeTensorsFile first = SafeTensorsFile.Open(Path.Combine(tiny.Folder("all"), "checkpoint.safetensors")),
            second = SafeTensorsFile.Open(Path.Combine(tiny.Folder("part"), "checkpoint.safetensors"));
        using var scope = NewDisposeScope();
        Assert.NotEmpty(whole);
        Assert.All(first.Entries.Keys, k => Assert.True(first.Load(k).Equals(second.Load(k)), k));
    }

    [Fact]
    public void ACheckpointOfANewerFormatIsRefusedInOneSentence()
    {
        Rewrite(m => m["version"] = $"{Checkpoint.Version + 1}");
        string message = Refused(Options);
        Assert.Contains($"format {Checkpoint.Version + 1}", message);
        Assert.Single(message.TrimEnd('.').Split(". "));
        Rewrite(m => m["version"] = "new");
        Assert.Contains("'version' of its metadata is 'new'", Refused(Options));
    }

    [Fact]
    public void ACheckpointWithoutAVersionContinuesAndSaysWhatIsOther()
    {
        PretrainOptions options = TinyPretraining.Options;
        using PretrainData data = tiny.Data(options);
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("run4")))
        using (var stop = new CancellationTokenSource())
        {
            trainer.AfterEpoch = (_, _) => 0.5;
            Assert.ThrowsAny<OperationCanceledException>(() =>
                trainer.Run(s => { if (s.Step == 3) stop.Cancel(); }, stop.Token));
            Assert.Equal("", trainer.Notice);
        }
        string file = Path.Combine(tiny.Folder("run4"), "checkpoint.safetensors");
        Rewrite(m =>
        {
            foreach (string key in (string[])["version", "best", "bestStep"]) Assert.True(m.Remove(key));
        }, file: file);
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("run4")))
        {
            Assert.Equal(3, trainer.Done);
            Assert.Contains("older version of the kit: from step 4 on", trainer.Notice);
            // Its best score is in the log.
            trainer.AfterEpoch = (_, _) => 0.4;
            trainer.Run();
        }
        Assert.Equal("3", StepOf(Path.Combine(tiny.Folder("run4"), "best.safetensors")));
        Assert.Equal("2", MetadataOf(file)["version"]);
    }

    [Fact]
    public void AnOldCheckpointWhoseImagesWereChosenOtherwiseIsRefusedWithTheReason()
    {
        PretrainOptions few = Options with { MostImages = 8, Epochs = 1 };
        tiny.Run("few", few);
        string file = Path.Combine(tiny.Folder("few"), "checkpoint.safetensors");
        Rewrite(m =>
        {
            m.Remove("version");
            m["data"] = "another-8";
        }, file: file);
        using PretrainData data = tiny.Data(few);
        Assert.Contains("older version of the kit wrote it, which chose other images for 'mostImages'",
            Assert.Throws<KitException>(() => new Pretrainer(few, data, CPU, tiny.Folder("few"))).Message);
    }

    [Fact]
    public void AnotherMethodAndAnotherSizeAreNamed()
    {
        Assert.Contains("method was \"DINO\", is \"iBOT\"",
            Refused(TinyPretraining.For("iBOT") with { Epochs = 1, WarmupEpochs = 0 }));
        Assert.Contains("dim was 24, is 48", Refused(Options with { Dim = 48 }));
    }

    [Theory]
    [InlineData(0x7FFFFFFFFFFFFFFF)]
    [InlineData(-1)]
    [InlineData(0)]
    public void AHeaderOfAnImpossibleLengthIsRefused(long length)
    {
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        BitConverter.TryWriteBytes(bytes, length);
        System.IO.File.WriteAllBytes(File, bytes);
        Refused(Options);
    }

    [Fact]
    public void TensorsThatOverlapOrLieOutsideTheFileAreRefused()
    {
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        int length = (int)BitConverter.ToInt64(bytes);
        string header = System.Text.Encoding.UTF8.GetString(bytes, 8, length);
        foreach (string hostile in (string[])["[0,99999999999]", "[8,4]", "[-4,0]"])
        {
            string changed = System.Text.RegularExpressions.Regex.Replace(header, "\"data_offsets\":\\[\\d+,\\d+\\]",
                $"\"data_offsets\":{hostile}");
            byte[] text = System.Text.Encoding.UTF8.GetBytes(changed);
            System.IO.File.WriteAllBytes(File,
                [.. BitConverter.GetBytes((long)text.Length), .. text, .. bytes[(8 + length)..]]);
            Refused(Options);
        }
    }

    [Fact]
    public void OtherImagesAreRefused()
    {
        using var other = new TinyPretraining(images: 13);
        Assert.Contains("made from other images", Refused(Options, other));
    }

    [Fact]
    public void AnotherNumberOfThreadsIsRefusedWithTheOneToSet()
    {
        Rewrite(m => m["threads"] = "99");
        Assert.Contains("OMP_NUM_THREADS=99", Refused(Options));
    }

    [Theory]
    [InlineData(0.999)]
    [InlineData(0.5)]
    [InlineData(0.001)]
    [InlineData(0)]
    public void ACutFileIsRefused(double share)
    {
        byte[] whole = System.IO.File.ReadAllBytes(File);
        System.IO.File.WriteAllBytes(File, whole[..(int)(share * whole.Length)]);
        Assert.Contains("not a valid safetensors file", Refused(Options));
    }

    [Fact]
    public void WeightsWithoutARunAreNoCheckpoint()
    {
        Rewrite(m => m.Clear());
        Assert.Contains("no checkpoint of pre-training, 'options' is missing", Refused(Options));
    }

    [Theory]
    [InlineData("options", "{")]
    [InlineData("options", "[1]")]
    [InlineData("step", "three")]
    [InlineData("step", "-1")]
    [InlineData("step", "4")]
    [InlineData("step", "99999999999999")]
    [InlineData("skippedInRow", "")]
    [InlineData("version", "-1")]
    [InlineData("best", "good")]
    public void MetadataThatCannotBeReadAreNamed(string key, string value)
    {
        Rewrite(m => m[key] = value);
        Assert.Contains($"'{key}' of its metadata", Refused(Options));
    }

    [Fact]
    public void AMissingTensorIsNamed()
    {
        Rewrite(_ => { }, key => key != "optimizer.exp_avg.head.mlp.0.bias");
        Assert.Contains("optimizer.exp_avg.head.mlp.0.bias", Refused(Options));
    }

    [Fact]
    public void ALogThatWasDeletedBeginsAnew()
    {
        System.IO.File.Delete(Path.Combine(tiny.Folder("run"), "log.jsonl"));
        using PretrainData data = tiny.Data(Options);
        using var trainer = new Pretrainer(Options, data, CPU, tiny.Folder("run"));
        Assert.Equal((3, 0), (trainer.Done, trainer.Log.Count));
    }

    [Fact]
    public void ABrokenLogIsNamedWithItsLine()
    {
        string log = Path.Combine(tiny.Folder("run"), "log.jsonl");
        System.IO.File.WriteAllLines(log, [System.IO.File.ReadAllLines(log)[0], "step 2"]);
        Assert.StartsWith($"{log}, line 2:",
            Assert.Throws<KitException>(() => new Pretrainer(Options, tiny.Data(Options), CPU, tiny.Folder("run")))
                .Message);
    }

    [Fact]
    public void AnUnknownKeyNamesTheNearestAndAValueOutOfRangeItsKey()
    {
        string config = tiny.Folder("config.json");
        System.IO.File.WriteAllText(config, "{ \"localCrop\": 4 }");
        Assert.Contains("key 'localCrop' is unknown; did you mean 'localCrops'?",
            Assert.Throws<KitException>(() => PretrainOptions.Read(config)).Message);
        System.IO.File.WriteAllText(config, "{ \"teacherTemperature\": 0 }");
        Assert.StartsWith($"{config}, key 'teacherTemperature': expected above 0, found 0",
            Assert.Throws<KitException>(() => PretrainOptions.Read(config)).Message);
        System.IO.File.WriteAllText(config, "{ \"batch\": \"many\" }");
        Assert.StartsWith(config, Assert.Throws<KitException>(() => PretrainOptions.Read(config)).Message);
        Assert.Contains("a batch has 13 images but only 12 are here",
            Assert.Throws<KitException>(() => tiny.Data(Options with { Batch = 13 })).Message);
    }

    [Fact]
    public void ThreeLossesInARowThatAreNotFiniteStopTheRunAndLeaveTheStepForReplay()
    {
        DinoOptions wild = TinyPretraining.Options with
        {
            BaseLearningRate = 1e30,
            ClipGradient = 0,
            WarmupEpochs = 1,
            CheckpointEvery = 1
        };
        using PretrainData data = tiny.Data(wild);
        using var trainer = new Pretrainer(wild, data, CPU, tiny.Folder("wild"));
        var steps = new List<TrainingStep>();
        string message = Assert.Throws<KitException>(() => trainer.Run(steps.Add)).Message;
        string left = Path.Combine(tiny.Folder("wild"), "failure.safetensors");
        Assert.Contains($"step {trainer.Done}: loss NaN", message);
        Assert.Contains("baseLearningRate", message);
        Assert.Contains(left, message);
        Assert.Equal([true, true], steps.TakeLast(2).Select(s => s.Skipped));
        // The checkpoint is from before the weights broke, and whole.
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(tiny.Folder("wild"), "checkpoint.safetensors"));
        Assert.InRange(int.Parse(file.Metadata["step"], System.Globalization.CultureInfo.InvariantCulture), 1,
            trainer.Done - 3);
        Assert.All(file.Entries.Keys.Where(k => k.StartsWith("student.", StringComparison.Ordinal)),
            k => Assert.True(file.Load(k).isfinite().all().item<bool>()));
        Assert.Empty(Directory.GetFiles(tiny.Folder("wild"), "*.tmp"));

        // What is left gives the same loss once more.
        using var scope = NewDisposeScope();
        using SafeTensorsFile failure = SafeTensorsFile.Open(left);
        using var dino = new Dino(wild, CPU);
        using (no_grad())
            foreach ((string key, Tensor target) in dino.State) target.copy_(failure.Load(key));
        Assert.Equal(4, failure.Load("views.pictures").numel());
        using MethodOutput again = dino.Forward(new Views(failure.Load("views.globals"), failure.Load("views.locals")),
            trainer.Done - 1, (trainer.Done - 1) / 3);
        Assert.False(again.Loss.isfinite().item<bool>());
    }

    /// <summary>A run whose steps of these numbers find a weight that is not finite; it is
    /// mended before the next.</summary>
    private static void RunWithBrokenSteps(Pretrainer trainer, params int[] broken)
    {
        Tensor weight = trainer.Method.Student.parameters().First();
        using Tensor kept = weight.detach().clone();
        void Before(int step)
        {
            using var noGrad = no_grad();
            if (broken.Contains(step) && !broken.Contains(step - 1))
            {
                kept.copy_(weight);
                weight.fill_(Kept(float.NaN));
            }
            else if (!broken.Contains(step) && broken.Contains(step - 1))
            {
                weight.copy_(kept);
            }
        }
        Before(1);
        trainer.Run(step => Before(step.Step + 1));
    }

    private static Dictionary<string, string> MetadataOf(string file)
    {
        using SafeTensorsFile opened = SafeTensorsFile.Open(file);
        return new(opened.Metadata);
    }

    private static string StepOf(string file) => MetadataOf(file)["step"];

    [Fact]
    public void ASkippedStepAtTheEndOfAnEpochPutsNoOlderCheckpointUnderItsName()
    {
        PretrainOptions options = TinyPretraining.Options with { Epochs = 3, KeepLast = 9 };
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("skips"));
        trainer.AfterEpoch = (epoch, _) => 0.1 * epoch;
        RunWithBrokenSteps(trainer, 3, 6);
        string folder = tiny.Folder("skips");
        Assert.Equal([3, 6], trainer.Log.Where(s => s.Skipped).Select(s => s.Step));
        Assert.Equal(["best.safetensors", "checkpoint.safetensors", "epoch-0003.safetensors"],
            Directory.GetFiles(folder, "*.safetensors").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        Assert.Equal(["9", "9", "9"], Directory.GetFiles(folder, "*.safetensors").Select(StepOf));
    }

    [Fact]
    public void AMonitorThatFailsCostsNoStep()
    {
        PretrainOptions options = TinyPretraining.Options with { Epochs = 3 };
        byte[] whole = tiny.Run("monitored", options).Checkpoint;
        using PretrainData data = tiny.Data(options);
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("unmonitored")))
        {
            trainer.AfterEpoch = (epoch, _) => epoch == 2 ? throw new InvalidOperationException("no labels") : null;
            Assert.Equal("no labels", Assert.Throws<InvalidOperationException>(() => trainer.Run()).Message);
        }
        using var next = new Pretrainer(options, data, CPU, tiny.Folder("unmonitored"));
        Assert.Equal((6, 6), (next.Done, next.Log.Count));
        next.Run();
        Assert.Equal(whole,
            System.IO.File.ReadAllBytes(Path.Combine(tiny.Folder("unmonitored"), "checkpoint.safetensors")));
    }

    [Fact]
    public void ARunThatEndsWithBrokenWeightsSaysSoAndKeepsTheCheckpointBefore()
    {
        PretrainOptions options = TinyPretraining.Options with { Epochs = 2 };
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("broken"));
        Assert.Contains("step 6: the last step left weights that are not finite",
            Assert.Throws<KitException>(() => RunWithBrokenSteps(trainer, 6, 7)).Message);
        Assert.Equal("3", StepOf(Path.Combine(tiny.Folder("broken"), "checkpoint.safetensors")));
    }

    [Theory]
    [InlineData("DINO")]
    [InlineData("iBOT")]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void AMonitorThatFailsLeavesEveryModuleInTrainingAndIsAskedAgain(string method)
    {
        PretrainOptions options = TinyPretraining.For(method) with { Epochs = 3, KeepLast = 1 };
        using PretrainData data = tiny.Data(options);
        double Score(int epoch) => epoch == 2 ? 0.9 : 0.1 * epoch;
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("unbroken")))
        {
            trainer.AfterEpoch = (epoch, _) => Score(epoch);
            trainer.Run();
        }
        var asked = new List<int>();
        int failures = 0;
        void Attempt(Pretrainer trainer)
        {
            nn.Module[] all = [.. trainer.Method.Student.modules(), .. trainer.Backbone.modules(),
                trainer.Method.Student, trainer.Backbone];
            bool[] modes = Array.ConvertAll(all, m => m.training);
            Assert.DoesNotContain(false, modes);
            trainer.AfterEpoch = (epoch, backbone) =>
            {
                Assert.All(backbone.modules(), m => Assert.False(m.training));
                asked.Add(epoch);
                // In the same process the second time, in another one the third.
                return epoch == 2 && failures++ < 2 ? throw new InvalidTimeZoneException() : Score(epoch);
            };
            try
            {
                trainer.Run();
            }
            finally
            {
                Assert.Equal(modes, Array.ConvertAll(all, m => m.training));
                Assert.True(is_grad_enabled());
            }
        }
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("broken-monitor")))
        {
            Assert.Throws<InvalidTimeZoneException>(() => Attempt(trainer));
            Assert.Throws<InvalidTimeZoneException>(() => Attempt(trainer));
            Assert.Equal(6, trainer.Done);
        }
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("broken-monitor"))) Attempt(trainer);
        Assert.Equal([1, 2, 2, 2, 3], asked);
        Assert.Equal(tiny.Result("unbroken").Log, tiny.Result("broken-monitor").Log);
        foreach (string name in (string[])["checkpoint", "best", "epoch-0003"])
            Assert.Equal(System.IO.File.ReadAllBytes(Path.Combine(tiny.Folder("unbroken"), name + ".safetensors")),
                System.IO.File.ReadAllBytes(Path.Combine(tiny.Folder("broken-monitor"), name + ".safetensors")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AWorseScoreDoesNotReplaceTheBestWhateverBecameOfTheLog(bool isLogDeleted)
    {
        PretrainOptions options = TinyPretraining.Options;
        string folder = tiny.Folder("scores"), best = Path.Combine(folder, "best.safetensors"),
            log = Path.Combine(folder, "log.jsonl");
        using PretrainData data = tiny.Data(options);
        void Run(int epochs, Func<int, double> score)
        {
            using var trainer = new Pretrainer(options, data, CPU, folder);
            using var stop = new CancellationTokenSource();
            trainer.AfterEpoch = (epoch, _) => score(epoch);
            Assert.ThrowsAny<OperationCanceledException>(() =>
                trainer.Run(s => { if (s.Step == 3 * epochs) stop.Cancel(); }, stop.Token));
        }
        Run(1, _ => 0.9);
        Assert.Equal(("3", "0.9"), (StepOf(best), MetadataOf(best)["best"]));
        byte[] kept = System.IO.File.ReadAllBytes(best);
        if (isLogDeleted) System.IO.File.Delete(log);
        Run(2, _ => 0.8);
        Assert.Equal(kept, System.IO.File.ReadAllBytes(best));
        // The log of a part of the run is cut by the numbers of its steps.
        Assert.Equal(isLogDeleted ? 4 : 1, TrainingLog.Read(log)[0].Step);
        if (isLogDeleted) System.IO.File.Delete(log);
        Run(3, _ => 0.95);
        Assert.Equal(("9", "0.95"), (StepOf(best), MetadataOf(best)["best"]));
    }

    [Fact]
    public void ALogThatIsLongerThanItsCheckpointIsCutByTheNumbersOfItsSteps()
    {
        string log = Path.Combine(tiny.Folder("run"), "log.jsonl");
        TrainingStep last = TrainingLog.Read(log)[^1];
        TrainingLog.Write(log, [last, last with { Step = 4 }]);
        using PretrainData data = tiny.Data(Options);
        using var trainer = new Pretrainer(Options, data, CPU, tiny.Folder("run"));
        Assert.Equal([3], trainer.Log.Select(s => s.Step));
    }

    [Fact]
    public void ACheckpointThatAKilledProcessDidNotCopyIsThereAfterTheNextStart()
    {
        PretrainOptions options = TinyPretraining.Options with { Epochs = 1, KeepLast = 1 };
        using PretrainData data = tiny.Data(options);
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("best")))
        {
            trainer.AfterEpoch = (_, _) => 0.5;
            trainer.Run();
        }
        foreach (string name in (string[])["best", "epoch-0001"])
        {
            string path = Path.Combine(tiny.Folder("best"), name + ".safetensors");
            byte[] copied = System.IO.File.ReadAllBytes(path);
            System.IO.File.Delete(path);
            using (new Pretrainer(options, data, CPU, tiny.Folder("best")))
                Assert.Equal(copied, System.IO.File.ReadAllBytes(path));
        }
    }

    [Theory]
    [InlineData("DINO")]
    [InlineData("iBOT")]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void AStepThatIsNotFiniteChangesNothingAndIsCounted(string method)
    {
        using var scope = NewDisposeScope();
        PretrainOptions options = TinyPretraining.For(method);
        using PretrainMethod student = options.Create(CPU);
        using var updates = new TrainingLoop(student, options, 3);
        Views Make(int first) => new MultiCrop(options)
            .Make(randint(0, 256, [4, 3, 48, 48], uint8, generator: new Generator((ulong)first, CPU)),
                [first, 1, 2, 3], 0);
        using (Views good = Make(0)) Assert.False(updates.Next(good).Skipped);
        Dictionary<string, Tensor> before = student.State.ToDictionary(s => s.Key, s => s.Value.detach().clone());
        using (Views broken = Make(0))
        {
            broken.Globals[0, 0, 0, 0] = float.NaN;
            TrainingStep step = updates.Next(broken);
            Assert.True(step.Skipped);
            Assert.True(double.IsNaN(step.Loss));
        }
        Assert.Equal((2, 1), (updates.Done, updates.SkippedInRow));
        Assert.All(student.State,
            s => Assert.True(s.Value.Equals(before[s.Key]), $"{s.Key} was changed by a step that was skipped"));
        using (Views good = Make(5)) Assert.False(updates.Next(good).Skipped);
        Assert.Equal((3, 0), (updates.Done, updates.SkippedInRow));
    }

    [Fact]
    public void AFolderThatCannotBeWrittenLeavesTheCheckpointWhole()
    {
        PretrainOptions options = TinyPretraining.Options with { CheckpointEvery = 2 };
        byte[] whole = tiny.Run("whole", options).Checkpoint;
        string folder = tiny.Folder("blocked"), log = Path.Combine(folder, "log.jsonl"),
            aside = Path.Combine(folder, "aside");
        using PretrainData data = tiny.Data(options);
        using (var trainer = new Pretrainer(options, data, CPU, folder))
            Assert.ThrowsAny<Exception>(() => trainer.Run(s =>
            {
                if (s.Step != 4) return;
                // A folder in its place: the file cannot be renamed over it, whoever runs the test.
                System.IO.File.Move(log, aside);
                Directory.CreateDirectory(log);
            }));
        Directory.Delete(log);
        System.IO.File.Move(aside, log);
        Assert.Equal(2, Directory.GetFiles(folder).Length);
        using (var next = new Pretrainer(options, data, CPU, folder))
        {
            Assert.Equal(2, next.Done);
            next.Run();
        }
        Assert.Equal(whole, tiny.Result("blocked").Checkpoint);
    }
}
