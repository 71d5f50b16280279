using DermKit.Imaging;
using DermKit.Models;
using MathNet.Numerics.LinearAlgebra;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>Patch tokens as colours.</summary>
/// <param name="Images">One for each image, a pixel for each patch.</param>
/// <param name="Shares">Share of the tokens' variance that red, green and blue stand for.</param>
public sealed record PatchColors(IReadOnlyList<RgbImage> Images, IReadOnlyList<double> Shares);

/// <summary>What the last block of a vision transformer makes of each patch, as plain arrays to draw. The model is asked in evaluation mode, its own mode is put back.</summary>
public static class TokenMaps
{
    /// <summary>How the CLS token of the last block divides its attention over the patches (the CLS token's share for itself is left out).</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">Normalised images [B, 3, H, W] on its device.</param>
    /// <returns>[image][head][row of patches, column]; softmax weights, so that all patches of a head sum to 1 less CLS's own share.</returns>
    public static double[][][,] Attention(VisionTransformer model, Tensor batch) => Asked(model, () =>
    {
        Tensor weights = model.LastSelfAttention(batch).select(2, 0).to(ScalarType.Float64).cpu();
        (int rows, int columns) = Grid(model, batch);
        double[] flat = weights.contiguous().data<double>().ToArray();
        int heads = model.Config.Heads, tokens = 1 + rows * columns;
        return Enumerable.Range(0, (int)batch.shape[0]).Select(b => Enumerable.Range(0, heads).Select(h =>
        {
            var map = new double[rows, columns];
            Buffer.BlockCopy(flat, sizeof(double) * ((b * heads + h) * tokens + 1), map, 0, sizeof(double) * rows * columns);
            return map;
        }).ToArray()).ToArray();
    });

    /// <summary>
    /// The first three principal components of the patch tokens (last block, after the final norm) of all images together as red,
    /// green and blue, each scaled from its least to its greatest value: patches of one colour have similar tokens, in whichever image.
    /// </summary>
    /// <param name="model">The model, at least 3 wide.</param>
    /// <param name="batch">Normalised images [B, 3, H, W] on its device.</param>
    public static PatchColors Components(VisionTransformer model, Tensor batch) => Asked(model, () =>
    {
        (int rows, int columns) = Grid(model, batch);
        Tensor tokens = model.Tokens(batch).narrow(1, 1, rows * columns).flatten(0, 1).to(ScalarType.Float64).cpu();
        Tensor centred = tokens - tokens.mean([0], keepdim: true);
        int dim = (int)centred.shape[1];
        // The singular vectors of the D x D scatter matrix are the components, whatever the number of tokens.
        var svd = Matrix<double>.Build.Dense(dim, dim, matmul(centred.t(), centred).contiguous().data<double>().ToArray()).Svd();
        double[] directions = [.. Enumerable.Range(0, 3).SelectMany(c => Signed(svd.U.Column(c)))];
        Tensor scores = matmul(centred, tensor(directions, [3, dim]).t());
        Tensor low = scores.amin([0], keepdim: true), range = scores.amax([0], keepdim: true) - low;
        Tensor colors = ((scores - low) / range.clamp_min(Kept(1e-12)) * Kept(255)).round();
        byte[] flat = colors.to(ScalarType.Byte).contiguous().data<byte>().ToArray();
        double total = Math.Max(svd.S.Sum(), double.Epsilon);
        return new PatchColors([.. flat.Chunk(3 * rows * columns).Select(pixels => new RgbImage(columns, rows, pixels))], [.. svd.S.Take(3).Select(s => s / total)]);
    });

    /// <summary>The sign of a component means nothing; with the largest entry positive it is the same on every machine.</summary>
    private static Vector<double> Signed(Vector<double> direction) => direction * Math.Sign(direction[direction.AbsoluteMaximumIndex()]);

    /// <summary>Some test images of a task, classes in turn, as a model sees them; files that cannot be read are passed over.</summary>
    /// <param name="task">The task.</param>
    /// <param name="transform">What is done to each.</param>
    /// <param name="count">How many.</param>
    public static RgbImage[] Examples(ProbeTask task, EvalTransform transform, int count)
    {
        int[] test = task.SplitFor(TaskSuite.Seeds[0]).Test;
        var byTurn = test.GroupBy(i => task.Labels[i]).OrderBy(g => g.Key).SelectMany(g => g.Select((row, turn) => (row, turn))).OrderBy(p => p.turn);
        return [.. byTurn.Select(p => Read(p.row)).OfType<RgbImage>().Take(count)];

        RgbImage? Read(int row)
        {
            try
            {
                return transform.Apply(ImageCodec.Decode(task.Table.Paths[row]));
            }
            catch (ImageUnreadableException)
            {
                // The probing run lists it in its quarantine with the reason.
                return null;
            }
        }
    }

    private static (int Rows, int Columns) Grid(VisionTransformer model, Tensor batch) => ((int)batch.shape[2] / model.Config.Patch, (int)batch.shape[3] / model.Config.Patch);

    private static T Asked<T>(VisionTransformer model, Func<T> question)
    {
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(model);
        return question();
    }
}
