using DermKit.Imaging;
using DermKit.Models;
using DermKit.Pretraining;
using System.Text.Json;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("ibot_vit_head_*.safetensors")]
[Takes("ibot_loss_*.safetensors")]
[Takes("ibot_mask_statistics*.json")]
public sealed class IBotParity
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Heads => Fixtures.Named("ibot_vit_head_*.safetensors");

    public static TheoryData<string> Losses => Fixtures.Named("ibot_loss_*.safetensors");

    public static TheoryData<string> Masks => Fixtures.Named("ibot_mask_statistics*.json");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Heads))]
    public void MaskedBackboneAndHeadAreIBots(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config(), sizes = config.GetProperty("head");
        int Size(string key) => config.GetProperty(key).GetInt32();
        int OfHead(string key) => sizes.GetProperty(key).GetInt32();
        bool shared = sizes.GetProperty("shared_head").GetBoolean();
        using VisionTransformer backbone =
            VisionTransformer.Random(new()
            {
                ImageSize = Size("img_size"),
                Patch = Size("patch_size"),
                Dim = Size("embed_dim"),
                Depth = Size("depth"),
                Heads = Size("num_heads"),
                MaskToken = true
            }, 1);
        using DinoHead head = DinoHead.Random(new()
        {
            Inputs = Size("embed_dim"),
            Outputs = OfHead("out_dim"),
            PatchOutputs = shared ? 0 : OfHead("patch_out_dim"),
            Hidden = OfHead("hidden_dim"),
            Bottleneck = OfHead("bottleneck_dim"),
            Layers = OfHead("nlayers"),
            NormLastLayer = sizes.GetProperty("norm_last_layer").GetBoolean(),
        }, 1);
        Fill(file, backbone, "backbone.");
        Fill(file, head, "head.");
        Tensor tokens = backbone.Tokens(file.Load("x"), file.Load("mask").flatten(1));
        Tensor cls = head.forward(tokens.select(1, 0)),
            patches = head.Patches(tokens.narrow(1, 1, tokens.shape[1] - 1));
        Fixtures.Close(tokens, file.Load("tokens"), Tolerance, "tokens");
        Fixtures.Close(cls, file.Load("head_cls"), Tolerance, "head_cls");
        Fixtures.Close(patches, file.Load("head_patch"), Tolerance, "head_patch");
        Tensor value = cls.square().sum() + patches.pow(Kept(3)).sum();
        Fixtures.Close(value, file.Load("L"), Tolerance, "L");
        value.backward();
        Dictionary<string, Tensor?> gradients = backbone.named_parameters()
            .Select(p => ("backbone." + p.name, p.parameter.grad))
            .Concat(head.named_parameters().Select(p => ("head." + p.name, p.parameter.grad))).ToDictionary();
        string[] expected = [.. file.Entries.Keys.Where(k => k.StartsWith("grad.", StringComparison.Ordinal))];
        Assert.NotEmpty(expected);
        foreach (string key in expected)
            Fixtures.Close(gradients[key["grad.".Length..]]!, file.Load(key), Tolerance, key);
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Losses))]
    public void LossGradientsAndCentresAreIBots(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        double Number(string key) => config.GetProperty(key).GetDouble();
        int Whole(string key) => config.GetProperty(key).GetInt32();
        var options = new IBotOptions() with
        {
            Outputs = Whole("out_dim"),
            SharedHead = false,
            PatchOutputs = Whole("patch_out_dim"),
            StudentTemperature = Number("student_temp"),
            CenterMomentum = Number("center_momentum"),
            Epochs = Whole("nepochs"),
            TeacherTemperatureStart = Number("warmup_teacher_temp"),
            TeacherTemperature = Number("teacher_temp"),
            TeacherTemperatureWarmup = Whole("warmup_teacher_temp_epochs"),
            PatchTemperatureStart = Number("warmup_teacher_temp2"),
            PatchTemperature = Number("teacher_temp2"),
            PatchTemperatureWarmup = Whole("warmup_teacher_temp_epochs"),
            ClsWeight = Number("lambda1"),
            PatchWeight = Number("lambda2"),
            MaskStartEpoch = Whole("mim_start_epoch"),
        };
        Fixtures.Close(
            tensor(Schedules.TeacherTemperature(options.TeacherTemperatureStart, options.TeacherTemperature,
                options.Epochs, options.TeacherTemperatureWarmup)), file.Load("teacher_temp_schedule"), 1e-12,
            "teacher_temp_schedule");
        Fixtures.Close(tensor(options.PatchTemperatures()), file.Load("teacher_temp2_schedule"), 1e-12,
            "teacher_temp2_schedule");
        using var loss = new IBotLoss(options) { PatchCenterMomentum = Number("center_momentum2") };
        bool locals = Whole("nlcrops") > 0;
        int[] epochs = [.. config.GetProperty("epoch_of_step").EnumerateArray().Select(e => e.GetInt32())];
        Assert.NotEmpty(epochs);
        for (int i = 0; i < epochs.Length; i++)
        {
            Tensor Step(string key) => file.Load(key)[i].clone();
            Tensor global = Step("s_cls").requires_grad_(), patches = Step("s_patch").requires_grad_(),
                local = Step("s_local").requires_grad_(), teacherCls = Step("t_cls"), teacherPatches = Step("t_patch");
            using PatchMasks masks = Cells(Step("mask"));
            (Tensor total, Tensor cls, Tensor patch) = loss.Loss(locals ? cat([global, local], 0) : global,
                loss.Targets(teacherCls, epochs[i]), masks.Of(patches), masks.Of(teacherPatches),
                masks.Weight, epochs[i]);
            loss.UpdateCenters(teacherCls, teacherPatches);
            total.backward();
            Fixtures.Close(total, Step("loss"), Tolerance, $"loss of step {i}");
            Fixtures.Close(cls, Step("cls"), Tolerance, $"cls of step {i}");
            Fixtures.Close(patch, Step("patch"), Tolerance, $"patch of step {i}");
            Fixtures.Close(global.grad!, Step("g_cls"), Tolerance, $"g_cls of step {i}");
            Fixtures.Close(patches.grad!, Step("g_patch"), Tolerance, $"g_patch of step {i}");
            if (locals) Fixtures.Close(local.grad!, Step("g_local"), Tolerance, $"g_local of step {i}");
            Fixtures.Close(loss.Cls.Center, Step("center"), Tolerance, $"centre after step {i}");
            Fixtures.Close(loss.PatchCenter, Step("center2"), Tolerance, $"patch centre after step {i}");
        }
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Masks))]
    public void MasksAreDistributedAsIBots(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Fixtures.PathOf(name)));
        foreach (JsonElement setting in document.RootElement.EnumerateArray())
        {
            // A list is its shares with even chances; those of 0 are the chance of no mask, of the
            // others each draw takes the next.
            double[] Listed(string key) => setting.GetProperty(key) is { ValueKind: JsonValueKind.Array } list
                ? [.. list.EnumerateArray().Select(e => e.GetDouble())] : [setting.GetProperty(key).GetDouble()];
            (double Ratio, double Variance)[] shares = [.. Listed("pred_ratio").Zip(Listed("pred_ratio_var"))],
                masked = [.. shares.Where(s => s.Ratio > 0)];
            Assert.NotEmpty(masked);
            BlockMask[] blocks =
                [.. masked.Select(s =>
                    new BlockMask(s.Ratio, s.Variance, Chance: (double)masked.Length / shares.Length))];
            int grid = setting.GetProperty("grid").GetInt32(), draws = 4 * setting.GetProperty("draws").GetInt32(),
                centre = 0, corner = 0;
            double[] counts = new double[draws];
            for (int i = 0; i < draws; i++)
            {
                var random = new ImageRandom(5, 0, i);
                bool[] mask = blocks[i % blocks.Length].Draw(grid, grid, ref random);
                counts[i] = mask.Count(m => m);
                if (mask[(grid / 2 * grid) + (grid / 2)]) centre++;
                if (mask[0]) corner++;
            }
            Array.Sort(counts);
            double Quantile(double q) => counts[(int)(Math.Clamp(q, 0, 1) * (draws - 1))];
            double mean = counts.Average(), std = Math.Sqrt(counts.Average(c => (c - mean) * (c - mean))),
                cells = grid * grid;
            double Wanted(string key) => setting.GetProperty(key).GetDouble();
            void Near(double found, double wanted, double within, string what) =>
                Assert.True(Math.Abs(found - wanted) <= within,
                    $"{name}, ratio {setting.GetProperty("pred_ratio")}, {what}: {found}, expected {wanted} "
                    + $"within {within}");
            // Four standard errors of the file's draws, and half a hundredth.
            double root = Math.Sqrt(setting.GetProperty("draws").GetInt32());
            void Share(int count, string key) => Near(count / (double)draws, Wanted(key),
                (4 * Math.Sqrt(Wanted(key) * (1 - Wanted(key))) / root) + 0.005, key);
            Near(mean, Wanted("count_mean"), (4 * std / root) + (0.005 * cells), "mean");
            Near(std, Wanted("count_std"), (4 * std / root) + (0.005 * cells), "deviation");
            Share(counts.Count(c => c == 0), "zero_fraction");
            Share(centre, "cell_frequency_center");
            Share(corner, "cell_frequency_corner");
            foreach (JsonProperty given in setting.GetProperty("count_quantiles").EnumerateObject()
                .Where(q => q.Name is not "0" and not "1"))
            {
                // Where shares are mixed the quantiles jump, so the level has its error too.
                double q = double.Parse(given.Name, System.Globalization.CultureInfo.InvariantCulture),
                    within = 4 * Math.Sqrt(q * (1 - q)) / root, value = given.Value.GetDouble();
                Near(Math.Clamp(value, Quantile(q - within), Quantile(q + within)), value, 0.02 * cells,
                    $"quantile {given.Name}");
            }
            if (setting.GetProperty("max_allowed").ValueKind == JsonValueKind.Number)
                Assert.True(counts[^1] <= Wanted("max_allowed"));
        }
    }

    internal static PatchMasks Cells(Tensor mask)
    {
        bool[] all = [.. mask.to(ScalarType.Bool).contiguous().data<bool>()];
        int patches = (int)(mask.shape[^1] * mask.shape[^2]);
        return PatchMasks.From([.. all.Chunk(patches)], CPU);
    }

    private static void Fill(SafeTensorsFile file, nn.Module module, string prefix)
    {
        Dictionary<string, Tensor> state = module.state_dict();
        string[] stored = [.. file.Entries.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal))
            .Select(k => k[prefix.Length..])];
        // A shared last layer is stored twice.
        Assert.Equal(stored.Where(k => state.ContainsKey(k) || !k.StartsWith("last_layer2", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal), state.Keys.Order(StringComparer.Ordinal));
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in state) target.copy_(file.Load(prefix + key));
    }
}
