using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Models.Transformer;
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

    [Theory]
    [InlineData("qwen25-hub-bfloat16")]
    [InlineData("qwen3-hub-float16")]
    [InlineData("gemma3-v5config-bfloat16")]
    public void The_type_of_the_cache_is_read_from_the_header_of_the_weights(string golden)
    {
        string directory = Fixtures.Golden(Path.Combine("checkpoints", golden));
        using var model = TransformerModel.Load(directory);
        Assert.Equal(model.CacheType, new TransformerEngineFactory().ReadCacheType(directory));
    }

    [Fact]
    public void A_length_that_holds_no_sample_of_the_task_is_infeasible_and_says_what_does()
    {
        string model = Path.Combine(Fixtures.Root, "models", ModelCatalog.DefaultName);
        RunSpecification[] runs = [.. new[] { 1024, 4096, 8192 }.Select(n => Of("StoryRetrieval", n))];
        var sink = new RecordingSink();
        new GetPlanOperation { Specifications = [.. runs, Of("Niah", 1024)] }.Execute(sink, default);
        SparseAttentionPlan[] plans = [.. sink.Objects.Cast<SparseAttentionPlan>()];
        Assert.Empty(sink.Errors);
        Assert.Equal(2, sink.Warnings.Count);
        Assert.Equal([false, false, true, true], plans.Select(p => p.IsFeasible));
        Assert.Matches("needs at least 4[0-9]{3} tokens, not 1024", plans[0].Message);
        Assert.Equal((0L, (double?)null, (double?)null), (plans[0].PromptTokens, plans[0].MaximumFeasibleSparsity, plans[0].PrefillOperations));

        // The run says the same.
        using var folder = new TemporaryFolder();
        RecordingSink run = new() { ShowsQuestions = false };
        new InvokeRunOperation { Specifications = [runs[0]], ResultPath = folder.Path }.Execute(run, default);
        SparseFrontierException error = Assert.Single(run.Errors);
        Assert.Equal((ErrorIds.SequenceLengthInvalid, plans[0].Message), (error.ErrorId, error.Message));

        RunSpecification Of(string task, int length) => new() { Model = model, Task = task, SequenceLength = length, SampleCount = 2 };
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

        // In the total each prompt is read once; what is infeasible reads none.
        string total = RunPlanner.DescribeTotal([.. plans, .. Plans([Sweeps.Specification(decode: "SnapKV", decodeSparsity: 0.99)])]);
        Assert.StartsWith(FormattableString.Invariant($"at most {plans[0].PromptTokens + plans[1].PromptTokens} prompt tokens, "), total, StringComparison.Ordinal);
        Assert.EndsWith("; 1 infeasible run computes nothing", total, StringComparison.Ordinal);
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
    public void What_will_run_dense_is_said_before_it_runs()
    {
        SparseAttentionPlan plan = Plans([Sweeps.Specification("SnapKV", 0.95, allowDenseFallback: true)]).Single();
        Assert.True(plan.IsFeasible);
        Assert.Contains("of cache. The length cannot hold the budget: samples run dense. ", RunPlanner.Describe(plan), StringComparison.Ordinal);
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
        Assert.Equal(1, engines.Encoders);
    }

    // The cost is read from configurations, tokenizers and the times of earlier runs: not worth it where nobody sees it.
    [Fact]
    public void A_question_that_nobody_sees_has_no_cost()
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory();
        var sink = new RecordingSink { Process = false, ShowsQuestions = false };
        Sweeps.Run(folder.Path, Sweeps.Mixed(), engines, sink: sink);
        Assert.Equal(5, sink.Asked.Count);
        Assert.All(sink.Asked, q => Assert.StartsWith($"Run, with results in '{folder.Path}': ", q, StringComparison.Ordinal));
        Assert.Equal(0, engines.Encoders);
    }

    [Fact]
    public void Seconds_are_predicted_from_runs_of_this_machine_alone()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] runs = [Sweeps.Specification(), Sweeps.Specification(decode: "Quest", decodeSparsity: 0.5)];
        Assert.All(Plans(runs, folder.File("none")), p => Assert.Null(p.PredictedSeconds));
        Assert.All(Plans(runs, folder.File("none")), p => Assert.Contains("was measured on cpu of this machine in", p.PredictionMessage, StringComparison.Ordinal));

        string results = folder.File("results");
        Sweeps.Run(results, runs);

        // Times of this machine's load would make this a test of the load.
        foreach (string file in Directory.EnumerateFiles(results, "*.json*", SearchOption.AllDirectories))
        {
            File.WriteAllText(file, Regex.Replace(Regex.Replace(File.ReadAllText(file), "\"PrefillSeconds\": ?[0-9.Ee+-]+", "\"PrefillSeconds\":2"), "\"DecodeSeconds\": ?[0-9.Ee+-]+", "\"DecodeSeconds\":1"));
        }

        SparseAttentionPlan[] plans = Plans(runs, results);
        Assert.All(plans, p => Assert.StartsWith("from 2 runs", p.PredictionMessage, StringComparison.Ordinal));

        // The two share the prefill; what was measured at the same length and sparsity is what is predicted: of three samples half a prefill and a decode each.
        Assert.All(plans, p => Assert.InRange(p.PredictedSeconds!.Value / (3 * ((2.0 / 2) + 1)), 0.5, 2));

        // A run that was resumed shared its steps with the other run, and then with none: what a token takes of it is neither's.
        string resumed = Directory.GetDirectories(results, "*-dense-*").Single();
        string samples = Directory.GetFiles(resumed, "samples-*.jsonl").Single();
        File.WriteAllLines(samples, File.ReadAllLines(samples)[..2]);
        File.Delete(Path.Combine(resumed, "summary.json"));
        Sweeps.Run(results, runs[..1]);
        SparseAttentionPlan alone = Plans(runs[..1], results).Single();
        Assert.Null(alone.PredictedSeconds);
        Assert.Contains("that were resumed, or whose companions are not here", alone.PredictionMessage, StringComparison.Ordinal);

        // Runs of another machine say nothing here.
        foreach (string file in Directory.EnumerateFiles(results, "environment.json", SearchOption.AllDirectories))
        {
            File.WriteAllText(file, File.ReadAllText(file).Replace(Environment.MachineName, "another machine", StringComparison.Ordinal));
        }

        Assert.All(Plans(runs, results), p => Assert.Null(p.PredictedSeconds));
    }

    [Fact]
    public void Seconds_lie_between_what_was_measured_on_both_sides()
    {
        // A machine of 2 ns an operation at 1,024 tokens and 8 at 4,096: 4 half way, and nothing beyond.
        ModelShape shape = PublishedModels.Find("Qwen2.5-7B")!;
        var cost = new RequestCost(shape, 1, 1);
        SparseAttentionResult[] rows = [Timed(1024, 2e-9, 3e-10), Timed(4096, 8e-9, 12e-10)];
        var times = RunTimes.Of(rows, "'here'");
        PredictedTime middle = times.Predict(shape, Run(2048), 1);
        Assert.Equal(4e-9 * cost.Of(Run(2048), RequestCost.PrefillFlopsName)!.Value, middle.Prefill!.Value, 1e-9 * middle.Prefill.Value);
        Assert.Equal(6e-10 * cost.Of(Run(2048), RequestCost.DecodeBytesName)!.Value, middle.OutputToken!.Value, 1e-9 * middle.OutputToken.Value);
        Assert.Equal(50, middle.OutputTokens);
        Assert.NotNull(times.Predict(shape, Run(1030), 1).Prefill);
        Assert.Contains("Dense was measured at 1024, 4096 tokens, not on both sides of 8192", Reason(Run(8192)), StringComparison.Ordinal);
        Assert.Contains("SnapKV was not measured on cpu", Reason(Run(2048, decode: "SnapKV")), StringComparison.Ordinal);
        Assert.Contains("No run of other was measured on cpu", Reason(Run(2048, model: "other")), StringComparison.Ordinal);
        Assert.Contains("measured with other numbers of runs of m side by side (1) than 4", Reason(Run(2048), 4), StringComparison.Ordinal);
        Assert.Contains("for a processor alone", Reason(Run(2048, device: "cuda:0")), StringComparison.Ordinal);
        Assert.Contains("not on both sides of 2048 near this sparsity", Reason(Run(2048, sparsity: 0.9)), StringComparison.Ordinal);
        times = RunTimes.Of([Timed(1024, 2e-9, 3e-10), Timed(8192, 8e-9, 12e-10)], "'here'");
        Assert.Contains("at most two octaves", Reason(Run(2048)), StringComparison.Ordinal);

        // Companions share steps: what any of them may expect is their mean.
        times = RunTimes.Of([Timed(1024, 2e-9, 3e-10), Timed(1024, 2e-9, 5e-10)], "'here'");
        Assert.Equal(4e-10 * cost.Of(Run(1024), RequestCost.DecodeBytesName)!.Value, times.Predict(shape, Run(1024), 2).OutputToken!.Value, 1e-12);
        Assert.Contains("known only when it runs", Reason(Run(2048, sparsity: null)), StringComparison.Ordinal);

        // Of another decode method steps were measured alone, of this one not.
        times = RunTimes.Of([Run(1024, decode: "SnapKV", prefill: 1, steps: 1), Run(1024, decode: "SnapKV", prefill: 1, steps: 1), Run(2048, prefill: 1, steps: 1)], "'here'");
        Assert.Contains("Steps of SnapKV were measured with other numbers of runs of m side by side (2) than 1", Reason(Run(1024, decode: "SnapKV")), StringComparison.Ordinal);

        // Whatever a process ran besides, a run whose steps had one sequence stepped alone; and one whose steps had more than there are runs lost its companions.
        SparseAttentionResult shared = Timed(1024, 2e-9, 3e-10), own = Timed(1024, 2e-9, 5e-10);
        times = RunTimes.Of([WithSequences(shared, 3), WithSequences(own, 1)], "'here'");
        Assert.Equal(5e-10 * cost.Of(Run(1024), RequestCost.DecodeBytesName)!.Value, times.Predict(shape, Run(1024), 1).OutputToken!.Value, 1e-12);
        times = RunTimes.Of([WithSequences(shared, 3)], "'here'");
        Assert.Contains("whose companions are not here", Reason(Run(1024)), StringComparison.Ordinal);

        static SparseAttentionResult WithSequences(SparseAttentionResult row, double sequences)
        {
            JsonNode node = JsonSerializer.SerializeToNode(row)!;
            node[nameof(row.SequencesPerStep)] = sequences;
            return node.Deserialize<SparseAttentionResult>()!;
        }

        string Reason(SparseAttentionResult run, int companions = 1)
        {
            PredictedTime time = times.Predict(shape, run, companions);
            Assert.True(time.Prefill is null || time.OutputToken is null);
            return time.Message;
        }

        SparseAttentionResult Timed(int length, double second, double step)
        {
            SparseAttentionResult run = Run(length);
            return Run(length, prefill: second * cost.Of(run, RequestCost.PrefillFlopsName), steps: 50 * step * cost.Of(run, RequestCost.DecodeBytesName));
        }

        static SparseAttentionResult Run(int length, string decode = "Quest", string model = "m", double? sparsity = 0.5, string device = "cpu", double? prefill = null, double? steps = null) => new()
        {
            Model = model,
            Device = device,
            Task = "Niah",
            SequenceLength = length,
            Method = "Dense",
            DecodeMethod = decode,
            PrefillSparsity = 0,
            DecodeSparsity = sparsity,
            CacheSparsity = sparsity,
            PrefillSeconds = prefill,
            DecodeSeconds = steps,
            OutputTokenCount = prefill is null ? null : 50,
            Status = RunStatus.Completed,
        };
    }

    private static SparseAttentionPlan[] Plans(IReadOnlyList<RunSpecification> specifications, string results = "") =>
        [.. Plan(specifications, new HashEngineFactory(), results).Objects.Cast<SparseAttentionPlan>()];

    private static RecordingSink Plan(IReadOnlyList<RunSpecification> specifications, HashEngineFactory engines, string results = "")
    {
        var sink = new RecordingSink();
        new GetPlanOperation { Specifications = specifications, Engines = engines, ResultPath = results }.Execute(sink, TestContext.Current.CancellationToken);
        return sink;
    }
}
