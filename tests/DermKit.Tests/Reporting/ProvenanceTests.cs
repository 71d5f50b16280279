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
        Assert.Equal("1, 9, 21", Provenance.Notes()["seeds"]);
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
    public void CommitIsReadWithoutAGitProgramToo()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory();
        try
        {
            Assert.Equal("not a git checkout", Provenance.HeadFile(folder.FullName));
            Directory.CreateDirectory(Path.Combine(folder.FullName, ".git", "refs", "heads"));
            string inner = Directory.CreateDirectory(Path.Combine(folder.FullName, "lib", "bin")).FullName;
            File.WriteAllText(Path.Combine(folder.FullName, ".git", "HEAD"), "ref: refs/heads/main\n");
            Assert.Equal("no commit yet", Provenance.HeadFile(inner));
            File.WriteAllText(Path.Combine(folder.FullName, ".git", "packed-refs"), "# pack-refs\naaaabbbbccccddddeeee refs/heads/main\n");
            Assert.Equal("aaaabbbbcccc", Provenance.HeadFile(inner));
            File.WriteAllText(Path.Combine(folder.FullName, ".git", "refs", "heads", "main"), "1111222233334444\n");
            Assert.Equal("111122223333", Provenance.HeadFile(inner));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
