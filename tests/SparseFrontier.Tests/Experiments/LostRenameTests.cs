using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>What a file system that loses a rename, or writes names before contents, leaves after a loss of power: nothing finished may be lost with it.</summary>
public class LostRenameTests
{
    [Fact]
    public void A_specification_under_its_temporary_name_counts()
    {
        using var folder = new TemporaryFolder();
        (string path, string expected) = Partial(folder);
        string temporary = Path.Combine(path, "spec.json.4711.tmp");
        File.Move(Path.Combine(path, "spec.json"), temporary);
        RecordingSink read = Read(folder);
        Assert.Equal((RunStatus.Partial, 2), (Assert.Single(read.Rows).Status, read.Rows[0].SampleCount));
        Assert.Empty(read.Warnings);
        AssertGoesOn(folder, path, expected);
        Assert.False(File.Exists(temporary));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(100)]
    public void A_run_whose_specification_is_gone_or_torn_is_said_and_found_by_its_samples(int bytes)
    {
        using var folder = new TemporaryFolder();
        (string path, string expected) = Partial(folder);
        Damage(path, bytes);
        RecordingSink read = Read(folder);
        Assert.Empty(read.Rows);
        string warning = Assert.Single(read.Warnings);
        Assert.Contains(path, warning, StringComparison.Ordinal);
        Assert.Contains(bytes < 0 ? "Run the same again" : "is damaged", warning, StringComparison.Ordinal);
        AssertGoesOn(folder, path, expected);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(100)]
    public void A_finished_run_is_returned_and_gets_its_specification_back(int bytes)
    {
        using var folder = new TemporaryFolder();
        string path = Sweeps.Run(folder.Path, [Sweeps.Specification()]).Rows[0].Path!;
        string expected = ResultExport.Canonical(folder.Path);
        Damage(path, bytes);
        var engines = new HashEngineFactory();
        Assert.Equal(3, Assert.Single(Sweeps.Run(folder.Path, [Sweeps.Specification()], engines).Rows).SampleCount);
        Assert.Equal(0, engines.Prefills);
        Assert.Equal(expected, ResultExport.Canonical(folder.Path));
    }

    [Theory]
    [InlineData("summary.json")]
    [InlineData("environment.json")]
    [InlineData("tries.json")]
    [InlineData("state.json")]
    public void Every_other_file_may_be_lost_or_stay_under_its_temporary_name(string name)
    {
        using var folder = new TemporaryFolder();
        string path = Sweeps.Run(folder.Path, [Sweeps.Specification()]).Rows[0].Path!;
        string expected = ResultExport.Canonical(folder.Path);
        File.Delete(Path.Combine(path, "summary.json"));
        File.Delete(Path.Combine(path, name));
        File.WriteAllText(Path.Combine(path, name + ".4711.tmp"), "{ \"Run");
        var engines = new HashEngineFactory();
        Assert.Empty(Sweeps.Run(folder.Path, [Sweeps.Specification()], engines).Errors);
        Assert.Equal(0, engines.Prefills);
        Assert.Equal(expected, ResultExport.Canonical(folder.Path));
        Assert.Empty(Directory.GetFiles(path, "*.tmp"));
    }

    [Fact]
    public void Samples_without_a_specification_are_an_error_of_merging()
    {
        using var folder = new TemporaryFolder();
        string path = Sweeps.Run(folder.Path, [Sweeps.Specification()]).Rows[0].Path!;
        Damage(path, -1);
        using var target = new TemporaryFolder();
        var sink = new RecordingSink();
        new MergeResultOperation { Path = [folder.Path], ResultPath = target.Path }.Execute(sink, default);
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(sink.Errors).ErrorId);
    }

    private static (string Path, string Expected) Partial(TemporaryFolder folder)
    {
        string path = Sweeps.Run(folder.Path, [Sweeps.Specification()]).Rows[0].Path!;
        string expected = ResultExport.Canonical(folder.Path);
        string samples = Path.Combine(path, "samples-0001.jsonl");
        File.WriteAllLines(samples, File.ReadAllLines(samples)[..2]);
        File.Delete(Path.Combine(path, "summary.json"));
        return (path, expected);
    }

    private static void Damage(string path, int bytes)
    {
        string file = Path.Combine(path, "spec.json");
        if (bytes < 0)
        {
            File.Delete(file);
        }
        else
        {
            File.WriteAllBytes(file, File.ReadAllBytes(file)[..bytes]);
        }
    }

    private static void AssertGoesOn(TemporaryFolder folder, string path, string expected)
    {
        var engines = new HashEngineFactory();
        RecordingSink sink = Sweeps.Run(folder.Path, [Sweeps.Specification()], engines);
        Assert.Empty(sink.Errors);
        Assert.Equal(path, Assert.Single(sink.Rows).Path);
        Assert.Equal(1, engines.Prefills);
        Assert.Equal(expected, ResultExport.Canonical(folder.Path));
        Assert.Single(Directory.GetDirectories(folder.Path));
    }

    private static RecordingSink Read(TemporaryFolder folder)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [folder.Path] }.Execute(sink, default);
        return sink;
    }
}
