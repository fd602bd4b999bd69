using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Removing stored runs.</summary>
public class RemoveResultTests
{
    [Fact]
    public void A_removed_run_is_gone_with_its_samples_and_the_others_stay()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed());
        RunDirectory[] runs = [.. new ResultStore(folder.Path).Runs()];
        string id = runs[0].ReadSpecification()!.RunId;
        RecordingSink sink = Remove(folder.Path, id);
        Assert.Empty(sink.Errors);
        Assert.Equal(id, Assert.Single(sink.Rows).RunId);
        Assert.Equal(runs.Skip(1).Select(r => r.Path), new ResultStore(folder.Path).Runs().Select(r => r.Path));
        Assert.Equal(runs.Length - 1, Directory.EnumerateFileSystemEntries(folder.Path).Count());
    }

    [Fact]
    public void A_run_that_a_process_works_on_stays()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed());
        RunDirectory run = new ResultStore(folder.Path).Runs().First();
        using (RunClaim.Take(run.Path))
        {
            RecordingSink sink = Remove(run.Path, "*");
            Assert.Equal(ErrorIds.RunBusy, Assert.Single(sink.Errors).ErrorId);
            Assert.Empty(sink.Rows);
        }

        Assert.NotNull(run.ReadSummary());
        Assert.Single(Remove(run.Path, "*").Rows);
        Assert.False(Directory.Exists(run.Path));
    }

    [Fact]
    public void What_a_process_that_died_left_aside_is_no_run_and_goes_with_the_next()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed());
        RunDirectory[] runs = [.. new ResultStore(folder.Path).Runs()];
        string aside = Path.Combine(folder.Path, ".removed");
        Directory.CreateDirectory(aside);
        Directory.Move(runs[0].Path, Path.Combine(aside, "left"));
        Assert.Equal(runs.Length - 1, new ResultStore(folder.Path).Runs().Count());
        Assert.Single(Remove(folder.Path, runs[1].ReadSpecification()!.RunId).Rows);
        Assert.False(Directory.Exists(aside));
    }

    [Fact]
    public void What_is_not_agreed_to_stays()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed());
        int count = new ResultStore(folder.Path).Runs().Count();
        Assert.Empty(Remove(folder.Path, "*", agrees: false).Rows);
        Assert.Equal(count, new ResultStore(folder.Path).Runs().Count());
    }

    private static RecordingSink Remove(string path, string id, bool agrees = true)
    {
        var sink = new RecordingSink { Process = agrees };
        new RemoveResultOperation { RunId = [id], ResultPath = path }.Execute(sink, CancellationToken.None);
        return sink;
    }
}
