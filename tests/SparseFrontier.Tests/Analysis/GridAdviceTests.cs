using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Findings;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tasks;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

/// <summary>Advice from the grid of the findings, which has several series of each method, controls and protocols: its runs are those of the preset, their losses are made up.</summary>
public sealed class GridAdviceTests : IDisposable
{
    private const int Samples = 200;
    private const int Much = 100;
    private static readonly string[] s_tasks = ["Niah", "VariableTracking"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Controls_are_never_advised_and_take_no_part_of_the_error()
    {
        // Controls lose nothing; of the methods only Quest at 0.5 does not lose much.
        SparseAttentionResult[] rows = Grid([4096], r => Control(r) || (r is { DecodeMethod: "Quest", DecodeSparsity: <= 0.5 } && r.DecodeParameters.Length > 0) ? 0 : Much);
        SparsityRecommendation[] advice = Advise(rows);
        Assert.Equal([("Dense", "Dense", "Prefill"), ("Dense", "Quest", "Decode")], Distinct(advice));
        Assert.All(advice, a => Assert.DoesNotMatch("Random|WindowSink|OracleTopK", a.Reason));
        SparseAttentionResult[] without = [.. rows.Where(r => MethodLookup.Prefill(r.Method)?.IsControl != true && MethodLookup.Decode(r.DecodeMethod)?.IsControl != true)];
        Assert.True(without.Length < rows.Length);
        Assert.Equal(advice, Advise(without));
    }

    [Fact]
    public void The_scaled_series_is_advised_with_its_parameters_where_it_tolerates_more()
    {
        // At 4096 tokens both series are there: the scaled one holds 0.9, the paper's absolute values 0.5.
        SparsityRecommendation[] advice = Advise(Known(Grid([4096], r => r switch
        {
            { Method: "VerticalSlash" } => r.Sparsity <= (r.Parameters.Length > 0 ? 0.9 : 0.5) ? 0 : Much,
            { DecodeMethod: "SnapKV" } => r.DecodeSparsity <= (r.DecodeParameters.Length > 0 ? 0.9 : 0.5) ? 0 : Much,
            _ => Much,
        })));
        Assert.Equal([("VerticalSlash", "Dense", "Prefill"), ("Dense", "SnapKV", "Decode")], Distinct(advice));
        Assert.All(advice, a => Assert.Equal((0.9, 2), (a.Sparsity!.Value, a.TaskCount)));

        // Half of the paper's windows: of a task's own the half is each task's.
        Assert.Equal(["ForcedSlashes=32;ForcedVerticals=2;Window=256", "ForcedSlashes=32;ForcedVerticals=2;Window=128"], advice.Where(a => a.Phase == "Prefill").Select(a => a.Parameters));
        Assert.All(advice.Where(a => a.Phase == "Decode"), a => Assert.Equal("KernelSize=11;LocalWindow=64;PrefixTokens=2;Window=128", a.Parameters));
        Assert.Contains("VerticalSlash: 0.50 shown", advice[0].Reason, StringComparison.Ordinal);
        Assert.StartsWith("VerticalSlash (ForcedSlashes=32, ForcedVerticals=2, Window=x0.5) at 0.90 is shown", advice[0].Reason, StringComparison.Ordinal);

        // Given back, they are the series again.
        Assert.All(advice.Where(a => a.Phase == "Prefill"), a => Assert.Equal(
            FindingSeries.Scaled, FindingsGrid.SeriesOf(new SparseAttentionResult { Method = a.Method, DecodeMethod = "Dense", Task = a.Task, SequenceLength = 4096, Parameters = a.Parameters })));
    }

    [Fact]
    public void The_absolute_series_is_advised_where_it_tolerates_more()
    {
        SparsityRecommendation[] advice = Advise(Known(Grid([4096], r => r is { Method: "VerticalSlash" } && r.Sparsity <= (r.Parameters.Length > 0 ? 0.5 : 0.8) ? 0 : Much)));
        Assert.All(advice.Where(a => a.Phase == "Prefill"), a => Assert.Equal(("VerticalSlash", 0.8, ""), (a.Method, a.Sparsity!.Value, a.Parameters)));
        Assert.Equal(2, advice.Count(a => a.Phase == "Prefill"));
    }

    [Fact]
    public void An_ablation_is_a_candidate_of_its_own()
    {
        // Niah's own window for the prefill is 512, which an ablation gives SnapKV and VerticalSlash has anyway; 256 is VerticalSlash's default and an ablation on Niah.
        SparseAttentionResult[] rows = Grid([8192], r => r switch
        {
            { DecodeMethod: "SnapKV" } => r.DecodeSparsity <= 0.7 || r.DecodeParameters == "Window=512" ? 0 : Much,
            { Method: "VerticalSlash" } => r.Sparsity <= 0.7 || r.Parameters == "Window=256" ? 0 : Much,
            _ => Much,
        }, "Niah");
        SparsityRecommendation[] advice = Advise(rows, "Niah");
        Assert.Equal([("Prefill", "Window=256", 0.9), ("Decode", "Window=512", 0.9)], advice.Select(a => (a.Phase, a.Parameters, a.Sparsity!.Value)));
        Assert.Contains("SnapKV: 0.70 shown", advice[1].Reason, StringComparison.Ordinal);
        Assert.Contains("VerticalSlash: 0.70 shown", advice[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_threshold_is_advised_as_it_was_run_and_not_as_a_sparsity()
    {
        SparsityRecommendation[] advice = Advise(Known(Grid([4096], r => r is { Method: "FlexPrefill", Sparsity: null } && r.Parameters.StartsWith("Alpha=0.65", StringComparison.Ordinal) ? 0 : Much,
            sparsity: r => r.Parameters.StartsWith("Alpha=0.65", StringComparison.Ordinal) ? (r.Task == "Niah" ? 0.61 : 0.63) : 0.9)));
        SparsityRecommendation[] prefill = [.. advice.Where(a => a.Phase == "Prefill")];
        Assert.Equal(["Niah", "VariableTracking"], prefill.Select(p => p.Task));
        Assert.All(prefill, p => Assert.True(p is { Method: "FlexPrefill", Sparsity: null, BudgetSchedule: "", ToleratedSparsity: 0.61 }, p.Reason));
        Assert.Equal(["Alpha=0.65;ForcedSlashes=32;ForcedVerticals=2;MinimumBudget=256;Window=256", "Alpha=0.65;ForcedSlashes=32;ForcedVerticals=2;MinimumBudget=256;Window=128"], prefill.Select(p => p.Parameters));
    }

    [Fact]
    public void Protocols_are_advised_on_apart()
    {
        // With the question known SnapKV holds 0.9, with a cache compressed before it nothing, with the question at the end alone 0.5.
        SparseAttentionResult[] rows =
        [
            .. Grid([4096], r => r is { DecodeMethod: "SnapKV", CompressBefore: "None" } && r.DecodeParameters.Length > 0 && r.DecodeSparsity <= 0.9 ? 0 : Much),
            .. Grid([4096], r => r is { DecodeMethod: "SnapKV", CompressBefore: "None" } && r.DecodeParameters.Length > 0 && r.DecodeSparsity <= 0.5 ? 0 : Much, position: "Last"),
        ];
        SparsityRecommendation[] decode = [.. Advise(rows).Where(a => a.Phase == "Decode")];
        Assert.Equal(
            [("Both", "None", "SnapKV", 0.9), ("Both", "Question", "Dense", null), ("Last", "None", "SnapKV", 0.5), ("Last", "Question", "Dense", (double?)null)],
            decode.Select(a => (a.QuestionPosition, a.CompressBefore, a.DecodeMethod, a.Sparsity)).Distinct().Order());
    }

    [Fact]
    public void Runs_of_too_few_samples_take_no_part_of_the_error()
    {
        // 94 samples without a loss show 0.05 for six methods, not for more.
        SparseAttentionResult[] rows =
        [
            .. Grid([8192], r => r is { DecodeMethod: "Quest", DecodeSparsity: 0.33 } ? 0 : Much, "Niah", 94).Where(r => r.Parameters.Length + r.DecodeParameters.Length == 0 || FindingsGrid.SeriesOf(r) == FindingSeries.Absolute),
        ];
        Assert.Equal("Quest", Assert.Single(Advise(rows, "Niah"), a => a.Phase == "Decode").DecodeMethod);
        SparseAttentionResult[] few = [.. Grid([8192], _ => 0, "Niah", 6).Where(r => FindingsGrid.SeriesOf(r) == FindingSeries.Other && !Control(r.Method, r.DecodeMethod))];
        Assert.NotEmpty(few);
        SparsityRecommendation advice = Assert.Single(Advise([.. rows, .. few], "Niah"), a => a.Phase == "Decode");
        Assert.Equal(("Quest", 0.33), (advice.DecodeMethod, advice.Sparsity!.Value));
        Assert.Contains("is not established with 6 samples of Niah", advice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_rows_gives_the_budget_of_the_full_length()
    {
        // The first sample of 4096 tokens at most had 4000, and a smaller budget.
        SparseAttentionResult[] rows = Known(Grid([4096, 8192], r => r is { DecodeMethod: "Quest" } && r.DecodeParameters.Length == 0 && r.DecodeSparsity <= 0.5 ? 0 : Much));
        SparsityRecommendation[] advice = [.. Advise(rows).Where(a => a.Phase == "Decode")];
        Assert.Equal(["TokenBudget=2032", "TokenBudget=4080"], new[] { 4096, 8192 }.Select(n => FormattableString.Invariant($"TokenBudget={Quest(n)["TokenBudget"]}")));
        Assert.NotEqual(2032, Quest(4000)["TokenBudget"]);
        Assert.All(advice, a => Assert.Equal(("Quest", "TokenBudget=2032", $"length:0-4096 x1 | length:4097-8192 x{4080 / 2032.0} | length:8193- dense"), (a.DecodeMethod, a.Parameters, a.BudgetSchedule)));

        static MethodParameters Quest(int length) => MethodLookup.Decode("Quest")!.SolveBudget(0.5, new PromptShape(length, 8, 4), MethodLookup.Decode("Quest")!.CreateParameters()).Parameters;
    }

    private static (string Method, string DecodeMethod, string Phase)[] Distinct(SparsityRecommendation[] advice) => [.. advice.Select(a => (a.Method, a.DecodeMethod, a.Phase)).Distinct().OrderByDescending(a => a.Phase)];

    private static SparseAttentionResult[] Known(SparseAttentionResult[] rows) => [.. rows.Where(r => r.CompressBefore == "None")];

    private static bool Control(RunSpecification run) => Control(run.Method, run.DecodeMethod);

    private static bool Control(string method, string decodeMethod) => MethodLookup.Prefill(method)?.IsControl == true || MethodLookup.Decode(decodeMethod)?.IsControl == true;

    private static SparsityRecommendation[] Advise(SparseAttentionResult[] rows, params string[] tasks)
    {
        var sink = new RecordingSink();
        new RecommendOperation { Results = rows, Task = tasks.Length > 0 ? tasks : s_tasks, MaximumDrop = 0.05 }.Execute(sink, TestContext.Current.CancellationToken);
        return [.. sink.Objects.Cast<SparsityRecommendation>()];
    }

    // Rows as a file of them gives them.
    private SparseAttentionResult[] Grid(int[] lengths, Func<RunSpecification, int> lost, string task = "", int samples = Samples, string position = "Both", Func<RunSpecification, double>? sparsity = null)
    {
        var sweep = new SweepDefinition { Preset = SweepPreset.Findings, Model = ["frontier-7m"], Task = task.Length > 0 ? [task] : s_tasks, SequenceLength = lengths, QuestionPosition = position };
        string file = _folder.File($"{Guid.NewGuid():N}.jsonl.gz");
        ResultSummaryFile.Write(file, [.. FindingsGrid.Runs(sweep, small: false, methods: null).Select(r => Row(r, Math.Min(lost(r), samples), samples, sparsity?.Invoke(r)))]);
        return [.. ResultSummaryFile.Read(file).Rows];
    }

    private static SparseAttentionResult Row(RunSpecification run, int lost, int samples, double? thresholds)
    {
        bool dense = MethodRegistry.IsDense(run.Method) && MethodRegistry.IsDense(run.DecodeMethod);
        bool prefill = !MethodRegistry.IsDense(run.Method);
        double sparsity = run.Sparsity ?? run.DecodeSparsity ?? (prefill ? thresholds ?? 0.6 : 0);
        double[] scores = StoredScores.Lost(samples, dense ? 0 : lost);
        return new SparseAttentionResult
        {
            RunId = Guid.NewGuid().ToString("N")[..16],
            Method = run.Method,
            DecodeMethod = run.DecodeMethod,
            Task = run.Task,
            TaskParameters = run.TaskParameters,
            Model = run.Model,
            SequenceLength = run.SequenceLength,
            RequestedSparsity = run.Sparsity,
            RequestedDecodeSparsity = run.DecodeSparsity,
            PrefillSparsity = prefill ? sparsity : 0,
            DecodeSparsity = prefill ? 0 : sparsity,
            CacheSparsity = prefill ? 0 : sparsity,
            Parameters = prefill ? Parameters(MethodLookup.Prefill(run.Method)!, run.Parameters, run.Sparsity, run) : "",
            DecodeParameters = prefill || dense ? "" : Parameters(MethodLookup.Decode(run.DecodeMethod)!, run.DecodeParameters, run.DecodeSparsity, run),
            Score = scores.Average(),
            SampleCount = samples,
            QuestionPosition = run.QuestionPosition,
            CompressBefore = run.CompressBefore,
            ShortInstructions = true,
            MaximumOutputTokens = run.MaximumOutputTokens,
            Seed = run.Seed,
            Device = "cuda:0",
            Samples = [.. scores.Select((score, i) => new SampleResult { Index = i, Score = score, GoldJson = FormattableString.Invariant($"{i}") })],
        };
    }

    // As the first sample ran them, which was a little shorter than what was asked for.
    private static string Parameters(AttentionMethod method, string given, double? sparsity, RunSpecification run)
    {
        MethodParameters parameters = method.CreateParameters(given);
        if (method.Name is "VerticalSlash" or "FlexPrefill" && !given.Contains("Window=", StringComparison.Ordinal))
        {
            parameters = parameters.With("Window", TaskRegistry.Find(run.Task).ApproximationWindow);
        }

        if (sparsity is { } asked)
        {
            parameters = method.NeedsCalibration ? method.WithBudget(parameters, 100) : method.SolveBudget(asked, new PromptShape(run.SequenceLength - 96, 8, 4), parameters).Parameters;
        }

        return string.Join(';', parameters.Values.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => string.Create(CultureInfo.InvariantCulture, $"{v.Key}={v.Value:R}")));
    }
}
