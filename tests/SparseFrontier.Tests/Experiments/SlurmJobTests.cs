using System.Text.Json;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Experiments.Slurm;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Submitting, listing and cancelling, on commands that stand for Slurm's; tests/slurm/run.sh does the same on a real one.</summary>
public sealed class SlurmJobTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SlurmJobTests()
    {
        Assert.SkipUnless(File.Exists("/bin/bash"), "bash is not here.");
        Directory.CreateDirectory(_folder.File("slurm"));
        Directory.CreateDirectory(_folder.File("worker"));
        File.WriteAllText(_folder.File("worker/sparsefrontier"), "");
        Program("sbatch", "printf '%s\\n' \"$@\" >>\"$0.log\"; pwd >>\"$0.log\"; echo $((100 + $(grep -c parsable \"$0.log\")))");
        Program("scontrol", "echo 'MaxArraySize            = 1001'; echo 'MaxJobCount = 10000'");
        Program("sacctmgr", "exit 1");
        Program("squeue", "exit 0");
        Program("scancel", "printf '%s ' \"$@\" >>\"$0.log\"");
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("123\n", "123")]
    [InlineData("123;cluster\n", "123")]
    [InlineData("sbatch: a warning\n4711\n", "4711")]
    public void The_id_of_a_job_is_read(string output, string id) => Assert.Equal(id, SlurmText.JobId(output));

    [Theory]
    [InlineData("")]
    [InlineData("Submitted batch job 12")]
    public void What_is_no_id_is_an_error(string output) =>
        Assert.Equal(ErrorIds.SubmissionRejected, Assert.Throws<SparseFrontierException>(() => SlurmText.JobId(output)).ErrorId);

    [Fact]
    public void The_queue_is_read()
    {
        IReadOnlyList<SlurmTask> tasks = SlurmText.Queue("12|0|RUNNING|None\n12|1|PENDING|Resources\n13|N/A|PENDING|Dependency\nslurm_load_jobs error\n|||\n");
        Assert.Equal([new("12", 0, "RUNNING", "None"), new("12", 1, "PENDING", "Resources"), new("13", -1, "PENDING", "Dependency")], tasks);
    }

    [Theory]
    [InlineData("MaxArraySize            = 1001\nMaxJobCount             = 10000", 1001)]
    [InlineData("MaxArraySizeX = 7\n MaxArraySize=5", 5)]
    [InlineData("MaxArraySize = (null)", null)]
    [InlineData("", null)]
    public void Settings_are_read(string text, int? value) => Assert.Equal(value, SlurmText.Setting(text, "MaxArraySize"));

    [Fact]
    public void Durations_are_Slurm_s()
    {
        Assert.Equal("0-02:00:00", SlurmText.Duration(TimeSpan.FromHours(2)));
        Assert.Equal("3-01:30:05", SlurmText.Duration(new TimeSpan(73, 30, 5)));
    }

    [Fact]
    public void Cells_stay_together_and_are_joined_to_what_is_asked_and_allowed()
    {
        PlannedRun[] runs = [.. Enumerable.Range(1, 6).SelectMany(seed => Sweeps.Mixed().Select(s => Plan(s, seed))),];
        Assert.Equal([5, 5, 5, 5, 5, 5], SlurmPacks.Create(runs, 1, 1001).Select(p => p.Count));
        Assert.Equal([10, 10, 10], SlurmPacks.Create(runs, 6, 1001).Select(p => p.Count));
        Assert.Equal([20, 10], SlurmPacks.Create(runs, 1, 2).Select(p => p.Count));
        Assert.All(SlurmPacks.Create(runs, 1, 4), p => Assert.Equal(0, p.Count % 5));
        Assert.Equal([30], SlurmPacks.Create(runs, 1, 1).Select(p => p.Count));
        PlannedRun[] models = [.. Enumerable.Range(0, 7).Select(m => Plan(Sweeps.Specification(), 1, $"hash{m}"))];
        Assert.Equal([3, 3, 1], SlurmPacks.Create(models, 1, 3).Select(p => p.Count));
    }

    [Fact]
    public void A_submission_has_an_array_and_a_merge_after_it()
    {
        SparseAttentionJob job = Submit();
        Assert.Equal(("101", "102", JobState.Pending, 2, 10), (job.JobId, job.MergeJobId, job.State, job.TaskCount, job.RunCount));
        string[] log = File.ReadAllLines(_folder.File("slurm/sbatch.log"));
        Assert.Equal(["--parsable", "run.sbatch", job.Path, "--parsable", "--dependency=afterany:101", "merge.sbatch", job.Path], log);
        Assert.Contains("#SBATCH --array=0-1\n", File.ReadAllText(Path.Combine(job.Path, "run.sbatch")), StringComparison.Ordinal);

        var sink = new RecordingSink();
        new ReadRunsOperation { Path = Path.Combine(job.Path, "packs", "1.jsonl") }.Execute(sink, default);
        Assert.Equal(5, sink.Objects.Count);
        Assert.All(sink.Objects.Cast<RunSpecification>(), s => Assert.Equal(("/models/hash", 2), (s.Model, s.Seed)));
    }

    [Fact]
    public void A_second_submission_in_the_same_second_has_its_own_folder() => Assert.NotEqual(Submit().Path, Submit().Path);

    [Fact]
    public void WhatIf_shows_the_script_and_does_nothing()
    {
        var sink = new RecordingSink { Process = false };
        Operation().Execute(sink, default);
        string asked = Assert.Single(sink.Asked);
        Assert.Contains("#SBATCH --array=0-1\n", asked, StringComparison.Ordinal);
        Assert.Matches("^Submit to Slurm, with results in '.*', at most [0-9]+ prompt tokens, [0-9.]+ GFLOP to read them, [0-9]+ output tokens that read [0-9.]+ MiB of cache, the script\n#!/bin/bash\n", asked);
        Assert.Empty(sink.Objects);
        Assert.False(Directory.Exists(_folder.File("results")));
        Assert.False(File.Exists(_folder.File("slurm/sbatch.log")));
    }

    [Fact]
    public void What_Slurm_refuses_leaves_nothing_behind()
    {
        Program("sbatch", "echo 'sbatch: error: invalid partition specified: gpu' >&2; exit 1");
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Submit());
        Assert.Equal(ErrorIds.SubmissionRejected, error.ErrorId);
        Assert.Contains("invalid partition specified: gpu", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(_folder.File("results/jobs")));
    }

    [Fact]
    public void A_refused_merge_is_a_warning()
    {
        Program("sbatch", "case \"$*\" in *merge*) exit 1;; *) echo 5;; esac");
        var sink = new RecordingSink();
        Operation().Execute(sink, default);
        Assert.Contains("sparsefrontier merge", Assert.Single(sink.Warnings), StringComparison.Ordinal);
        Assert.Equal("", ((SparseAttentionJob)sink.Objects[0]).MergeJobId);
    }

    [Fact]
    public void Limits_of_the_cluster_and_of_the_user_hold()
    {
        Program("scontrol", "echo 'MaxArraySize = 1'");
        Assert.Equal(1, Submit().TaskCount);
        Program("scontrol", "echo 'MaxArraySize = 1001'");
        Program("sacctmgr", "echo 4; echo; echo 3");
        Program("squeue", "echo '9|1|PENDING|x'");
        Assert.Equal(1, Submit().TaskCount);
        Program("squeue", "echo '9|1|PENDING|x'; echo '9|2|PENDING|x'");
        Assert.Equal(ErrorIds.SubmissionRejected, Assert.Throws<SparseFrontierException>(() => Submit()).ErrorId);
    }

    [Fact]
    public void Without_Slurm_nothing_is_submitted()
    {
        var operation = Operation(new SlurmCommands(_folder.File("none")));
        Assert.Equal(ErrorIds.SchedulerNotInstalled, Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).ErrorId);
        var sink = new RecordingSink { Process = false };
        operation.Execute(sink, default);
        Assert.Single(sink.Asked);
    }

    [Fact]
    public void Jobs_are_listed_from_the_queue_and_their_folders()
    {
        SparseAttentionJob job = Submit();
        Program("squeue", "echo '101|0|RUNNING|None'; echo '101|1|PENDING|Resources'; echo '102|N/A|PENDING|Dependency'; echo '999|1|RUNNING|None'");
        Assert.Equal((JobState.Running, 1, 1, 0, "Resources"), State(Jobs()[0]));
        File.WriteAllText(Path.Combine(job.Path, "status", "0"), "0\n");
        Program("squeue", "echo '101|1|PENDING|Resources'");
        Assert.Equal((JobState.Pending, 1, 0, 1, "Resources"), State(Jobs()[0]));
        File.WriteAllText(Path.Combine(job.Path, "status", "1"), "0\n");
        Program("squeue", "echo '102|N/A|RUNNING|None'");
        Assert.Equal(JobState.Merging, Jobs()[0].State);
        Program("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
        Assert.Equal((JobState.Completed, 0, 0, 2, ""), State(Jobs()[0]));
        File.WriteAllText(Path.Combine(job.Path, "status", "1"), "1\n");
        Assert.Equal(JobState.Failed, Jobs()[0].State);
        File.Delete(Path.Combine(job.Path, "status", "1"));
        Assert.Equal(JobState.Failed, Jobs()[0].State);

        static (JobState, int, int, int, string) State(SparseAttentionJob j) => (j.State, j.PendingCount, j.RunningCount, j.CompletedCount, j.Reason);
    }

    [Fact]
    public void Jobs_are_listed_where_Slurm_is_not()
    {
        SparseAttentionJob job = Submit();
        var sink = new RecordingSink();
        new GetJobOperation { ResultPath = _folder.File("results"), Slurm = new SlurmCommands(_folder.File("none")) }.Execute(sink, default);
        Assert.Equal(JobState.Unknown, ((SparseAttentionJob)sink.Objects[0]).State);
        Assert.Single(sink.Warnings);
        File.WriteAllText(Path.Combine(job.Path, "submission.json"), "{");
        var damaged = new RecordingSink();
        new GetJobOperation { ResultPath = _folder.File("results"), Slurm = Slurm }.Execute(damaged, default);
        Assert.Empty(damaged.Objects);
        Assert.Single(damaged.Warnings);
    }

    [Fact]
    public void A_job_is_cancelled_when_nobody_objects()
    {
        Submit();
        var asked = new RecordingSink { Process = false };
        new StopJobOperation { Id = ["10?"], ResultPath = _folder.File("results"), Slurm = Slurm }.Execute(asked, default);
        Assert.Contains("job 101", Assert.Single(asked.Asked), StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("slurm/scancel.log")));
        var sink = new RecordingSink();
        new StopJobOperation { Id = ["101", "55"], ResultPath = _folder.File("results"), Slurm = Slurm }.Execute(sink, default);
        Assert.Equal("101 ", File.ReadAllText(_folder.File("slurm/scancel.log")));
        Assert.Equal(JobState.Cancelled, ((SparseAttentionJob)Assert.Single(sink.Objects)).State);
        Assert.Equal(ErrorIds.JobNotFound, Assert.Single(sink.Errors).ErrorId);
        Assert.Equal(JobState.Cancelled, Jobs()[0].State);
    }

    [Theory]
    [InlineData("{\"Method\":\"Quest\"}\n\n{\"Task\":\"Niah\"}", 2, null)]
    [InlineData("{\"Method\":\"Quest\"}\n{\"SampleCount\":1e99}\n", 0, "Line 2")]
    [InlineData("null\n", 0, "Line 1")]
    [InlineData("[]\n", 0, "Line 1")]
    [InlineData("\n \n", 0, "holds no run")]
    public void Runs_are_read_line_by_line(string text, int count, string? wrong)
    {
        File.WriteAllText(_folder.File("runs.jsonl"), text);
        var sink = new RecordingSink();
        var operation = new ReadRunsOperation { Path = _folder.File("runs.jsonl") };
        if (wrong is null)
        {
            operation.Execute(sink, default);
            Assert.Equal(count, sink.Objects.Count);
        }
        else
        {
            SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => operation.Execute(sink, default));
            Assert.Equal(ErrorIds.RunSpecificationInvalid, error.ErrorId);
            Assert.Contains(wrong, error.Message, StringComparison.Ordinal);
        }
    }

    private SlurmCommands Slurm => new(_folder.File("slurm"));

    private IReadOnlyList<SparseAttentionJob> Jobs()
    {
        var sink = new RecordingSink();
        new GetJobOperation { ResultPath = _folder.File("results"), Slurm = Slurm }.Execute(sink, default);
        Assert.Empty(sink.Warnings);
        return [.. sink.Objects.Cast<SparseAttentionJob>()];
    }

    private SparseAttentionJob Submit()
    {
        var sink = new RecordingSink();
        Operation().Execute(sink, default);
        return (SparseAttentionJob)Assert.Single(sink.Objects);
    }

    private SubmitRunOperation Operation(SlurmCommands? slurm = null) => new()
    {
        Specifications = [.. Sweeps.Mixed().Concat(Sweeps.Mixed().Select(s => With(s, 2)))],
        ResultPath = _folder.File("results"),
        WorkerPath = _folder.File("worker"),
        Engines = new HashEngineFactory(),
        Slurm = slurm ?? Slurm,
    };

    private static PlannedRun Plan(RunSpecification specification, long seed, string model = "hash") => PlannedRun.Create(With(specification, seed, model), new HashEngineFactory());

    private static RunSpecification With(RunSpecification specification, long seed, string model = "hash")
    {
        var node = JsonSerializer.SerializeToNode(specification)!.AsObject();
        node["Seed"] = seed;
        node["Model"] = model;
        return node.Deserialize<RunSpecification>()!;
    }

    private void Program(string name, string body) => TestProgram.Write(_folder.File($"slurm/{name}"), body);
}
