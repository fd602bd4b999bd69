using SparseFrontier.Analysis;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class SweepRunTests
{
    [Fact]
    public void Every_run_of_a_sweep_gives_a_row_and_a_directory()
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory();
        RecordingSink sink = Sweeps.Run(folder.Path, Sweeps.Mixed(), engines);
        Assert.Empty(sink.Errors);
        Assert.Empty(sink.Warnings);
        Assert.Equal(5, sink.Rows.Count);
        Assert.All(sink.Rows, r => Assert.Equal((RunStatus.Completed, 3), (r.Status, r.SampleCount)));
        Assert.All(sink.Rows, r => Assert.True(File.Exists(Path.Combine(r.Path!, "summary.json"))));
        Assert.All(sink.Rows, r => Assert.False(File.Exists(Path.Combine(r.Path!, "claim"))));
        Assert.Equal(1, engines.Opened);
        Assert.Equal((0, 0), (engines.LivePrompts, engines.LiveSequences));

        // Dense first; all have what depends on it.
        Assert.Equal(("Dense", "Dense"), (sink.Rows[0].Method, sink.Rows[0].DecodeMethod));
        Assert.Equal(0, sink.Rows[0].DivergenceToDense);
        Assert.All(sink.Rows.Skip(1), r => Assert.True(r.DivergenceToDense > 0));
        Assert.All(sink.Rows, r => Assert.True(r.GoldLogLikelihood < 0));
    }

    [Fact]
    public void Measured_sparsities_meet_what_was_asked_for()
    {
        using var folder = new TemporaryFolder();
        RecordingSink sink = Sweeps.Run(folder.Path, Sweeps.Mixed());
        SparseAttentionResult block = sink.Rows.Single(r => r.Method == "BlockSparse" && r.DecodeMethod == "Dense");
        Assert.Equal((0.5, null), (block.RequestedSparsity, block.RequestedDecodeSparsity));
        Assert.Equal(0.5, block.PrefillSparsity!.Value, 0.01);
        Assert.True(block.SparsityWithinTolerance);

        // The one sparsity of a run with a dense prefill is the decode method's.
        SparseAttentionResult evicted = sink.Rows.Single(r => r.DecodeMethod == "SnapKV");
        Assert.Equal((null, 0.5), (evicted.RequestedSparsity, evicted.RequestedDecodeSparsity));
        Assert.Equal(0.5, evicted.CacheSparsity!.Value, 0.01);
        Assert.Contains("Capacity=", evicted.DecodeParameters, StringComparison.Ordinal);
    }

    [Fact]
    public void Runs_share_prefills()
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory();
        Sweeps.Run(
            folder.Path,
            [
                Sweeps.Specification(samples: 2),
                Sweeps.Specification("SnapKV", 0.5, samples: 2),
                Sweeps.Specification("Quest", 0.5, samples: 2),
                Sweeps.Specification("BlockSparse", 0.5, samples: 2),
                Sweeps.Specification("BlockSparse", 0.5, "Quest", 0.5, samples: 2),
            ],
            engines);
        Assert.Equal(2 * 2, engines.Prefills);
    }

    [Theory]
    [InlineData("None")]
    [InlineData("Question")]
    public void A_row_does_not_depend_on_companions_batch_or_resume(string compressBefore)
    {
        RunSpecification[] all =
        [
            Sweeps.Specification(compressBefore: compressBefore),
            Sweeps.Specification("BlockSparse", 0.5, compressBefore: compressBefore),
            Sweeps.Specification("Quest", 0.6, compressBefore: compressBefore),
            Sweeps.Specification("SnapKV", 0.4, compressBefore: compressBefore),
        ];
        using var together = new TemporaryFolder();
        Sweeps.Run(together.Path, all);
        string expected = ResultExport.Canonical(together.Path);
        Assert.Equal(4 * 4, expected.Count(c => c == '\n'));

        using var narrow = new TemporaryFolder();
        Sweeps.Run(narrow.Path, all, batch: 1);
        Assert.Equal(expected, ResultExport.Canonical(narrow.Path));

        // One after another, with the dense run there first as in the sweep.
        using var apart = new TemporaryFolder();
        foreach (RunSpecification specification in all)
        {
            Sweeps.Run(apart.Path, [specification]);
        }

        Assert.Equal(expected, ResultExport.Canonical(apart.Path));

        using var growing = new TemporaryFolder();
        Sweeps.Run(growing.Path, [.. all.Select(s => With(s, samples: 1))]);
        Sweeps.Run(growing.Path, all);
        Assert.Equal(expected, ResultExport.Canonical(growing.Path));
    }

    // Other programs take and leave memory of a GPU while a sweep runs.
    [Fact]
    public void A_sample_waits_while_others_leave_no_room_for_it()
    {
        const long Free = 1 << 20;
        long others = 0;
        var open = new List<int>();
        HashEngineFactory engines = null!;
        engines = new HashEngineFactory
        {
            Room = held => held + Free - others,
            BeforePrefill = () =>
            {
                open.Add(engines.LiveSequences);
                others = open.Count is >= 3 and < 5 ? Free : 0;
            },
        };
        using var folder = new TemporaryFolder();
        var sink = new RecordingSink();
        new InvokeRunOperation { Specifications = [Sweeps.Specification(samples: 6)], ResultPath = folder.Path, BatchSize = 8, Engines = engines, DevicesOf = _ => ["cuda:0"] }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.Equal(6, Assert.Single(sink.Rows).SampleCount);

        // Two sequences a sample: the run's, and the dense one that it is compared with.
        Assert.Equal([0, 2, 4, 0, 0, 2], open);
    }

    [Fact]
    public void Finished_work_is_returned_and_a_larger_count_computes_only_the_rest()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, [Sweeps.Specification("Quest", 0.5, samples: 3)]);
        var engines = new HashEngineFactory();
        RecordingSink again = Sweeps.Run(folder.Path, [Sweeps.Specification("Quest", 0.5, samples: 3)], engines);
        Assert.Equal(0, engines.Prefills);
        Assert.Equal(3, Assert.Single(again.Rows).SampleCount);

        RecordingSink more = Sweeps.Run(folder.Path, [Sweeps.Specification("Quest", 0.5, samples: 5)], engines);
        Assert.Equal(2, engines.Prefills);
        Assert.Equal(5, Assert.Single(more.Rows).SampleCount);
        Assert.Equal(again.Rows[0].RunId, more.Rows[0].RunId);
        Assert.Equal(again.Rows[0].Path, more.Rows[0].Path);

        // It began when it first began, in its row as on the disk: a bundle of it would not reproduce otherwise.
        Assert.Equal(again.Rows[0].StartedAt, more.Rows[0].StartedAt);

        // Fewer are the first of those there, and what is stored stays.
        RecordingSink fewer = Sweeps.Run(folder.Path, [Sweeps.Specification("Quest", 0.5, samples: 2)], engines);
        Assert.Equal(2, Assert.Single(fewer.Rows).SampleCount);
        Assert.Equal(again.Rows[0].StartedAt, fewer.Rows[0].StartedAt);
        Assert.Equal(2, engines.Prefills);
        Assert.Equal(5, Sweeps.Run(folder.Path, [Sweeps.Specification("Quest", 0.5, samples: 5)], engines).Rows[0].SampleCount);
        Assert.Equal(2, engines.Prefills);
    }

    [Fact]
    public void Force_runs_again_and_keeps_the_old_files_aside()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.Path, [Sweeps.Specification()]);
        var engines = new HashEngineFactory();
        RecordingSink sink = Sweeps.Run(folder.Path, [Sweeps.Specification()], engines, force: true);
        Assert.Equal(3, engines.Prefills);
        Assert.Equal(3, Assert.Single(sink.Rows).SampleCount);
        Assert.Equal(2, Directory.GetFiles(sink.Rows[0].Path!, "*.old").Length);
    }

    [Fact]
    public void An_infeasible_budget_is_a_row_with_the_feasible_maximum()
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory();
        RecordingSink sink = Sweeps.Run(folder.Path, [Sweeps.Specification(), Sweeps.Specification("SnapKV", 0.95)], engines);
        Assert.Empty(sink.Errors);
        SparseAttentionResult row = sink.Rows.Single(r => r.DecodeMethod == "SnapKV");
        Assert.Equal((RunStatus.Infeasible, 0), (row.Status, row.SampleCount));
        Assert.InRange(row.MaximumFeasibleSparsity!.Value, 0.7, 0.9);
        Assert.NotNull(row.Message);
        Assert.Null(row.Score);
        Assert.Equal(RunStatus.Completed, sink.Rows.Single(r => r.DecodeMethod == "Dense").Status);

        // It is finished work too.
        engines = new HashEngineFactory();
        Assert.Equal(RunStatus.Infeasible, Sweeps.Run(folder.Path, [Sweeps.Specification("SnapKV", 0.95)], engines).Rows[0].Status);
        Assert.Equal(0, engines.Prefills);
    }

    [Fact]
    public void Dense_fallback_is_only_on_request_and_counted()
    {
        using var folder = new TemporaryFolder();
        RecordingSink sink = Sweeps.Run(folder.Path, [Sweeps.Specification("SnapKV", 0.95, allowDenseFallback: true)]);
        SparseAttentionResult row = Assert.Single(sink.Rows);
        Assert.Equal((RunStatus.Completed, 3, 3), (row.Status, row.SampleCount, row.FallbackCount));
        Assert.Equal(0, row.CacheSparsity);
        Assert.False(row.SparsityWithinTolerance);
        Assert.False(Pareto.Includes(row));
        Assert.Contains("SnapKV at 0.95 in 3 of 3 samples", Assert.Single(sink.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIf_asks_about_each_run_and_touches_nothing()
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory();
        var sink = new RecordingSink { Process = false };
        Sweeps.Run(folder.File("results"), Sweeps.Mixed(), engines, sink: sink);
        Assert.Equal(5, sink.Asked.Count);
        Assert.Empty(sink.Objects);
        Assert.Equal(0, engines.Opened);
        Assert.False(Directory.Exists(folder.File("results")));
    }

    [Fact]
    public void Runs_stop_when_their_time_is_over_and_go_on_later()
    {
        using var folder = new TemporaryFolder();
        using var expected = new TemporaryFolder();

        // As soon as something is on the disk, slower than any time given; and more time where a loaded machine did not come so far.
        bool HasRows() => Directory.GetFiles(folder.Path, "samples-*.jsonl", SearchOption.AllDirectories).Any(f => new FileInfo(f).Length > 0);
        var engines = new HashEngineFactory { BeforeStep = () => Thread.Sleep(HasRows() ? 200 : 0) };
        for (int seconds = 1; !HasRows(); seconds *= 2)
        {
            Assert.True(seconds <= 64, "nothing is written in a minute");
            var sink = new RecordingSink();
            new InvokeRunOperation { Specifications = Sweeps.Mixed(samples: 200), ResultPath = folder.Path, Engines = engines, TimeoutSeconds = seconds }.Execute(sink, default);
            SparseFrontierException error = Assert.Single(sink.Errors);
            Assert.Equal(ErrorIds.RunTimedOut, error.ErrorId);
        }

        RecordingSink after = Sweeps.Run(folder.Path, Sweeps.Mixed());
        Assert.Empty(after.Errors);
        Assert.All(after.Rows, r => Assert.Equal(RunStatus.Completed, r.Status));
        Assert.Equal(
            Sweeps.Run(expected.Path, Sweeps.Mixed()).Rows.Select(r => (r.RunId, r.Score)).Order(), after.Rows.Select(r => (r.RunId, r.Score)).Order());
        var timed = new RecordingSink();
        new InvokeRunOperation { Specifications = Sweeps.Mixed(), ResultPath = folder.Path, Engines = new HashEngineFactory(), TimeoutSeconds = 600 }.Execute(timed, default);
        Assert.Empty(timed.Errors);
        Assert.Equal(5, timed.Rows.Count);
        var never = new InvokeRunOperation { Specifications = Sweeps.Mixed(), ResultPath = folder.Path, TimeoutSeconds = 0 };
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => never.Execute(timed, default)).ErrorId);
    }

    [Fact]
    public void Cancelling_leaves_a_run_that_says_so_and_goes_on()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, Sweeps.Mixed());

        using var folder = new TemporaryFolder();
        using var cancellation = new CancellationTokenSource();
        int steps = 0;
        var engines = new HashEngineFactory
        {
            BeforeStep = () =>
            {
                if (++steps == 60)
                {
                    cancellation.Cancel();
                }
            },
        };
        var sink = new RecordingSink();
        Assert.ThrowsAny<OperationCanceledException>(() => Sweeps.Run(folder.Path, Sweeps.Mixed(), engines, sink: sink, cancellationToken: cancellation.Token));
        Assert.Equal((0, 0), (engines.LivePrompts, engines.LiveSequences));
        Assert.Empty(Directory.GetFiles(folder.Path, "claim", SearchOption.AllDirectories));
        Assert.All(sink.Updates.GroupBy(u => u.ActivityId), activity => Assert.True(activity.Last().Completed));

        RecordingSink read = new();
        new SparseFrontier.Experiments.Operations.GetResultOperation { Path = [folder.Path] }.Execute(read, default);
        Assert.Contains(read.Rows, r => r.Status == RunStatus.Cancelled);

        Sweeps.Run(folder.Path, Sweeps.Mixed());
        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
    }

    // What Select-Object -First 1 does.
    [Fact]
    public void A_run_that_has_all_its_samples_when_the_first_row_is_enough_is_complete()
    {
        using var folder = new TemporaryFolder();
        var sink = new RecordingSink { OnObject = _ => throw new OperationCanceledException() };
        Assert.ThrowsAny<OperationCanceledException>(() => Sweeps.Run(folder.Path, Sweeps.Mixed(), sink: sink));
        RecordingSink read = new();
        new SparseFrontier.Experiments.Operations.GetResultOperation { Path = [folder.Path] }.Execute(read, default);
        Assert.Equal(5, read.Rows.Count);
        Assert.All(read.Rows, r => Assert.Equal((RunStatus.Completed, 3), (r.Status, r.SampleCount)));
    }

    [Fact]
    public void A_failing_cell_is_an_error_and_the_others_go_on()
    {
        using var folder = new TemporaryFolder();
        bool failed = false;
        var engines = new HashEngineFactory
        {
            BeforePrefill = () =>
            {
                if (!failed)
                {
                    failed = true;
                    throw new SparseFrontierException(ErrorIds.SequenceTooLong, "Too long.");
                }
            },
        };
        RecordingSink sink = Sweeps.Run(folder.Path, [Sweeps.Specification(seed: 1), Sweeps.Specification(seed: 2)], engines);
        Assert.Equal(ErrorIds.SequenceTooLong, Assert.Single(sink.Errors).ErrorId);
        Assert.Equal(RunStatus.Failed, sink.Rows.Single(r => r.Seed == 1).Status);
        Assert.Equal(RunStatus.Completed, sink.Rows.Single(r => r.Seed == 2).Status);
        Assert.Equal(RunStatus.Completed, Assert.Single(Sweeps.Run(folder.Path, [Sweeps.Specification(seed: 1)]).Rows).Status);
    }

    [Fact]
    public void The_same_run_named_twice_is_run_once()
    {
        using var folder = new TemporaryFolder();
        RecordingSink sink = Sweeps.Run(folder.Path, [Sweeps.Specification("Quest", 0.5), Sweeps.Specification("Dense", decode: "Quest", decodeSparsity: 0.5)]);
        Assert.Single(sink.Rows);
    }

    [Fact]
    public void Progress_counts_samples_and_names_the_time_left()
    {
        using var folder = new TemporaryFolder();
        RecordingSink sink = Sweeps.Run(folder.Path, Sweeps.Mixed());
        Assert.Equal([1, 2, 3], sink.Updates.Select(u => u.ActivityId).Distinct().Order());
        Assert.Contains(sink.Updates, u => u.ActivityId == 1 && u.SecondsRemaining >= 0);
        Assert.All(sink.Updates, u => Assert.InRange(u.Percent, -1, 100));
        Assert.All([1, 2, 3], id => Assert.True(sink.Updates.Last(u => u.ActivityId == id).Completed));
    }

    private static RunSpecification With(RunSpecification given, int samples) => new()
    {
        Model = given.Model,
        Method = given.Method,
        Sparsity = given.Sparsity,
        DecodeMethod = given.DecodeMethod,
        DecodeSparsity = given.DecodeSparsity,
        Task = given.Task,
        TaskParameters = given.TaskParameters,
        SequenceLength = given.SequenceLength,
        SampleCount = samples,
        MaximumOutputTokens = given.MaximumOutputTokens,
        ShortInstructions = given.ShortInstructions,
        CompressBefore = given.CompressBefore,
        Seed = given.Seed,
    };
}
