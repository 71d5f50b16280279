using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

/// <summary>
/// A DINO step of ViT-T/16 with K = 4096 as one writes it with a library's own modules, the peer of the kit's:
/// float32, one operation after the
/// other in the order of the paper's algorithm 1 (Caron et al. 2021, arXiv 2104.14294), library linear layers,
/// explicit attention, one loss term
/// for each pair of crops, and parameter after parameter for clipping and teacher. It runs on the same
/// libtorch, threads and allocator.
/// </summary>
internal sealed class PlainDino : IDisposable
{
    private readonly Network student = new(), teacher = new();
    private readonly optim.Optimizer optimizer;
    private readonly Tensor center = zeros(1, 4096).DetachFromDisposeScope();

    public PlainDino()
    {
        optimizer = optim.AdamW(student.parameters(), 1e-4, weight_decay: 0.04);
        foreach (Parameter parameter in teacher.parameters()) parameter.requires_grad_(false);
    }

    public void Step(Tensor globals, Tensor locals)
    {
        using var scope = NewDisposeScope();
        Tensor logits;
        using (no_grad()) logits = teacher.Head(teacher.Vit.forward(globals));
        long batch = globals.shape[0] / 2;
        Tensor[] targets = ((logits - center) / 0.04).softmax(-1).split(batch);
        Tensor[] seen =
            (student.Head(cat([student.Vit.forward(globals), student.Vit.forward(locals)], 0)) / 0.1).split(batch);
        var terms = new List<Tensor>();
        for (int i = 0; i < targets.Length; i++)
            for (int j = 0; j < seen.Length; j++)
                if (i != j) terms.Add((-targets[i] * seen[j].log_softmax(-1)).sum(-1).mean());
        optimizer.zero_grad();
        stack(terms).mean().backward();
        using var noGrad = no_grad();
        foreach (Parameter parameter in student.parameters())
            if (parameter.grad is { } gradient && 3 / (gradient.norm().item<float>() + 1e-6) is < 1 and double factor)
                gradient.mul_(factor);
        optimizer.step();
        foreach ((Parameter slow, Parameter fast) in teacher.parameters().Zip(student.parameters()))
            slow.mul_(0.996).add_(fast, 0.004);
        center.mul_(0.9).add_(logits.mean([0], keepdim: true), 0.1);
    }

    public void Dispose()
    {
        optimizer.Dispose();
        student.Dispose();
        teacher.Dispose();
        center.Dispose();
    }

    private sealed class Network : nn.Module
    {
        private readonly Vit vit = new();
        private readonly Sequential mlp = nn.Sequential(nn.Linear(192, 2048), nn.GELU(), nn.Linear(2048, 2048),
            nn.GELU(), nn.Linear(2048, 256));
        private readonly Parameter last = new(randn(4096, 256));

        public Network() : base(nameof(Network)) => RegisterComponents();

        public Vit Vit => vit;

        public Tensor Head(Tensor x)
        {
            using var scope = NewDisposeScope();
            return nn.functional
                .linear(nn.functional.normalize(mlp.forward(x), dim: -1), last / last.norm(1, keepdim: true))
                .MoveToOuterDisposeScope();
        }
    }

    private sealed class Vit : nn.Module<Tensor, Tensor>
    {
        private readonly Parameter cls = new(zeros(1, 1, 192)), positions = new(randn(1, 197, 192) * 0.02);
        private readonly Conv2d patches = nn.Conv2d(3, 192, 16, 16);
        private readonly ModuleList<Block> blocks =
            nn.ModuleList([.. Enumerable.Range(0, 12).Select(_ => new Block())]);
        private readonly LayerNorm norm = nn.LayerNorm(192, 1e-6);

        public Vit() : base(nameof(Vit)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            using var scope = NewDisposeScope();
            long side = x.shape[^1] / 16;
            Tensor grid = positions.narrow(1, 1, 196).reshape(1, 14, 14, 192).permute(0, 3, 1, 2);
            if (side != 14)
                grid = nn.functional.interpolate(grid, [side, side], mode: InterpolationMode.Bicubic,
                    align_corners: false);
            Tensor tokens = cat([cls.expand(x.shape[0], 1, 192), patches.forward(x).flatten(2).transpose(1, 2)], 1);
            tokens = tokens
                + cat([positions.narrow(1, 0, 1), grid.permute(0, 2, 3, 1).reshape(1, side * side, 192)], 1);
            foreach (Block block in blocks) tokens = block.forward(tokens);
            return norm.forward(tokens).select(1, 0).MoveToOuterDisposeScope();
        }
    }

    private sealed class Block : nn.Module<Tensor, Tensor>
    {
        private readonly LayerNorm norm1 = nn.LayerNorm(192, 1e-6), norm2 = nn.LayerNorm(192, 1e-6);
        private readonly Linear qkv = nn.Linear(192, 576), proj = nn.Linear(192, 192), fc1 = nn.Linear(192, 768),
            fc2 = nn.Linear(768, 192);

        public Block() : base(nameof(Block)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            using var scope = NewDisposeScope();
            Tensor all = qkv.forward(norm1.forward(x)).reshape(x.shape[0], x.shape[1], 3, 3, 64).permute(2, 0, 3, 1, 4);
            Tensor weights = (all[0].matmul(all[1].transpose(-2, -1)) * 0.125).softmax(-1);
            Tensor attended = x + proj.forward(weights.matmul(all[2]).transpose(1, 2).reshape(x.shape));
            return (attended + fc2.forward(nn.functional.gelu(fc1.forward(norm2.forward(attended)))))
                .MoveToOuterDisposeScope();
        }
    }
}
