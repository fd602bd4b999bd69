using System.Diagnostics;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Runs that end their process, or fail, three times in a row are given up; what runs beside them is not.</summary>
public class PoisonTests
{
    [Fact]
    public void A_run_that_kills_its_process_is_given_up_after_three_tries_and_the_sweep_goes_on()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Exit codes of killed processes are Unix's.");
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, ChildSweep.Specifications);
        using var folder = new TemporaryFolder();
        int killed = 0;
        while (true)
        {
            using Process child = ChildSweep.Start(folder.Path, poison: "BlockSparse+Quest");
            string error = child.StandardError.ReadToEnd();
            child.WaitForExit();
            if (child.ExitCode != 137)
            {
                Assert.True(child.ExitCode == 2, error);
                break;
            }

            Assert.InRange(++killed, 1, 3);
        }

        Assert.Equal(3, killed);
        var read = new RecordingSink();
        new GetResultOperation { Path = [folder.Path] }.Execute(read, default);
        SparseAttentionResult poisoned = Assert.Single(read.Rows, r => r.Status == RunStatus.Poisoned);
        Assert.Equal(("BlockSparse", "Quest", 0), (poisoned.Method, poisoned.DecodeMethod, poisoned.SampleCount));
        Assert.Contains("3 attempts in a row ended at sample 0", poisoned.Message, StringComparison.Ordinal);
        Assert.Equal(4, read.Rows.Count(r => r.Status == RunStatus.Completed));

        // Skipped as long as the user does not say to try again, then a run like any other.
        var engines = new HashEngineFactory();
        RecordingSink skipped = Sweeps.Run(folder.Path, ChildSweep.Specifications, engines);
        SparseFrontierException refusal = Assert.Single(skipped.Errors);
        Assert.Equal((ErrorIds.RunPoisoned, poisoned.Message), (refusal.ErrorId, refusal.Message));
        Assert.Equal(5, skipped.Rows.Count);
        Assert.Equal(0, engines.Prefills);
        File.Delete(Path.Combine(poisoned.Path!, "tries.json"));
        Assert.Empty(Sweeps.Run(folder.Path, ChildSweep.Specifications).Errors);
        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
        Assert.Empty(Directory.GetFiles(folder.Path, "tries.json", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("BlockSparse", 2)]
    [InlineData("", 1)]
    public void A_run_that_fails_fails_alone_and_is_given_up_after_three_tries(string method, int failures)
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, Sweeps.Mixed());
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, Sweeps.Mixed(samples: 1));

        // With "" the dense run alone, of which the others' samples are then no longer compared.
        HashEngineFactory Failing() => new()
        {
            BeforeRequest = request =>
            {
                if (method.Length > 0 ? request.Method?.Name == method : request.Method is null && request.DecodeConfigurations.Any(d => d.Method.BudgetParameter is null))
                {
                    throw new SparseFrontierException(ErrorIds.DeviceOutOfMemory, "Too little.");
                }
            },
        };
        for (int attempt = 1; attempt <= ActiveRun.MaximumTries; attempt++)
        {
            RecordingSink sink = Sweeps.Run(folder.Path, Sweeps.Mixed(), Failing());
            SparseFrontierException error = Assert.Single(sink.Errors);
            Assert.Equal(ErrorIds.DeviceOutOfMemory, error.ErrorId);
            Assert.Equal(failures == 1 ? "Too little." : "Too little. This ended 2 runs of Niah at 800 tokens on hash.", error.Message);
            Assert.Equal(failures, sink.Rows.Count(r => r.Status == RunStatus.Failed && r.SampleCount == 1 && r.Message == "Too little."));
            Assert.Equal(5 - failures, sink.Rows.Count(r => r.Status == RunStatus.Completed));
        }

        var engines = new HashEngineFactory();
        RecordingSink poisoned = Sweeps.Run(folder.Path, Sweeps.Mixed(), engines);
        Assert.Equal(0, engines.Prefills);
        Assert.Equal(failures, poisoned.Errors.Count);
        Assert.All(poisoned.Errors, e => Assert.Equal(ErrorIds.RunPoisoned, e.ErrorId));
        Assert.All(poisoned.Errors, e => Assert.Contains("The last error: DeviceOutOfMemory: Too little. What it finished before is kept.", e.Message, StringComparison.Ordinal));
        Assert.Equal(failures, poisoned.Rows.Count(r => r.Status == RunStatus.Poisoned && r.SampleCount == 1));

        // Force starts over without asking.
        Assert.Empty(Sweeps.Run(folder.Path, Sweeps.Mixed(), force: true).Errors);
        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
    }

    [Fact]
    public void An_attempt_that_finished_a_sample_or_was_cancelled_is_not_counted()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] run = [Sweeps.Specification(samples: 8)];
        for (int attempt = 0; attempt < 6; attempt++)
        {
            // Every attempt ends in its second sample.
            int prefills = 0;
            var engines = new HashEngineFactory { BeforePrefill = () => Throw(++prefills == 2, ErrorIds.SequenceTooLong) };
            Assert.Equal(ErrorIds.SequenceTooLong, Assert.Single(Sweeps.Run(folder.Path, run, engines).Errors).ErrorId);
            string tries = Assert.Single(Directory.GetFiles(folder.Path, "tries.json", SearchOption.AllDirectories));
            Assert.Contains("\"Tries\": " + (attempt == 0 ? "1," : "2,"), File.ReadAllText(tries), StringComparison.Ordinal);
        }

        for (int attempt = 0; attempt < 4; attempt++)
        {
            using var cancellation = new CancellationTokenSource();
            var engines = new HashEngineFactory { BeforePrefill = cancellation.Cancel };
            Assert.ThrowsAny<OperationCanceledException>(() => Sweeps.Run(folder.Path, run, engines, cancellationToken: cancellation.Token));
        }

        Assert.Equal((RunStatus.Completed, 8), (Sweeps.Run(folder.Path, run).Rows[0].Status, 8));
    }

    [Fact]
    public void A_full_disk_is_not_charged_to_the_runs()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] run = [Sweeps.Specification()];
        for (int attempt = 0; attempt < 4; attempt++)
        {
            var engines = new HashEngineFactory { BeforePrefill = () => Throw(true, ErrorIds.ResultWriteFailed) };
            Assert.Throws<SparseFrontierException>(() => Sweeps.Run(folder.Path, run, engines));
        }

        Assert.Empty(Sweeps.Run(folder.Path, run).Errors);
    }

    [Fact]
    public void A_device_that_fails_ends_what_was_to_run_on_it_and_running_again_goes_on()
    {
        using var folder = new TemporaryFolder();
        bool failed = false;
        var engines = new HashEngineFactory
        {
            BeforePrefill = () =>
            {
                bool now = !failed;
                failed = true;
                Throw(now, ErrorIds.DeviceFailed);
            },
        };
        RunSpecification[] runs = [Sweeps.Specification(seed: 1), Sweeps.Specification(seed: 2), Of("hash2")];
        RecordingSink sink = Sweeps.Run(folder.Path, runs, engines);
        Assert.Equal(ErrorIds.DeviceFailed, Assert.Single(sink.Errors).ErrorId);
        Assert.Contains("What else was to run on cpu is not begun", Assert.Single(sink.Warnings), StringComparison.Ordinal);
        Assert.Equal(RunStatus.Failed, Assert.Single(sink.Rows).Status);
        Assert.Equal(1, engines.Opened);
        Assert.Equal([RunStatus.Completed, RunStatus.Completed, RunStatus.Completed], Sweeps.Run(folder.Path, runs).Rows.Select(r => r.Status));

        static RunSpecification Of(string model) => new()
        {
            Model = model,
            Task = "Niah",
            TaskParameters = "KeyGroups=1;Queries=2",
            SequenceLength = 800,
            SampleCount = 2,
            MaximumOutputTokens = 40,
            ShortInstructions = true,
        };
    }

    private static void Throw(bool when, string errorId)
    {
        if (when)
        {
            throw new SparseFrontierException(errorId, "As told.");
        }
    }
}
