namespace DermKit.Models;

/// <summary>Initial weights from a seed, drawn on the cpu without torch's global generator: every device gets the
/// same.</summary>
internal static class InitialValues
{
    // In the parameters' order; nothing on the meta device. Returns the module.
    public static T Draw<T>(T module, long seed, Func<string, Parameter, Generator, Tensor?> value) where T : nn.Module
    {
        if (module.parameters().Any(p => p.device_type == DeviceType.META)) return module;
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        foreach ((string key, Parameter parameter) in module.named_parameters())
        {
            using var scope = NewDisposeScope();
            if (value(key, parameter, generator) is { } drawn) parameter.copy_(drawn);
        }
        return module;
    }

    public static Tensor Uniform(Parameter parameter, double bound, Generator generator) =>
        rand(parameter.shape, generator: generator).mul_(Kept(2 * bound)).sub_(Kept(bound));

    // Standard deviation 0.02, cut at -2 and 2.
    public static Tensor Normal(Parameter parameter, Generator generator) =>
        randn(parameter.shape, generator: generator).mul_(Kept(0.02)).clamp_(Kept(-2), Kept(2));

    // Truncated normal 0.02, zero biases and mask token, unit norms, uniform where there is a bound.
    public static T DrawTransformer<T>(T module, long seed, Func<string, double?>? bound = null) where T : nn.Module =>
        Draw(module, seed, (key, parameter, generator) => key switch
        {
            _ when bound?.Invoke(key) is { } b => Uniform(parameter, b, generator),
            "masked_embed" => zeros(parameter.shape),
            _ when key.EndsWith("bias", Ordinal) => zeros(parameter.shape),
            _ when key.Contains("norm", Ordinal) => ones(parameter.shape),
            _ => Normal(parameter, generator),
        });

    // Parameters and buffers leave the dispose scope and live until the module is disposed.
    public static void OutliveScopes(this nn.Module module)
    {
        foreach (Parameter parameter in module.parameters()) parameter.DetachFromDisposeScope();
        foreach (Tensor buffer in module.buffers()) buffer.DetachFromDisposeScope();
    }
}
