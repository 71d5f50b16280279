using DermKit.Notebooks;

namespace DermKit.Tests.Notebooks;

public sealed class CodeDepthTests
{
    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    /// <summary>Texts that end a process when the compiler reads them, or keep it busy for hours: what is repeated, and
    /// what stands around it.</summary>
    public static TheoryData<string, string, string, string> Deep() => new()
    {
        { "", "(", "", "" }, { "", "(", "1", ")" }, { "", "[", "", "" }, { "int[] a = ", "[", "", "]" },
        { "", "{", "", "}" }, { "", "A<", "", "" },
        { "", "List<", "int", ">" }, { "", "A<B,", "int", ">" }, { "", "true ? 1 : ", "2", "" },
        { "", "!", "true", "" }, { "", "- ", "1", "" },
        { "1", " + 1", "", "" }, { "var a = \"\"; a", " + a", "", "" }, { "", "$\"{", "1", "}\"" },
        { "", "$\"\"\"{", "", "" }, { "", "$@\"{", "", "" },
        { "", "if (true) ", ";", "" }, { "if (true) ; ", "else if (true) ; ", "", "" },
        { "if (true) { } ", "else if (true) { } ", "", "" },
        { "var f = ", "x => ", "x;", "" }, { "int a; ", "a = ", "1;", "" }, { "var b = ", "a ?? ", "a;", "" },
        { "", "(int)", "1", "" }, { "", "await ", "x", "" },
        { "x", ".ToString()", "", "" }, { "x", "[0]", "", "" }, { "", "f(", "1", ")" },
        { "", "new A { B = ", "1", "}" }, { "int", "[]", " x;", "" },
        { "int", "*", " x;", "" }, { "x is ", "not ", "1", "" }, { "", "for (;;) ", ";", "" },
        { "", "class A { ", "", "}" }, { "", "void F() { ", "", "}" },
        { "", "from a in b orderby a, b ", "select a", "" }, { "1", " switch { 1 => 1 }", "", "" },
        { "", "(int, ", "int", ") x;" }, { "/// ", "<a>", "\nclass A { }", "" },
        { "#if ", "(", "true", ")" }, { "#if false\n@\"\n#endif\n", "(", "", "" },
        { "#if false\n/*\n#endif\n", "(", "", "" }, { "var s = \"))))\"; ", "(\")\" + ", "1", ")" },
        { "from a in x ", "select new { a } into c ", "select c", "" },
        { "from a in x ", "join b in y on new { a } equals new { b } into c ", "select a", "" },
        { "", "Dictionary<int, ", "int", ">" }, { "var a = new ", "A<1, ", "int", ">" },
        { "delegate*<", "delegate*<int, ", "int>", ">" },
    };

    [Theory]
    [MemberData(nameof(Deep))]
    public void TextThatIsTooDeepForTheCompilerIsFound(string before, string opening, string inside, string closing)
    {
        Assert.NotNull(CodeDepth.Problem(before + Repeat(opening, 20_000) + inside + Repeat(closing, 20_000)));
        // The same text as it may stand in a cell.
        Assert.Null(CodeDepth.Problem(before + Repeat(opening, 10) + inside + Repeat(closing, 10)));
    }

    [Fact]
    public void LongTextIsNotDeep()
    {
        string signs = new string('(', 5000) + new string('[', 5000) + new string('{', 5000);
        foreach (string text in new[]
        {
            Repeat("x++;\n", 20_000), $"int[] a = {{ {Repeat("1, ", 20_000)} }};",
            Repeat("void F() { G(1, 2); }\n", 5000), $"var s = \"{signs}\";", $"var s = @\"{signs}\";",
            $"var s = \"\"\"\n{signs} \"\" \n\"\"\";", $"// {signs}\n/* {signs} */ 1",
            Repeat("if (a < b) { f($\"{a:N2} {{ {b}\"); } else { g('(', '\\''); }\n", 3000),
            Repeat("List<Dictionary<string, List<int>>> x = new();\n", 3000),
            Repeat("/// <summary>A <see cref=\"B\"/>.</summary>\nint f;\n", 3000),
            "f(" + Repeat("x => x < 1, ", 150) + "1);",
            Repeat("var q = a.Where(x => x > 1).Select(x => x * 2).ToList();\n", 3000),
        }) Assert.Null(CodeDepth.Problem(text));
    }

    /// <summary>Long and flat code: what stands before, what is repeated how often, and what stands behind.</summary>
    public static TheoryData<string, string, int, string> Flat() => new()
    {
        { "bool[] b = { ", "x < 1, ", 500, "};" }, { "bool[] b = [ ", "a[0] < 1, ", 500, "];" },
        { "var y = x switch { ", "< 5 => 1, ", 500, "_ => 0 };" },
        { "var y = x switch { ", "< n => 1, ", 500, "_ => 0 };" },
        { "list", ".Add(x)", 250, ";" }, { "int[] a = { ", "1, ", 5000, "};" },
        { "var s = \"a\"", " + \"b\"", 600, ";" },
        { "if (x == 0) { } ", "else if (x == 1) { y = 1; } ", 300, "" },
        { "if (x) { } ", "select(1); from = 2; ", 5000, "" },
        { "var s = @\"", "\"", 1_000_000, "\";" },
    };

    [Theory]
    [MemberData(nameof(Flat))]
    public void LongFlatCodeIsAccepted(string before, string repeated, int times, string behind) =>
        Assert.Null(CodeDepth.Problem(before + Repeat(repeated, times) + behind));

    [Fact]
    public void TheLineIsNamed()
    {
        (int line, string message) = CodeDepth.Problem("var a = 1;\n\nvar b = " + new string('(', 20_000))!.Value;
        Assert.Equal(3, line);
        Assert.Contains("200 brackets", message);
    }
}
