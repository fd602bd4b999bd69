using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>What runs would cost, without a model.</summary>
public class PlanTests
{
    [Fact]
    public void Nothing_is_opened_and_every_specification_has_a_plan()
    {
        var engines = new HashEngineFactory();
        RecordingSink sink = Plan(Sweeps.Mixed(), engines);
        Assert.Equal(0, engines.Opened);
        Assert.Equal(5, sink.Objects.Count);
        Assert.All(sink.Objects.Cast<SparseAttentionPlan>(), p => Assert.True(p.IsFeasible && p.PromptTokens == 3 * 800 && p.OutputTokens == 3 * 40));
    }

    [Fact]
    public void Runs_that_agree_on_the_prefill_share_it()
    {
        SparseAttentionPlan[] plans = Plans(Sweeps.Mixed());
        // BlockSparse; SnapKV, Quest and Dense; BlockSparse with Quest.
        Assert.Equal([1, 2, 2, 1, 2], plans.Select(p => p.PrefillGroup!.Value));
        Assert.Equal([2, 3, 3, 2, 3], plans.Select(p => p.PrefillRunCount));
        Assert.Equal(plans[4].PrefillOperations!.Value / 3, plans[4].SharedPrefillOperations!.Value, 1e-6 * plans[4].PrefillOperations!.Value);
        Assert.Equal([1, 2], Plans([Sweeps.Specification(seed: 1), Sweeps.Specification(seed: 2)]).Select(p => p.PrefillGroup!.Value));
    }

    [Fact]
    public void Sparser_runs_cost_less()
    {
        SparseAttentionPlan[] prefill = Plans([Sweeps.Specification(), Sweeps.Specification("BlockSparse", 0.3), Sweeps.Specification("BlockSparse", 0.6)]);
        Assert.True(prefill[2].PrefillOperations < prefill[1].PrefillOperations);
        Assert.Equal(0.3, prefill[1].ExpectedSparsity!.Value, 0.02);
        Assert.Contains("TopBlocks=", prefill[1].SolvedParameters, StringComparison.Ordinal);
        SparseAttentionPlan[] decode = Plans([Sweeps.Specification(), Sweeps.Specification(decode: "SnapKV", decodeSparsity: 0.4), Sweeps.Specification(decode: "SnapKV", decodeSparsity: 0.6)]);
        Assert.True(decode[1].BytesRead < decode[0].BytesRead && decode[2].BytesRead < decode[1].BytesRead);
        Assert.True(decode[2].CacheBytes < decode[0].CacheBytes);
    }

    [Fact]
    public void A_dense_run_reads_its_whole_cache_at_every_step()
    {
        SparseAttentionPlan plan = Plans([Sweeps.Specification(samples: 1)])[0];
        // 40 steps that read a cache of at most 800 prompt tokens and what was generated, in 2 layers of float32.
        double tokens = Enumerable.Range(1, 40).Sum(step => 800.0 + step);
        var configuration = new HashEngineFactory().ReadConfiguration("");
        Assert.Equal(2 * configuration.LayerCount * configuration.KvHeads * configuration.HeadDimension * tokens * 4, plan.BytesRead!.Value, 0.001 * plan.BytesRead.Value);
        Assert.Equal(2.0 * configuration.LayerCount * configuration.KvHeads * configuration.HeadDimension * 840 * 4, plan.CacheBytes);
    }

    [Fact]
    public void What_a_length_cannot_hold_is_said_with_the_maximum()
    {
        SparseAttentionPlan plan = Plans([Sweeps.Specification(decode: "SnapKV", decodeSparsity: 0.99)])[0];
        Assert.False(plan.IsFeasible);
        Assert.InRange(plan.MaximumFeasibleSparsity!.Value, 0.5, 0.98);
        Assert.Contains("at most", plan.Message, StringComparison.Ordinal);
        Assert.Null(plan.PrefillGroup);
        Assert.Null(plan.PrefillOperations);
        SparseAttentionPlan fallback = Plans([Sweeps.Specification(decode: "SnapKV", decodeSparsity: 0.99, allowDenseFallback: true)])[0];
        Assert.True(fallback.IsFeasible);
        Assert.Equal(0, fallback.ExpectedDecodeSparsity);
        Assert.Contains("dense", fallback.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_calibrated_is_taken_at_its_word()
    {
        SparseAttentionPlan plan = Plans([Sweeps.Specification("VerticalSlash", 0.5)])[0];
        Assert.True(plan.NeedsCalibration);
        Assert.Equal(0.5, plan.ExpectedSparsity);
        Assert.Equal("", plan.SolvedParameters);
        SparseAttentionPlan open = Plans([Sweeps.Specification("VerticalSlash", parameters: "VerticalSize=64;SlashSize=128")])[0];
        Assert.Null(open.ExpectedSparsity);
        Assert.Null(open.PrefillOperations);
    }

    [Fact]
    public void A_wrong_specification_is_an_error_and_the_others_are_planned()
    {
        RecordingSink sink = Plan([Sweeps.Specification("Qest"), Sweeps.Specification()], new HashEngineFactory());
        Assert.Equal(ErrorIds.MethodNotFound, Assert.Single(sink.Errors).ErrorId);
        Assert.Single(sink.Objects);
    }

    [Fact]
    public void A_plan_runs_as_the_specification_that_it_is()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] specifications = [Sweeps.Specification("BlockSparse", 0.5), Sweeps.Specification(decode: "Quest", decodeSparsity: 0.5)];
        RecordingSink direct = Sweeps.Run(folder.Path, specifications);
        RecordingSink planned = Sweeps.Run(folder.Path, Plans(specifications));
        Assert.Equal(direct.Objects.Cast<SparseAttentionResult>().Select(r => r.RunId).Order(), planned.Objects.Cast<SparseAttentionResult>().Select(r => r.RunId).Order());
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(3, null)]
    [InlineData(20, 0.408)]
    [InlineData(100, 0.1767)]
    [InlineData(1000, 0.0556)]
    public void The_detectable_difference_is_that_of_a_paired_test(int samples, double? expected)
    {
        double? difference = RunPlanner.DetectableDifference(samples);
        if (expected is double value)
        {
            Assert.Equal(value, difference!.Value, 0.002);
        }
        else
        {
            Assert.Null(difference);
        }
    }

    [Fact]
    public void What_if_tells_the_cost_and_runs_nothing()
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory();
        var sink = new RecordingSink { Process = false };
        Sweeps.Run(folder.Path, Sweeps.Mixed(), engines, sink: sink);
        Assert.Equal(0, engines.Opened);
        Assert.Equal(5, sink.Asked.Count);
        Assert.All(sink.Asked, q => Assert.Contains("prompt tokens", q, StringComparison.Ordinal));
        Assert.Contains("shared by 3 runs", sink.Asked[1], StringComparison.Ordinal);
    }

    private static SparseAttentionPlan[] Plans(IReadOnlyList<RunSpecification> specifications) =>
        [.. Plan(specifications, new HashEngineFactory()).Objects.Cast<SparseAttentionPlan>()];

    private static RecordingSink Plan(IReadOnlyList<RunSpecification> specifications, HashEngineFactory engines)
    {
        var sink = new RecordingSink();
        new GetPlanOperation { Specifications = specifications, Engines = engines }.Execute(sink, TestContext.Current.CancellationToken);
        return sink;
    }
}
