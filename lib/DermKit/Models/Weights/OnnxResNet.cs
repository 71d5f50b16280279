namespace DermKit.Models;

/// <summary>A node of an ONNX graph.</summary>
internal sealed record OnnxNode(string Operation, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs)
{
    public static OnnxNode Read(ReadOnlyMemory<byte> bytes)
    {
        List<string> inputs = [], outputs = [];
        string operation = "";
        foreach (ProtoField field in ProtoField.Of(bytes))
            if (field.Number == 1) inputs.Add(field.Text);
            else if (field.Number == 2) outputs.Add(field.Text);
            else if (field.Number == 4) operation = field.Text;
        return new(operation, inputs, outputs);
    }
}

/// <summary>Torchvision's keys of a ResNet, read off its ONNX graph: a stem, then blocks that end in an
/// addition.</summary>
internal sealed class OnnxResNet
{
    private static readonly string[] Normalised = ["weight", "bias", "running_mean", "running_var"];

    private readonly Dictionary<string, OnnxNode> makers = [];
    private readonly Dictionary<string, string> keys = [];

    // Keys to names of initialisers; null for another graph.
    public static IReadOnlyDictionary<string, string>? Keys(IReadOnlyList<OnnxNode> nodes)
    {
        var graph = new OnnxResNet();
        foreach (OnnxNode node in nodes)
            foreach (string output in node.Outputs)
                if (!graph.makers.TryAdd(output, node)) return null;
        return graph.Walk(nodes) ? graph.keys : null;
    }

    private bool Walk(IReadOnlyList<OnnxNode> nodes)
    {
        if (nodes.FirstOrDefault(n => n.Operation == "MaxPool") is not { Inputs: [var stemOutput, ..] }) return false;
        if (Layers(stemOutput) is not [var stem]) return false;
        Put("conv1", "bn1", stem);
        int stage = 1, block = 0;
        foreach (OnnxNode sum in nodes.Where(n => n.Operation == "Add"))
        {
            if (sum.Inputs is not [var left, var right]) return false;
            OnnxNode[] main = Layers(left), shortcut = Layers(right);
            if (main.Length < shortcut.Length) (main, shortcut) = (shortcut, main);
            if (main.Length is not (2 or 3) || shortcut.Length > 1) return false;
            bool isFirst = stage == 1 && block == 0;
            if (shortcut.Length == 1 && !isFirst) (stage, block) = (stage + 1, 0);
            string prefix = $"layer{stage}.{block}.";
            for (int i = 0; i < main.Length; i++) Put($"{prefix}conv{i + 1}", $"{prefix}bn{i + 1}", main[i]);
            if (shortcut is [var only]) Put($"{prefix}downsample.0", $"{prefix}downsample.1", only);
            block++;
        }
        return stage == 4;
    }

    // Batch normalisations from the last addition or pooling to a value; none if one is not behind a convolution.
    private OnnxNode[] Layers(string value)
    {
        var layers = new List<OnnxNode>();
        for (int i = 0; i < 8 && makers.TryGetValue(value, out OnnxNode? node); i++)
        {
            if (node is { Operation: "Relu", Inputs: [var input, ..] }) value = input;
            else if (node is not { Operation: "BatchNormalization", Inputs: [var product, _, _, _, _] }) break;
            else if (!makers.TryGetValue(product, out OnnxNode? maker)) return [];
            else if (maker is not { Operation: "Conv", Inputs: [var images, _] }) return [];
            else
            {
                layers.Insert(0, node);
                value = images;
            }
        }
        return [.. layers];
    }

    private void Put(string convolution, string normalisation, OnnxNode layer)
    {
        keys[$"{convolution}.weight"] = makers[layer.Inputs[0]].Inputs[1];
        for (int i = 0; i < Normalised.Length; i++) keys[$"{normalisation}.{Normalised[i]}"] = layer.Inputs[i + 1];
    }
}
