namespace DermKit.Models;

/// <summary>SimCLR's and BYOL's perceptron with lightly's keys (<c>layers.N.*</c>): linear layers with batch
/// normalisation and ReLU between.</summary>
internal sealed class ProjectionHead : nn.Module<Tensor, Tensor>
{
    private readonly Sequential layers;

    private ProjectionHead(string name, List<nn.Module<Tensor, Tensor>> parts, long seed) : base(name)
    {
        layers = nn.Sequential(parts.Select((part, i) => ($"{i}", part)).ToArray());
        RegisterComponents();
        this.OutliveScopes();
        // Torch's default: uniform within 1 / sqrt(inputs), biases too.
        double bound = 0;
        InitialValues.Draw(this, seed, (key, parameter, generator) =>
        {
            if (parameter.dim() == 2) bound = 1 / Math.Sqrt(parameter.shape[1]);
            bool isLinear = layers[int.Parse(key.Split('.')[1], CultureInfo.InvariantCulture)] is Dense;
            return isLinear ? InitialValues.Uniform(parameter, bound, generator) : null;
        });
    }

    // Chen et al. 2020, arXiv 2002.05709 (three layers in v2, arXiv 2006.10029): layers without bias, each normalised,
    // the last one too; or with biases and without normalisation.
    public static ProjectionHead SimClr(
        int inputs, int hidden, int outputs, long seed, Device? device = null, int layers = 2, bool batchNorm = true)
    {
        if (layers < 2) throw new KitException($"SimCLR head: layers is {layers}; expected 2 or more.");
        var parts = new List<nn.Module<Tensor, Tensor>>();
        for (int i = 0; i < layers; i++)
        {
            int width = i == layers - 1 ? outputs : hidden;
            parts.Add(new Dense(i == 0 ? inputs : hidden, width, hasBias: !batchNorm, device ?? CPU));
            if (batchNorm) parts.Add(new BatchNorm(width, device ?? CPU));
            if (i < layers - 1) parts.Add(Relu());
        }
        return new("SimClrHead", parts, seed);
    }

    // Projector or predictor (Grill et al. 2020, arXiv 2006.07733): linear without bias, normalised, ReLU, linear with
    // bias.
    public static ProjectionHead Byol(int inputs, int hidden, int outputs, long seed, Device? device = null)
    {
        device ??= CPU;
        var parts = new List<nn.Module<Tensor, Tensor>>
        {
            new Dense(inputs, hidden, hasBias: false, device), new BatchNorm(hidden, device), Relu(),
            new Dense(hidden, outputs, hasBias: true, device),
        };
        return new("ByolHead", parts, seed);
    }

    // To [B, outputs], float32.
    public override Tensor forward(Tensor x) => Scoped(() => layers.forward(x).to(float32));

    // In place: libtorch has no meta kernel for the other form.
    private static ReLU Relu() => nn.ReLU(inplace: true);
}
