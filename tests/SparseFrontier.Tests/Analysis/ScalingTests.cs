using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

public sealed class ScalingTests
{
    private static readonly JsonElement s_golden = JsonDocument.Parse(File.ReadAllText(Fixtures.Golden("effects.json"))).RootElement.GetProperty("scaling");

    [Theory]
    [InlineData(ScalingForm.Logit, "logit")]
    [InlineData(ScalingForm.Logarithmic, "plain")]
    public void Both_forms_are_fitted_as_statsmodels_does(ScalingForm form, string name)
    {
        ScalingPoint[] points = Golden();
        ScalingFit fit = ScalingFit.Of(form, points)!;
        double[] expected = Numbers(s_golden, name);
        Assert.Equal(expected, Coefficients(fit), Near(1e-8));
        Assert.Equal(s_golden.GetProperty(name + "_r2").GetDouble(), Determination(fit, points), 1e-9);

        var half = ScalingFit.HalfWidths(form, points, fit);
        double?[] halves = [half.Intercept, half.Offsets["b"], half.Offsets["c"], half.Size, half.Length, half.Compression];
        Assert.Equal(Numbers(s_golden, name + "_low"), expected.Zip(halves, (e, h) => e - h!.Value), Near(1e-7));
        Assert.Equal(Numbers(s_golden, name + "_high"), expected.Zip(halves, (e, h) => e + h!.Value), Near(1e-7));
        Assert.Null(half.Offsets["a"]);
    }

    [Theory]
    [InlineData(ScalingForm.Logit, "logit")]
    [InlineData(ScalingForm.Logarithmic, "plain")]
    public void What_is_held_out_is_predicted_as_there(ScalingForm form, string name)
    {
        JsonElement golden = s_golden.GetProperty(name + "_held_out");
        SparsityScaling[] rows = [.. Measure(GoldenRows()).Where(r => r.Form == form && r.HeldOut == ScalingHoldOut.Length)];
        Assert.Equal(["a", "b", "c"], rows.Select(r => r.Task));
        Assert.All(rows, r => Assert.Equal((4096.0, 72, 18), (r.HeldOutValue!.Value, r.PointCount, r.CellCount)));
        Assert.All(rows, r => Assert.Equal(golden.GetProperty("r2").GetDouble(), r.AllDetermination!.Value, 1e-7));
        Assert.Equal(Numbers(golden, "errors"), rows.Select(r => r.MeanError!.Value), Near(1e-8));
        Assert.Equal(Numbers(golden, "rank"), rows.Select(r => r.RankCorrelation!.Value), Near(1e-12));
        Assert.Equal(Numbers(golden, "rank_p"), rows.Select(r => r.RankPValue!.Value), (a, b) => Math.Abs(a - b) < 1e-6 * b);
        Assert.All(rows, r => Assert.Equal(form == ScalingForm.Logit, r.PredictsBetter));
    }

    [Fact]
    public void Ranks_correlate_as_in_scipy()
    {
        ScalingPoint[] points = Golden();
        ScalingFit fit = ScalingFit.Of(ScalingForm.Logit, points)!;
        RankCorrelation rank = RankCorrelation.Of([.. points.Select(p => p.Score)], [.. points.Select(p => fit.Predict(p)!.Value)])!;
        Assert.Equal(s_golden.GetProperty("spearman").GetDouble(), rank.Value, 1e-12);
        Assert.Equal(1, rank.PValue / s_golden.GetProperty("spearman_p").GetDouble(), 1e-6);
        Assert.Null(RankCorrelation.Of([1, 1, 1], [1, 2, 3]));
        Assert.Null(RankCorrelation.Of([1, 2], [1, 2]));
        Assert.Equal(new RankCorrelation(-1, 0), RankCorrelation.Of([1, 2, 3], [9, 4, 2]));
    }

    /// <summary>Coefficients printed in version 1 of the paper, prefill, longest held out; the scores are what they should mean.</summary>
    [Theory]
    [InlineData("Quality", 7.6e9, 16384, 1, 0.83)]
    [InlineData("Quality", 72.7e9, 16384, 1, 0.99)]
    [InlineData("Quality", 7.6e9, 131072, 20, 0.02)]
    [InlineData("Niah", 7.6e9, 131072, 20, 1.00)]
    public void The_papers_coefficients_mean_scores_under_a_logit(string task, double size, double length, double compression, double score)
    {
        var offsets = new Dictionary<string, double> { ["Quality"] = 0, ["Niah"] = 14.67 };
        var paper = ScalingFit.Given(ScalingForm.Logit, "Quality", -16.92, 1.31, -1.15, -1.00, offsets);
        Assert.Equal(score, paper.Predict(new ScalingPoint(size, length, compression, task, "", 0))!.Value, 0.02);
    }

    [Fact]
    public void A_saturated_task_has_no_offset_and_turns_no_slope()
    {
        ScalingPoint[] points = Golden();
        ScalingPoint[] more = [.. points, .. points.Where(p => p.Task == "a").Select(p => p with { Task = "full", Cell = p.Cell + "full", Score = 1 })];
        ScalingFit without = ScalingFit.Of(ScalingForm.Logit, points)!;
        ScalingFit with = ScalingFit.Of(ScalingForm.Logit, more)!;
        Assert.Equal(Coefficients(without), Coefficients(with));
        Assert.True(double.IsPositiveInfinity(with.Offsets["full"]));
        Assert.Equal(1, with.Predict(more[^1]));
        Assert.Null(without.Predict(more[^1]));
        Assert.Equal(ScalingFit.HalfWidths(ScalingForm.Logit, points, without).Size, ScalingFit.HalfWidths(ScalingForm.Logit, more, with).Size);

        SparsityScaling row = Measure([.. GoldenRows(), .. GoldenRows("full").Where(r => r.Task == "full")]).First(r => r.Task == "full" && r.Form == ScalingForm.Logit);
        Assert.True(row.IsSaturated);
        Assert.Null(row.Offset);
        Assert.Equal(0, row.MeanError);
    }

    [Fact]
    public void What_divides_exactly_or_depends_on_another_axis_has_no_fit()
    {
        ScalingPoint[] steps = [.. new double[] { 1, 2, 4, 8, 16, 32 }.Select(c => new ScalingPoint(1, 1024, c, "a", "a", c < 5 ? 1 : 0))];
        Assert.Null(ScalingFit.Of(ScalingForm.Logit, steps));
        Assert.NotNull(ScalingFit.Of(ScalingForm.Logarithmic, steps));

        // Each task at a length of its own: offset and slope in the length are one.
        ScalingPoint[] confounded = [.. Golden().Where(p => p.Task != "c").Select(p => p with { Length = p.Task == "a" ? 1024 : 2048 })];
        Assert.All(Enum.GetValues<ScalingForm>(), form => Assert.Null(ScalingFit.Of(form, confounded)));
    }

    [Fact]
    public void An_axis_without_extent_is_left_out()
    {
        SparsityScaling[] rows = Measure(GoldenRows().Where(r => r.Model == "Qwen2.5-7B" && r.Task == "a"));
        Assert.All(rows, r => Assert.Null(r.SizeSlope));
        Assert.All(rows, r => Assert.NotNull(r.LengthSlope));
        Assert.Equal([ScalingHoldOut.None, ScalingHoldOut.Compression], rows.Select(r => r.HeldOut).Distinct());
    }

    [Fact]
    public void Too_few_runs_are_refused_with_the_number_that_is_needed()
    {
        SparseAttentionResult[] rows = [.. GoldenRows()];
        SparseAttentionResult[] few = [.. rows.Where(r => r.SequenceLength == 1024 && r.Model == "Qwen2.5-7B")];
        Assert.NotEmpty(Measure(few));
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Measure(few[1..]));
        Assert.Equal(ErrorIds.DataInsufficient, error.ErrorId);
        Assert.Matches("Quest: 4 coefficients .* need 12 runs at least, 3 for each; there are 11", error.Message);
        Assert.Contains("one compression is no axis", Assert.Throws<SparseFrontierException>(() => Measure(rows.Where(r => r.DecodeSparsity == 0.5))).Message, StringComparison.Ordinal);
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Measure([])).ErrorId);
    }

    private static SparsityScaling[] Measure(IEnumerable<SparseAttentionResult> rows)
    {
        var sink = new RecordingSink();
        new MeasureScalingOperation { Results = [.. rows] }.Execute(sink, default);
        return [.. sink.Objects.Cast<SparsityScaling>()];
    }

    private static ScalingPoint[] Golden()
    {
        double[] size = Numbers(s_golden, "size");
        double[] tokens = Numbers(s_golden, "tokens");
        double[] compression = Numbers(s_golden, "compression");
        double[] task = Numbers(s_golden, "task");
        return [.. Numbers(s_golden, "score").Select((s, i) => new ScalingPoint(size[i], tokens[i], compression[i], "abc"[(int)task[i]].ToString(), $"{size[i]} {tokens[i]} {task[i]}", s))];
    }

    private static IEnumerable<SparseAttentionResult> GoldenRows(string a = "a") => Golden().Select((p, i) => new SparseAttentionResult
    {
        RunId = FormattableString.Invariant($"{i}"),
        Method = "Dense",
        DecodeMethod = p.Compression == 1 ? "Dense" : "Quest",
        Model = p.Size switch { 7615616512 => "Qwen2.5-7B", 14770033664 => "Qwen2.5-14B", _ => "Qwen2.5-72B" },
        Task = p.Task == "a" ? a : p.Task,
        TaskParameters = $"Of={p.Task}",
        SequenceLength = (int)p.Length,
        PrefillSparsity = 0,
        DecodeSparsity = 1 - (1 / p.Compression),
        RequestedDecodeSparsity = p.Compression == 1 ? null : 1 - (1 / p.Compression),
        Score = a == "full" ? 1 : p.Score,
        SampleCount = 100,
    });

    private static double Determination(ScalingFit fit, ScalingPoint[] points)
    {
        double mean = points.Average(p => p.Score);
        return 1 - (points.Sum(p => Math.Pow(p.Score - fit.Predict(p)!.Value, 2)) / points.Sum(p => Math.Pow(p.Score - mean, 2)));
    }

    private static double[] Coefficients(ScalingFit fit) => [fit.Intercept, fit.Offsets["b"], fit.Offsets["c"], fit.Size!.Value, fit.Length!.Value, fit.Compression!.Value];

    private static double[] Numbers(JsonElement golden, string name) => [.. golden.GetProperty(name).EnumerateArray().Select(v => v.GetDouble())];

    private static Func<double, double, bool> Near(double distance) => (a, b) => Math.Abs(a - b) <= distance * Math.Max(1, Math.Abs(a));
}
