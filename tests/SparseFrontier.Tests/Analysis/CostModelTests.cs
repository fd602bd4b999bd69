using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using SparseFrontier.Tests.Experiments;
using SparseFrontier.Tests.Models.Transformer;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

/// <summary>The paper's own numbers to the printed digit, and the counters of real runs.</summary>
public class CostModelTests
{
    private static readonly string[] s_qwen = ["Qwen2.5-7B", "Qwen2.5-14B", "Qwen2.5-32B", "Qwen2.5-72B"];

    [Theory]
    [InlineData(16384, ".402", ".061", ".292", "1.483", "1.310")]
    [InlineData(65536, ".677", ".057", ".618", "2.204", "1.996")]
    [InlineData(131072, ".799", ".042", ".762", "2.796", "2.586")]
    public void Prefill_of_the_papers_figure(int length, string share, string deviation, string scores, string whole, string printed)
    {
        SparseAttentionCost[] figure = Costs(s_qwen, "BlockSparse", length, 0.8, CostFormula.Figure);
        double[] shares = [.. figure.Select(c => c.AttentionShare)];
        Assert.Equal(share, Digits(shares.Average()));
        Assert.Equal(deviation, Digits(Math.Sqrt(shares.Average(s => (s - shares.Average()) * (s - shares.Average())))));
        Assert.Equal(whole, Digits(figure.Average(c => c.SpeedupWithoutIndex)));
        SparseAttentionCost[] equations = Costs(s_qwen, "BlockSparse", length, 0.8, CostFormula.Printed);
        Assert.Equal(scores, Digits(Costs(s_qwen, "Dense", length, 0, CostFormula.Printed).Where(c => c.Phase == "Prefill").Average(c => c.Attention!.Value / c.Total)));
        Assert.Equal(printed, Digits(equations.Average(c => c.SpeedupWithoutIndex)));
    }

    [Theory]
    [InlineData(1, 16384, ".066", "1.06")]
    [InlineData(1, 65536, ".217", "1.21")]
    [InlineData(1, 131072, ".352", "1.41")]
    [InlineData(8, 16384, ".352", "1.41")]
    [InlineData(8, 65536, ".674", "2.22")]
    [InlineData(8, 131072, ".802", "2.84")]
    [InlineData(64, 16384, ".802", "2.84")]
    [InlineData(64, 65536, ".941", "4.06")]
    [InlineData(64, 131072, ".969", "4.46")]
    public void Decode_of_the_papers_figure(int batch, int length, string share, string speedup)
    {
        SparseAttentionCost[] costs = Costs(s_qwen, "Quest", length, 0.8, CostFormula.Figure, batch);
        Assert.Equal(share, Digits(costs.Average(c => c.AttentionShare)));
        Assert.Equal(speedup, Digits(costs.Average(c => c.SpeedupWithoutIndex), 2));
    }

    [Theory]
    [InlineData(16384, ".060")]
    [InlineData(65536, ".200")]
    [InlineData(131072, ".329")]
    public void Decode_of_the_papers_equations(int length, string share) =>
        Assert.Equal(share, Digits(Costs(s_qwen, "Dense", length, 0, CostFormula.Printed).Where(c => c.Phase == "Decode").Average(c => c.AttentionShare)));

    [Theory]
    [InlineData("gemma-3-12b", 16384, ".279", ".324")]
    [InlineData("gemma-3-12b", 65536, ".421", ".612")]
    [InlineData("gemma-3-12b", 131072, ".541", ".752")]
    [InlineData("Qwen2.5-14B", 16384, ".503", ".479")]
    [InlineData("Qwen2.5-14B", 65536, ".764", ".787")]
    [InlineData("Qwen2.5-14B", 131072, ".861", ".880")]
    public void Shares_of_single_models(string model, int length, string prefill, string decode)
    {
        SparseAttentionCost[] costs = Costs([model], "Dense", length, 0, CostFormula.Figure, batch: 8);
        Assert.Equal(prefill, Digits(costs.Single(c => c.Phase == "Prefill").AttentionShare));
        Assert.Equal(decode, Digits(costs.Single(c => c.Phase == "Decode").AttentionShare));
    }

    [Theory]
    [InlineData(16384, CostFormula.Printed, "6.9")]
    [InlineData(131072, CostFormula.Printed, "2.1")]
    [InlineData(16384, CostFormula.Figure, "0.25")]
    [InlineData(131072, CostFormula.Figure, "0.08")]
    public void Index_of_VerticalSlash_as_a_percentage_of_the_dense_prefill(int length, CostFormula formula, string percent)
    {
        SparseAttentionCost cost = Costs(["Qwen2.5-7B"], "VerticalSlash", length, 0.95, formula).Single();
        Assert.Equal(percent, (100 * cost.Index / cost.DenseTotal).ToString($"F{percent.Length - 2}", CultureInfo.InvariantCulture));
        Assert.Equal("paper", cost.IndexSource);
    }

    [Theory]
    [InlineData(CostFormula.Printed, 1.75)]
    [InlineData(CostFormula.Figure, 1 / 16.0)]
    public void Index_of_Quest_against_the_dense_read(CostFormula formula, double ratio)
    {
        SparseAttentionCost quest = Costs(["Qwen2.5-7B"], "Quest", 16384, 0.8, formula).Single();
        SparseAttentionCost dense = Costs(["Qwen2.5-7B"], "Dense", 16384, 0, formula).Single(c => c.Phase == "Decode");
        Assert.Equal(ratio, quest.Index / dense.KeyValue!.Value, 12);
    }

    // Parameter counts that the publishers state.
    [Theory]
    [InlineData("Qwen2.5-7B-Instruct", 7_615_616_512)]
    [InlineData("Qwen/Qwen2.5-14B", 14_770_033_664)]
    [InlineData("qwen2.5-32b", 32_763_876_352)]
    [InlineData("Qwen2.5-72B-Instruct", 72_706_203_648)]
    [InlineData("meta-llama/Meta-Llama-3.1-8B-Instruct", 8_030_261_248)]
    [InlineData("Llama-3.1-70B", 70_553_706_496)]
    public void Published_shapes_have_the_published_number_of_parameters(string name, long count) =>
        Assert.Equal(count, PublishedModels.Find(name)!.ParameterCount);

    [Theory]
    [InlineData("qwen3-hub-float16")]
    [InlineData("gemma3-v5config-bfloat16")]
    [InlineData("qwen25-hub-bfloat16")]
    public void Shapes_of_checkpoints_have_as_many_parameters_as_their_weights(string golden)
    {
        using TransformerModel model = TransformerModel.Load(Checkpoints.Find(golden)!);
        Assert.Equal(model.ParameterCount, ModelShape.From(golden, model.Configuration).ParameterCount);
    }

    [Theory]
    [InlineData("gemma3-v5config-bfloat16")]
    [InlineData("qwen3-hub-float16")]
    public void Exact_attention_is_what_a_dense_prefill_counts(string golden)
    {
        using TransformerModel model = TransformerModel.Load(Checkpoints.Find(golden)!);
        using PromptState prompt = model.Prefill(Tokens(model, 150), new PrefillRequest(), TestContext.Current.CancellationToken);
        var shape = ModelShape.From(golden, model.Configuration);
        PrefillMethod dense = MethodRegistry.FindPrefill("Dense");
        PrefillCost cost = CostModel.Prefill(shape, 150, 1, dense, dense.CreateParameters(), 0, CostFormula.Exact);
        Assert.Equal(prompt.Statistics.AttendedPairsAllLayers * ((4.0 * shape.HeadDimension) + 3), cost.Attention);
    }

    [Theory]
    [InlineData("Dense", "")]
    [InlineData("SnapKV", "Capacity=48;Window=16;KernelSize=5;LocalWindow=8")]
    [InlineData("AdaSnapKV", "Capacity=48;Window=16;KernelSize=5;LocalWindow=8")]
    [InlineData("Quest", "PageSize=4;TokenBudget=48")]
    [InlineData("Quest", "PageSize=4;TokenBudget=48;SharePages=0")]
    public void Exact_decode_is_what_a_run_counts_within_five_percent(string name, string text)
    {
        using TransformerModel model = TransformerModel.Load(Checkpoints.Find("qwen3-hub-float16")!);
        var shape = ModelShape.From("tiny", model.Configuration);
        DecodeMethod method = MethodRegistry.FindDecode(name);
        MethodParameters parameters = method.CreateParameters(text);
        const int Length = 400;
        (long denseBytes, _) = Decode(model, MethodRegistry.FindDecode("Dense"), MethodRegistry.FindDecode("Dense").CreateParameters(), Length);
        (long bytes, double sparsity) = Decode(model, method, parameters, Length);

        // Bytes of an element are the cache's own business.
        double elementBytes = denseBytes / (2 * shape.KvWidth * shape.LayerCount * Enumerable.Range(Length + 1, 8).Sum());
        DecodeCost[] steps = [.. Enumerable.Range(Length + 1, 8).Select(l => CostModel.Decode(shape, l, 1, method, parameters, sparsity, CostFormula.Exact, 1, elementBytes))];
        Assert.Equal(1, steps.Sum(s => s.KeyValue + s.Index) / bytes, 0.05);
        Assert.Equal(name == "Quest", steps[0].Index > 0);
    }

    [Theory]
    [InlineData("VerticalSlash", "Window=64")]
    [InlineData("VerticalSlash", "Window=512")]
    [InlineData("FlexPrefill", "Window=256;MinimumBudget=64")]
    [InlineData("BlockSparse", "BlockSize=16;TopBlocks=5")]
    [InlineData("BlockSparse", "BlockSize=64;TopBlocks=9")]
    [InlineData("OracleTopK", "BlockSize=32;TopBlocks=6")]
    [InlineData("SnapKV", "Capacity=300;Window=64;KernelSize=7")]
    [InlineData("AdaSnapKV", "Capacity=300;Window=256;KernelSize=21")]
    [InlineData("Quest", "PageSize=16")]
    [InlineData("Quest", "PageSize=64")]
    public void Index_costs_are_within_five_percent_of_what_the_kernels_count(string name, string text)
    {
        foreach ((int length, int queryHeads, int kvHeads, int dimension) in new[] { (500, 4, 4, 32), (1000, 4, 2, 64), (2048, 8, 2, 128) })
        {
            var inputs = new LayerShape(length, queryHeads, kvHeads, dimension, "cpu");
            using NativeArray<float> queries = inputs.Draw(queryHeads, "queries", 1, TestContext.Current.CancellationToken);
            using NativeArray<float> keys = inputs.Draw(kvHeads, "keys", 1, TestContext.Current.CancellationToken);
            var counting = new CountingKernels(KernelSets.Default);
            AttentionMethod method = name == "OracleTopK" ? MethodRegistry.FindPrefill(name) : MethodRegistry.Match(name).Single();
            MethodParameters parameters = method.CreateParameters(text);
            using var block = new KeyValueBlock(kvHeads, length, dimension);
            for (int head = 0; head < kvHeads; head++)
            {
                unsafe
                {
                    float* first = keys.Pointer + ((long)head * length * dimension);
                    block.Write(head, 0, first, first, length);
                }
            }

            unsafe
            {
                var layer = new PromptLayer
                {
                    Layer = 0,
                    Queries = HeadTensor.HeadMajor(queries.Pointer, queryHeads, length, dimension),
                    Keys = block.Keys,
                    Values = block.Values,
                    Scale = inputs.Scale,
                    Kernels = counting,
                };
                switch (method)
                {
                    case PrefillMethod prefill:
                        prefill.Select(layer, parameters);
                        break;
                    case EvictionMethod eviction:
                        eviction.Compress(layer, parameters);
                        break;
                    default:
                        PageBounds.Of(block, parameters.Integer("PageSize"), counting);
                        break;
                }
            }

            ModelShape model = PublishedModels.Find("Qwen2.5-7B")! with { QueryHeads = queryHeads, KvHeads = kvHeads, HeadDimension = dimension };
            double formula = IndexCost.PrefillOperations(model, length, method, parameters, 0.5, dimension, exact: true);
            Assert.InRange(formula / counting.IndexOperations, 0.95, 1.05);
        }
    }

    [Fact]
    public void Batches_read_weights_once_and_their_caches_apart()
    {
        SparseAttentionCost one = Costs(["Llama-3.1-8B"], "Quest", 8192, 0.9, CostFormula.Exact).Single();
        SparseAttentionCost many = Costs(["Llama-3.1-8B"], "Quest", 8192, 0.9, CostFormula.Exact, batch: 16).Single();
        Assert.Equal(16, many.KeyValue / one.KeyValue);
        Assert.Equal(16, many.Index / one.Index);
        Assert.Equal(15 * 4096 * 2, many.Weights - one.Weights);
        Assert.Equal("byte", one.Unit);
    }

    [Fact]
    public void Parameters_give_the_sparsity_where_none_is_asked_for()
    {
        var sink = new RecordingSink();
        new GetCostOperation { Model = ["Qwen2.5-7B"], Method = ["Quest;TokenBudget=1024"], SequenceLength = [16384] }.Execute(sink, default);
        SparseAttentionCost cost = Assert.IsType<SparseAttentionCost>(Assert.Single(sink.Objects));
        Assert.InRange(cost.Sparsity, 0.93, 0.94);
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() =>
            new GetCostOperation { Method = ["VerticalSlash;VerticalSize=64"] }.Execute(sink, default));
        Assert.Equal(ErrorIds.ParameterInvalid, error.ErrorId);
    }

    [Fact]
    public void What_cannot_be_computed_is_refused_by_name()
    {
        Assert.Equal(ErrorIds.MethodNotFound, Failure(new GetCostOperation { Method = ["Qest"] }));
        Assert.Equal(ErrorIds.SequenceLengthInvalid, Failure(new GetCostOperation { SequenceLength = [0] }));
        Assert.Equal(ErrorIds.ParameterInvalid, Failure(new GetCostOperation { BatchSize = [0] }));
        Assert.Equal(ErrorIds.ParameterInvalid, Failure(new GetCostOperation { CacheBytes = 0 }));
        var sink = new RecordingSink();
        new GetCostOperation { Model = ["Qwen2.5-7B", "Qwen9"], Method = ["SnapKV", "Quest"], SequenceLength = [4096], Sparsity = [0.5, 0.99, 1] }.Execute(sink, default);
        Assert.Equal(
            [ErrorIds.BudgetInfeasible, ErrorIds.SparsityOutOfRange, ErrorIds.SparsityOutOfRange, ErrorIds.ModelNotFound],
            sink.Errors.Select(e => e.ErrorId));
        Assert.Contains("Llama-3.1-8B", sink.Errors[^1].Message, StringComparison.Ordinal);
        Assert.Equal(3, sink.Objects.Count);
    }

    private static string Failure(GetCostOperation operation) =>
        Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).ErrorId;

    private static SparseAttentionCost[] Costs(string[] models, string method, int length, double sparsity, CostFormula formula, int batch = 1)
    {
        var sink = new RecordingSink();
        new GetCostOperation { Model = models, Method = [method], SequenceLength = [length], Sparsity = [sparsity], Formula = [formula], BatchSize = [batch] }.Execute(sink, default);
        Assert.Empty(sink.Errors);
        return [.. sink.Objects.Cast<SparseAttentionCost>()];
    }

    private static (long Bytes, double Sparsity) Decode(TransformerModel model, DecodeMethod method, MethodParameters parameters, int length)
    {
        var configuration = new DecodeConfiguration(method, parameters);
        using PromptState prompt = model.Prefill(Tokens(model, length), new PrefillRequest { DecodeConfigurations = [configuration] }, TestContext.Current.CancellationToken);
        using DecodeSequence sequence = prompt.StartSequence(0);
        float[] logits = new float[model.Configuration.VocabularySize];
        foreach (int token in Tokens(model, 8))
        {
            model.Step([new StepRow(sequence, token)], logits, TestContext.Current.CancellationToken);
        }

        DecodeStatistics statistics = sequence.Statistics;
        return (statistics.BytesRead, 1 - ((double)statistics.AttendedTokens / statistics.DenseTokens));
    }

    private static int[] Tokens(TransformerModel model, int count) => [.. Enumerable.Range(0, count).Select(i => (i * 37 % (model.Configuration.VocabularySize - 4)) + 3)];

    private static string Digits(double value, int digits = 3)
    {
        string text = value.ToString($"F{digits}", CultureInfo.InvariantCulture);
        return text.StartsWith("0.", StringComparison.Ordinal) ? text[1..] : text;
    }
}
