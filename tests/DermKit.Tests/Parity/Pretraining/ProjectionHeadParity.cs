using DermKit.Models;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("head_*.safetensors")]
public sealed class ProjectionHeadParity
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Files => Fixtures.Named("head_*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void OutputsGradientsAndStatisticsAreLightlys(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        string[] layout = [.. file.Config().GetProperty("layout").EnumerateArray().Select(e => e.GetString()!)];
        int[][] linear = [.. layout.Where(l => l.StartsWith("Linear", StringComparison.Ordinal))
            .Select(l => Regex.Matches(l, @"features=(\d+)").Select(m => int.Parse(m.Groups[1].Value)).ToArray())];
        int inputs = linear[0][0];
        int hidden = linear[0][1];
        int outputs = linear[^1][1];
        bool norms = layout.Any(l => l.StartsWith("BatchNorm", StringComparison.Ordinal)), isByol = norms
            && layout[^1].StartsWith("Linear", StringComparison.Ordinal);
        using ProjectionHead head = isByol ? ProjectionHead.Byol(inputs, hidden, outputs, 1)
            : ProjectionHead.SimClr(inputs, hidden, outputs, 1, layers: linear.Length, batchNorm: norms);
        Dictionary<string, Tensor> state = head.state_dict();
        Assert.Equal(file.Entries.Keys.Where(k => k.StartsWith("layers.", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal), state.Keys.Order(StringComparer.Ordinal));
        using (no_grad())
            foreach ((string key, Tensor target) in state) target.copy_(file.Load(key));
        head.train();
        Tensor x = file.Load("x").requires_grad_(), y = head.forward(x);
        Fixtures.Close(y, file.Load("y_train"), Tolerance, "y_train");
        (y * file.Load("r")).sum().backward();
        Dictionary<string, Tensor?> gradients = head.named_parameters()
            .ToDictionary(p => p.name, p => p.parameter.grad);
        gradients["x"] = x.grad;
        foreach (string key in file.Entries.Keys.Where(k => k.StartsWith("grad.", StringComparison.Ordinal)))
            Fixtures.Close(gradients[key["grad.".Length..]]!, file.Load(key), Tolerance, key);
        foreach (string key in file.Entries.Keys.Where(k => k.StartsWith("after.", StringComparison.Ordinal)))
            Fixtures.Close(state[key["after.".Length..]], file.Load(key), Tolerance, key);
        head.eval();
        using (no_grad()) Fixtures.Close(head.forward(x), file.Load("y_eval"), Tolerance, "y_eval");
    }
}
