using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class RealModelSweepTests
{
    [Theory]
    [InlineData("qwen3-hub-float16", "None")]
    [InlineData("qwen3-hub-float16", "Question")]
    [InlineData("gemma3-v5config-bfloat16", "None")]
    public void A_row_does_not_depend_on_companions_batch_or_resume(string golden, string compressBefore)
    {
        using var folder = new TemporaryFolder();
        string model = TinyCheckpoint.Create(folder, golden);
        RunSpecification[] all =
        [
            Specification(model, "Dense", null, compressBefore),
            Specification(model, "BlockSparse", 0.5, compressBefore),
            Specification(model, "Quest", 0.5, compressBefore),
            Specification(model, "SnapKV", 0.4, compressBefore),
            Specification(model, "AdaSnapKV", 0.4, compressBefore),
        ];
        RecordingSink sink = Sweeps.Run(folder.File("together"), all, new TransformerEngineFactory());
        Assert.Empty(sink.Errors);
        Assert.All(sink.Rows, r => Assert.Equal((RunStatus.Completed, 2), (r.Status, r.SampleCount)));
        Assert.All(sink.Rows.Where(r => r.Method == "BlockSparse"), r => Assert.Equal(0.5, r.PrefillSparsity!.Value, 0.015));
        Assert.All(sink.Rows.Where(r => r.DecodeMethod.EndsWith("SnapKV", StringComparison.Ordinal)), r => Assert.Equal(0.4, r.CacheSparsity!.Value, 0.01));
        string expected = ResultExport.Canonical(folder.File("together"));

        foreach (RunSpecification specification in all)
        {
            Sweeps.Run(folder.File("apart"), [specification], new TransformerEngineFactory(), batch: 1);
        }

        Assert.Equal(expected, ResultExport.Canonical(folder.File("apart")));
    }

    private static RunSpecification Specification(string model, string method, double? sparsity, string compressBefore) => new()
    {
        Model = model,
        Method = method,
        Sparsity = sparsity,
        Task = "Niah",
        TaskParameters = "KeyGroups=1;Queries=1",
        SequenceLength = 700,
        SampleCount = 2,
        MaximumOutputTokens = 12,
        ShortInstructions = true,
        CompressBefore = compressBefore,
    };
}
