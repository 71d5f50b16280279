namespace DermKit.Models;

/// <summary>Evaluation mode without gradients; disposing restores mode and product type of every module
/// inside.</summary>
internal sealed class EvaluationMode : IDisposable
{
    private readonly (nn.Module Module, bool Training, ScalarType? Compute)[] before;
    private readonly IDisposable noGrad = no_grad();

    public EvaluationMode(params IEnumerable<nn.Module> roots)
    {
        // Parents first: train() also sets the mode of children.
        nn.Module[] all = [.. roots.SelectMany(r => r.modules().Prepend(r))];
        before = Array.ConvertAll(all, m => (m, m.training, (m as IComputesIn)?.Compute));
        foreach (nn.Module module in all) module.eval();
    }

    public void Dispose()
    {
        foreach ((nn.Module module, bool training, ScalarType? compute) in before)
        {
            module.train(training);
            if (module is IComputesIn layer) layer.Compute = compute;
        }
        noGrad.Dispose();
    }
}
