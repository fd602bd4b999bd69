using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Operations that the kernels executed beside those that the cost model computes.</summary>
public class PrefillOperationsTests
{
    [Fact]
    public void What_a_prefill_executes_is_what_the_exact_model_computes_for_its_executed_pairs()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] runs = [Run("Dense", null), Run("BlockSparse", 0.7), Run("VerticalSlash", 0.3), Run("Dense", 0.5, "SnapKV"), Run("Dense", 0.5, "Quest")];
        SparseAttentionResult[] rows = [.. Sweeps.Run(folder.File("results"), runs, new TransformerEngineFactory()).Rows];
        Assert.Equal(5, rows.Length);
        ModelShape shape = ModelShapes.Resolve(runs[0].Model);
        Assert.All(rows, row =>
        {
            int length = (int)Math.Round(row.PromptTokens!.Value);
            PrefillMethod method = MethodRegistry.FindPrefill(row.Method);
            PrefillCost cost = CostModel.Prefill(shape, length, 1, method, method.CreateParameters(row.Parameters), row.PrefillSparsity!.Value, CostFormula.Exact);
            PrefillCost dense = CostModel.Prefill(shape, length, 1, MethodRegistry.FindPrefill("Dense"), MethodRegistry.FindPrefill("Dense").CreateParameters(), 0, CostFormula.Exact);
            double expected = cost.Total - cost.Attention + (row.ExecutedDensity!.Value * dense.Attention);
            Assert.InRange(row.PrefillOperations!.Value / expected, 0.98, 1.02);
        });

        // A prefill method leaves operations out; what a decode method computes after the prefill is not in it.
        double exact = rows.Single(r => r.Method == "Dense" && r.DecodeMethod == "Dense").PrefillOperations!.Value;
        Assert.True(rows.Single(r => r.Method == "BlockSparse").PrefillOperations < exact);
        Assert.All(rows.Where(r => r.Method == "Dense"), r => Assert.Equal(exact, r.PrefillOperations));

        // It is a cost like any other.
        var sink = new RecordingSink();
        new GetParetoOperation { Results = rows, Cost = nameof(SparseAttentionResult.PrefillOperations) }.Execute(sink, default);
        Assert.Equal(rows.Select(r => r.PrefillOperations!.Value).Order(), sink.Objects.Cast<SparsityPoint>().Select(p => p.Cost).Order());
    }

    private static RunSpecification Run(string method, double? sparsity, string decodeMethod = "Dense") => new()
    {
        Model = Path.Combine(Fixtures.Root, "models", "frontier-1m"),
        Method = method,
        DecodeMethod = decodeMethod,
        Sparsity = decodeMethod == "Dense" ? sparsity : null,
        DecodeSparsity = decodeMethod == "Dense" ? null : sparsity,
        Task = "StoryMultiHop",
        SequenceLength = 1024,
        ShortInstructions = true,
        SampleCount = 2,
        MaximumOutputTokens = 2,
    };
}
