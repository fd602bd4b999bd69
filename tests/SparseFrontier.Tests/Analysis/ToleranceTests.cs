using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

public class ToleranceTests
{
    [Fact]
    public void The_largest_level_is_claimed_up_to_which_every_level_is_shown()
    {
        // Of 100 samples 0, 1, 30 and 0 are lost: the last level looks harmless, but stands beyond one that is not.
        SparsityTolerance row = Measure([Series("Quest", 100, 0, 1, 30, 0)]).Single();
        Assert.Equal((0.6, 0.7), (row.ToleratedSparsity, row.NextSparsity));
        Assert.Equal((0.01, 0.3), (row.Loss!.Value, row.NextLoss!.Value), Tuple(1e-12));
        Assert.True(row.LossHigh < 0.05 && row.NextLossHigh > 0.05);
        Assert.Null(row.NeededSampleCount);
        Assert.Equal("0.70 not established at n = 100, the loss observed, 0.300, is not below 0.05", row.Message);
    }

    [Fact]
    public void What_few_samples_cannot_show_is_no_number_but_a_number_of_samples()
    {
        SparsityTolerance row = Measure([Series("Quest", 20, 0, 0)]).Single();
        Assert.Null(row.ToleratedSparsity);
        Assert.Null(row.Loss);
        Assert.Equal((0.5, 59), (row.NextSparsity, row.NeededSampleCount));
        Assert.Equal("0.50 not established at n = 20, about 59 needed", row.Message);
        Assert.Equal(0.6, Measure([Series("Quest", 59, 0, 0)]).Single().ToleratedSparsity);
        Assert.Null(Measure([Series("Quest", 58, 0, 0)]).Single().ToleratedSparsity);
    }

    [Fact]
    public void The_needed_number_suffices_about_as_often_as_it_says()
    {
        // 2 % are lost; the number is computed from a sample that shows just that.
        SparsityTolerance row = Measure([Series("Quest", 50, 1)]).Single();
        int needed = row.NeededSampleCount!.Value;
        Assert.InRange(needed, 100, 250);
        var random = new SparseFrontier.Tensors.RandomSource("test/needed");
        int shown = 0;
        for (int round = 0; round < 150; round++)
        {
            double[] losses = [.. Enumerable.Range(0, needed).Select(_ => random.NextDouble() < 0.02 ? 1.0 : 0)];
            shown += BoundedMean.PValue(losses, 1, 0.05) < 0.05 ? 1 : 0;
        }

        Assert.InRange(shown / 150.0, 0.6, 0.95);
    }

    [Fact]
    public void Several_methods_of_a_cell_are_corrected_for_and_cells_are_not()
    {
        // 0.95^70 = 0.028: enough alone, not enough as one of two.
        ToleranceSeries[] cell = [Series("Quest", 70, 0), Series("SnapKV", 70, 0)];
        Assert.All(Measure(cell), r => Assert.Null(r.ToleratedSparsity));
        Assert.Contains("at level 0.025", Measure(cell)[0].Message, StringComparison.Ordinal);
        Assert.All(Measure(cell, correction: ToleranceCorrection.None), r => Assert.Equal(0.5, r.ToleratedSparsity));
        ToleranceSeries[] cells = [cell[0], cell[1] with { Cell = "other" }];
        Assert.All(Measure(cells), r => Assert.Equal(0.5, r.ToleratedSparsity));
        Assert.All(Measure(cells, correction: ToleranceCorrection.All), r => Assert.Null(r.ToleratedSparsity));
    }

    [Fact]
    public void A_relative_margin_is_a_share_of_dense()
    {
        // Dense scores 0.5 everywhere; 2 of 200 samples fall to 0: the loss is 0.005, a hundredth of dense.
        var level = new ToleranceLevel(Row("Quest", 0.9), 0.9, [.. Enumerable.Repeat(0.5, 200)], [.. Enumerable.Range(0, 200).Select(i => i < 2 ? 0 : 0.5)]);
        ToleranceSeries series = Series("Quest", 200, 0) with { Levels = [level] };
        Assert.Equal(0.9, Measure([series], drop: 0.08, relative: true).Single().ToleratedSparsity);
        Assert.Null(Measure([series], drop: 0.01, relative: true).Single().ToleratedSparsity);
        Assert.Equal(0.9, Measure([series], drop: 0.04).Single().ToleratedSparsity);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(4, false)]
    [InlineData(30, true)]
    public void Where_dense_attention_is_near_chance_nothing_is_tolerated(int solved, bool expected)
    {
        // Nothing at all is lost, of nothing or of something: 4 of 200 are not shown to be above a chance of 0 by more than 0.05.
        double[] scores = [.. Enumerable.Range(0, 200).Select(i => i < solved ? 1.0 : 0)];
        ToleranceSeries series = Series("Quest", 200, 0) with { Levels = [new ToleranceLevel(Row("Quest", 0.9), 0.9, scores, scores)] };
        SparsityTolerance row = Measure([series]).Single();
        Assert.Equal((expected, expected ? 0.9 : null), (row.IsLossVisible, row.ToleratedSparsity));
        Assert.Equal(!expected, row.Message.Contains("is not shown to be more than 0.05 above chance (0), so that a loss could not be seen", StringComparison.Ordinal));
    }

    [Fact]
    public void Chance_is_the_tasks_own()
    {
        // A third right is well above nothing, and not above a guess among four letters.
        double[] scores = [.. Enumerable.Range(0, 90).Select(i => i % 3 == 0 ? 1.0 : 0)];
        ToleranceSeries series = Series("Quest", 90, 0) with { Levels = [new ToleranceLevel(Row("Quest", 0.9), 0.9, scores, scores)] };
        Assert.Equal(0.9, Measure([series]).Single().ToleratedSparsity);
        SparseAttentionResult quality = Row("Quest", 0.9, task: "Quality");
        SparsityTolerance row = Measure([series with { Dense = Row("Dense", 0, task: "Quality"), Levels = [series.Levels[0] with { Row = quality }] }]).Single();
        Assert.Null(row.ToleratedSparsity);
        Assert.Equal(0.25, row.ChanceScore);
        Assert.Contains("above chance (0.25)", row.Message, StringComparison.Ordinal);
        Assert.True(row.NeededSampleCount > 90);

        // The needed number comes from what is missing: the margin above chance, here 0.033.
        Assert.InRange(row.NeededSampleCount!.Value, 800, 2500);

        // Of a relative margin, answers at random must lose more than the share.
        Assert.Null(Measure([series with { Dense = Row("Dense", 0, task: "Quality"), Levels = [series.Levels[0] with { Row = quality }] }], drop: 0.2, relative: true).Single().ToleratedSparsity);
    }

    [Fact]
    public void The_papers_rule_too_tolerates_nothing_where_dense_attention_is_near_chance()
    {
        SparseAttentionResult dense = Row("Dense", 0, 0.01, 0.01);
        ToleranceLevel level = new(Row("Quest", 0.9, 0, 0), 0.9, [], []);
        SparsityTolerance row = Tolerance.NotSignificant([new ToleranceSeries("", "", "", null, dense, [level])], 0.95).Single();
        Assert.Equal((null, false), (row.ToleratedSparsity, row.IsLossVisible));
        Assert.Contains("nothing established: dense attention's score, 0.010, is not shown", row.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void False_claims_are_rare()
    {
        // Three methods whose true loss is the margin: any claim is false.
        var random = new SparseFrontier.Tensors.RandomSource("test/false-claims");
        int claims = 0;
        for (int round = 0; round < 150; round++)
        {
            ToleranceSeries[] cell = [.. Enumerable.Range(0, 3).Select(m => Series($"M{m}", [.. Enumerable.Range(0, 80).Select(_ => random.NextDouble() < 0.1 ? 1.0 : 0)]))];
            claims += Measure(cell, drop: 0.1).Any(r => r.ToleratedSparsity is not null) ? 1 : 0;
        }

        Assert.InRange(claims / 150.0, 0, 0.05 + (3 * Math.Sqrt(0.05 * 0.95 / 150)));
    }

    [Fact]
    public void The_papers_rule_is_Welchs_test_and_takes_the_largest()
    {
        JsonElement golden = JsonDocument.Parse(Fixtures.Decompress("statistics.json.br")).RootElement;
        Assert.All(golden.GetProperty("welch").EnumerateArray(), c => Assert.Equal(
            c.GetProperty("p").GetDouble(),
            Tolerance.WelchPValue(Summary(c, "1"), Summary(c, "2")),
            1e-10));

        SparseAttentionResult dense = Row("Dense", 0, 0.9, 0.03);
        ToleranceLevel[] levels =
        [
            .. new[] { Row("Quest", 0.5, 0.89, 0.03), Row("Quest", 0.8, 0.6, 0.05), Row("Quest", 0.9, 0.85, 0.04) }.Select(r => new ToleranceLevel(r, r.DecodeSparsity!.Value, [], [])),
        ];
        SparsityTolerance row = Tolerance.NotSignificant([new ToleranceSeries("", "", "", null, dense, levels)], 0.95).Single();
        Assert.Equal(0.9, row.ToleratedSparsity);
        Assert.Equal(
            ErrorIds.DataInsufficient,
            Assert.Throws<SparseFrontierException>(() => Tolerance.WelchPValue(dense, Row("Quest", 0.9, 0.8, null))).ErrorId);
    }

    [Fact]
    public void Runs_are_paired_from_their_folders()
    {
        using var folder = new TemporaryFolder();
        RecordingSink runs = Sweeps.Run(folder.File("results"), Sweeps.Mixed(samples: 12), new HashEngineFactory());
        RecordingSink sink = Execute(new MeasureToleranceOperation { Results = [.. runs.Rows], MaximumDrop = 0.9, Correction = ToleranceCorrection.None });
        Assert.Empty(sink.Errors);
        SparsityTolerance[] rows = [.. sink.Objects.Cast<SparsityTolerance>()];
        Assert.Equal(["BlockSparse+Dense", "BlockSparse+Quest", "Dense+Quest", "Dense+SnapKV"], rows.Select(r => $"{r.Method}+{r.DecodeMethod}").Order(StringComparer.Ordinal));
        Assert.All(rows, r => Assert.Equal((12, 1), (r.SampleCount, r.LevelCount)));
        Assert.Equal(0.6, rows.Single(r => r is { Method: "BlockSparse", DecodeMethod: "Quest" }).DecodeSparsity);

        sink = Execute(new MeasureToleranceOperation { Results = [.. runs.Rows], WorstTask = true });
        Assert.Equal(4, sink.Objects.Count);
    }

    [Fact]
    public void Missing_dense_runs_and_samples_are_named()
    {
        using var folder = new TemporaryFolder();
        RecordingSink runs = Sweeps.Run(folder.File("results"), Sweeps.Mixed(samples: 3), new HashEngineFactory());
        SparseAttentionResult[] sparse = [.. runs.Rows.Where(r => r.Method != "Dense" || r.DecodeMethod != "Dense")];
        Assert.Contains("dense run", Assert.Single(Execute(new MeasureToleranceOperation { Results = sparse }).Errors).Message, StringComparison.Ordinal);

        SparseAttentionResult[] loose = [Row("Dense", 0, 0.9, 0.02), Row("Quest", 0.9, 0.8, 0.02)];
        SparseFrontierException error = Assert.Single(Execute(new MeasureToleranceOperation { Results = loose }).Errors);
        Assert.Equal(ErrorIds.DataInsufficient, error.ErrorId);
        Assert.Contains("folder", error.Message, StringComparison.Ordinal);
        Assert.Single(Execute(new MeasureToleranceOperation { Results = loose, Criterion = ToleranceCriterion.Paper }).Objects);
    }

    [Theory]
    [InlineData(0, 0.95)]
    [InlineData(1, 0.95)]
    [InlineData(double.NaN, 0.95)]
    [InlineData(0.05, 1)]
    [InlineData(0.05, 0.3)]
    public void Margins_and_confidences_are_checked(double drop, double confidence) => Assert.Equal(
        ErrorIds.ParameterInvalid,
        Assert.Throws<SparseFrontierException>(() => Execute(new MeasureToleranceOperation { Results = [], MaximumDrop = drop, ConfidenceLevel = confidence })).ErrorId);

    private static RecordingSink Execute(MeasureToleranceOperation operation)
    {
        var sink = new RecordingSink();
        operation.Execute(sink, default);
        return sink;
    }

    private static IReadOnlyList<SparsityTolerance> Measure(
        ToleranceSeries[] series, double drop = 0.05, bool relative = false, ToleranceCorrection correction = ToleranceCorrection.Cell) =>
        Tolerance.NonInferiority(series, drop, relative, 0.95, correction);

    // Levels 0.5, 0.6, ... of n samples, of which so many are lost.
    private static ToleranceSeries Series(string method, int n, params int[] lost) => Series(method, [.. lost.Select(k => Enumerable.Range(0, n).Select(i => i < k ? 1.0 : 0).ToArray())]);

    private static ToleranceSeries Series(string method, params double[][] losses) => new(
        "cell",
        "",
        "",
        null,
        Row("Dense", 0),
        [.. losses.Select((l, i) => new ToleranceLevel(Row(method, 0.5 + (0.1 * i)), Math.Round(0.5 + (0.1 * i), 2), [.. l.Select(_ => 1.0)], [.. l.Select(v => 1 - v)]))]);

    private static SparseAttentionResult Row(string method, double sparsity, double? score = 1, double? error = 0.01, string task = "Niah") => new()
    {
        RunId = $"{method}{sparsity}",
        Method = "Dense",
        DecodeMethod = method,
        Task = task,
        Model = "tiny",
        SequenceLength = 2048,
        PrefillSparsity = 0,
        DecodeSparsity = sparsity,
        Score = score,
        StandardError = error,
        SampleCount = 100,
    };

    private static SparseAttentionResult Summary(JsonElement c, string which) => new()
    {
        Score = c.GetProperty($"m{which}").GetDouble(),
        StandardError = c.GetProperty($"s{which}").GetDouble() / Math.Sqrt(c.GetProperty($"n{which}").GetInt32()),
        SampleCount = c.GetProperty($"n{which}").GetInt32(),
    };

    private static EqualityComparer<(double, double)> Tuple(double tolerance) => EqualityComparer<(double, double)>.Create(
        (a, b) => Math.Abs(a.Item1 - b.Item1) <= tolerance && Math.Abs(a.Item2 - b.Item2) <= tolerance, _ => 0);
}
