using System.Diagnostics;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class SpeedAdviceTests
{
    [Fact]
    public void Slow_prefills_are_named()
    {
        string? advice = SpeedAdvice.OfPrefill([Row("Dense", 0, 1.5), Row("VerticalSlash", 0.5, 1.75), Row("BlockSparse", 0.9, 0.5)]);
        Assert.NotNull(advice);
        Assert.Contains("VerticalSlash at 0.50 (1.75 s)", advice, StringComparison.Ordinal);
        Assert.Contains("1.50 s a sample", advice, StringComparison.Ordinal);
        Assert.Contains("At 2048 tokens", advice, StringComparison.Ordinal);
        Assert.DoesNotContain("BlockSparse", advice, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_said_where_every_sparse_prefill_was_faster() =>
        Assert.Null(SpeedAdvice.OfPrefill([Row("Dense", 0, 1.5), Row("VerticalSlash", 0.5, 1.25)]));

    [Fact]
    public void Nothing_is_said_without_a_dense_run() => Assert.Null(SpeedAdvice.OfPrefill([Row("VerticalSlash", 0.5, 9)]));

    [Fact]
    public void Decode_methods_share_the_dense_prefill_and_are_left_out() =>
        Assert.Null(SpeedAdvice.OfPrefill([Row("Dense", 0, 1.5), Row("Dense", 0, 1.6, "SnapKV")]));

    [Fact]
    public void What_ran_dense_is_named_as_such_and_not_as_slow()
    {
        SparseAttentionResult[] rows = [Row("Dense", 0, 1.5), Row("BlockSparse", 0, 1.75, fallbacks: 2), Row("VerticalSlash", 0.25, 1.25, "Quest", fallbacks: 1), Row("BlockSparse", 0.5, 1)];
        Assert.Null(SpeedAdvice.OfPrefill(rows));
        string? advice = FallbackAdvice.Create(rows);
        Assert.Contains(": BlockSparse in 2 of 4 samples, VerticalSlash + Quest in 1 of 4 samples.", advice, StringComparison.Ordinal);
        Assert.Null(FallbackAdvice.Create(rows[..1]));
    }

    // Half of the pairs took 0.1 s, so that all of them would have taken 0.2 s at most.
    [Theory]
    [InlineData(0.09, false)]
    [InlineData(0.11, true)]
    public void A_prefill_without_a_dense_run_is_named_where_choosing_takes_longer_than_it_saves(double index, bool named)
    {
        string? advice = SpeedAdvice.OfPrefillAlone([Parts("VerticalSlash", 0.5, index, 0.1, "Window=256")], Shape);
        Assert.Equal(named, advice is not null);
        if (named)
        {
            Assert.StartsWith("At 2048 tokens these prefills took longer than dense ones would have: VerticalSlash at 0.50 (0.11 s of choosing for at most 0.1 s less of attention; at this sparsity it would pay from about 2", advice, StringComparison.Ordinal);
            Assert.Contains("No dense run was timed beside them", advice, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Prefills_beside_a_dense_run_that_ran_dense_or_were_not_timed_in_parts_are_not_computed()
    {
        SparseAttentionResult slow = Parts("VerticalSlash", 0.5, 9, 0.1, "Window=256");
        Assert.NotNull(SpeedAdvice.OfPrefillAlone([slow], Shape));
        Assert.Null(SpeedAdvice.OfPrefillAlone([slow, Row("Dense", 0, 1.5)], Shape));
        Assert.Null(SpeedAdvice.OfPrefillAlone([slow, Row("Dense", 0, 1.5, "SnapKV")], Shape));
        Assert.Null(SpeedAdvice.OfPrefillAlone([Parts("VerticalSlash", 0.5, 9, 0.1, "Window=256", fallbacks: 1)], Shape));
        Assert.Null(SpeedAdvice.OfPrefillAlone([Row("VerticalSlash", 0.5, 9)], Shape));
        Assert.NotNull(SpeedAdvice.OfPrefillAlone([slow, Parts("Dense", 0, 0, 0.2, "", device: "cuda:0")], Shape));
    }

    [Fact]
    public void Runs_that_share_a_prefill_are_named_once()
    {
        SparseAttentionResult[] rows = [Parts("VerticalSlash", 0.5, 9, 0.1, "Window=256", decode: "SnapKV"), Parts("VerticalSlash", 0.5, 9, 0.1, "Window=256", decode: "Quest")];
        Assert.Equal(2, SpeedAdvice.OfPrefillAlone(rows, Shape)!.Split("VerticalSlash").Length);
    }

    // The last queries' scores grow with the length and what they save with its square; scores of blocks grow as what they save does.
    [Theory]
    [InlineData("VerticalSlash", 0.4, "Window=256", 7000, 9000)]
    [InlineData("VerticalSlash", 0.8, "Window=256", 14000, 19000)]
    [InlineData("BlockSparse", 0.4, "BlockSize=16;TopBlocks=40", int.MaxValue, int.MaxValue)]
    [InlineData("BlockSparse", 0.101, "BlockSize=128;TopBlocks=5", 2050, 2200)]
    public void The_length_from_which_a_method_pays_follows_from_how_choosing_grows(string method, double index, string parameters, int low, int high)
    {
        SparseAttentionResult row = Parts(method, 0.5, index, 0.1, parameters);
        Assert.InRange(SpeedAdvice.Crossover(row, Shape)!.Value, low, high);

        Assert.Equal(low == int.MaxValue, SpeedAdvice.OfPrefillAlone([row], Shape)!.Contains("would not pay at 1048576 tokens either", StringComparison.Ordinal));
    }

    // A tile that dense attention computes in part a method computes in part too: of 0.5 + 0.1 of the pairs at its speed, dense attention takes 1 + 0.1 at most.
    [Theory]
    [InlineData(0.075, false)]
    [InlineData(0.09, true)]
    public void What_is_saved_is_at_most_what_the_pairs_that_are_left_out_would_take(double index, bool named)
    {
        var row = new SparseAttentionResult
        {
            Method = "VerticalSlash",
            DecodeMethod = "Dense",
            PrefillSparsity = 0.5,
            ExecutedDensity = 0.6,
            Parameters = "Window=256",
            PrefillIndexSeconds = index,
            PrefillAttentionSeconds = 0.1,
            SequenceLength = 2048,
            PromptTokens = 2048,
        };
        Assert.Equal(named, SpeedAdvice.OfPrefillAlone([row], Shape) is not null);
    }

    [Fact]
    public void A_method_whose_choosing_is_not_known_has_no_length()
    {
        string? advice = SpeedAdvice.OfPrefillAlone([Parts("Unknown", 0.5, 9, 0.1, "")], Shape);
        Assert.Contains("how its choosing grows with the length is not known", advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.5, true)]
    [InlineData(0.001, false)]
    public void A_sweep_without_a_dense_run_warns_of_a_method_that_does_not_pay(double index, bool warns)
    {
        using var folder = new TemporaryFolder();
        var factory = new HashEngineFactory { Seconds = (index, 0.1) };
        var sink = Sweeps.Run(folder.File("alone"), [Sweeps.Specification("BlockSparse", 0.5)], engines: factory, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(warns, sink.Warnings.Any(w => w.Contains("took longer than dense ones would have: BlockSparse at 0.", StringComparison.Ordinal)));
        Assert.All(sink.Rows, r => Assert.Equal(index, r.PrefillIndexSeconds!.Value, 1e-9));
        Assert.All(sink.Rows, r => Assert.Equal(0.1, r.PrefillAttentionSeconds!.Value, 1e-9));
    }

    [Fact]
    public void Slow_generation_is_named()
    {
        SparseAttentionResult[] rows =
        [
            Step("Dense", 0.4), Step("Quest", 0.41), Step("SnapKV", 0.3), Step("AdaSnapKV", 0.5, fallbacks: 1), Step("Quest", 0.9, device: "cuda:0"),
            Step("SnapKV", 0.5, tokens: 40), Step("SnapKV", 0.5, tokens: 0), Step("SnapKV", 0.9, sequences: 1.5), Step("SnapKV", 0.9, sequences: null),
        ];
        string? advice = SpeedAdvice.OfDecode(rows);
        Assert.StartsWith("At 2048 tokens generation took longer than the dense run's (20 ms a token) with: Quest at 0.50 (20.5 ms). 'kernels measure'", advice, StringComparison.Ordinal);
        Assert.Null(SpeedAdvice.OfDecode(rows[1..]));
        Assert.Null(SpeedAdvice.OfDecode([Step("Dense", 0.4, sequences: 2), .. rows[1..]]));
        Assert.Null(SpeedAdvice.OfPrefill(rows));
    }

    // Seconds of a step that several sequences share are divided equally, which tells nothing of their methods.
    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Generation_is_compared_where_sequences_step_alone(int batch, bool compared)
    {
        using var folder = new TemporaryFolder();
        RunSpecification dense = Sweeps.Specification(samples: 1);
        var alone = new HashEngineFactory();
        Sweeps.Run(folder.File("alone"), [dense], engines: alone, cancellationToken: TestContext.Current.CancellationToken);

        // The dense run's steps come first. Each step after them takes longer than theirs on average, however loaded the machine is.
        var watch = Stopwatch.StartNew();
        TimeSpan? longer = null;
        HashEngineFactory factory = null!;
        factory = new HashEngineFactory { BeforeStep = () => Thread.Sleep(factory.Steps < alone.Steps ? TimeSpan.Zero : longer ??= TimeSpan.FromMilliseconds(1) + (watch.Elapsed / alone.Steps)) };
        RunSpecification[] runs = [dense, Sweeps.Specification(samples: 1, decode: "Quest", decodeParameters: "PageSize=16;TokenBudget=64")];
        var sink = Sweeps.Run(folder.File("both"), runs, engines: factory, batch: batch, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(compared, sink.Warnings.Any(w => w.Contains("generation took longer", StringComparison.Ordinal)));
        Assert.All(sink.Objects.Cast<SparseAttentionResult>(), r => Assert.Equal(compared, r.SequencesPerStep == 1));

        // Samples of both kinds are a mean of both.
        sink = Sweeps.Run(folder.File("both"), [Sweeps.Specification(samples: 2), Sweeps.Specification(samples: 2, decode: "Quest", decodeParameters: "PageSize=16;TokenBudget=64")], engines: factory, batch: 3 - batch, cancellationToken: TestContext.Current.CancellationToken);
        Assert.DoesNotContain(sink.Warnings, w => w.Contains("generation took longer", StringComparison.Ordinal));
        Assert.All(sink.Objects.Cast<SparseAttentionResult>(), r => Assert.InRange(r.SequencesPerStep!.Value, 1.01, 1.99));
    }

    // The question of a cache that is compressed before it is read by as many sequences as may step together, too.
    [Fact]
    public void A_question_is_read_alone_where_sequences_step_alone()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] runs = [Sweeps.Specification(samples: 1, compressBefore: "Question"), Sweeps.Specification("SnapKV", 0.5, samples: 1, compressBefore: "Question")];
        var alone = Sweeps.Run(folder.File("alone"), runs, batch: 1, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal([1.0, 1.0], alone.Rows.Select(r => r.SequencesPerStep!.Value));
        var together = Sweeps.Run(folder.File("together"), runs, batch: 8, cancellationToken: TestContext.Current.CancellationToken);
        Assert.All(together.Rows, r => Assert.True(r.SequencesPerStep > 1));
        Assert.Equal(alone.Rows.Select(r => r.Score), together.Rows.Select(r => r.Score));
    }

    // Older versions did not write it.
    [Fact]
    public void A_run_with_samples_that_do_not_say_of_how_many_sequences_their_steps_were_does_not_say_it_either()
    {
        SampleResult alone = new() { DecodeSeconds = 1, OutputTokenCount = 4, SequencesPerStep = 1 }, older = new() { DecodeSeconds = 1, OutputTokenCount = 4 }, stepless = new() { DecodeSeconds = 0, OutputTokenCount = 1 };
        var run = new StoredSpecification { RunId = "run", Identity = [], Specification = Sweeps.Specification() };
        Assert.Equal(1, RunSummary.Create(run, [alone, stepless, alone], RunStatus.Completed).SequencesPerStep);
        Assert.Null(RunSummary.Create(run, [alone, older], RunStatus.Completed).SequencesPerStep);
        Assert.Null(RunSummary.Create(run, [stepless], RunStatus.Completed).OwnSecondsPerToken);
    }

    private static ModelShape Shape { get; } = new()
    {
        Name = "made",
        SlidingWindows = [0, 0],
        HiddenSize = 512,
        IntermediateSize = 1024,
        QueryHeads = 8,
        KvHeads = 2,
        HeadDimension = 64,
        VocabularySize = 128,
    };

    private static SparseAttentionResult Parts(string method, double sparsity, double index, double attention, string parameters, int fallbacks = 0, string device = "", string decode = "Dense") => new()
    {
        SampleCount = 4,
        FallbackCount = fallbacks,
        Method = method,
        DecodeMethod = decode,
        PrefillSparsity = sparsity,
        ExecutedDensity = 1 - sparsity,
        Parameters = parameters,
        PrefillSeconds = index + attention + 1,
        PrefillIndexSeconds = index,
        PrefillAttentionSeconds = attention,
        SequenceLength = 2048,
        PromptTokens = 2048,
        Device = device,
    };

    private static SparseAttentionResult Step(string decode, double seconds, int tokens = 20, int fallbacks = 0, string device = "cpu", double? sequences = 1) =>
        new() { FallbackCount = fallbacks, Method = "Dense", DecodeMethod = decode, DecodeSparsity = 0.5, DecodeSeconds = seconds, OutputTokenCount = tokens, SequencesPerStep = sequences, SequenceLength = 2048, Device = device };

    private static SparseAttentionResult Row(string method, double sparsity, double seconds, string decode = "Dense", int fallbacks = 0) =>
        new() { SampleCount = 4, FallbackCount = fallbacks, Method = method, DecodeMethod = decode, PrefillSparsity = sparsity, PrefillSeconds = seconds, SequenceLength = 2048 };
}
