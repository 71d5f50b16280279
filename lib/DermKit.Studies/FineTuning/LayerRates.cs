using DermKit.Models;
using DermKit.Pretraining;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Layer-wise learning rates of BEiT and MAE (optim_factory.py, lr_decay.py): early layers, which serve every
/// task, move less. A rate scales weight decay too, as in torch's AdamW.</summary>
public static class LayerRates
{
    private static readonly string[] Tokens = ["cls_token", "masked_embed", "pos_embed", "position_embedding"];

    /// <summary>Factor of a layer's rate: decay ^ (layers + 1 - layer), 0 the embedding, layers + 1 the head.</summary>
    public static double Of(int layer, int layers, double decay) => Math.Pow(decay, layers + 1 - layer);

    // No weight decay on biases, norms (one dimension), CLS and mask token and position embedding.
    internal static (double Rate, bool Decays) Of(Backbone backbone, string name, Tensor parameter, double decay)
    {
        bool isToken = Tokens.Any(t => name.Contains(t, StringComparison.Ordinal));
        double rate = Of(backbone.LayerOf(name), backbone.Layers, decay);
        return (rate, Optimizer.Decays(name, parameter) && !isToken);
    }
}
