using TorchSharp;
using TorchSharp.Modules;
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
}
