using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tensors;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

/// <summary>Computed costs, bands and hypervolume of frontiers.</summary>
public class FrontierTests
{
    [Fact]
    public void Without_a_cost_each_phase_has_its_own()
    {
        SparsityPoint[] points = Points([Row("Dense", "Dense", 0, 0, 0.9), Row("VerticalSlash", "Dense", 0.8, 0, 0.8), Row("Dense", "Quest", 0, 0.9, 0.8)]);
        Assert.Equal(
            ["PrefillFlops VerticalSlash+Dense", "PrefillFlops Dense+Dense", "DecodeBytes Dense+Quest", "DecodeBytes Dense+Dense"],
            points.Select(p => $"{p.CostName} {p.Method}+{p.DecodeMethod}"));
        Assert.All(points, p => Assert.True(p.IsOptimal));

        points = Points([Row("Dense", "Dense", 0, 0, 0.9), Row("VerticalSlash", "Quest", 0.8, 0.9, 0.8), Row("Dense", "Quest", 0, 0.9, 0.85)]);
        Assert.Equal(["DecodeBytes", "DecodeBytes", "MemoryReads", "MemoryReads", "MemoryReads"], points.Select(p => p.CostName));
        Assert.Equal("PrefillFlops", Assert.Single(Points([Row("Dense", "Dense", 0, 0, 0.9)])).CostName);
    }

    [Fact]
    public void Models_of_different_sizes_share_a_frontier_of_computed_costs()
    {
        SparseAttentionResult[] rows =
        [
            Row("Dense", "Dense", 0, 0, 0.6, "Qwen2.5-7B"),
            Row("VerticalSlash", "Dense", 0.95, 0, 0.8, "Qwen2.5-14B"),
            Row("Dense", "Dense", 0, 0, 0.85, "Qwen2.5-14B"),
            Row("BlockSparse", "Dense", 0.5, 0, 0.5, "Qwen2.5-7B"),
        ];
        SparsityPoint[] points = Points(rows, "PrefillFlops");
        Assert.All(points, p => Assert.Equal(2, p.ModelCount));
        Assert.Equal(points.Select(p => p.Cost).Order(), points.Select(p => p.Cost));

        // At 128k tokens the larger model at sparsity 0.95 costs less than the smaller dense one, and is better: the paper's finding.
        SparsityPoint large = points.Single(p => p.Method == "VerticalSlash");
        SparsityPoint small = points.Single(p => p is { Method: "Dense", Model: "Qwen2.5-7B" });
        Assert.True(large.Cost < small.Cost);
        Assert.True(large.IsOptimal);
        Assert.StartsWith("VerticalSlash+Dense", small.DominatedBy, StringComparison.Ordinal);
        Assert.Throws<SparseFrontierException>(() => Points(rows, "Density"));
    }

    [Fact]
    public void Computed_costs_are_the_cost_models()
    {
        ModelShape model = PublishedModels.Find("Qwen2.5-7B")!;
        var request = new RequestCost(model, 4, 3);
        SparseAttentionResult row = Row("Dense", "Quest", 0, 0.9, 1, parameters: "PageSize=32;TokenBudget=4096");
        DecodeMethod quest = MethodRegistry.FindDecode("Quest");
        MethodParameters parameters = quest.CreateParameters("PageSize=32;TokenBudget=4096");
        Assert.Equal(
            CostModel.Decode(model, 131072, 4, quest, parameters, 0.9, CostFormula.Exact).Total / 4,
            request.Of(row, RequestCost.DecodeBytesName)!.Value);
        PrefillMethod dense = MethodRegistry.FindPrefill("Dense");
        Assert.Equal(
            CostModel.Prefill(model, 131072, 1, dense, dense.CreateParameters(), 0, CostFormula.Exact).Total + CostModel.BuildOperations(model, 131072, 1, quest, parameters),
            request.Of(row, RequestCost.PrefillFlopsName)!.Value);

        // Counted: weights, then for every tile of 64 rows, row by row, the keys and values; the keys for page bounds; three steps of a fixed budget.
        double pairs = 0;
        for (long i = 1; i <= 131072; i++)
        {
            pairs += i;
        }

        double weights = 2 * (model.ParameterCount - (152064.0 * 3584) + 3584);
        double reads = weights + (28 * 2 * model.KvWidth * ((2 * pairs / 64) + 131072));
        double kept = (1 - 0.9) * 131072;
        for (int step = 1; step <= 3; step++)
        {
            reads += 28 * 2 * model.KvWidth * 2 * kept;
            reads += 28 * 2 * model.KvWidth * 2 * Math.Floor((131072 + step - 1) / 32.0);
            reads += 2 * (model.ParameterCount - (152064.0 * 3584) + (4 * 3584)) / 4;
        }

        Assert.Equal(1, request.Of(row, RequestCost.MemoryReadsName)!.Value / reads, 1e-9);
        Assert.Null(request.Of(new SparseAttentionResult { Method = "Dense" }, RequestCost.MemoryReadsName));
    }

    [Fact]
    public void Unknown_sizes_are_an_error_for_a_named_cost_and_density_otherwise()
    {
        SparseAttentionResult[] rows = [Row("Dense", "Dense", 0, 0, 0.9, "no-such-model"), Row("Dense", "Quest", 0, 0.9, 0.8, "no-such-model")];
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Points(rows, "MemoryReads")).ErrorId);
        var sink = new RecordingSink();
        new GetParetoOperation { Results = rows }.Execute(sink, default);
        Assert.Contains("Density is taken", Assert.Single(sink.Warnings), StringComparison.Ordinal);
        Assert.All(sink.Objects.Cast<SparsityPoint>(), p => Assert.Equal("Density", p.CostName));
        Assert.Equal(
            ErrorIds.ParameterInvalid,
            Assert.Throws<SparseFrontierException>(() => new GetParetoOperation { Results = rows, BatchSize = 0 }.Execute(sink, default)).ErrorId);
    }

    [Fact]
    public void Hypervolume_is_the_mean_of_the_best_value_over_costs()
    {
        // Nothing to 1, 0.5 from 1 to 2, 0.8 from 2 to 4.
        Assert.Equal(((0.5 * 1) + (0.8 * 2)) / 4, FrontierBands.HypervolumeOf([1, 2, 3, 4], [0.5, 0.8, 0.1, 0.9])!.Value, 12);
        Assert.Null(FrontierBands.HypervolumeOf([1, 2], [-0.1, 0.5]));
        Assert.Null(FrontierBands.HypervolumeOf([0, 0], [1, 1]));
        Assert.Null(FrontierBands.HypervolumeOf([], []));
    }

    [Fact]
    public void Optimal_points_of_a_resample_are_those_of_the_frontier()
    {
        var random = new RandomSource("test/optimal");
        for (int round = 0; round < 50; round++)
        {
            double[] costs = [.. Enumerable.Range(0, 12).Select(_ => (double)random.Next(6)).Order()];
            double[] values = [.. costs.Select(_ => (double)random.Next(6))];
            bool[] expected = [.. costs.Select((c, i) => !costs.Where((d, j) => d <= c && values[j] >= values[i] && (d < c || values[j] > values[i])).Any())];
            Assert.Equal(expected, FrontierBands.Optimal(costs, values));
        }
    }

    [Fact]
    public void Bands_show_what_is_sure()
    {
        // The second point is surely better than the first; the third is as good as the second on average.
        var random = new RandomSource("test/bands");
        double[][] resampled = [.. Enumerable.Range(0, 1000).Select(_ => new[] { 0.2, 0.5 + (0.05 * random.NextNormal()), 0.5 + (0.05 * random.NextNormal()) })];
        FrontierBands bands = FrontierBands.Of([1, 2, 3], resampled);
        Assert.Equal((1, 1), (bands.OptimalShare[0], bands.OptimalShare[1]), Tuple(1e-9));
        Assert.InRange(bands.OptimalShare[2], 0.45, 0.55);
        Assert.Equal((0.2, 0.2), (bands.Low[0], bands.High[0]));
        Assert.InRange(bands.Low[1], 0.38, 0.42);
        Assert.InRange(bands.High[1], 0.58, 0.62);
        Assert.True(bands.Low[2] > bands.Low[1]);
        Assert.True(bands.Hypervolume!.Value.Low < bands.Hypervolume.Value.High);
    }

    [Fact]
    public void Runs_with_samples_have_bands_and_rows_alone_have_none()
    {
        using var folder = new TemporaryFolder();
        RecordingSink runs = Sweeps.Run(folder.File("results"), Sweeps.Mixed(samples: 6), new HashEngineFactory());
        SparsityPoint[] points = Points([.. runs.Rows], "Density");
        Assert.All(points, p =>
        {
            Assert.InRange(p.OptimalShare!.Value, 0, 1);
            Assert.InRange(p.Value, 0, 1);
            Assert.True(p.FrontierLow <= p.FrontierHigh);
            Assert.Equal(points[0].Hypervolume, p.Hypervolume);
        });
        Assert.Equal(Points([.. runs.Rows], "Density"), points);
        Assert.All(Points([Row("Dense", "Dense", 0, 0, 0.9)]), p => Assert.Null(p.OptimalShare));
    }

    [Fact]
    public void Tasks_are_put_together_by_their_mean_or_their_worst()
    {
        using var folder = new TemporaryFolder();
        double[] right = StoredScores.Lost(40, 0);
        SparseAttentionResult[] rows =
        [
            StoredScores.Row(folder, "Dense", null, right), StoredScores.Row(folder, "Dense", null, StoredScores.Lost(40, 20), "CommonWords"),
            StoredScores.Row(folder, "Quest", 0.5, right), StoredScores.Row(folder, "Quest", 0.5, StoredScores.Lost(40, 36), "CommonWords"),
            StoredScores.Row(folder, "SnapKV", 0.5, right),
        ];
        var sink = new RecordingSink();
        new GetParetoOperation { Results = rows, Cost = "Density", Aggregate = TaskAggregate.Mean }.Execute(sink, default);
        SparsityPoint[] mean = [.. sink.Objects.Cast<SparsityPoint>()];
        Assert.Equal([("Quest", 0.5, 0.55), ("Dense", 1.0, 0.75)], mean.Select(p => (p.DecodeMethod, p.Cost, Math.Round(p.Value, 12))));
        Assert.All(mean, p => Assert.Equal("mean of 2 tasks", p.Task));
        Assert.All(mean, p => Assert.True(p.ValueLow < p.Value && p.Value < p.ValueHigh && p.OptimalShare > 0));
        Assert.Contains("is left out of the mean of 2 tasks at 2048 tokens: it was not run on CommonWords", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        sink = new RecordingSink();
        new GetParetoOperation { Results = rows, Cost = "Density", Aggregate = TaskAggregate.Worst, GroupBy = ["Model", "Task", "SequenceLength"] }.Execute(sink, default);
        Assert.Equal([0.1, 0.5], sink.Objects.Cast<SparsityPoint>().Select(p => Math.Round(p.Value, 12)));

        // Chance is put together as the scores are: an eighth is the mean of none and a quarter.
        sink = new RecordingSink();
        SparseAttentionResult[] lost = [StoredScores.Row(folder, "Dense", null, StoredScores.Lost(40, 40)), StoredScores.Row(folder, "Dense", null, StoredScores.Lost(40, 28), "Quality")];
        new GetParetoOperation { Results = lost, Cost = "Density", Aggregate = TaskAggregate.Mean }.Execute(sink, default);
        Assert.Equal((0.15, false), (Math.Round(((SparsityPoint)Assert.Single(sink.Objects)).Value, 12), ((SparsityPoint)sink.Objects[0]).IsAboveChance));

        // The window that a method takes from the task does not tell configurations apart.
        SparseAttentionResult[] windows =
        [
            StoredScores.PrefillRow(folder, "VerticalSlash", 0.5, right, "SlashSize=64;VerticalSize=64;Window=512", 2048),
            StoredScores.PrefillRow(folder, "VerticalSlash", 0.5, right, "SlashSize=80;VerticalSize=80;Window=256", 2048, "CommonWords"),
        ];
        sink = new RecordingSink();
        new GetParetoOperation { Results = windows, Cost = "Density", Aggregate = TaskAggregate.Mean }.Execute(sink, default);
        Assert.Equal(1, ((SparsityPoint)Assert.Single(sink.Objects)).Value);
        Assert.Equal(
            ErrorIds.DataInsufficient,
            Assert.Throws<SparseFrontierException>(() => new GetParetoOperation { Results = [rows[0], rows[3]], Cost = "Density", Aggregate = TaskAggregate.Mean }.Execute(new RecordingSink(), default)).ErrorId);
    }

    private static SparsityPoint[] Points(IReadOnlyList<SparseAttentionResult> rows, string cost = "")
    {
        var sink = new RecordingSink();
        new GetParetoOperation { Results = rows, Cost = cost }.Execute(sink, default);
        Assert.Empty(sink.Warnings);
        return [.. sink.Objects.Cast<SparsityPoint>()];
    }

    private static SparseAttentionResult Row(
        string method, string decode, double prefillSparsity, double decodeSparsity, double score, string model = "Qwen2.5-7B", string parameters = "") => new()
        {
            RunId = $"{method}{decode}{model}",
            Method = method,
            DecodeMethod = decode,
            DecodeParameters = parameters,
            PrefillSparsity = prefillSparsity,
            DecodeSparsity = decodeSparsity,
            Score = score,
            Model = model,
            Task = "Niah",
            SequenceLength = 131072,
        };

    private static EqualityComparer<(double, double)> Tuple(double tolerance) => EqualityComparer<(double, double)>.Create(
        (a, b) => Math.Abs(a.Item1 - b.Item1) <= tolerance && Math.Abs(a.Item2 - b.Item2) <= tolerance, _ => 0);
}
