using Microsoft.ML.Tokenizers;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// CLIP's tokenizer: bytes paired by 48,894 merges, a start and an end token. The merges are Microsoft.ML.Tokenizers'; the words that they work on are
/// the kit's own (<see cref="ClipCaption"/>), because that library takes start and end tokens out of a caption before all else, which CLIP does not.
/// </summary>
public sealed class ClipTokenizer
{
    /// <summary>Name of the vocabulary's file, openai/CLIP's.</summary>
    public const string FileName = "bpe_simple_vocab_16e6.txt.gz";

    /// <summary>SHA-256 of that file.</summary>
    public const string Sha256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a";

    private const int Merges = 49_152 - 256 - 2;
    private readonly BpeTokenizer pairs;
    private readonly Dictionary<string, int[]> known;

    private ClipTokenizer(string[] merges)
    {
        // Every byte under a character that can be seen, those that have one first, then the same at the end of a word.
        bool IsSeen(int b) => b is (>= '!' and <= '~') or (>= 0xa1 and not 0xad);
        int[] others = [.. Enumerable.Range(0, 256).Where(b => !IsSeen(b))];
        string[] bytes = [.. Enumerable.Range(0, 256).Where(IsSeen).Concat(others.Select((_, i) => 256 + i)).Select(c => ((char)c).ToString())];
        string[] words = [.. bytes, .. bytes.Select(b => b + "</w>"), .. merges.Select(m => m.Replace(" ", "", StringComparison.Ordinal))];
        pairs = BpeTokenizer.Create(new BpeOptions(words.Select((w, i) => KeyValuePair.Create(w, i))) { Merges = merges, ByteLevel = true, EndOfWordSuffix = "</w>" });
        (StartToken, EndToken) = (words.Length, words.Length + 1);
        known = new() { [ClipCaption.Start] = [StartToken], [ClipCaption.End] = [EndToken] };
    }

    /// <summary>Number of the start token, 49,406.</summary>
    public int StartToken { get; }

    /// <summary>Number of the end token, 49,407, the largest.</summary>
    public int EndToken { get; }

    /// <summary>The vocabulary from data/weights of the kit, else from the folder clip of <see cref="KitSettings.DataDir"/>.</summary>
    /// <exception cref="KitException">It is in neither, or another file; the message says what to get and where it goes.</exception>
    public static ClipTokenizer Open(KitSettings settings) => Read(Array.Find(Places(settings), File.Exists) ?? throw new KitException(Missing(settings)!));

    /// <summary>Null when the vocabulary is here, else what to get and where it goes.</summary>
    public static string? Missing(KitSettings settings) => Places(settings).Any(File.Exists) ? null
        : $"CLIP's vocabulary is not here: expected {string.Join(" or ", Places(settings))}. kit data fetch clip --accept-licence gets {FileName} from openai/CLIP (data/sources.json).";

    private static string[] Places(KitSettings settings) => [Path.Combine(settings.Root, "data", "weights", FileName), Path.Combine(settings.DataDir, "clip", FileName)];

    /// <summary>The vocabulary from a file.</summary>
    /// <exception cref="KitException">The file's hash is another one.</exception>
    public static ClipTokenizer Read(string path)
    {
        string hash = WeightLoader.FileHash(path);
        if (hash != Sha256) throw new KitException($"{path}: expected CLIP's vocabulary with SHA-256 {Sha256}, found {hash}. Move it away; kit data fetch clip --accept-licence gets {FileName} from openai/CLIP again (data/sources.json).");
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress), Encoding.UTF8);
        return new([.. reader.ReadToEnd().Split('\n').Skip(1).Take(Merges)]);
    }

    /// <summary>Start token, the caption's, end token.</summary>
    /// <param name="text">The caption; cleaned as CLIP does.</param>
    /// <param name="context">Most tokens, both ends included.</param>
    /// <param name="truncate">Cut a longer caption, its last token the end token; off, it is an error, as in CLIP.</param>
    /// <exception cref="KitException">The caption has more tokens than <paramref name="context"/>.</exception>
    public int[] Encode(string text, int context = 77, bool truncate = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 2);
        int[] tokens = [StartToken, .. ClipCaption.Words(ClipCaption.Clean(text)).SelectMany(Word), EndToken];
        if (tokens.Length <= context) return tokens;
        if (!truncate)
            throw new KitException(string.Create(CultureInfo.InvariantCulture, $"Caption '{(text.Length > 60 ? text[..60] + "..." : text)}': expected at most {context} tokens with both ends, found {tokens.Length}. Shorten it, or pass truncate."));
        return [.. tokens[..(context - 1)], EndToken];
    }

    /// <summary>Captions as CLIP's text tower takes them: int64 [captions, context], zero behind the end token.</summary>
    /// <exception cref="KitException">A caption has more tokens than <paramref name="context"/>.</exception>
    public Tensor Batch(IReadOnlyList<string> texts, int context = 77, bool truncate = false, Device? device = null)
    {
        var tokens = new long[texts.Count * context];
        for (int i = 0; i < texts.Count; i++) Encode(texts[i], context, truncate).Select(t => (long)t).ToArray().CopyTo(tokens, i * context);
        return tensor(tokens, [texts.Count, context], device: device);
    }

    private int[] Word(string word)
    {
        lock (known)
        {
            if (known.TryGetValue(word, out int[]? tokens)) return tokens;
            tokens = [.. pairs.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false)];
            // Text of any length and kind may come; the words of captions are few.
            if (known.Count < 100_000) known[word] = tokens;
            return tokens;
        }
    }
}
