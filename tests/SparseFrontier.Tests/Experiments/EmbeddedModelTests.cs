using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>The whole chain on the shipped model: generator, template, tokenizer, forward, selection, generation, scorer.</summary>
public class EmbeddedModelTests
{
    [Fact]
    public void Default_model_finds_needles_dense_and_with_an_oracle_but_not_after_an_eviction()
    {
        using var folder = new TemporaryFolder();
        RunSpecification[] runs = [Specification("Dense", null), Specification("OracleTopK", 0.5), Specification("SnapKV", 0.5)];
        RecordingSink sink = Sweeps.Run(folder.File("results"), runs, new TransformerEngineFactory());
        Assert.Empty(sink.Errors);
        Dictionary<string, SparseAttentionResult> rows = sink.Rows.ToDictionary(r => r.DecodeMethod);
        Assert.True(rows["Dense"].Score >= 0.75, $"dense {rows["Dense"].Score}");
        Assert.True(rows["OracleTopK"].Score >= 0.75, $"oracle {rows["OracleTopK"].Score}");
        Assert.True(rows["SnapKV"].Score <= 0.25, $"SnapKV {rows["SnapKV"].Score}");
        Assert.True(rows["Dense"].GoldLogLikelihood > rows["SnapKV"].GoldLogLikelihood);
        Assert.Equal(0, rows["Dense"].DivergenceToDense);
        Assert.True(rows["SnapKV"].DivergenceToDense > 0.1);
    }

    private static RunSpecification Specification(string decodeMethod, double? sparsity) => new()
    {
        Model = Path.Combine(Fixtures.Root, "models", ModelCatalog.DefaultName),
        DecodeMethod = decodeMethod,
        DecodeSparsity = sparsity,
        Task = "Niah",
        SequenceLength = 2048,
        SampleCount = 2,
        MaximumOutputTokens = 448,
    };
}
