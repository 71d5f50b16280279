namespace DermKit.Pretraining;

/// <summary>Number type of the matrix products.</summary>
[JsonConverter(typeof(SpelledEnumConverter<Precision>))]
public enum Precision
{
    /// <summary>bf16 on a CPU with native bf16 (<see cref="Processor.MultipliesBFloat16"/>), else fp32.</summary>
    [JsonStringEnumMemberName("auto")]
    Auto,

    /// <summary>32-bit floating point.</summary>
    [JsonStringEnumMemberName("fp32")]
    Fp32,

    /// <summary>bfloat16.</summary>
    [JsonStringEnumMemberName("bf16")]
    Bf16,
}

/// <summary>Optimisers of pre-training.</summary>
[JsonConverter(typeof(SpelledEnumConverter<OptimizerKind>))]
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay.</summary>
    AdamW,

    /// <summary>Adam with weight decay added to the gradient.</summary>
    Adam,

    /// <summary>LARS in lightly's form.</summary>
    [JsonStringEnumMemberName("LARS")]
    Lars,
}

/// <summary>Sources of crops.</summary>
[JsonConverter(typeof(SpelledEnumConverter<CropSource>))]
public enum CropSource
{
    /// <summary>Cached images of <see cref="PretrainOptions.SourceSize"/>, where small crops lose detail: at 256 a crop
    /// of a tenth of the area is about 80 pixels wide.</summary>
    [JsonStringEnumMemberName("cached")]
    Cached,

    /// <summary>The original files, decoded in every epoch. The first start still fills the cache, to find unreadable
    /// files and for the notebooks.</summary>
    [JsonStringEnumMemberName("original")]
    Original,
}

/// <summary>Backbones of pre-training.</summary>
[JsonConverter(typeof(SpelledEnumConverter<NetworkKind>))]
public enum NetworkKind
{
    /// <summary>Vision transformer.</summary>
    ViT,

    /// <summary>ResNet-50.</summary>
    [JsonStringEnumMemberName("ResNet-50")]
    ResNet50,
}

/// <summary>Reads an enum by its exact JSON names; an error lists them.</summary>
internal sealed class SpelledEnumConverter<T> : JsonConverter<T> where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string found = reader.TokenType == JsonTokenType.String ? reader.GetString()! : $"a {reader.TokenType}";
        foreach (T value in Enum.GetValues<T>())
            if (value.Spelled() == found) return value;
        string expected = string.Join(", ", Enum.GetValues<T>().Select(v => v.Spelled()));
        throw new JsonException($"expected one of {expected}, found {found}.");
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Spelled());
}

internal static class EnumSpelling
{
    public static string Spelled<T>(this T value) where T : struct, Enum
    {
        object[] names = typeof(T).GetField($"{value}")!
            .GetCustomAttributes(typeof(JsonStringEnumMemberNameAttribute), false);
        return names is [JsonStringEnumMemberNameAttribute name] ? name.Name : $"{value}";
    }
}
