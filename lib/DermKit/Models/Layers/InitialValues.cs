using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Initial weights from a seed, drawn on the cpu so that every device gets the same; torch's global generator is left alone.</summary>
internal static class InitialValues
{
    /// <summary>Fills parameters in their order; on the meta device there is nothing to draw.</summary>
    /// <param name="module">The model.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    /// <param name="value">The value for a name and parameter, on the cpu; null leaves the parameter as it was made.</param>
    public static void Draw(nn.Module module, long seed, Func<string, Parameter, Generator, Tensor?> value)
    {
        if (module.parameters().Any(p => p.device_type == DeviceType.META)) return;
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        foreach ((string key, Parameter parameter) in module.named_parameters())
        {
            using var scope = NewDisposeScope();
            if (value(key, parameter, generator) is { } drawn) parameter.copy_(drawn);
        }
    }

    /// <summary>Has parameters and buffers live until the module is disposed, whatever dispose scope surrounds its making.</summary>
    public static void OutliveScopes(this nn.Module module)
    {
        foreach (Parameter parameter in module.parameters()) parameter.DetachFromDisposeScope();
        foreach (Tensor buffer in module.buffers()) buffer.DetachFromDisposeScope();
    }

    /// <summary>The draw of transformers: truncated normal 0.02, zero biases and mask token, unit norms, and uniform where a bound is given.</summary>
    public static void DrawTransformer(nn.Module module, long seed, Func<string, double?> bound) => Draw(module, seed, (key, parameter, generator) => key switch
    {
        _ when bound(key) is { } b => rand(parameter.shape, generator: generator).mul_(Kept(2 * b)).sub_(Kept(b)),
        "masked_embed" => zeros(parameter.shape),
        _ when key.EndsWith("bias", StringComparison.Ordinal) => zeros(parameter.shape),
        _ when key.Contains("norm", StringComparison.Ordinal) => ones(parameter.shape),
        _ => randn(parameter.shape, generator: generator).mul_(Kept(0.02)).clamp_(Kept(-2), Kept(2)),
    });
}
