using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tests.Experiments;
using Xunit;
using static SparseFrontier.Tests.Analysis.StoredScores;

namespace SparseFrontier.Tests.Analysis;

public sealed class EffectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_power_law_is_fitted_as_statsmodels_does()
    {
        JsonElement golden = JsonDocument.Parse(File.ReadAllText(Fixtures.Golden("effects.json"))).RootElement.GetProperty("power_law");
        var fit = LineFit.Of(Logarithms(golden, "length"), Logarithms(golden, "needed"));
        Assert.Equal(golden.GetProperty("exponent").GetDouble(), fit.Slope, 1e-10);
        Assert.Equal(golden.GetProperty("low").GetDouble(), fit.SlopeLow!.Value, 1e-9);
        Assert.Equal(golden.GetProperty("high").GetDouble(), fit.SlopeHigh!.Value, 1e-9);
        Assert.Equal(golden.GetProperty("factor").GetDouble(), Math.Exp(fit.Intercept), 1e-9);
        Assert.Equal(golden.GetProperty("r2").GetDouble(), fit.Determination, 1e-10);
        Assert.Null(LineFit.Of([1, 2], [3, 5]).SlopeLow);
        Assert.Throws<ArgumentException>(() => LineFit.Of([1, 1], [3, 5]));
    }

    [Fact]
    public void Errors_are_interpolated_and_never_extrapolated()
    {
        SparsityEffect[] rows = Measure([.. Cells(1024, 20), .. Cells(2048, 40)], sparsity: [0.5, 0.7, 0.9, 0.95]);
        Assert.Equal([0.5, 0.7, 0.9, 0.5, 0.7, 0.9], rows.Select(r => r.Sparsity));
        Assert.Equal([false, true, false, false, true, false], rows.Select(r => r.IsInterpolated));
        Assert.Equal([0, 0.1, 0.2, 0, 0.2, 0.4], rows.Select(r => r.RelativeError!.Value), Close);
        Assert.Equal(307.2, rows[1].Budget, 1e-9);
        Assert.All(rows.Where(r => r.Sparsity == 0.9), r => Assert.True(r.RelativeErrorLow < r.RelativeError && r.RelativeError < r.RelativeErrorHigh));
    }

    [Theory]
    [InlineData(20, 20, 20)]
    [InlineData(20, 16, 14)]
    public void The_needed_budget_is_where_the_error_crosses_the_target(int lost1, int lost2, int lost3)
    {
        SparsityEffect[] rows = Measure([.. Cells(1024, lost1), .. Cells(2048, lost2), .. Cells(4096, lost3)]);
        double[] densities = [.. new[] { lost1, lost2, lost3 }.Select(k => 1 - (0.5 + (0.4 * 0.1 / (k / 100.0))))];
        Assert.Equal(densities, rows.Where(r => r.Sparsity == 0.9).Select(r => r.NeededDensity!.Value), Close);

        // Of three points at equal distances the middle one does not turn the line.
        double exponent = Math.Log(4 * densities[2] / densities[0]) / Math.Log(4);
        Assert.All(rows, r => Assert.Equal(exponent, r.Exponent!.Value, 1e-9));
        Assert.All(rows, r => Assert.True(r.ExponentLow <= r.Exponent + 1e-9 && r.Exponent <= r.ExponentHigh + 1e-9));
        Assert.All(Measure([.. Cells(1024, 5), .. Cells(2048, 5)]), r => Assert.Equal(((double?)null, (double?)null), (r.NeededDensity, r.Exponent)));
    }

    [Fact]
    public void Means_are_over_the_tasks_that_every_level_has()
    {
        SparseAttentionResult[] rows = [.. Cells(1024, 20), .. Cells(2048, 40), .. Cells(1024, 60, "Cwe"), .. Cells(2048, 60, "Cwe"), .. Cells(1024, 100, "Vt")];
        SparsityEffect[] at = [.. Measure(rows).Where(r => r.Sparsity == 0.9)];
        Assert.Equal([0.4, 0.5], at.Select(r => r.RelativeError!.Value), Close);
        Assert.All(at, r => Assert.Equal(2, r.TaskCount));
    }

    [Fact]
    public void Tasks_with_parameters_of_their_own_are_put_together()
    {
        SparseAttentionResult[] rows = [.. Cells(1024, 20, parameters: "Queries=4"), .. Cells(2048, 40, parameters: "Queries=4"), .. Cells(1024, 60, "Cwe", parameters: "Words=9"), .. Cells(2048, 60, "Cwe", parameters: "Words=9")];
        SparsityEffect[] at = [.. Measure(rows).Where(r => r.Sparsity == 0.9)];
        Assert.Equal([0.4, 0.5], at.Select(r => r.RelativeError!.Value), Close);
        Assert.All(at, r => Assert.Equal((2, false), (r.TaskCount, r.Protocol.Contains("TaskParameters", StringComparison.Ordinal))));

        // A task with two sets of parameters is two tasks, and nobody knows with which of them the others belong together.
        at = [.. Measure([.. rows, .. Cells(1024, 50, parameters: "Queries=1"), .. Cells(2048, 50, parameters: "Queries=1")]).Where(r => r is { Sparsity: 0.9, SequenceLength: 1024 })];
        Assert.Equal(["TaskParameters=Queries=1", "TaskParameters=Queries=4", "TaskParameters=Words=9"], at.Select(r => r.Protocol.Split("; ")[0]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Sizes_are_compared_at_one_length()
    {
        SparsityEffect[] rows = Measure([.. Cells(1024, 20, model: "Qwen2.5-7B"), .. Cells(1024, 40, model: "Qwen2.5-72B")], EffectAxis.Size);
        Assert.Equal(["Qwen2.5-7B", "Qwen2.5-7B", "Qwen2.5-72B", "Qwen2.5-72B"], rows.Select(r => r.Model));
        Assert.InRange(rows[0].ParameterCount!.Value, 7e9, 8e9);
        Assert.All(rows, r => Assert.Null(r.Exponent));
    }

    [Fact]
    public void A_size_trend_takes_three_models_and_leaves_out_what_one_cannot_do()
    {
        string[] models = ["frontier-1m", "frontier-3m", "frontier-7m"];
        SparseAttentionResult[] rows =
        [
            .. models.SelectMany((m, i) => Cells(1024, 40 - (10 * i), model: m)),
            .. models.SelectMany(m => m == "frontier-1m" ? Floor(m) : Cells(1024, 100, "Vt", m)),
        ];
        var sink = new RecordingSink();
        new MeasureEffectOperation { Results = rows, By = EffectAxis.Size }.Execute(sink, default);
        SparsityEffect[] at = [.. sink.Objects.Cast<SparsityEffect>().Where(r => r.Sparsity == 0.9)];
        Assert.Equal(models, at.Select(r => r.Model));
        Assert.Equal([0.4, 0.3, 0.2], at.Select(r => r.RelativeError!.Value), Close);
        Assert.True(at[0].ParameterCount < at[1].ParameterCount && at[1].ParameterCount < at[2].ParameterCount);
        Assert.All(at, r => Assert.Equal(1, r.TaskCount));
        Assert.Contains("Vt is left out at every size: dense attention's score, 0.010, is not shown to be more than 0.05 above chance (0)", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        // Where no task is left there is no curve.
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Measure([.. models.SelectMany(Floor)], EffectAxis.Size)).ErrorId);

        SparseAttentionResult[] Floor(string model) =>
            [Row(_folder, "Dense", null, Lost(100, 99), "Vt", 1024, model), Row(_folder, "Quest", 0.9, Lost(100, 99), "Vt", 1024, model)];
    }

    [Fact]
    public void What_has_no_curve_says_why()
    {
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Measure(Cells(1024, 20))).ErrorId);
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Measure([.. Cells(1024, 20)[1..], .. Cells(2048, 20)])).ErrorId);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Measure(Cells(1024, 20), target: 0)).ErrorId);
        Assert.Equal(ErrorIds.SparsityOutOfRange, Assert.Throws<SparseFrontierException>(() => Measure(Cells(1024, 20), sparsity: [1])).ErrorId);
    }

    // Dense is right everywhere, as is half the prompt; at a tenth some are lost.
    private SparseAttentionResult[] Cells(int length, int lost, string task = "Niah", string model = "tiny", string parameters = "") =>
    [
        Row(_folder, "Dense", null, Lost(100, 0), task, length, model, taskParameters: parameters),
        Row(_folder, "Quest", 0.5, Lost(100, 0), task, length, model, taskParameters: parameters),
        Row(_folder, "Quest", 0.9, Lost(100, lost), task, length, model, taskParameters: parameters),
    ];

    private static SparsityEffect[] Measure(SparseAttentionResult[] rows, EffectAxis by = EffectAxis.Length, double[]? sparsity = null, double target = 0.1)
    {
        var sink = new RecordingSink();
        new MeasureEffectOperation { Results = rows, By = by, Sparsity = sparsity ?? [], TargetError = target }.Execute(sink, default);
        return [.. sink.Objects.Cast<SparsityEffect>()];
    }

    private static double[] Logarithms(JsonElement golden, string name) => [.. golden.GetProperty(name).EnumerateArray().Select(v => Math.Log(v.GetDouble()))];

    private static bool Close(double a, double b) => Math.Abs(a - b) < 1e-9;
}
