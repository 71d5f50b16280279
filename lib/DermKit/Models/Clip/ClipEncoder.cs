namespace DermKit.Models;

internal sealed class ClipEncoder : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<TransformerBlock> layers;

    public ClipEncoder(ClipTowerConfig config, bool causal, Device device) : base(nameof(ClipEncoder))
    {
        TransformerBlock Block(int _) => new(config, causal, device);
        layers = nn.ModuleList(Enumerable.Range(0, config.Depth).Select(Block).ToArray());
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => LastBlocks(x, 1, clsOnly: false)[0];

    public List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly) => TransformerBlock.Last(layers, x, n, clsOnly);
}

/// <summary>Learned vectors [rows, D] under the key weight: positions or words.</summary>
internal sealed class ClipTable : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;

    public ClipTable(long rows, long dim, Device device) : base(nameof(ClipTable))
    {
        weight = new Parameter(empty(rows, dim, float32, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Scoped(() => x.Plus(weight.narrow(0, 0, x.shape[1])));

    public Tensor Rows(Tensor numbers) => weight.index(TensorIndex.Tensor(numbers));
}
