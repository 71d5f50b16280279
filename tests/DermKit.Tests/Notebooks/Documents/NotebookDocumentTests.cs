using DermKit.Notebooks;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

public sealed class NotebookDocumentTests
{
    private const string Weird = """
        {
         "cells": [
          {
           "cell_type": "markdown",
           "id": "a1",
           "metadata": {
            "zeta": [],
            "alpha": {
             "n": 1.50,
             "big": 12345678901234567890123,
             "none": null
            }
           },
           "attachments": {},
           "source": "one string\nwith \u003ctags\u003e, ä, 日本, 😀, \u200b and a tab\t"
          },
          {
           "source": [
            "var x = 1;\n",
            "\n",
            "x"
           ],
           "outputs": [
            {
             "output_type": "execute_result",
             "data": {
              "application/vnd.custom+json": {
               "a": [
                true,
                1e-5
               ]
              }
             },
             "execution_count": 7,
             "metadata": {}
            }
           ],
           "metadata": {},
           "id": "b2",
           "execution_count": 7,
           "cell_type": "code"
          }
         ],
         "metadata": {
          "unknown": "kept"
         },
         "nbformat": 4,
         "nbformat_minor": 5
        }
        """;

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    public void RoundTripKeepsEveryByte(string end)
    {
        string text = Weird.ReplaceLineEndings("\n") + end;
        Assert.Equal(text, NotebookDocument.Parse(text, "weird").ToJson());
        string windows = text.ReplaceLineEndings("\r\n");
        Assert.Equal(windows, NotebookDocument.Parse(windows, "weird").ToJson());
        string fourSpaces = string.Join('\n',
            text.Split('\n').Select(l => new string(' ', 4 * (l.Length - l.TrimStart(' ').Length)) + l.TrimStart(' ')));
        Assert.Equal(fourSpaces, NotebookDocument.Parse(fourSpaces, "weird").ToJson());
    }

    [Fact]
    public void SettingSourceKeepsItsForm()
    {
        NotebookDocument document = NotebookDocument.Parse(Weird, "weird");
        Assert.Equal("var x = 1;\n\nx", document.Cells[1].Source);
        document.Cells[0].Source = "neu 😀\n\"quoted\" \u0001";
        document.Cells[1].Source = "a\nb\n";
        NotebookDocument again = NotebookDocument.Parse(document.ToJson(), "again");
        Assert.Contains("\"neu 😀\\n\\\"quoted\\\" \\u0001\"", document.ToJson());
        Assert.Equal("neu 😀\n\"quoted\" \u0001", again.Cells[0].Source);
        Assert.Equal(["a\n", "b\n"], ((JsonArray)again.Cells[1].Json["source"]!).Select(l => (string?)l));
    }

    [Fact]
    public void InsertedCellsAndClearedOutputsAreWritten()
    {
        NotebookDocument document = NotebookDocument.Create();
        document.InsertMarkdown(0, "m", "# Title");
        NotebookCell code = document.InsertCode(1, "c", "1 + 1");
        code.ExecutionCount = 1;
        code.Outputs.Add(
            new JsonObject { ["output_type"] = "stream", ["name"] = "stdout", ["text"] = NotebookCell.Lines("x\n") });
        NotebookDocument copy = NotebookDocument.Parse(document.ToJson(), "copy");
        document.ClearOutputs();
        Assert.Equal(["m", "c"], copy.Cells.Select(c => c.Id));
        Assert.Equal(1, copy.Cells[1].ExecutionCount);
        Assert.Single(copy.Cells[1].Outputs);
        Assert.Empty(document.Cells[1].Outputs);
        Assert.Null(document.Cells[1].ExecutionCount);
        Assert.EndsWith("\n", document.ToJson());
    }

    [Theory]
    [InlineData("not json", "expected a notebook (JSON), found an error at line 1")]
    [InlineData("{\"cells\":[],\n\"cells\":[]}", "cells")]
    [InlineData("[1]", "JSON object")]
    [InlineData("""{"cells":[],"nbformat":4}""", "found 4 without nbformat_minor")]
    [InlineData("""{"cells":[],"nbformat":5,"nbformat_minor":0}""", "expected nbformat 4, found 5.0")]
    [InlineData("""{"cells":[],"nbformat":2,"nbformat_minor":0}""", "expected nbformat 4, found 2.0")]
    [InlineData("""{"cells":[{"cell_type":"raw","id":"a","source":""},{"cell_type":"raw","id":"a","source":[]}],"nbformat":4,"nbformat_minor":4}""", "cell 2 repeats the id 'a'")]
    [InlineData("""{"nbformat":3,"nbformat_minor":0,"metadata":{"name":"old"},"worksheets":[{"cells":[]}]}""",
        "found 3.0; save it again with a current Jupyter")]
    [InlineData("""{"cells":[]}""", "found none")]
    [InlineData("""{"nbformat":4,"nbformat_minor":5}""", "'cells'")]
    [InlineData("""{"cells":[{"cell_type":"code","source":"","metadata":{}}],"nbformat":4,"nbformat_minor":5}""",
        "cell 1 has no id")]
    [InlineData("""{"cells":[{"cell_type":"sql","id":"a","source":""}],"nbformat":4,"nbformat_minor":5}""", "'sql'")]
    [InlineData("""{"cells":[{"cell_type":"raw","id":"a"}],"nbformat":4,"nbformat_minor":5}""", "has no source")]
    [InlineData("""{"cells":[{"cell_type":"raw","id":"a","source":""},{"cell_type":"raw","id":"a","source":[]}],"nbformat":4,"nbformat_minor":5}""", "cell 2 repeats the id 'a'")]
    public void BadFilesAreNamed(string text, string expected)
    {
        KitException error = Assert.Throws<KitException>(() => NotebookDocument.Parse(text, "bad.ipynb"));
        Assert.StartsWith("bad.ipynb: ", error.Message);
        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public void AFileOfManyBracketsIsNamed()
    {
        string deep = new string('[', 20_000) + new string(']', 20_000);
        string text = $$"""{"cells":[],"metadata":{"deep":{{deep}}},"nbformat":4,"nbformat_minor":5}""";
        Assert.StartsWith("deep.ipynb: expected a notebook (JSON)",
            Assert.Throws<KitException>(() => NotebookDocument.Parse(text, "deep.ipynb")).Message);
    }

    /// <summary>A notebook as nbformat 4.0 to 4.4 has it: no cell has an id.</summary>
    internal static string Old(int minor) => $$"""
        {
         "cells": [
          {
           "cell_type": "markdown",
           "metadata": {},
           "source": [
            "# Old"
           ],
           "attachments": {
            "a.png": {
             "image/png": "iVBORw0KGgo="
            }
           }
          },
          {
           "cell_type": "raw",
           "metadata": {},
           "source": "as it is"
          },
          {
           "cell_type": "code",
           "execution_count": 3,
           "metadata": {
            "tags": [
             "parameters"
            ]
           },
           "outputs": [],
           "source": "int n = 1;"
          },
          {
           "cell_type": "code",
           "execution_count": null,
           "metadata": {},
           "outputs": [],
           "source": "int n = 1;"
          }
         ],
         "metadata": {
          "kernelspec": {
           "display_name": ".NET (C#)",
           "language": "C#",
           "name": ".net-csharp"
          }
         },
         "nbformat": 4,
         "nbformat_minor": {{minor}}
        }

        """.ReplaceLineEndings("\n");

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    public void ANotebookOfAnOlderMinorStaysWhatItIs(int minor)
    {
        NotebookDocument document = NotebookDocument.Parse(Old(minor), "old");
        Assert.Equal(Old(minor), document.ToJson());
        Assert.Equal(4, document.Cells.Select(c => c.Id).Distinct().Count());
        // What a run inserts has no id in the file either.
        NotebookCell inserted = document.InsertCode(3, "injected-parameters", "n = 2;");
        Assert.Equal("injected-parameters", inserted.Id);
        Assert.False(inserted.Json.ContainsKey("id"));
        Assert.Equal(5, NotebookDocument.Parse(document.ToJson(), "again").Cells.Count);
    }
}
