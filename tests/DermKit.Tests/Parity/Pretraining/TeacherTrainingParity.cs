using DermKit.Models;
using DermKit.Pretraining;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("train_dino*.safetensors")]
[Takes("train_ibot*.safetensors")]
public sealed class TeacherTrainingParity
{
    public static TheoryData<string> Dinos => Fixtures.Named("train_dino*.safetensors");

    public static TheoryData<string> IBots => Fixtures.Named("train_ibot*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Dinos))]
    public void TrajectoryIsDinos(string name) => Compare(name, "DINO");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(IBots))]
    public void TrajectoryIsIBots(string name) => Compare(name, "iBOT");

    private static void Compare(string name, string methodName)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        TeacherStudentOptions options = Options(file.Config(), methodName);
        using PretrainMethod method = options.Create(CPU);
        (string Key, Tensor Value)[] weights = [.. method.State
            .Where(s => !s.Key.StartsWith("center", StringComparison.Ordinal)).Select(s => (s.Key, s.Value))];
        using (no_grad())
            foreach ((string key, Tensor target) in weights)
                target.copy_(file.Load("init." + key[(key.IndexOf('.') + 1)..]));
        int perEpoch = file.Config().GetProperty("niter_per_ep").GetInt32();
        double end = file.Config().GetProperty("momentum")[1].GetDouble();
        using var updates = new TrainingLoop(method, options, perEpoch);
        // The momentum of the kit tends to 1, as that of the original programs does.
        if (end != 1) updates.Momenta = Schedules.Cosine(options.TeacherMomentum, end, updates.Steps);
        if (file.Entries.ContainsKey("momentum"))
            Fixtures.Close(tensor([.. updates.Momenta]).narrow(0, 0, file.Entries["momentum"].Shape[0]),
                file.Load("momentum"), 1e-12, "momentum");
        if (file.Entries.ContainsKey("wd"))
            Fixtures.Close(tensor([.. updates.Decays]).narrow(0, 0, file.Entries["wd"].Shape[0]),
                file.Load("wd"), 1e-12, "wd");
        Tensor losses = file.Load("loss");
        Tensor? norms = file.Entries.ContainsKey("grad_norms") ? file.Load("grad_norms")
            : null, rates = file.Entries.ContainsKey("lr") ? file.Load("lr") : null;
        int step = 0;
        double moved = 0;
        updates.Norms = found =>
        {
            if (norms is not null) Fixtures.Close(found, norms[step], 1e-4, $"gradient norms of step {step}");
        };
        for (; step < losses.shape[0]; step++)
        {
            using var views = new Views(Crops(file, $"global.{step}"),
                options.LocalCrops > 0 ? Crops(file, $"local.{step}") : null,
                methodName == "iBOT" ? IBotParity.Cells(file.Load($"mask.{step}").flatten(0, 1)) : null);
            TrainingStep done = updates.Next(views);
            double[] wanted = [.. losses[step].view(-1).data<float>().Select(l => (double)l)];
            Assert.Equal(wanted[0], done.Loss, 1e-4 * Math.Abs(done.Loss));
            if (methodName == "iBOT") Assert.Equal(wanted[2], done.PatchLoss, 1e-4 * Math.Abs(done.PatchLoss));
            if (rates is not null) Assert.Equal(rates[step].item<double>(), done.LearningRate, 1e-12);
            moved += 2 * done.LearningRate;
        }
        foreach ((string key, Tensor found) in weights)
        {
            int dot = key.IndexOf('.');
            Tensor expected = file.Load($"final_{key[..dot]}{key[dot..]}");
            if (!key.EndsWith("attn.qkv.bias", StringComparison.Ordinal))
            {
                Fixtures.Close(found, expected, 2.6e-4, key);
                continue;
            }
            // The key part of this bias has no gradient but rounding, which AdamW turns into
            // steps of up to the learning rate.
            long dim = expected.shape[0] / 3;
            Assert.True((found - expected).abs().max().item<float>() <= moved,
                $"{key}: moved further than the learning rates allow");
            foreach (long part in (long[])[0, 2])
                Fixtures.Close(found.narrow(0, part * dim, dim), expected.narrow(0, part * dim, dim), 1e-3,
                    $"{key}, part {part}");
        }
        foreach ((string key, Tensor found)
            in method.State.Where(s => s.Key.StartsWith("center", StringComparison.Ordinal)))
            Fixtures.Close(found, file.Load(key), 1e-4, key);
    }

    private static Tensor Crops(SafeTensorsFile file, string key) => file.Load(key).to(float32).flatten(0, 1);

    private static TeacherStudentOptions Options(JsonElement config, string method)
    {
        double Number(string key) => config.GetProperty(key).GetDouble();
        int Whole(string key) => config.GetProperty(key).GetInt32();
        double Of(string key, int i) => config.GetProperty(key)[i].GetDouble();
        JsonElement head = config.GetProperty("head");
        bool shared = !head.TryGetProperty("shared_head", out JsonElement one) || one.GetBoolean();
        int locals = Whole("local_crops");
        int warmup = Whole("warmup_teacher_temp_epochs");
        // Keys that decide nothing are left at the method's own values.
        var own = (TeacherStudentOptions)PretrainOptions.For(method) with { Precision = Precision.Fp32 };
        double start = warmup > 0 ? Of("teacher_temp", 0) : Of("teacher_temp", 1);
        TeacherStudentOptions options = own with
        {
            Patch = Whole("patch_size"),
            ImageSize = Whole("img_size"),
            Dim = Whole("embed_dim"),
            Depth = Whole("depth"),
            Heads = Whole("num_heads"),
            Outputs = head.GetProperty("out_dim").GetInt32(),
            HeadHidden = head.GetProperty("hidden_dim").GetInt32(),
            Bottleneck = head.GetProperty("bottleneck_dim").GetInt32(),
            NormLastLayer = (head.TryGetProperty("norm_last_layer", out JsonElement fixedGain) ? fixedGain
                : head.GetProperty("norm_last_layer_student")).GetBoolean(),
            DropPath = Number("drop_path"),
            // The file's learning rate is the peak itself.
            Batch = Whole("batch"),
            BaseLearningRate = Number("lr") * 256 / Whole("batch"),
            MinLearningRate = Number("min_lr"),
            WarmupEpochs = Whole("warmup_epochs"),
            Epochs = Whole("epochs"),
            WeightDecay = Of("wd", 0),
            WeightDecayEnd = Of("wd", 1),
            TeacherMomentum = Of("momentum", 0),
            TeacherTemperatureStart = start,
            TeacherTemperature = Of("teacher_temp", 1),
            TeacherTemperatureWarmup = warmup,
            ClipGradient = Number("clip_grad"),
            FrozenLastLayerEpochs = Whole("freeze_last_layer"),
            GlobalSize = Whole("img_size"),
            LocalSize = locals > 0 ? Whole("local_size") : own.LocalSize,
            LocalCrops = locals,
        };
        return options is not IBotOptions iBot ? options : iBot with
        {
            SharedHead = shared,
            PatchOutputs = shared ? iBot.PatchOutputs : head.GetProperty("patch_out_dim").GetInt32(),
            // The original takes the same temperatures for patches.
            PatchTemperatureStart = start,
            PatchTemperature = Of("teacher_temp", 1),
            PatchTemperatureWarmup = warmup,
        };
    }
}
