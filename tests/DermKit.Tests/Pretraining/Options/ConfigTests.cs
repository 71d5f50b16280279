using DermKit.Pretraining;

namespace DermKit.Tests.Pretraining;

/// <summary>The files of data/pretraining, and the defaults behind them.</summary>
public sealed class ConfigTests
{
    private static readonly KitSettings Settings = KitSettings.FromEnvironment();

    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(Settings.Root, "data", "pretraining"),
        "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void EveryFileIsARunOfTheMethodInItsName(string name)
    {
        PretrainOptions options = PretrainOptions.Named(Settings, name);
        Assert.Equal(options.Method.ToLowerInvariant(), name.Split('-')[0]);
    }

    [Fact]
    public void EveryMethodHasAFileForEveryMode()
    {
        foreach (string method in PretrainOptions.Methods)
            foreach (RunMode mode in Enum.GetValues<RunMode>())
                Assert.True(File.Exists(PretrainOptions.Find(Settings, $"{method}-{mode}".ToLowerInvariant())));
    }

    [Fact]
    public void TheDefaultsAreThePaperPages()
    {
        DinoOptions dino = new();
        IBotOptions ibot = new();
        SimClrOptions simClr = new();
        ByolOptions byol = new();
        Assert.Equal<PretrainOptions>([dino, ibot, simClr, byol], PretrainOptions.Methods.Select(PretrainOptions.For),
            (a, b) => a.ToJson().ToString() == b.ToJson().ToString());
        Assert.Equal(["DINO", "iBOT", "SimCLR", "BYOL"], PretrainOptions.Methods);
        Assert.Equal((NetworkKind.ViT, NetworkKind.ViT, NetworkKind.ResNet50, NetworkKind.ResNet50),
            (dino.Network, ibot.Network, simClr.Network, byol.Network));
        Assert.Equal((4096, 4096, 128, 256), (dino.Outputs, ibot.Outputs, simClr.Outputs, byol.Outputs));
        Assert.Equal((2048, 2048, 2048, 4096), (dino.HeadHidden, ibot.HeadHidden, simClr.HeadHidden, byol.HeadHidden));
        Assert.Equal((OptimizerKind.AdamW, OptimizerKind.AdamW, OptimizerKind.Adam, OptimizerKind.Lars),
            (dino.Optimizer, ibot.Optimizer, simClr.Optimizer, byol.Optimizer));
        Assert.Equal((5e-4, 5e-3, 1e-3, 0.03),
            (dino.BaseLearningRate, ibot.BaseLearningRate, simClr.BaseLearningRate, byol.BaseLearningRate));
        Assert.Equal((1e-6, 5e-4), (dino.MinLearningRate, ibot.MinLearningRate));
        Assert.Equal((0.04, 0.4, 0.04, 0.4),
            (dino.WeightDecay, dino.WeightDecayEnd, ibot.WeightDecay, ibot.WeightDecayEnd));
        Assert.Equal((1e-6, 1e-6, 1.5e-6, 1.5e-6),
            (simClr.WeightDecay, simClr.WeightDecayEnd, byol.WeightDecay, byol.WeightDecayEnd));
        Assert.Equal((0.3, 0.0, 0.3, 1.0), (ibot.MaskRatio, ibot.MaskVariance, ibot.MaskAspect, ibot.MaskChance));
        Assert.Equal((0.04, 0.07, 30, 1.0, 1.0, true),
            (ibot.PatchTemperatureStart, ibot.PatchTemperature, ibot.PatchTemperatureWarmup, ibot.ClsWeight,
                ibot.PatchWeight, ibot.SharedHead));
        Assert.Equal((0.08, 0.08, 14, 2, 2),
            (simClr.GlobalScaleMin, byol.GlobalScaleMin, dino.Recipes().Sum(g => g.Length),
                simClr.Recipes().Sum(g => g.Length), byol.Recipes().Sum(g => g.Length)));
        Assert.Equal((90, 90, 0.5, 0.996), (simClr.Batch, byol.Batch, simClr.Temperature, byol.TeacherMomentum));
        Assert.All(PretrainOptions.Methods,
            m => Assert.Equal((3.0, 10.0, 100),
                (PretrainOptions.For(m).ClipGradient, PretrainOptions.For(m).WarmupEpochs,
                    PretrainOptions.For(m).Epochs)));
        Assert.Contains("did you mean 'SimCLR'?",
            Assert.Throws<KitException>(() => PretrainOptions.For("SimCRL")).Message);
    }

    [Fact]
    public void ValuesOfTheCommandLineComeBeforeTheFiles()
    {
        PretrainOptions options = PretrainOptions.Named(Settings, "dino-quick",
            new Dictionary<string, string> { ["epochs"] = "3", ["precision"] = "bf16", ["sets"] = "[\"ham10000\"]" });
        Assert.Equal((3, Precision.Bf16, "ham10000", 1024),
            (options.Epochs, options.Precision, options.Sets[0], options.Outputs));
        string Refused(string key, string value) =>
            Assert.Throws<KitException>(
                () => PretrainOptions.Named(Settings, "dino-quick", new Dictionary<string, string> { [key] = value }))
                .Message;
        Assert.Contains("did you mean 'epochs'?", Refused("epoch", "3"));
        Assert.Contains("expected 1 or more, found 0", Refused("epochs", "0"));
        Assert.Contains("key 'maskRatio': expected no such key, because DINO does not read it (only iBOT)",
            Refused("maskRatio", "0.5"));
        Assert.Contains("key 'network': expected ViT for DINO", Refused("network", "ResNet-50"));
        Assert.EndsWith("key 'precision': expected one of auto, fp32, bf16, found fp64.", Refused("precision", "fp64"));
        Assert.EndsWith("key 'optimizer': expected one of AdamW, Adam, LARS, found Lars.",
            Refused("optimizer", "Lars"));
        Assert.Contains(
            "key 'teacherMomentum': expected no such key, because SimCLR does not read it (only DINO, iBOT, BYOL)",
            Assert.Throws<KitException>(
                () => PretrainOptions.Named(Settings, "simclr-quick",
                    new Dictionary<string, string> { ["teacherMomentum"] = "0.9" })).Message);
    }

    [Theory]
    [InlineData("sets", "isic2017,pad-ufes-20", "[\"isic2017\",\"pad-ufes-20\"]")]
    [InlineData("sets", "isic2017", "[\"isic2017\"]")]
    [InlineData("blocks", "2, 2, 2, 2", "[2,2,2,2]")]
    public void AListOfTheCommandLineIsWrittenWithCommas(string key, string value, string expected)
    {
        PretrainOptions options = PretrainOptions.Named(Settings, "simclr-full",
            new Dictionary<string, string> { ["network"] = "ResNet-18", [key] = value });
        string name = PretrainOptions.Keys(options.GetType()).Single(k => PretrainOptions.Spelled(k.Name) == key).Name;
        Assert.Equal(expected, options.ToJson().GetProperty(name).GetRawText());
    }

    [Fact]
    public void KeysOfLocalCropsAreRefusedWhereThereAreNone()
    {
        (new DinoOptions() with { LocalCrops = 0 }).Check();
        Assert.Contains("key 'localSize': expected no such key, because there are no local crops",
            Assert.Throws<KitException>(() => (new DinoOptions() with { LocalCrops = 0, LocalSize = 64 }).Check())
                .Message);
        (new DinoOptions() with { LocalCrops = 0, Patch = 112 }).Check();
    }

    [Theory]
    [InlineData("simclr-full", "dim", "96", "no such key, because ResNet-50 does not read it (only ViT)")]
    [InlineData("byol-full", "dropPath", "0.1", "no such key, because ResNet-50 does not read it (only ViT)")]
    [InlineData("ibot-full", "patchOutputs", "8192",
        "no such key, because with sharedHead the patches have the outputs of CLS")]
    [InlineData("dino-quick", "heads", "-1", "0 (that of the size) or more, found -1")]
    [InlineData("dino-quick", "heads", "5", "a divisor of the width 192, found 5")]
    [InlineData("dino-quick", "size", "huge", "tiny, small, base or large, found huge")]
    [InlineData("dino-full", "teacherTemperatureStart", "0.02",
        "no such key, because with a teacherTemperatureWarmup of 0 there is no start")]
    [InlineData("dino-quick", "headHidden", "0", "1 or more, found 0")]
    [InlineData("dino-quick", "bottleneck", "0", "1 or more, found 0")]
    [InlineData("dino-quick", "imageSize", "8", "at least a patch of 16 pixels, found 8")]
    [InlineData("dino-quick", "weightDecay", "-1", "0 or more, found -1")]
    [InlineData("dino-quick", "minLearningRate", "-1", "0 or more, found -1")]
    [InlineData("dino-quick", "clipGradient", "-1", "0 (no limit) or more, found -1")]
    public void AKeyThatChangesNothingAndAValueOutOfItsRangeAreRefused(string config, string key, string value,
        string expected) =>
            Assert.Contains($"key '{key}': expected {expected}",
                Assert.Throws<KitException>(() =>
                    PretrainOptions.Named(Settings, config, new Dictionary<string, string> { [key] = value })).Message);
}
