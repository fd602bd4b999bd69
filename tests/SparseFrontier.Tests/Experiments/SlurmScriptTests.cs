using System.Diagnostics;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Slurm;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>The scripts of a submission: their text, and what a shell does with them.</summary>
public class SlurmScriptTests
{
    private static readonly bool s_hasBash = File.Exists("/bin/bash");

    [Theory]
    [InlineData("run.sbatch")]
    [InlineData("merge.sbatch")]
    public void Scripts_are_the_golden_ones(string file)
    {
        var script = new SlurmScript
        {
            Name = "nightly",
            Worker = "/shared/sparsefrontier/sparsefrontier",
            Folder = "/shared/results/jobs/20261122T064859Z-nightly",
            ResultPath = "/shared/results",
            TaskCount = 12,
            RunCount = 96,
            MaximumConcurrency = 4,
            CpuCount = 8,
            GpuCount = 1,
            Partition = "gpu,gpu-long",
            Account = "lab",
            TimeLimit = new TimeSpan(26, 30, 0),
            Options = ["--qos=long", "--exclusive"],
        };
        script.Check();
        string text = (file == "run.sbatch" ? script.Array() : script.Merge()).Replace(ModuleInformation.Version, "VERSION", StringComparison.Ordinal);
        string golden = Path.Combine(Fixtures.Golden("slurm"), file);
        if (Environment.GetEnvironmentVariable("SPARSEFRONTIER_TEST_WRITE_GOLDEN") is not null)
        {
            File.WriteAllText(golden, text);
        }

        Assert.Equal(File.ReadAllText(golden), text);
    }

    [Fact]
    public void What_is_not_asked_for_is_not_in_the_script()
    {
        string text = Small("/results", "/worker").Array();
        Assert.DoesNotMatch("partition|account|--time|gres|cpus|signal|%", string.Join('\n', text.Split('\n').Where(l => l.StartsWith("#SBATCH", StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("a\n#SBATCH --wrap=id")]
    [InlineData("$(id)")]
    [InlineData("--array=1")]
    [InlineData("a;b")]
    [InlineData("")]
    [InlineData("\u001b[31m")]
    public void A_hostile_name_is_refused(string name)
    {
        SlurmScript script = Small("/r", "/w", name);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(script.Check).ErrorId);
    }

    [Theory]
    [InlineData("--qos=a b")]
    [InlineData("--qos=$(id)")]
    [InlineData("--comment=a\nid")]
    [InlineData("--array=0-1")]
    [InlineData("--output=/tmp/x")]
    [InlineData("-p")]
    [InlineData("script.sh")]
    public void A_hostile_option_is_refused(string option)
    {
        SlurmScript script = Small("/r", "/w", option: option);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(script.Check).ErrorId);
    }

    [Fact]
    public void Hostile_paths_reach_the_worker_as_they_are()
    {
        Assert.SkipUnless(s_hasBash, "bash is not here.");
        using var folder = new TemporaryFolder();
        string hostile = folder.File("it's \"$(touch pwned)\" `id` %A\n#SBATCH --wrap=x ; rm -rf \\ é");
        (int code, string log) = Execute(folder, hostile, "printf '%s\\n' \"$@\" >\"$(dirname \"$0\")/arguments\"", runs: 1);
        Assert.True(code == 0, log);
        Assert.Equal($"run\n--input\n{hostile}/submission/packs/0.jsonl\n--results\n{hostile}\n", File.ReadAllText(Path.Combine(hostile, "arguments")));
        Assert.Empty(Directory.EnumerateFiles(folder.Path, "pwned", SearchOption.AllDirectories));
        Assert.Equal("0", File.ReadAllText(Path.Combine(hostile, "submission", "status", "0")).Trim());
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1, "1")]
    public void The_worker_s_exit_code_is_kept(int exit, string expected)
    {
        Assert.SkipUnless(s_hasBash, "bash is not here.");
        using var folder = new TemporaryFolder();
        (int code, _) = Execute(folder, folder.Path, $"echo call >>\"$(dirname \"$0\")/calls\"; exit {exit}", runs: 1);
        Assert.Equal(exit, code);
        Assert.Equal(expected, File.ReadAllText(folder.File("submission/status/0")).Trim());
        Assert.Single(File.ReadAllLines(folder.File("calls")));
    }

    [Fact]
    public void A_worker_that_dies_is_started_again_but_not_for_ever()
    {
        Assert.SkipUnless(s_hasBash, "bash is not here.");
        using var folder = new TemporaryFolder();
        (int code, string log) = Execute(folder, folder.Path, "echo call >>\"$(dirname \"$0\")/calls\"; [ $(wc -l <\"$(dirname \"$0\")/calls\") -eq 3 ] || kill -KILL $$", runs: 2);
        Assert.True(code == 0, log);
        Assert.Equal(3, File.ReadAllLines(folder.File("calls")).Length);

        using var hopeless = new TemporaryFolder();
        (code, _) = Execute(hopeless, hopeless.Path, "echo call >>\"$(dirname \"$0\")/calls\"; kill -KILL $$", runs: 2);
        Assert.Equal(137, code);
        Assert.Equal(7, File.ReadAllLines(hopeless.File("calls")).Length);
    }

    [Theory]
    [InlineData("USR1", "requeue 77")]
    [InlineData("TERM", null)]
    public void A_signal_ends_the_worker_and_only_the_time_limit_requeues(string signal, string? requeued)
    {
        Assert.SkipUnless(s_hasBash, "bash is not here.");
        using var folder = new TemporaryFolder();
        (int code, string log) = Execute(
            folder, folder.Path, $"trap 'exit 143' TERM; kill -{signal} $PPID; sleep 20 & wait", runs: 1, scontrol: "printf '%s ' \"$@\" >\"$(dirname \"$0\")/scontrol.log\"");
        Assert.Equal(requeued is null ? 143 : 0, code);
        Assert.Equal(requeued is not null, File.Exists(folder.File("scontrol.log")));
        Assert.Equal(requeued is null, File.Exists(folder.File("submission/status/0")));
        if (requeued is not null)
        {
            Assert.Equal(requeued, File.ReadAllText(folder.File("scontrol.log")).Trim());
            Assert.Contains("requeued", log, StringComparison.Ordinal);
        }
    }

    private static SlurmScript Small(string results, string worker, string name = "job", string? option = null) => new()
    {
        Name = name,
        Worker = worker,
        Folder = Path.Combine(results, "submission"),
        ResultPath = results,
        TaskCount = 1,
        RunCount = 1,
        Options = option is null ? [] : [option],
    };

    /// <summary>Runs the script of an array as Slurm would run its first element, with a worker of our own.</summary>
    private static (int Code, string Log) Execute(TemporaryFolder folder, string results, string worker, int runs, string? scontrol = null)
    {
        foreach (string name in (string[])["packs", "logs", "status"])
        {
            Directory.CreateDirectory(Path.Combine(results, "submission", name));
        }

        File.WriteAllText(Path.Combine(results, "submission", "packs", "0.jsonl"), string.Concat(Enumerable.Repeat("{}\n", runs)));
        TestProgram.Write(Path.Combine(results, "worker"), worker);
        string script = folder.File("script");
        File.WriteAllText(script, Small(results, Path.Combine(results, "worker")).Array());
        var start = new ProcessStartInfo("/bin/bash", [script]);
        start.Environment["SLURM_ARRAY_TASK_ID"] = "0";
        start.Environment["SLURM_JOB_ID"] = "77";
        if (scontrol is not null)
        {
            TestProgram.Write(folder.File("scontrol"), scontrol);
            start.Environment["PATH"] = $"{folder.Path}:{Environment.GetEnvironmentVariable("PATH")}";
        }

        using Process process = Process.Start(start)!;
        Assert.True(process.WaitForExit(60_000));
        return (process.ExitCode, File.ReadAllText(Path.Combine(results, "submission", "logs", "0.log")));
    }
}
