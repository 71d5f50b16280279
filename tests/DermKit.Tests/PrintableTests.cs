namespace DermKit.Tests;

public sealed class PrintableTests
{
    [Theory]
    [InlineData("blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.weight")]
    [InlineData("", "")]
    [InlineData("größe 照片 é 😀 C:\\x", "größe 照片 é 😀 C:\\x")]
    [InlineData("\u001b[31mred\u001b]0;t\a", "\\u001b[31mred\\u001b]0;t\\u0007")]
    [InlineData("a\nb\r\n\tc\0", "a\\nb\\r\\n\\tc\\u0000")]
    [InlineData("\u009b2J\u0085\u007f", "\\u009b2J\\u0085\\u007f")]
    [InlineData("a\u202egpj.exe\u2066\u200b\ufeff", "a\\u202egpj.exe\\u2066\\u200b\\ufeff")]
    [InlineData("\u2028\u2029", "\\u2028\\u2029")]
    [InlineData("tag \U000e0041", "tag \\U000e0041")]
    public void WhatATerminalObeysIsEscaped(string text, string expected) => Assert.Equal(expected, Printable.Of(text));

    [Fact]
    public void ALongNameIsCutWithItsLength()
    {
        Assert.Equal(new string('a', 200), Printable.Of(new string('a', 200)));
        Assert.Equal(new string('a', 200) + "... (100,000 characters)", Printable.Of(new string('a', 100_000)));
        // No half of a character is left at the cut, and none is passed on.
        Assert.Equal("half \ufffd", Printable.Of("half \ud83d"));
        Assert.Equal("aaa... (5 characters)", Printable.Of("aaa😀", most: 4));
        Assert.Equal("a, b\\n and 2 more", Names.Listed(["a", "b\n", "c", "d"], 2));
        Assert.Equal("a, b", Names.Listed(["a", "b"], 2));
    }
}
