using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

public sealed class ProvenanceTests
{
    [Fact]
    public void NotesLandWhereTheHostReadsThem()
    {
        Provenance.Note("seeds", "1, 9");
        Provenance.Note("seeds", "1, 9, 21");
        var store = (IDictionary<string, string>)AppContext.GetData("DermKit.Provenance")!;
        Assert.Equal("1, 9, 21", store["seeds"]);
    }

    [Fact]
    public void MachineNamesCodeVersionsAndHardware()
    {
        Dictionary<string, string> machine = new(Provenance.Machine());
        Assert.Equal(["commit", "DermKit", "TorchSharp", ".NET", "system", "processor", "memory"], machine.Keys);
        Assert.StartsWith("0.107", machine["TorchSharp"]);
        Assert.Contains($"{Environment.ProcessorCount} threads", machine["processor"]);
        Assert.DoesNotContain("+0", machine["DermKit"]);
    }

    [Fact]
    public void TheCommitIsThatOfTheFolderOrOfTheBuild()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory();
        try
        {
            Assert.Equal("not a git checkout", Provenance.Commit(folder.FullName));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        Assert.Matches("^([0-9a-f]{12}|unknown, without a git program)$",
            Provenance.BuiltFrom(typeof(Provenance).Assembly));
    }
}
