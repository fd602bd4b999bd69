using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Kernels;
using SparseFrontier.Tasks;
using SparseFrontier.Tests.Attention;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Users' own methods and tasks. Not beside other tests, which count what is registered.</summary>
[Collection(nameof(UserCodeTests))]
[CollectionDefinition(nameof(UserCodeTests), DisableParallelization = true)]
public sealed unsafe class UserCodeTests : IDisposable
{
    private readonly List<string> _names = [];

    public void Dispose()
    {
        _names.ForEach(MethodRegistry.Remove);
        _names.ForEach(TaskRegistry.Remove);
    }

    [Fact]
    public void Blocks_with_the_largest_scores_are_kept()
    {
        // The earliest blocks, whatever they hold.
        Register("Early", ScoredUnit.Blocks, units => [.. Enumerable.Range(0, units.Count).Select(i => -(double)i)]);
        PrefillMethod method = MethodRegistry.FindPrefill("early");
        using var data = LayerData.Random(4, 2, 100, 16);
        MethodParameters parameters = method.CreateParameters([new("BlockSize", 10), new("TopBlocks", 4), new("ForcedLocalBlocks", 1)]);
        AttentionPlan plan = method.Select(data.Layer, parameters).Plans[3];
        KeyRange[] last = [.. plan.Ranges.Skip(plan.RangeOffsets[9])];
        Assert.Equal([new KeyRange(0, 30), new KeyRange(90, 100)], last);
        Assert.Equal(method.ExpectedSparsity(data.Layer.Shape, parameters)!.Value, 1 - (plan.CountPairs() / (double)data.Layer.Shape.CausalPairs), 1e-12);
    }

    [Fact]
    public void Similarity_of_blocks_is_what_BlockSparse_scores()
    {
        Register("Likeness", ScoredUnit.Blocks, units => units.Similarity());
        using var data = LayerData.Random(4, 2, 256, 16, spread: 4);
        int[][][] blocks = [.. new[] { "Likeness", "BlockSparse" }.Select(name =>
        {
            PrefillMethod method = MethodRegistry.FindPrefill(name);
            return method.Select(data.Layer, method.CreateParameters([new("TopBlocks", 6)])).CreateLists()["blocks"];
        })];

        // BlockSparse rounds to bfloat16, so that near-ties may fall otherwise.
        double same = Enumerable.Range(0, 4).Average(h =>
            blocks[0][h].Chunk(6).Zip(blocks[1][h].Chunk(6)).Average(rows => rows.First.Intersect(rows.Second).Count() / 6.0));
        Assert.InRange(same, 0.95, 1);
    }

    [Fact]
    public void Tokens_with_the_largest_scores_stay_in_the_cache()
    {
        Register("Even", ScoredUnit.Tokens, units => [.. Enumerable.Range(0, units.Count).Select(i => i % 2 == 0 ? 1.0 : 0)]);
        DecodeMethod method = MethodRegistry.FindDecode("Even");
        using var data = LayerData.Random(4, 2, 100, 16);
        KeptTokens kept = method.Compress(data.Layer, method.CreateParameters([new("Capacity", 20), new("LocalWindow", 3), new("PrefixTokens", 2)]))!;
        Assert.All(kept.ByHead, head => Assert.Equal([0, 1, .. Enumerable.Range(1, 15).Select(i => 2 * i), 97, 98, 99], head));
        Assert.Equal(10, kept.ForcedCount);
    }

    [Fact]
    public void Pages_with_Quest_s_bound_are_Quest_s_pages_after_eviction_of_generated_tokens_too()
    {
        Register("Bound", ScoredUnit.Pages, units => [.. Enumerable.Range(0, units.Count).Select(page =>
        {
            float[] smallest = units.Smallest(page);
            float[] largest = units.Largest(page);
            return units.Query.Select((q, i) => (double)Math.Max(q * smallest[i], q * largest[i])).Sum();
        })]);
        using var data = LayerData.Random(2, 2, 101, 16);
        using LayerCache cache = data.CreateCache();
        using StepSelector own = Selector("Bound", cache, data);
        using StepSelector quest = Selector("Quest", cache, data);
        float[] queries = data.LastQueries();
        fixed (float* q = queries)
        {
            DecodeSelection? expected = quest.Select(0, cache, q, 2, 1);
            DecodeSelection? selection = own.Select(0, cache, q, 2, 1);
            Assert.Equal(expected!.Lists.Select(Tokens), selection!.Lists.Select(Tokens));
            Assert.Equal(quest.ForcedCount, own.ForcedCount);
        }
    }

    [Fact]
    public void A_method_runs_beside_the_others_and_its_code_is_part_of_the_run()
    {
        using var folder = new TemporaryFolder();
        string model = TinyCheckpoint.Create(folder);
        string[] ids = [.. new[] { "one", "two", "one" }.Select(code =>
        {
            Register("Own", ScoredUnit.Blocks, units => units.Similarity(), code);
            Register("OwnPages", ScoredUnit.Pages, units => units.Similarity(), code);
            SparseAttentionResult row = Assert.Single(Sweeps.Run(folder.File(code), [Specification(model, "Own", "OwnPages")], new TransformerEngineFactory()).Rows);
            Assert.Equal(RunStatus.Completed, row.Status);
            Assert.Equal(0.5, row.PrefillSparsity!.Value, 0.03);
            return row.RunId;
        })];
        Assert.Equal(ids[0], ids[2]);
        Assert.NotEqual(ids[0], ids[1]);
        Assert.Contains("Own", SweepBuilder.FindMethods(["Ow*"], decodeOnly: false).Select(m => m.Method.Name));
    }

    [Theory]
    [InlineData("short", "gave 0 scores")]
    [InlineData("nan", "Give finite numbers")]
    [InlineData("throws", "it broke")]
    public void Wrong_scores_are_an_error_that_says_so(string how, string message)
    {
        Register("Wrong", ScoredUnit.Blocks, units => how switch
        {
            "short" => [],
            "nan" => [.. Enumerable.Repeat(double.NaN, units.Count)],
            _ => throw new InvalidOperationException("it broke"),
        });
        PrefillMethod method = MethodRegistry.FindPrefill("Wrong");
        using var data = LayerData.Random(4, 2, 100, 16);
        var error = Assert.Throws<SparseFrontierException>(() => method.Select(data.Layer, method.CreateParameters([new("TopBlocks", 4)])));
        Assert.Equal(ErrorIds.ScoresInvalid, error.ErrorId);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Quest", ErrorIds.NameTaken)]
    [InlineData("my method", ErrorIds.ParameterInvalid)]
    [InlineData("", ErrorIds.ParameterInvalid)]
    public void Names_are_checked(string name, string id) =>
        Assert.Equal(id, Assert.Throws<SparseFrontierException>(() => Register(name, ScoredUnit.Blocks, u => u.Similarity())).ErrorId);

    [Fact]
    public void What_is_not_registered_is_said_to_be_missing_with_the_way_to_register_it()
    {
        RecordingSink sink = new();
        new GetPlanOperation { Specifications = [Sweeps.Specification("NotHere")], Engines = new HashEngineFactory() }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.Equal(ErrorIds.MethodNotFound, sink.Errors[0].ErrorId);
        Assert.Contains("Register-SparseAttentionMethod", sink.Errors[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_task_makes_prompts_of_a_length_and_scores_answers()
    {
        var sink = new RecordingSink();
        new RegisterTaskOperation { Name = "Sevens", Content = new Sevens(), CodeHash = CodeHash.Of("sevens") }.Execute(sink, TestContext.Current.CancellationToken);
        _names.Add("Sevens");
        Assert.Equal("Sevens", Assert.IsType<SparseAttentionTask>(Assert.Single(sink.Objects)).Name);
        EvaluationTask task = TaskRegistry.Find("sevens");
        Assert.Equal(1, task.Score("""{"answer":"7"}""", "<answer> 7 </answer>").Score);
        Assert.Equal(0, task.Score("""{"answer":"7"}""", "<answer>8</answer>").Score);
        Assert.Equal(0, task.Score("""{"answer":"7"}""", "nothing").Score);
        using var folder = new TemporaryFolder();
        var rows = Sweeps.Run(
            folder.File("results"),
            [new RunSpecification { Model = TinyCheckpoint.Create(folder), Task = "Sevens", SequenceLength = 700, SampleCount = 2, MaximumOutputTokens = 4, ShortInstructions = true }],
            new TransformerEngineFactory()).Rows;
        Assert.Equal((RunStatus.Completed, 2), (rows[0].Status, rows[0].SampleCount));
        Assert.InRange(rows[0].PromptTokens!.Value, 665, 700);
    }

    [Fact]
    public void Code_is_named_by_its_content()
    {
        Assert.Equal(CodeHash.Of("a\nb"), CodeHash.Of(" a\r\nb\n"));
        Assert.NotEqual(CodeHash.Of("a"), CodeHash.Of("b"));
        Assert.Equal(CodeHash.Of(typeof(Sevens)), CodeHash.Of(typeof(Sevens)));
        Assert.NotEqual(CodeHash.Of(typeof(Sevens)), CodeHash.Of(typeof(UserCodeTests)));
        Assert.Equal(64, CodeHash.Of(typeof(Sevens)).Length);
    }

    [Fact]
    public void What_lives_in_this_process_alone_goes_to_no_other()
    {
        Register("Mine", ScoredUnit.Blocks, units => units.Similarity());
        RunSpecification[] run = [Sweeps.Specification("Mine", 0.5)];
        using var folder = new TemporaryFolder();
        foreach (Action<RecordingSink> operation in (Action<RecordingSink>[])
            [
                sink => new SubmitRunOperation { Specifications = run, ResultPath = folder.File("results"), Engines = new HashEngineFactory() }.Execute(sink, TestContext.Current.CancellationToken),
                sink => new InvokeRunOperation { Specifications = run, ResultPath = folder.File("results"), Engines = new HashEngineFactory(), DevicesOf = _ => ["cpu", "cpu"] }
                    .Execute(sink, TestContext.Current.CancellationToken),
            ])
        {
            SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => operation(new RecordingSink()));
            Assert.Equal(ErrorIds.PowerShellRequired, error.ErrorId);
            Assert.Contains("Mine", error.Message, StringComparison.Ordinal);
            Assert.Contains("methods and tasks of your own live in this process", error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.Exists(folder.File("results")) ? Directory.GetFiles(folder.File("results"), "samples-*", SearchOption.AllDirectories) : []);
        }
    }

    private void Register(string name, ScoredUnit unit, Func<ScoreContext, double[]> score, string code = "code")
    {
        new RegisterMethodOperation { Name = name, Unit = unit, Scorer = new FunctionScorer(score), CodeHash = CodeHash.Of(code) }
            .Execute(new RecordingSink(), TestContext.Current.CancellationToken);
        _names.Add(name);
    }

    private static StepSelector Selector(string name, LayerCache cache, LayerData data)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        return method.CreateStepSelector(method.CreateParameters([new("PageSize", 8), new("TokenBudget", 24)]), [cache], data.Layer.Kernels, seed: 43)!;
    }

    private static int[] Tokens(KeyRange[] ranges) => [.. ranges.SelectMany(r => Enumerable.Range(r.Start, r.End - r.Start))];

    private static RunSpecification Specification(string model, string method, string decode) => new()
    {
        Model = model,
        Method = method,
        DecodeMethod = decode,
        Sparsity = 0.5,
        DecodeSparsity = 0.5,
        Task = "Niah",
        TaskParameters = "KeyGroups=1;Queries=1",
        SequenceLength = 700,
        SampleCount = 1,
        MaximumOutputTokens = 4,
        ShortInstructions = true,
    };

    private sealed class FunctionScorer(Func<ScoreContext, double[]> score) : UnitScorer
    {
        public override double[] Score(ScoreContext context) => score(context);
    }

    private sealed class Sevens : TaskContent
    {
        public override ContentSample Create(int seed, int units) => new(string.Join(' ', Enumerable.Repeat("seven", units)), "Which number?", "7");
    }
}
