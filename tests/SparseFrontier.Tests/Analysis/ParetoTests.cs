using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting;
using SparseFrontier.Tensors;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

public class ParetoTests
{
    [Fact]
    public void Dominated_points_name_the_point_that_dominates_them()
    {
        List<SparsityPoint> points = Points(
        [
            Row("Dense", 0, 0.9),
            Row("Quest", 0.9, 0.8, decode: true),
            Row("SnapKV", 0.8, 0.7, decode: true),
            Row("BlockSparse", 0.95, 0.2),
        ]);
        Assert.Equal(["BlockSparse", "Quest", "SnapKV", "Dense"], points.Select(Name));
        Assert.Equal([true, true, false, true], points.Select(p => p.IsOptimal));
        Assert.Equal("Dense+Quest 0.00/0.90 [Quest]", points[2].DominatedBy);
        Assert.Equal([0.05, 0.1, 0.2, 1], points.Select(p => Math.Round(p.Cost, 12)));
    }

    [Fact]
    public void What_is_on_the_frontier_by_its_cost_alone_stays_on_it_and_says_so()
    {
        List<SparsityPoint> points = Points([Row("Dense", 0, 0.9), Row("Quest", 0.9, 0.3, decode: true), Row("SnapKV", 0.95, 0.05, decode: true)]);
        Assert.Equal([("SnapKV", true, false), ("Quest", true, true), ("Dense", true, true)], points.Select(p => (Name(p), p.IsOptimal, p.IsAboveChance!.Value)));
        Assert.Equal(["\u25cb", "\u2605", "\u2605"], points.Select(CellText.FrontierMark));
        Assert.Equal(["by cost alone", "yes", "yes"], points.Select(CellText.OnFrontier));

        // Other columns than the score have no chance, and what is dominated no mark.
        Assert.Null(Pareto.Points([Row("Dense", 0, 0.9)], "Density", "SampleCount", ["Task"]).Single().IsAboveChance);
        Assert.Equal("", CellText.FrontierMark(new SparsityPoint { IsAboveChance = false }));
    }

    [Theory]
    [InlineData("Niah", 0.05, false)]
    [InlineData("Niah", 0.06, true)]
    [InlineData("StoryFiltering", 0.11, false)]
    [InlineData("StoryFiltering", 0.12, true)]
    [InlineData("Quality", 0.29, false)]
    [InlineData("Quality", 0.31, true)]
    public void Chance_is_the_tasks(string task, double score, bool above) => Assert.Equal(
        above,
        Pareto.Points([new SparseAttentionResult { Task = task, Method = "Dense", Score = score, Status = RunStatus.Completed }], "Density", "Score", ["Task"]).Single().IsAboveChance);

    [Fact]
    public void Equal_points_are_both_optimal_and_equal_cost_or_value_alone_is_not()
    {
        List<SparsityPoint> points = Points(
            [Row("A", 0.5, 0.8), Row("B", 0.5, 0.8), Row("C", 0.5, 0.7), Row("D", 0.4, 0.8)]);
        Assert.Equal(["A", "B"], points.Where(p => p.IsOptimal).Select(Name));
        Assert.All(points.Where(p => !p.IsOptimal), p => Assert.StartsWith("A+Dense", p.DominatedBy, StringComparison.Ordinal));
    }

    [Fact]
    public void No_point_of_the_frontier_is_beaten_and_every_other_is()
    {
        var random = new RandomSource("test/pareto");
        SparseAttentionResult[] rows = [.. Enumerable.Range(0, 200).Select(i => Row($"M{i}", Math.Round(random.NextDouble(), 1), Math.Round(random.NextDouble(), 1)))];
        List<SparsityPoint> points = Points(rows);
        Assert.Equal(200, points.Count);
        foreach (SparsityPoint point in points)
        {
            bool beaten = points.Any(o => o.Cost <= point.Cost && o.Value >= point.Value && (o.Cost < point.Cost || o.Value > point.Value));
            Assert.Equal(!beaten, point.IsOptimal);
        }
    }

    [Fact]
    public void Rows_that_show_nothing_are_left_out_with_a_warning()
    {
        var sink = new RecordingSink();
        new GetParetoOperation
        {
            Cost = "Density",
            Results =
            [
                Row("Dense", 0, 0.9),
                Row("Quest", 0.9, 1, decode: true, fallbacks: 1),
                Row("SnapKV", 0.9, 1, decode: true, status: RunStatus.Infeasible),
                Row("AdaSnapKV", 0.9, 1, decode: true, status: RunStatus.Partial),
            ],
        }.Execute(sink, default);
        Assert.Equal("Dense", Name(Assert.IsType<SparsityPoint>(Assert.Single(sink.Objects))));
        Assert.Equal("3 of 4 rows are left out: 1 infeasible, 1 not completed, 1 with samples that ran dense.", Assert.Single(sink.Warnings));
    }

    [Fact]
    public void Density_does_not_compare_models_but_time_does()
    {
        SparseAttentionResult[] rows = [Row("Dense", 0, 0.9, model: "large"), Row("Dense", 0, 0.8, model: "small", seconds: 0.5)];
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Points(rows)).ErrorId);
        Assert.All(Points(rows, "DecodeSeconds"), p => Assert.True(p.IsOptimal));
        Assert.All(Points(rows, groupBy: ["Task", "Model", "SequenceLength"]), p => Assert.True(p.IsOptimal));
    }

    [Theory]
    [InlineData("decodeseconds", true)]
    [InlineData("ElapsedSeconds", true)]
    [InlineData("PrefillSeconds", false)]
    [InlineData("Density", false)]
    public void Seconds_of_shared_steps_are_no_cost_and_those_that_may_be_are_warned_of(string cost, bool ofSteps)
    {
        SparseAttentionResult[] rows =
        [
            Row("Dense", 0, 0.9, seconds: 1, sequences: 1), Row("Quest", 0.5, 0.8, decode: true, seconds: 0.1, sequences: 4.5), Row("AdaSnapKV", 0.5, 0.8, decode: true, seconds: 1), Row("SnapKV", 0.5, 0.8, decode: true, seconds: 0),
        ];
        var sink = new RecordingSink();
        new GetParetoOperation { Results = rows, Cost = cost }.Execute(sink, default);
        string[] said = [$"{cost} of 1 of 4 rows is left out: steps were shared with other runs (SequencesPerStep)", $"{cost} of 1 of 4 rows: steps may have been shared with other runs (SequencesPerStep)"];
        Assert.Equal(ofSteps ? said : [], sink.Warnings.Select(w => w.Split(',')[0]));
        Assert.Equal(ofSteps ? 3 : 4, sink.Objects.Count);
        Assert.Equal(!ofSteps, sink.Objects.Cast<SparsityPoint>().Any(p => p.DecodeMethod == "Quest"));
        sink = new RecordingSink();
        new GetParetoOperation { Results = rows[..1], Cost = cost }.Execute(sink, default);
        Assert.Empty(sink.Warnings);
    }

    [Fact]
    public void Unknown_columns_are_refused_by_name_and_known_ones_found_in_any_case()
    {
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Points([Row("Dense", 0, 1)], "DecodeSecond"));
        Assert.Equal(ErrorIds.ParameterInvalid, error.ErrorId);
        Assert.Contains("DecodeSeconds", error.Message, StringComparison.Ordinal);
        Assert.Throws<SparseFrontierException>(() => Points([Row("Dense", 0, 1)], "Task"));
        Assert.Throws<SparseFrontierException>(() => Points([Row("Dense", 0, 1)], groupBy: ["Nothing"]));
        Assert.Equal("DecodeSeconds", Points([Row("Dense", 0, 1)], "decodeseconds")[0].CostName);
    }

    [Fact]
    public void Groups_have_frontiers_of_their_own()
    {
        List<SparsityPoint> points = Points([Row("Dense", 0, 0.9), Row("Dense", 0, 0.5, task: "Other")]);
        Assert.All(points, p => Assert.True(p.IsOptimal));
    }

    [Fact]
    public void Rows_of_different_protocols_are_not_compared()
    {
        List<SparsityPoint> points = Points(
            [Row("Dense", 0, 0.9), Row("Quest", 0.5, 0.8, decode: true, taskParameters: "Queries=1"), Row("SnapKV", 0.4, 0.7, decode: true, taskParameters: "Queries=4")]);
        Assert.All(points, p => Assert.True(p.IsOptimal));
        Assert.Equal(3, points.Select(p => p.Protocol).Distinct().Count());
        Assert.Contains("TaskParameters=Queries=4", points.Single(p => p.DecodeMethod == "SnapKV").Protocol, StringComparison.Ordinal);
    }

    private static string Name(SparsityPoint point) => point.Method == "Dense" ? point.DecodeMethod : point.Method;

    private static List<SparsityPoint> Points(IReadOnlyList<SparseAttentionResult> rows, string cost = "Density", IReadOnlyList<string>? groupBy = null)
    {
        var sink = new RecordingSink();
        new GetParetoOperation { Results = rows, Cost = cost, GroupBy = groupBy ?? ["Task", "SequenceLength"] }.Execute(sink, default);
        return [.. sink.Objects.Cast<SparsityPoint>()];
    }

    private static SparseAttentionResult Row(
        string method,
        double sparsity,
        double score,
        bool decode = false,
        string model = "model",
        string task = "Niah",
        int fallbacks = 0,
        double seconds = 1,
        double? sequences = null,
        string taskParameters = "",
        RunStatus status = RunStatus.Completed) => new()
        {
            RunId = method,
            Method = decode ? "Dense" : method,
            DecodeMethod = decode ? method : "Dense",
            PrefillSparsity = decode ? 0 : sparsity,
            DecodeSparsity = decode ? sparsity : 0,
            Score = score,
            Model = model,
            Task = task,
            TaskParameters = taskParameters,
            SequenceLength = 2048,
            FallbackCount = fallbacks,
            DecodeSeconds = seconds,
            ElapsedSeconds = 1 + seconds,
            PrefillSeconds = 1,
            SequencesPerStep = sequences,
            Status = status,
        };
}
