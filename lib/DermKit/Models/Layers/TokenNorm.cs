namespace DermKit.Models;

/// <summary>LayerNorm over the last dimension with torch's keys; unlike torch's it runs on the meta device.</summary>
internal sealed class TokenNorm : nn.Module<Tensor, Tensor>
{
    private readonly double eps;
    private readonly Parameter weight;
    private readonly Parameter bias;

    public TokenNorm(long dim, Device device, double eps = 1e-6) : base(nameof(TokenNorm))
    {
        this.eps = eps;
        weight = new Parameter(ones(dim, float32, device));
        bias = new Parameter(zeros(dim, float32, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => x.device_type != DeviceType.META
        ? nn.functional.layer_norm(x, weight.shape, weight, bias, eps) : Scoped(() =>
        {
            Tensor centred = x - x.mean([-1], keepdim: true);
            Tensor spread = centred.Squared().mean([-1], keepdim: true).Plus(Kept(eps)).rsqrt();
            return (centred * spread * weight).Plus(bias);
        });
}
