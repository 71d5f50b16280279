using DermKit.Evaluation;
using DermKit.Tests.Data;

namespace DermKit.Tests.Faults;

public sealed class TaskFileFaults : IDisposable
{
    private const string Good = """
        { "name": "mine", "version": 1, "title": "Mine", "dataSets": { "clinic": null }, "label": "diagnosis",
          "classes": { "benign": ["b"], "malignant": ["m"] }, "classCount": 2, "positive": "malignant",
          "split": "patient", "unit": "patient_id", "inPretraining": false }
        """;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("\"positive\"", "\"postive\"", "key 'postive' is unknown; did you mean 'positive'?")]
    [InlineData("\"version\": 1,", "", "version")]
    [InlineData("\"version\": 1", "\"version\": \"one\"", "version")]
    [InlineData("\"version\": 1", "\"version\": 1, \"version\": 2", "version")]
    [InlineData("\"version\": 1", "\"version\": 0", "key 'version': expected 1 or more")]
    [InlineData("\"name\": \"mine\"", "\"name\": \"yours\"", "key 'name': expected the name of the file")]
    [InlineData("\"split\": \"patient\"", "\"split\": \"random\"", "split")]
    [InlineData("\"unit\": \"patient_id\"", "\"unit\": null", "key 'unit'")]
    [InlineData("\"positive\": \"malignant\"", "\"positive\": \"benign\"",
        "key 'positive': expected the name of the second of two classes")]
    [InlineData("\"classCount\": 2", "\"classCount\": 3", "key 'classCount'")]
    [InlineData("[\"m\"]", "[\"b\"]", "key 'classes': expected each value once")]
    [InlineData("\"clinic\"", "\"synthetic\"", "key 'stamp'")]
    [InlineData("false }", "false", "mine.json")]
    [InlineData("[\"m\"]", "null", "key 'classes'")]
    [InlineData("[\"m\"]", "[null]", "key 'classes'")]
    [InlineData("[\"m\"]", "[\"None\"]", "key 'classes': expected labels, found 'None', which stands for a missing")]
    [InlineData("\"clinic\": null", "\"clinic\": \"full\"",
        "key 'dataSets': expected a manifest of data/manifests for 'clinic', found 'full'")]
    public void AFaultyTaskIsNamedWithItsKey(string old, string altered, string expected)
    {
        Assert.Contains(old, Good);
        string path = MiniTrees.Write(folder.Path, "tasks/mine.json", Good.Replace(old, altered));
        MiniTrees.Write(folder.Path, "tasks/other.json", Good.Replace("\"mine\"", "\"other\""));
        TaskSuite suite = TaskSuite.Load(folder.Path);
        string message = Assert.Throws<KitException>(() => suite["mine"]).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message);
        Assert.Equal(("mine", message), suite.Broken.Select(b => (b.Key, b.Value)).Single());
        Assert.DoesNotContain('\n', message);
        Assert.Equal(["other"], suite.Tasks.Select(t => t.Name));
        Assert.Equal("Mine", suite["other"].Title);
    }

    [Fact]
    public void ATaskOnAnOwnSetOpensAndAnUnmappedLabelIsNamed()
    {
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(folder.Path, "data/tasks/mine.json", Good);
        TaskDefinition task = TaskSuite.Load(Path.Combine(folder.Path, "data"))["mine"];
        Assert.Equal("data not here: clinic.", TaskSuite.Missing(task, settings));
        Assert.Contains("data not here", Assert.Throws<KitException>(() => TaskSuite.Open(task, settings)).Message);

        string[] rows = [.. Enumerable.Range(0, 40).Select(i => $"{i}.jpg,{(i % 4 == 0 ? "m" : "b")},P{i / 2}")];
        MiniTrees.Images(settings.DataDir, [.. Enumerable.Range(0, 40).Select(i => $"clinic/{i}.jpg")]);
        MiniTrees.Write(settings.DataDir, "clinic/labels.csv", ["image,label,patient_id", .. rows]);
        Assert.Null(TaskSuite.Missing(task, settings));
        ProbeTask opened = TaskSuite.Open(task, settings);
        Assert.Equal((40, 10, "P19"), (opened.Table.Count, opened.Labels.Sum(), opened.Patients![39]));
        Assert.Equal(["benign", "malignant"], opened.ClassNames);
        Assert.NotEqual(opened.SplitFor(1).Test, opened.SplitFor(9).Test);
        Assert.Contains("declares no original protocol",
            Assert.Throws<KitException>(() => opened.OriginalSplit(1)).Message);

        MiniTrees.Write(settings.DataDir, "clinic/labels.csv",
            ["image,label,patient_id", .. rows[..39], "39.jpg,naevus,P19"]);
        Assert.Contains("image '39.jpg' of clinic has diagnosis 'naevus', which no class and no exclude names",
            Assert.Throws<KitException>(() => TaskSuite.Open(task, settings)).Message);
        MiniTrees.Write(settings.DataDir, "clinic/labels.csv",
            ["image,label,patient_id,split", .. rows.Select((r, i) => $"{r},{(i < 30 ? "train" : "test")}")]);
        Assert.Contains("declare split 'frozen'",
            Assert.Throws<KitException>(() => TaskSuite.Open(task, settings)).Message);
    }

    [Fact]
    public void AWordForAMissingValueInExcludeLeavesTheRowsWithoutAValueOut()
    {
        MiniTrees.Write(folder.Path, "data/tasks/mine.json",
            Good.Replace("\"classCount\"", "\"exclude\": [\"NA\", \"x\"], \"classCount\""));
        Assert.Equal(["", "x"], TaskSuite.Load(Path.Combine(folder.Path, "data"))["mine"].Exclude);
    }

    [Fact]
    public void AnOfficialSplitThatLeaksAPatientIsRefusedByName()
    {
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(folder.Path, "data/tasks/mine.json",
            Good.Replace("\"split\": \"patient\"", "\"split\": \"frozen\", \"original\": \"stratified\""));
        MiniTrees.Images(settings.DataDir, "clinic/a.jpg", "clinic/b.jpg", "clinic/c.jpg", "clinic/d.jpg");
        MiniTrees.Write(settings.DataDir, "clinic/labels.csv", "image,label,patient_id,split", "a.jpg,b,P1,train",
            "b.jpg,m,P2,train", "c.jpg,b,P1,test", "d.jpg,m,P3,test");
        ProbeTask task = TaskSuite.Open(TaskSuite.Load(Path.Combine(folder.Path, "data"))["mine"], settings);
        Assert.Contains("1 patient_id on both sides of the split: P1",
            Assert.Throws<KitException>(() => task.SplitFor(1)).Message);
        // Before any image is decoded, these four hold none, and in quick mode, whose few images may not show it.
        TaskSuite suite = TaskSuite.Load(Path.Combine(folder.Path, "data"));
        foreach (SuitePlan plan in new[] { new SuitePlan { Tasks = ["mine"] }, new SuitePlan
        {
            MostTrain = 1,
            MostTest = 1
        } })
            Assert.Contains("Task 'mine': 1 patient_id on both sides of the split: P1", Assert.Throws<KitException>(()
                => SuiteRun.Open(settings, suite, plan)).Message);
        Assert.Single(SuiteRun.Open(settings, suite, new() { Version = SplitVersion.Original }));
        Assert.Equal([0, 1, 2, 3], task.OriginalSplit(1).Train.Concat(task.OriginalSplit(1).Test).Order());
    }

    [Fact]
    public void AUnitThatIsNoPatientIsKeptApartToo()
    {
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(folder.Path, "data/tasks/mine.json", Good.Replace("\"split\": \"patient\"",
            "\"split\": \"frozen\"").Replace("patient_id", "case"));
        MiniTrees.Images(settings.DataDir, "clinic/a.jpg", "clinic/b.jpg", "clinic/c.jpg");
        MiniTrees.Write(settings.DataDir, "clinic/labels.csv", "image,label,case,split", "a.jpg,b,1,train",
            "b.jpg,m,2,train", "c.jpg,b,1,test");
        TaskSuite suite = TaskSuite.Load(Path.Combine(folder.Path, "data"));
        Assert.Contains("1 case on both sides of the split: 1", Assert.Throws<KitException>(() =>
            SuiteRun.Open(settings, suite, new())).Message);
    }

    [Fact]
    public void AnUnknownTaskNamesTheNearest()
    {
        MiniTrees.Write(folder.Path, "tasks/mine.json", Good);
        Assert.Contains("did you mean 'mine'?",
            Assert.Throws<KitException>(() => TaskSuite.Load(folder.Path)["mine-task"]).Message);
    }
}
