namespace DermKit.Pretraining;

/// <summary>In what the published forms of LARS differ. The defaults are lightly-ai/lightly's.</summary>
public sealed record LarsOptions
{
    /// <summary>Share of the old step in the new one, 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Trust coefficient: length of a step over that of the weights; 0 scales nothing, which is SGD.</summary>
    public double Trust { get; init; } = 0.001;

    /// <summary>Scales every parameter of more than one dimension; otherwise only those that weight decay acts on while it is not 0.</summary>
    public bool ScalesUndecayed { get; init; }

    /// <summary>Divides by the norm of gradient and decay together; otherwise by the sum of both norms and 1e-8.</summary>
    public bool NormOfSum { get; init; }

    /// <summary>Keeps the scaled learning rate from exceeding the given one.</summary>
    public bool ClipsRate { get; init; }

    /// <summary>lightly-ai/lightly, utils/lars.py.</summary>
    public static LarsOptions Lightly { get; } = new();

    /// <summary>facebookresearch/dino, utils.py.</summary>
    public static LarsOptions Dino { get; } = new() { ScalesUndecayed = true, NormOfSum = true };

    /// <summary>vturrisi/solo-learn, utils/lars.py, as its scripts for SimCLR and BYOL set it.</summary>
    public static LarsOptions Solo { get; } = new() { Trust = 0.02, ScalesUndecayed = true, ClipsRate = true };

    /// <summary>torch.optim.SGD with momentum 0.9.</summary>
    public static LarsOptions Sgd { get; } = new() { Trust = 0 };
}
