using DermKit.Reporting;
using Parquet;
using Parquet.Schema;

namespace DermKit.Tests.Reporting;

[Collection("Display")]
public sealed class TableFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TableFilesTests()
    {
        AppContext.SetSwitch("DermKit.Report", true);
        Environment.SetEnvironmentVariable("KIT_REPORTS_DIR", _folder.Path);
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("KIT_REPORTS_DIR", null);
        _folder.Dispose();
    }

    private static Table Sample => new("Scores", ["Task", "n", "n", "F1 [95 %]", "p (Holm)", "Sure"],
    [
        ["one, \"two\"", 5, 0.5, new Estimate(0.7, 0.6, 0.8), "≤ 0.020", new Estimate(0.25)],
        ["other", 6, double.NaN, "–", "–", double.NaN],
    ])
    { Stamp = "SYNTHETIC" };

    [Fact]
    public async Task ATableLeavesAsCsvAndParquetAndLinksToBoth()
    {
        Table saved = Sample.Save("02-scores");
        Assert.Equal(
            "Task,n,n (2),F1,\"F1, low\",\"F1, high\",p (Holm),Sure,\"Sure, low\",\"Sure, high\",stamp\n"
            + "\"one, \"\"two\"\"\",5,0.5,0.7,0.6,0.8,≤ 0.020,0.25,,,SYNTHETIC\nother,6,,,,,–,,,,SYNTHETIC\n",
            File.ReadAllText(saved.Files[0]));
        Assert.Contains("<a href=\"tables/02-scores.csv\">02-scores.csv</a>, <a href=\"tables/02-scores.parquet\">",
            saved.ToHtml());
        Assert.EndsWith("\nSaved as tables/02-scores.csv, tables/02-scores.parquet.", saved.ToString());
        await using ParquetReader reader = await ParquetReader.CreateAsync(saved.Files[1]);
        DataField[] fields = reader.Schema.GetDataFields();
        Assert.Equal(["Task", "n", "n (2)", "F1", "F1, low", "F1, high", "p (Holm)", "Sure", "Sure, low", "Sure, high",
            "stamp"], fields.Select(f => f.Name));
        using ParquetRowGroupReader group = reader.OpenRowGroupReader(0);
        double?[] scores = new double?[2];
        await group.ReadAsync<double>(fields[3], scores);
        Assert.Equal([0.7, null], scores);
        long?[] counts = new long?[2];
        await group.ReadAsync<long>(fields[1], counts);
        Assert.Equal([5, 6], counts);
        string?[] names = new string?[2];
        await group.ReadAsync(fields[0], names);
        Assert.Equal(["one, \"two\"", "other"], names);
        // Saved again, the files are replaced, and nothing is left beside them.
        Sample.Save("02-scores");
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_folder.Path, "tables")).Length);
    }

    [Fact]
    public void ANameIsNoPath() =>
        Assert.Contains("'../x'", Assert.Throws<KitException>(() => Sample.Save("../x")).Message,
            StringComparison.Ordinal);
}
