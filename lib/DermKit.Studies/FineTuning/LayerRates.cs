using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Models;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>
/// Layer-wise learning rates as in BEiT's and MAE's fine-tuning (optim_factory.py, lr_decay.py): early layers, which serve every task, move less than late ones. A layer's rate
/// scales its weight decay too, as a parameter group of torch's AdamW does.
/// </summary>
public static class LayerRates
{
    /// <summary>What the learning rate of a layer is multiplied with: decay ^ (layers + 1 - layer).</summary>
    /// <param name="layer">0 for the embedding, <paramref name="layers"/> + 1 for the head.</param>
    /// <param name="layers">Layers between them.</param>
    /// <param name="decay">More than 0 and at most 1.</param>
    public static double Of(int layer, int layers, double decay) => Math.Pow(decay, layers + 1 - layer);

    /// <summary>Rate of one of a backbone's own parameters, and whether weight decay acts on it: not on biases, norms (one dimension), CLS and mask token and position embedding.</summary>
    /// <param name="backbone">Whose parameter it is.</param>
    /// <param name="name">Its name.</param>
    /// <param name="parameter">Its values.</param>
    /// <param name="decay">More than 0 and at most 1.</param>
    public static (double Rate, bool Decays) Of(Backbone backbone, string name, Tensor parameter, double decay) =>
        (Of(backbone.LayerOf(name), backbone.Layers, decay), Pretraining.Optimizer.Decays(name, parameter) && !Tokens.Any(t => name.Contains(t, StringComparison.Ordinal)));

    private static readonly string[] Tokens = ["cls_token", "masked_embed", "pos_embed", "position_embedding"];
}
