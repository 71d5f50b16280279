using DermKit.Imaging;
using DermKit.Models;
using System.Reflection;

namespace DermKit.Pretraining;

public abstract partial record PretrainOptions
{
    private static PretrainOptions[] registered = [.. In(typeof(PretrainOptions).Assembly)];

    /// <summary>The names of all methods.</summary>
    public static IReadOnlyList<string> Methods => Array.ConvertAll(registered, o => o.Method);

    /// <summary>Networks that the method trains.</summary>
    [JsonIgnore]
    public virtual IReadOnlyList<NetworkKind> Networks => [NetworkKind.ViT];

    internal virtual int ListOrder => int.MaxValue;

    internal virtual bool HasMaskToken => false;

    /// <summary>Adds an assembly's methods (records derived from <see cref="PretrainOptions"/>).</summary>
    /// <exception cref="KitException">Another method has the same name.</exception>
    public static void Register(Assembly assembly)
    {
        PretrainOptions[] added = [.. In(assembly).ExceptBy(registered.Select(o => o.GetType()), o => o.GetType())];
        if (added.FirstOrDefault(o => Methods.Contains(o.Method)) is { } twin)
            throw new KitException(
                $"{twin.GetType()}: another method is called '{twin.Method}'; give this one its own name.");
        registered = [.. registered, .. added];
    }

    // For tests.
    internal static void Unregister(Assembly assembly) =>
        registered = [.. registered.Where(o => o.GetType().Assembly != assembly)];

    /// <summary>The known settings of a method's paper. The batch is that of four devices for DINO and iBOT, of one for
    /// SimCLR and BYOL, whose full-mode files take four times as much.</summary>
    /// <exception cref="KitException">The method is unknown; the nearest is named.</exception>
    public static PretrainOptions For(string method) => registered.FirstOrDefault(o => o.Method == method)
        ?? throw KitException.Unknown("Method", method, Methods);

    /// <summary>Reads a file of data/pretraining; changes replace values by key.</summary>
    /// <exception cref="KitException">A key is unknown (the nearest is named) or another method's, or a value out of
    /// range.</exception>
    public static PretrainOptions Read(string path, IReadOnlyDictionary<string, string>? changes = null)
    {
        PretrainOptions options = StrictJson.Read<PretrainOptions>(path, changes ?? new Dictionary<string, string>(),
            keys =>
            {
                PretrainOptions method = keys["method"] is { } name ? For(name.ToString()) : registered[0];
                keys.Remove("method");
                return (method, method.WhyUnread);
            });
        options.Check(path);
        return options;
    }

    /// <summary>Reads a file by path, or by name in data/pretraining, such as dino-quick.</summary>
    /// <exception cref="KitException">There is no such file, or as <see cref="Read"/>.</exception>
    public static PretrainOptions Named(
        KitSettings settings, string name, IReadOnlyDictionary<string, string>? changes = null) =>
        Read(Find(settings, name), changes);

    /// <summary>The path for <see cref="Named"/>.</summary>
    /// <exception cref="KitException">There is no such file; the nearest is named.</exception>
    public static string Find(KitSettings settings, string name)
    {
        if (File.Exists(name)) return name;
        string folder = Path.Combine(settings.Root, "data", "pretraining"), path = Path.Combine(folder, name + ".json");
        if (File.Exists(path)) return path;
        throw KitException.Unknown("data/pretraining: file", name, Directory.GetFiles(folder, "*.json")
            .Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal));
    }

    /// <summary>Casts to a method's options, for <c>with</c> expressions.</summary>
    /// <exception cref="KitException">The options are another method's.</exception>
    public T As<T>() where T : PretrainOptions => this as T
        ?? throw new KitException(
            $"Expected {typeof(T).Name}, found options of {Method}; name a config of such a method.");

    /// <summary>Makes the method, with weights from seed or file.</summary>
    /// <exception cref="KitException">An option is out of range, or the weights do not fit.</exception>
    public abstract PretrainMethod Create(Device device);

    /// <summary>View recipes in groups of one size and blur: the two global crops, then any local crops.</summary>
    public abstract IReadOnlyList<ViewRecipe[]> Recipes();

    /// <summary>Masked patches of a batch's global crops, by image number and epoch from 0; or null.</summary>
    public virtual PatchMasks? Masks(ReadOnlySpan<int> ids, int epoch, Device device) => null;

    /// <summary>Caption of a figure of one image's views.</summary>
    public virtual string ViewsCaption(int globals, int locals) =>
        $"Each row is one training image with the {globals + locals} views of one step.";

    /// <summary>The same run with other epochs, a tenth of them as warm-up.</summary>
    public virtual PretrainOptions WithEpochs(int epochs) =>
        this with { Epochs = epochs, WarmupEpochs = epochs / 10.0 };

    /// <summary>Replaces auto precision by the device's.</summary>
    public PretrainOptions On(Device device)
    {
        if (Precision != Precision.Auto) return this;
        bool isNative = device.type == DeviceType.CPU && Processor.MultipliesBFloat16;
        return this with { Precision = isNative ? Precision.Bf16 : Precision.Fp32 };
    }

    /// <summary>Checks all keys.</summary>
    /// <exception cref="KitException">A value is out of range; names <paramref name="where"/> and key.</exception>
    public void Check(string where = "Pre-training options")
    {
        var ranges = from key in Keys(GetType())
                     let range = key.GetCustomAttribute<AllowedAttribute>()
                     where range is not null && !range.Allows(key.GetValue(this)!)
                     select (key.Name, range.ToString());
        foreach ((string key, string expected) in ranges.Concat(Faults()))
            throw new KitException(
                $"{where}, key '{Spelled(key)}': expected {expected}, found "
                + $"{ToJson().GetProperty(key).GetRawText().Trim('"')}.");
    }

    /// <summary>Keys with invalid combinations and what was expected; ranges are already checked.</summary>
    protected virtual IEnumerable<(string Key, string Expected)> Faults()
    {
        if (!Networks.Contains(Network))
            yield return (nameof(Network), $"{string.Join(" or ", Networks.Select(n => n.Spelled()))} for {Method}");
        if (!VitConfig.Sizes.Contains(Size)) yield return (nameof(Size), "tiny, small, base or large");
        if (Network != NetworkKind.ViT)
            foreach (var fault in Unread($"{Network.Spelled()} does not read it (only ViT)", nameof(Size),
                nameof(Depth), nameof(Dim), nameof(Heads), nameof(Patch), nameof(ImageSize), nameof(DropPath)))
                yield return fault;
        else
            foreach (var fault in Unread("ViT does not read it (only ResNet)", nameof(Blocks))) yield return fault;
        if (InitialWeights is null)
            foreach (var fault in Unread("without initialWeights there is nothing to share", nameof(InitialShare)))
                yield return fault;
        if (Blocks.Length is not (0 or 4) || Blocks.Any(n => n < 1))
            yield return (nameof(Blocks), "none, or four numbers of 1 or more, such as [2, 2, 2, 2]");
        if (ImageSize < Patch) yield return (nameof(ImageSize), APatch);
        if (GlobalSize < Patch) yield return (nameof(GlobalSize), APatch);
        VitConfig vit = Vit(isStudent: false);
        if (vit.Dim % vit.Heads != 0) yield return (nameof(Heads), $"a divisor of the width {vit.Dim}");
        if (WarmupEpochs > Epochs) yield return (nameof(WarmupEpochs), $"0 to {Epochs}");
    }

    private protected string APatch => $"at least a patch of {Patch} pixels";

    /// <summary>Those of the keys that differ from the defaults but would not be read.</summary>
    protected IEnumerable<(string Key, string Expected)> Unread(string why, params string[] keys) =>
        keys.Intersect(Changed().Select(k => k.Name)).Select(key => (key, $"no such key, because {why}"));

    // The keys that differ from the method's defaults.
    internal IEnumerable<JsonProperty> Changed()
    {
        JsonElement defaults = ((PretrainOptions)Activator.CreateInstance(GetType())!).ToJson();
        return ToJson().EnumerateObject().Where(k => !JsonElement.DeepEquals(k.Value, defaults.GetProperty(k.Name)));
    }

    /// <summary>Colour changes, scaled by <see cref="ColorStrength"/>: spreads of brightness and contrast, saturation,
    /// and hue in turns; chances of blur and solarisation.</summary>
    protected IReadOnlyList<IAugmentation> Colour(double light, double saturation, double hue, double blur,
        double solarize = 0) => ViewColours.List(ColorStrength * light, ColorStrength * saturation, ColorStrength * hue,
            ColorStrength * 0.2, blur, BlurMax, ColorStrength * solarize);

    // Null for the type of the weights.
    internal ScalarType? ProductType(Device device) => On(device).Precision.ProductType();

    internal VitConfig Vit(bool isStudent)
    {
        VitConfig named = VitConfig.Named(Size);
        return named with
        {
            Patch = Patch,
            ImageSize = ImageSize,
            Depth = Depth > 0 ? Depth : named.Depth,
            Dim = Dim > 0 ? Dim : named.Dim,
            Heads = Heads > 0 ? Heads : named.Heads,
            DropPath = isStudent ? DropPath : 0,
            MaskToken = isStudent && HasMaskToken,
        };
    }

    internal JsonElement ToJson() => JsonSerializer.SerializeToElement(this, GetType());

    internal static IEnumerable<PropertyInfo> Keys(Type options) =>
        options.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.SetMethod is not null);

    internal static string Spelled(string key) => JsonNamingPolicy.CamelCase.ConvertName(key);

    // Null when no other method has the key either.
    private string? WhyUnread(string key)
    {
        string names = string.Join(", ", registered
            .Where(o => Keys(o.GetType()).Any(p => Spelled(p.Name) == key)).Select(o => o.Method));
        return names.Length == 0 ? null : $"{Method} does not read it (only {names})";
    }

    private static IEnumerable<PretrainOptions> In(Assembly assembly) => assembly.GetTypes()
        .Where(t => t.IsSubclassOf(typeof(PretrainOptions)) && !t.IsAbstract)
        .Select(t => (PretrainOptions)Activator.CreateInstance(t)!)
        .OrderBy(o => o.ListOrder).ThenBy(o => o.Method, StringComparer.Ordinal);
}
