using DermKit.Imaging;
using DermKit.Models;
using MathNet.Numerics.LinearAlgebra;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Patch tokens as colours, one pixel a patch, and the shares of variance in red, green and blue.</summary>
public sealed record PatchColors(IReadOnlyList<RgbImage> Images, IReadOnlyList<double> Shares);

/// <summary>Maps of the patches in a vision transformer's last block. The model runs in evaluation mode; its mode is
/// restored.</summary>
public static class TokenMaps
{
    /// <summary>Softmax attention of the CLS token in the last block, for normalised images [B, 3, H, W]:
    /// [image][head][row of patches, column]. A head's patches sum to 1 less the attention of CLS to itself.</summary>
    public static double[][][,] Attention(VisionTransformer model, Tensor batch) => InEvaluation(model, () =>
    {
        Tensor weights = model.LastSelfAttention(batch).select(2, 0);
        (int rows, int columns) = Grid(model, batch);
        double[] flat = ProbeInput.ToFlatArray(weights);
        int heads = model.Config.Heads, tokens = 1 + rows * columns;
        return Enumerable.Range(0, (int)batch.shape[0]).Select(b => Enumerable.Range(0, heads).Select(h =>
        {
            var map = new double[rows, columns];
            Buffer.BlockCopy(flat, sizeof(double) * ((b * heads + h) * tokens + 1), map, 0,
                sizeof(double) * rows * columns);
            return map;
        }).ToArray()).ToArray();
    });

    /// <summary>First three principal components of the patch tokens (after the final norm) of normalised images [B, 3,
    /// H, W] together as red, green and blue, each scaled to its range. The model is at least 3 wide.</summary>
    public static PatchColors Components(VisionTransformer model, Tensor batch) => InEvaluation(model, () =>
    {
        (int rows, int columns) = Grid(model, batch);
        Tensor tokens = model.Tokens(batch).narrow(1, 1, rows * columns).flatten(0, 1).to(ScalarType.Float64).cpu();
        Tensor centred = tokens - tokens.mean([0], keepdim: true);
        int dim = (int)centred.shape[1];
        // The components are the singular vectors of the D x D scatter matrix.
        var svd = Matrix<double>.Build.Dense(dim, dim, ProbeInput.ToFlatArray(matmul(centred.t(), centred))).Svd();
        double[] directions = [.. Enumerable.Range(0, 3).SelectMany(c => Signed(svd.U.Column(c)))];
        Tensor scores = matmul(centred, tensor(directions, [3, dim]).t());
        Tensor low = scores.amin([0], keepdim: true), range = scores.amax([0], keepdim: true) - low;
        Tensor colors = ((scores - low) / range.clamp_min(Kept(1e-12)) * Kept(255)).round();
        byte[] flat = colors.to(ScalarType.Byte).contiguous().data<byte>().ToArray();
        double total = Math.Max(svd.S.Sum(), double.Epsilon);
        RgbImage[] images = [.. flat.Chunk(3 * rows * columns).Select(pixels => new RgbImage(columns, rows, pixels))];
        return new PatchColors(images, [.. svd.S.Take(3).Select(s => s / total)]);
    });

    // A component's sign is arbitrary; a positive largest entry makes it the same everywhere.
    private static Vector<double> Signed(Vector<double> direction) =>
        direction * Math.Sign(direction[direction.AbsoluteMaximumIndex()]);

    /// <summary>Test images of a task, classes in turn, after a transform; unreadable files are left out.</summary>
    public static RgbImage[] Examples(ProbeTask task, EvalTransform transform, int count)
    {
        int[] test = task.SplitFor(TaskSuite.Seeds[0]).Test;
        var byTurn = test.GroupBy(i => task.Labels[i]).OrderBy(g => g.Key)
            .SelectMany(g => g.Select((row, turn) => (row, turn))).OrderBy(p => p.turn);
        return [.. byTurn.Select(p => Read(p.row)).OfType<RgbImage>().Take(count)];

        RgbImage? Read(int row)
        {
            try
            {
                return transform.Apply(ImageCodec.Decode(task.Table.Paths[row]));
            }
            catch (ImageUnreadableException)
            {
                // The probing run's quarantine lists the reason.
                return null;
            }
        }
    }

    private static (int Rows, int Columns) Grid(VisionTransformer model, Tensor batch) =>
        ((int)batch.shape[2] / model.Config.Patch, (int)batch.shape[3] / model.Config.Patch);

    private static T InEvaluation<T>(VisionTransformer model, Func<T> compute)
    {
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(model);
        return compute();
    }
}
