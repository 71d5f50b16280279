using Microsoft.ML.Tokenizers;
using System.IO.Compression;

namespace DermKit.Models;

/// <summary>CLIP's tokenizer: bytes joined by 48,894 merges between start and end token. Microsoft.ML.Tokenizers
/// applies the merges; words come from <see cref="ClipCaption"/>, because the library, unlike CLIP, drops start and end
/// tokens inside captions.</summary>
internal sealed class ClipTokenizer
{
    public const string FileName = "bpe_simple_vocab_16e6.txt.gz";

    public const string Sha256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a";
    private const string Fetch = $"kit data fetch clip --accept-licence gets {FileName} from openai/CLIP";
    private const int Merges = 49_152 - 256 - 2;
    private readonly BpeTokenizer pairs;
    private readonly Dictionary<string, int[]> known;

    private ClipTokenizer(string[] merges)
    {
        // Bytes as visible characters, those visible themselves first; then all again for the end of a word.
        bool IsSeen(int b) => b is (>= '!' and <= '~') or (>= 0xa1 and not 0xad);
        int[] all = [.. Enumerable.Range(0, 256)];
        int[] codes = [.. all.Where(IsSeen), .. all.Where(b => !IsSeen(b)).Select((_, i) => 256 + i)];
        string[] bytes = Array.ConvertAll(codes, c => ((char)c).ToString());
        string[] joined = Array.ConvertAll(merges, m => m.Replace(" ", "", Ordinal));
        string[] words = [.. bytes, .. bytes.Select(b => b + "</w>"), .. joined];
        pairs = BpeTokenizer.Create(new BpeOptions(words.Select((w, i) => KeyValuePair.Create(w, i)))
        {
            Merges = merges,
            ByteLevel = true,
            EndOfWordSuffix = "</w>",
        });
        StartToken = words.Length;
        EndToken = words.Length + 1;
        known = new() { [ClipCaption.Start] = [StartToken], [ClipCaption.End] = [EndToken] };
    }

    public int StartToken { get; }

    public int EndToken { get; }

    // From data/weights of the kit, else clip/ of KitSettings.DataDir.
    public static ClipTokenizer Open(KitSettings settings) =>
        Read(Array.Find(Places(settings), File.Exists) ?? throw new KitException(Missing(settings)!));

    // Null when the vocabulary is present, else what to get.
    public static string? Missing(KitSettings settings) => Places(settings).Any(File.Exists) ? null
        : $"CLIP's vocabulary is not here: expected {string.Join(" or ", Places(settings))}. {Fetch} "
            + "(data/sources.json).";

    public static ClipTokenizer Read(string path)
    {
        string hash = WeightLoader.FileHash(path);
        if (hash != Sha256)
            throw new KitException($"{path}: expected CLIP's vocabulary with SHA-256 {Sha256}, found {hash}. "
                + $"Move it away; {Fetch} again (data/sources.json).");
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress),
            Encoding.UTF8);
        return new([.. reader.ReadToEnd().Split('\n').Skip(1).Take(Merges)]);
    }

    public int[] Encode(string text, int context = 77, bool truncate = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 2);
        int[] tokens = [StartToken, .. ClipCaption.Words(ClipCaption.Clean(text)).SelectMany(Word), EndToken];
        if (tokens.Length <= context) return tokens;
        if (truncate) return [.. tokens[..(context - 1)], EndToken];
        string shown = text.Length > 60 ? text[..60] + "..." : text;
        throw new KitException($"Caption '{shown}': expected at most {context} tokens with both ends, found "
            + $"{tokens.Length}. Shorten it, or pass truncate.");
    }

    // Int64 [captions, context], zero behind the end token.
    public Tensor Batch(IReadOnlyList<string> texts, int context = 77, bool truncate = false, Device? device = null)
    {
        var tokens = new long[texts.Count * context];
        for (int i = 0; i < texts.Count; i++)
            Array.ConvertAll(Encode(texts[i], context, truncate), t => (long)t).CopyTo(tokens, i * context);
        return tensor(tokens, [texts.Count, context], device: device);
    }

    private static string[] Places(KitSettings settings) =>
        [Path.Combine(settings.Root, "data", "weights", FileName), Path.Combine(settings.DataDir, "clip", FileName)];

    private int[] Word(string word)
    {
        lock (known)
        {
            if (known.TryGetValue(word, out int[]? tokens)) return tokens;
            tokens = [.. pairs.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false)];
            // Bounded: texts are arbitrary.
            if (known.Count < 100_000) known[word] = tokens;
            return tokens;
        }
    }
}
