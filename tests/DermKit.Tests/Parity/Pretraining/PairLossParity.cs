using DermKit.Models;
using DermKit.Pretraining;
using System.Globalization;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("ntxent_loss*.safetensors")]
[Takes("byol_loss*.safetensors")]
public sealed class PairLossParity
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> SimClrFiles => Fixtures.Named("ntxent_loss*.safetensors");

    public static TheoryData<string> ByolFiles => Fixtures.Named("byol_loss*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(SimClrFiles))]
    public void NtXentAndItsGradientsAreLightlys(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        string[] cases = [.. file.Entries.Keys.Where(k => k.EndsWith(".loss", StringComparison.Ordinal))
            .Select(k => k[..^".loss".Length])];
        Assert.NotEmpty(cases);
        foreach (string at in cases)
        {
            Tensor z0 = file.Load("z0").requires_grad_(), z1 = file.Load("z1").requires_grad_();
            Tensor loss = SimClr.NtXent(z0, z1, double.Parse(at[1..], CultureInfo.InvariantCulture));
            Fixtures.Close(loss, file.Load($"{at}.loss"), Tolerance, $"{at}.loss");
            loss.backward();
            Fixtures.Close(z0.grad!, file.Load($"{at}.grad_z0"), Tolerance, $"{at}.grad_z0");
            Fixtures.Close(z1.grad!, file.Load($"{at}.grad_z1"), Tolerance, $"{at}.grad_z1");
        }
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(ByolFiles))]
    public void NegativeCosineAndItsGradientsAreLightlys(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        Tensor p0 = file.Load("p0").requires_grad_(), p1 = file.Load("p1").requires_grad_(), z0 = file.Load("z0"),
            z1 = file.Load("z1");
        Tensor one = Byol.NegativeCosine(p0, z1), loss = Byol.Symmetric(p0, p1, z0, z1);
        Fixtures.Close(one, file.Load("neg_cos_p0_z1"), Tolerance, "neg_cos_p0_z1");
        Fixtures.Close(Kept(2) + Kept(2) * one, file.Load("solo_p0_z1"), Tolerance, "solo_p0_z1");
        Fixtures.Close(loss, file.Load("sym_loss"), Tolerance, "sym_loss");
        loss.backward();
        Fixtures.Close(p0.grad!, file.Load("grad_p0"), Tolerance, "grad_p0");
        Fixtures.Close(p1.grad!, file.Load("grad_p1"), Tolerance, "grad_p1");
    }
}
