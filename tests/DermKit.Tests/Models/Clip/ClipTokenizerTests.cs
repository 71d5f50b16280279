using DermKit.Models;
using DermKit.Tests.Data;
using DermKit.Tests.Parity;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class ClipTokenizerTests
{
    // Expected values are those of Python 3.11: html.unescape twice, strip, regex's \s+ to one space, lower.
    [Theory]
    [InlineData("  A  B\t\n c\u00a0d ", "a b c d")]
    [InlineData("\u001cx\u001fy\u001c", "x\u001fy")]
    [InlineData("&lt;b&gt; &amp;amp; &amp &ampx &#65;&#x42 &#0; &#x80;", "<b> & & &x ab \ufffd \u20ac")]
    [InlineData("&eacute;&eacute &notit; &apos;&apos &nosuch; &#xD800; &#99999999999999999999;",
        "\u00e9\u00e9 \u00acit; '&apos &nosuch; \ufffd \ufffd")]
    [InlineData("\u0130I \u03a3\u03a3 \u039f\u03a3", "i\u0307i \u03c3\u03c2 \u03bf\u03c2")]
    [InlineData("", "")]
    public void CaptionsAreCleanedAsClipDoes(string text, string expected) =>
        Assert.Equal(expected, ClipCaption.Clean(text));

    [Theory]
    [InlineData("it's 25mm, they've (bcc)!", "it|'s|2|5|mm|,|they|'ve|(|bcc|)!")]
    [InlineData("a<|endoftext|>b !<|endoftext|>", "a|<|endoftext|>|b|!<||endoftext||>")]
    [InlineData("x\u00b2\u2160 \ud835\udc1aa\U0001F600\U0001F600.",
        "x|\u00b2|\u2160|\ud835\udc1aa|\U0001F600\U0001F600.")]
    [InlineData("o'\u017fa 'd'dd", "o|'\u017f|a|'d|'d|d")]
    [InlineData("a\ud835", "a|\ud835")]
    public void WordsAreThoseOfClipsExpression(string text, string expected)
    {
        string[] words = [.. ClipCaption.Words(text)];
        Assert.Equal(expected, string.Join('|', words));
        Assert.Equal(text.Replace(" ", "", StringComparison.Ordinal), string.Concat(words));
    }

    [Fact]
    public void WithoutTheVocabularyTheErrorSaysWhatToGetAndWhere()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = MiniTrees.Settings(folder.Path) with { Root = folder.Path };
        string message = Assert.Throws<KitException>(() => ClipTokenizer.Open(settings)).Message;
        Assert.Contains(ClipTokenizer.FileName, message);
        Assert.Contains(Path.Combine(folder.Path, "data", "weights"), message);
        Assert.Contains(Path.Combine(settings.DataDir, "clip"), message);
        Assert.Contains("data/sources.json", message);
        string other = folder.Write("other.gz", [1, 2, 3]);
        message = Assert.Throws<KitException>(() => ClipTokenizer.Read(other)).Message;
        Assert.Contains(other, message);
        Assert.Contains(ClipTokenizer.Sha256, message);
    }

    [Fact]
    public void LongCaptionsAreAnErrorOrCut()
    {
        using var scope = NewDisposeScope();
        ClipTokenizer tokenizer = Vocabulary.Need();
        string text = string.Join(' ', Enumerable.Repeat("skin", 80));
        string message = Assert.Throws<KitException>(() => tokenizer.Encode(text)).Message;
        Assert.Contains("at most 77 tokens with both ends, found 82", message);
        int[] cut = tokenizer.Encode(text, truncate: true);
        Assert.Equal((77, tokenizer.StartToken, tokenizer.EndToken, 49_407),
            (cut.Length, cut[0], cut[^1], tokenizer.EndToken));
        Assert.Equal(75, tokenizer.Encode(string.Join(' ', Enumerable.Repeat("skin", 73))).Length);
        Tensor batch = tokenizer.Batch(["", "skin"], 5);
        Assert.Equal(["49406 49407 0 0 0", "49406 3575 49407 0 0"],
            Enumerable.Range(0, 2).Select(i => string.Join(' ', batch[i].data<long>().ToArray())));
    }
}
