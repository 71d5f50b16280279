using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// Puts modules into evaluation mode, without gradients, until it is disposed. Then every module inside has the mode
/// and the type of its matrix products that it had before, whatever was done or thrown in between.
/// </summary>
internal sealed class EvaluationMode : IDisposable
{
    private readonly (nn.Module Module, bool Training, ScalarType? Compute)[] before;
    private readonly IDisposable noGrad = no_grad();

    /// <summary>Begins evaluation on this thread.</summary>
    /// <param name="roots">The modules, with all that is inside them.</param>
    public EvaluationMode(params IEnumerable<nn.Module> roots)
    {
        // Parents come before their children, because the mode of a parent is passed on to them.
        before = [.. roots.SelectMany(r => r.modules().Prepend(r)).Select(m => (m, m.training, ComputeOf(m)))];
        foreach ((nn.Module module, _, _) in before) module.eval();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((nn.Module module, bool training, ScalarType? compute) in before)
        {
            module.train(training);
            if (module is Dense dense) dense.Compute = compute;
            else if (module is WeightNormLinear last) last.Compute = compute;
            else if (module is Convolution convolution) convolution.Compute = compute;
        }
        noGrad.Dispose();
    }

    private static ScalarType? ComputeOf(nn.Module module) => module switch
    {
        Dense dense => dense.Compute,
        WeightNormLinear last => last.Compute,
        Convolution convolution => convolution.Compute,
        _ => null,
    };
}
