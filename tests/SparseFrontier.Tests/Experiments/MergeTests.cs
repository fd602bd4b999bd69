using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Several attempts at a run, in one folder and in several.</summary>
public class MergeTests
{
    [Fact]
    public void Attempts_that_hold_a_run_together_complete_it()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, Sweeps.Mixed());
        using var parted = new TemporaryFolder();
        Sweeps.Run(parted.Path, Sweeps.Mixed());
        foreach (RunDirectory run in new ResultStore(parted.Path).Runs())
        {
            // As an orphan and a requeued job leave it: each its own samples, some twice, no summary.
            string[] lines = File.ReadAllLines(run.File("samples-0001.jsonl"));
            File.WriteAllLines(run.File("samples-0001.jsonl"), lines[..2]);
            File.WriteAllLines(run.File("samples-0002.jsonl"), lines[1..]);
            File.Delete(run.File("summary.json"));
        }

        for (int i = 0; i < 2; i++)
        {
            RecordingSink sink = Merge(parted.Path);
            Assert.Empty(sink.Errors.Select(e => e.Message).Concat(sink.Warnings));
            Assert.Equal(5, sink.Rows.Count);
            Assert.All(sink.Rows, r => Assert.Equal(RunStatus.Completed, r.Status));
            Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(parted.Path));
        }
    }

    [Fact]
    public void Folders_of_several_hosts_become_one()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, Sweeps.Mixed(samples: 4));
        using var one = new TemporaryFolder();
        using var other = new TemporaryFolder();
        Sweeps.Run(one.Path, Sweeps.Mixed(samples: 2));
        Sweeps.Run(other.Path, Sweeps.Mixed(samples: 4));
        foreach (RunDirectory run in new ResultStore(other.Path).Runs())
        {
            string[] lines = File.ReadAllLines(run.File("samples-0001.jsonl"));
            File.WriteAllLines(run.File("samples-0001.jsonl"), lines[1..]);
            File.Delete(run.File("summary.json"));
        }

        using var target = new TemporaryFolder();
        Assert.All(Merge(target.Path, other.Path).Rows, r => Assert.Equal(RunStatus.Partial, r.Status));
        for (int i = 0; i < 2; i++)
        {
            RecordingSink sink = Merge(target.Path, one.Path, other.Path);
            Assert.Empty(sink.Errors.Select(e => e.Message).Concat(sink.Warnings));
            Assert.All(sink.Rows, r => Assert.Equal((RunStatus.Completed, 4), (r.Status, r.SampleCount)));
            Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(target.Path));
            Assert.All(new ResultStore(target.Path).Runs(), r => Assert.Equal(2, SampleFile.List(r.Path).Count));
        }
    }

    [Fact]
    public void Samples_that_differ_are_an_error_and_nothing_of_their_run_is_taken()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed());
        using var other = new TemporaryFolder();
        Sweeps.Run(other.Path, Sweeps.Mixed());
        RunDirectory changed = new ResultStore(other.Path).Runs().First();
        string file = changed.File("samples-0001.jsonl");
        string[] lines = File.ReadAllLines(file);
        JsonNode sample = JsonNode.Parse(lines[1])!;
        sample["Score"] = 0.123;
        lines[1] = sample.ToJsonString();
        File.WriteAllLines(file, lines);
        string before = ResultExport.Canonical(folder.Path);
        RecordingSink sink = Merge(folder.Path, other.Path);
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(sink.Errors).ErrorId);
        Assert.Equal(4, sink.Rows.Count);
        Assert.Equal(before, ResultExport.Canonical(folder.Path));

        File.Copy(file, new ResultStore(folder.Path).Find(sink.Rows.Count > 0 ? changed.ReadSpecification()!.RunId : "")!.File("samples-0002.jsonl"));
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(Merge(folder.Path).Errors).ErrorId);
    }

    [Fact]
    public void Two_directories_of_one_run_count_once_and_are_merged()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, Sweeps.Mixed());
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed());
        RunDirectory run = new ResultStore(folder.Path).Runs().First();
        string twin = Path.Combine(folder.Path, "20991231T235959Z" + Path.GetFileName(run.Path)[16..]);
        Directory.CreateDirectory(twin);
        File.Copy(run.File("spec.json"), Path.Combine(twin, "spec.json"));
        string[] lines = File.ReadAllLines(run.File("samples-0001.jsonl"));
        File.WriteAllLines(Path.Combine(twin, "samples-0001.jsonl"), lines[1..]);
        File.WriteAllLines(run.File("samples-0001.jsonl"), lines[..2]);
        File.Delete(run.File("summary.json"));
        Assert.Equal(5, Get(folder.Path).Rows.Count);
        Merge(folder.Path);
        Assert.All(Get(folder.Path).Rows, r => Assert.Equal(RunStatus.Completed, r.Status));
        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
    }

    [Theory]
    [InlineData("spec.json")]
    [InlineData("environment.json")]
    [InlineData("calibration.json")]
    [InlineData("samples-0001.jsonl")]
    public void A_run_with_a_link_is_not_taken_in_and_a_linked_folder_is(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need rights.");
        using var other = new TemporaryFolder();
        Sweeps.Run(other.File("results"), [Sweeps.Specification()]);
        Directory.CreateSymbolicLink(other.File("linked"), other.File("results"));
        using var target = new TemporaryFolder();
        Assert.Single(Merge(target.File("first"), other.File("linked")).Rows);
        Assert.Equal(ResultExport.Canonical(other.File("results")), ResultExport.Canonical(target.File("first")));

        string file = new ResultStore(other.File("results")).Runs().Single().File(name);
        File.WriteAllText(other.File("secret"), File.Exists(file) ? File.ReadAllText(file) : "{}");
        File.Delete(file);
        File.CreateSymbolicLink(file, other.File("secret"));
        RecordingSink sink = Merge(target.File("second"), other.File("results"));
        Assert.Equal(ErrorIds.ResultUnreadable, Assert.Single(sink.Errors).ErrorId);
        Assert.Empty(sink.Rows);
        Assert.False(Directory.Exists(target.File("second")));
    }

    [Fact]
    public void A_calibration_that_is_none_is_not_copied()
    {
        using var other = new TemporaryFolder();
        Sweeps.Run(other.Path, [Sweeps.Specification()]);
        File.WriteAllText(new ResultStore(other.Path).Runs().Single().File("calibration.json"), "password: 1234\n");
        using var target = new TemporaryFolder();
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(Merge(target.Path, other.Path).Errors).ErrorId);
        Assert.Empty(Directory.GetFiles(target.Path, "calibration.json", SearchOption.AllDirectories));
    }

    [Fact]
    public void What_is_missing_is_said()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, [Sweeps.Specification()]);
        RunDirectory run = new ResultStore(folder.Path).Runs().First();
        File.Delete(run.File("summary.json"));
        File.WriteAllLines(run.File("samples-0001.jsonl"), File.ReadAllLines(run.File("samples-0001.jsonl"))[..2]);
        RecordingSink sink = Merge(folder.Path);
        Assert.Equal(RunStatus.Partial, Assert.Single(sink.Rows).Status);
        Assert.Contains("2 of 3 samples", Assert.Single(sink.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_written_when_somebody_objects()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, [Sweeps.Specification()]);
        using var target = new TemporaryFolder();
        var sink = new RecordingSink { Process = false };
        new MergeResultOperation { Path = [folder.Path], ResultPath = target.File("new") }.Execute(sink, default);
        Assert.Single(sink.Asked);
        Assert.False(Directory.Exists(target.File("new")));
    }

    [Fact]
    public void A_requeued_job_takes_over_from_its_own_earlier_attempt_and_both_may_finish()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, [Sweeps.Specification()]);
        using var folder = new TemporaryFolder();
        var orphan = new ActiveRunFile(folder.Path, "4711", 0);
        using var requeued = new ActiveRunFile(folder.Path, "4711", 1);
        Assert.True(requeued.Claim.EarlierMayLive);
        Assert.NotEqual(orphan.Samples.Name, requeued.Samples.Name);
        orphan.Dispose();
        Assert.True(File.Exists(requeued.ClaimPath), "The orphan's end must not take the claim of the other away.");

        // Another job, or an earlier restart of the same, does not.
        Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => new ActiveRunFile(folder.Path, "4712", 5)).ErrorId);
        Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => new ActiveRunFile(folder.Path, "4711", 1)).ErrorId);
    }

    private static RecordingSink Merge(string target, params string[] sources)
    {
        var sink = new RecordingSink();
        new MergeResultOperation { Path = sources, ResultPath = target }.Execute(sink, default);
        return sink;
    }

    private static RecordingSink Get(string folder)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [folder] }.Execute(sink, default);
        return sink;
    }

    /// <summary>Claim and samples file of a run as an attempt of a Slurm job holds them.</summary>
    private sealed class ActiveRunFile : IDisposable
    {
        public ActiveRunFile(string folder, string job, int restart)
        {
            ClaimPath = Path.Combine(folder, "claim");
            Claim = RunClaim.Take(folder, job, restart);
            Samples = SampleFile.CreateNext(folder, Claim.EarlierMayLive);
        }

        public string ClaimPath { get; }

        public RunClaim Claim { get; }

        public SampleFile Samples { get; }

        public void Dispose()
        {
            Samples.Dispose();
            Claim.Dispose();
        }
    }
}
