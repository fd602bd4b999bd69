using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tests.Experiments;
using Xunit;
using static SparseFrontier.Tests.Analysis.StoredScores;

namespace SparseFrontier.Tests.Analysis;

public sealed class ComparisonTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Welchs_bounds_and_p_values_are_scipys()
    {
        JsonElement golden = JsonDocument.Parse(File.ReadAllText(Fixtures.Golden("effects.json"))).RootElement;
        Assert.All(golden.GetProperty("welch").EnumerateArray(), c =>
        {
            DifferenceTest test = DifferenceTest.Welch((Number(c, "m1"), Number(c, "e1"), (int)Number(c, "n1")), (Number(c, "m2"), Number(c, "e2"), (int)Number(c, "n2")));
            Assert.Equal(Number(c, "low"), test.Low(0.95), 1e-9);
            Assert.Equal(Number(c, "high"), test.High(0.95), 1e-9);
            Assert.Equal(Number(c, "above"), test.PValueAbove(Number(c, "threshold")), 1e-10);
            Assert.Equal(Number(c, "below"), test.PValueBelow(Number(c, "threshold")), 1e-10);
        });
    }

    [Fact]
    public void A_paired_test_reads_the_same_from_both_sides()
    {
        double[] gains = [.. Enumerable.Range(0, 60).Select(i => i < 12 ? 1.0 : i < 15 ? -0.5 : 0)];
        DifferenceTest test = DifferenceTest.Paired(gains);
        DifferenceTest mirrored = DifferenceTest.Paired([.. gains.Select(g => -g)]);
        Assert.Equal(test.Low(0.9), -mirrored.High(0.9), 1e-12);
        Assert.Equal(test.PValueAbove(0.05), mirrored.PValueBelow(-0.05), 1e-12);

        // A bound is the threshold whose p value is the level.
        Assert.Equal(0.05, test.PValueAbove(test.Low(0.95)), 1e-6);
        Assert.Equal(test.SamplesNeeded(0.15, 0.05), mirrored.SamplesNeeded(-0.15, 0.05));
        Assert.Null(test.SamplesNeeded(test.Difference, 0.05));
    }

    [Fact]
    public void Each_verdict_is_given_where_it_is_shown()
    {
        (double[] Before, double[] Now, ComparisonVerdict Expected)[] cases =
        [
            (Lost(400, 3), Lost(400, 3), ComparisonVerdict.Unchanged),
            (Lost(400, 3), Lost(400, 60), ComparisonVerdict.Regressed),
            (Lost(400, 60), Lost(400, 3), ComparisonVerdict.Improved),
            (Lost(400, 3), Lost(400, 4), ComparisonVerdict.WithinMargin),
            (Lost(20, 0), Lost(20, 2), ComparisonVerdict.Unclear),
        ];
        SparseAttentionResult[] before = [.. cases.Select((c, i) => Row(_folder, "Quest", 0.5, c.Before, length: 1024 + i))];
        SparseAttentionResult[] now = [.. cases.Select((c, i) => Row(_folder, "Quest", 0.5, c.Now, length: 1024 + i))];
        RecordingSink sink = Compare(before, now, drop: 0.05);
        ResultDifference[] rows = [.. sink.Objects.Cast<ResultDifference>()];
        Assert.Equal(cases.Select(c => c.Expected), rows.Select(r => r.Verdict));
        Assert.Equal((0.85 - 0.9925, 57), (rows[1].Difference!.Value, rows[1].ChangedScoreCount), new Close());
        Assert.True(rows[1].DifferenceHigh < -0.05 && rows[1].AdjustedPValue >= rows[1].RegressionPValue);
        Assert.Contains("samples would tell", rows[4].Message, StringComparison.Ordinal);
        Assert.All(rows, r => Assert.Equal("Paired", r.Test));
    }

    [Fact]
    public void Gates_fail_where_they_say()
    {
        SparseAttentionResult dense = Row(_folder, "Dense", null, Lost(200, 0));
        SparseAttentionResult same = Row(_folder, "Dense", null, Lost(200, 0));
        SparseAttentionResult other = Row(_folder, "Dense", null, Lost(200, 0), output: "y");
        SparseAttentionResult worse = Row(_folder, "Dense", null, Lost(200, 80));
        SparseAttentionResult doubtful = Row(_folder, "Dense", null, Lost(200, 6));
        Assert.Equal((false, false, false), (Fails(same, ComparisonGate.Regression), Fails(same, ComparisonGate.Doubt), Fails(same, ComparisonGate.Change)));
        Assert.Equal((false, false, true), (Fails(other, ComparisonGate.Regression), Fails(other, ComparisonGate.Doubt), Fails(other, ComparisonGate.Change)));
        Assert.Equal((false, true, true), (Fails(doubtful, ComparisonGate.Regression), Fails(doubtful, ComparisonGate.Doubt), Fails(doubtful, ComparisonGate.Change)));
        Assert.Equal((true, true, true), (Fails(worse, ComparisonGate.Regression), Fails(worse, ComparisonGate.Doubt), Fails(worse, ComparisonGate.Change)));
        Assert.False(Fails(worse, ComparisonGate.Never));

        // A run that vanished fails too, and is a row.
        SparseAttentionResult quest = Row(_folder, "Quest", 0.5, Lost(200, 0));
        RecordingSink sink = Compare([dense, quest], [same], gate: ComparisonGate.Regression);
        Assert.Equal([ComparisonVerdict.Unchanged, ComparisonVerdict.Missing], sink.Objects.Cast<ResultDifference>().Select(r => r.Verdict));
        Assert.Equal(ErrorIds.ComparisonFailed, Assert.Single(sink.Errors).ErrorId);
        sink = Compare([dense], [same, quest]);
        Assert.Empty(sink.Errors);
        Assert.Contains("1 of 2 runs has no baseline", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        bool Fails(SparseAttentionResult now, ComparisonGate gate) => Compare([dense], [now], drop: 0.05, gate: gate).Errors.Count > 0;
    }

    [Fact]
    public void Other_columns_can_make_a_pair()
    {
        SparseAttentionResult[] dense = [Row(_folder, "Dense", null, Lost(50, 0))];
        SparseAttentionResult[] sparse = [Row(_folder, "Quest", 0.9, Lost(50, 20))];
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Compare(dense, sparse)).ErrorId);
        var row = (ResultDifference)Compare(dense, sparse, property: ["model"]).Objects.Single();
        Assert.Equal((ComparisonVerdict.Regressed, "Quest"), (row.Verdict, row.DecodeMethod));
        Assert.Equal(
            ErrorIds.DataInsufficient,
            Assert.Throws<SparseFrontierException>(() => Compare(dense, [.. sparse, Row(_folder, "Quest", 0.5, Lost(50, 0))], property: ["Model"])).ErrorId);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Compare(dense, sparse, property: ["Colour"])).ErrorId);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Compare(dense, dense, gate: ComparisonGate.Doubt)).ErrorId);
    }

    [Fact]
    public void Rows_without_samples_are_compared_by_their_means()
    {
        SparseAttentionResult before = Loose(0.9, 0.02);
        var row = (ResultDifference)Compare([before], [Loose(0.8, 0.03)]).Objects.Single();
        Assert.Equal(("Welch", ComparisonVerdict.Regressed, (int?)null), (row.Test, row.Verdict, row.ChangedScoreCount));

        // What cannot be compared fails a gate like a run that is missing.
        RecordingSink sink = Compare([before], [Loose(0.8, null)], gate: ComparisonGate.Regression);
        row = (ResultDifference)sink.Objects.Single();
        Assert.Equal(ComparisonVerdict.Missing, row.Verdict);
        Assert.Contains("StandardError", row.Message, StringComparison.Ordinal);
        Assert.Single(sink.Errors);
    }

    [Fact]
    public void Runs_of_two_folders_are_compared()
    {
        RecordingSink before = Sweeps.Run(_folder.File("before"), Sweeps.Mixed(), new HashEngineFactory());
        RecordingSink now = Sweeps.Run(_folder.File("now"), Sweeps.Mixed(), new HashEngineFactory { Identity = new("other", "tokenizer", null) });
        RecordingSink sink = Compare(before.Rows, now.Rows);
        Assert.Equal(5, sink.Objects.Cast<ResultDifference>().Count(r => r.ChangedOutputCount > 0 && r.SampleCount == 3));
        Assert.Single(Compare(before.Rows, now.Rows, gate: ComparisonGate.Change).Errors);
        Assert.Empty(Compare(before.Rows, before.Rows, gate: ComparisonGate.Change).Errors);
    }

    [Theory]
    [InlineData("Quest over SnapKV", 0, ClaimVerdict.Supported)]
    [InlineData("SnapKV over Quest", 0, ClaimVerdict.Refuted)]
    [InlineData("quest at 0.9 OVER snapkv at .9", 0.5, ClaimVerdict.Refuted)]
    [InlineData("Quest over SnapKV", 0.15, ClaimVerdict.Underpowered)]
    [InlineData("Quest not below Dense", 0.2, ClaimVerdict.Supported)]
    [InlineData("SnapKV not below Dense", 0.05, ClaimVerdict.Refuted)]
    public void Claims_are_supported_refuted_or_underpowered(string claim, double margin, ClaimVerdict expected)
    {
        var row = (SparsityClaim)Claim(claim, Cell(), margin).Objects.Single();
        Assert.Equal(expected, row.Verdict);
        Assert.Equal(expected == ClaimVerdict.Supported, row.DifferenceLow > row.Threshold);
        Assert.Equal(expected == ClaimVerdict.Refuted, row.DifferenceHigh < row.Threshold);
        Assert.Equal(expected == ClaimVerdict.Underpowered, row.NeededSampleCount > row.SampleCount);
        Assert.Equal([expected == ClaimVerdict.Supported], Claim(claim, Cell(), margin, quiet: true).Objects);
    }

    [Fact]
    public void Seeds_are_put_together_and_sparsities_kept_apart()
    {
        SparseAttentionResult[] rows =
        [
            Row(_folder, "Quest", 0.5, Lost(30, 0)), Row(_folder, "SnapKV", 0.5, Lost(30, 4)),
            Row(_folder, "Quest", 0.5, Lost(30, 0), seed: 2), Row(_folder, "SnapKV", 0.5, Lost(30, 5), seed: 2),
            Row(_folder, "Quest", 0.9, Lost(30, 9)), Row(_folder, "SnapKV", 0.9, Lost(30, 2)),
        ];
        SparsityClaim[] verdicts = [.. Claim("Quest over SnapKV", rows, 0).Objects.Cast<SparsityClaim>()];
        Assert.Equal([(0.5, 60, ClaimVerdict.Supported), (0.9, 30, ClaimVerdict.Refuted)], verdicts.Select(v => (v.Sparsity!.Value, v.SampleCount, v.Verdict)));
        Assert.Equal([false], Claim("Quest over SnapKV", rows, 0, quiet: true).Objects);
        Assert.Single(Claim("Quest at 0.5 over SnapKV at 0.9", rows, 0).Objects);
    }

    [Theory]
    [InlineData("Quest beats SnapKV", 0, ErrorIds.ParameterInvalid)]
    [InlineData("Qest over SnapKV", 0, ErrorIds.MethodNotFound)]
    [InlineData("Quest at 1.5 over SnapKV", 0, ErrorIds.SparsityOutOfRange)]
    [InlineData("Quest not below Dense", 0, ErrorIds.ParameterInvalid)]
    [InlineData("AdaSnapKV over SnapKV", 0, ErrorIds.DataInsufficient)]
    [InlineData("Quest over SnapKV", -1, ErrorIds.ParameterInvalid)]
    public void Claims_that_cannot_be_tested_say_why(string claim, double margin, string id) =>
        Assert.Equal(id, Assert.Throws<SparseFrontierException>(() => Claim(claim, Cell(), margin)).ErrorId);

    [Fact]
    public void Runs_that_fell_back_to_dense_are_warned_of()
    {
        SparseAttentionResult whole = Row(_folder, "Quest", 0.9, Lost(30, 0));
        Assert.Empty(Compare([whole], [whole]).Warnings);
        SparseAttentionResult fallen = JsonSerializer.Deserialize<SparseAttentionResult>(JsonSerializer.Serialize(whole).Replace("\"FallbackCount\":0", "\"FallbackCount\":3", StringComparison.Ordinal))!;
        Assert.Contains("Of the runs to compare and the baselines 1 has samples that fell back", Assert.Single(Compare([whole], [fallen]).Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_method_without_runs_is_named()
    {
        string message = Assert.Throws<SparseFrontierException>(() => Claim("Quest over VerticalSlash+Quest", Cell(), 0)).Message;
        Assert.Contains("completed runs is of VerticalSlash + Quest; there are runs of ", message, StringComparison.Ordinal);
        Assert.Contains("SnapKV", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_decided_where_every_score_is_near_chance()
    {
        SparseAttentionResult[] floor = [Row(_folder, "Dense", null, Lost(100, 99)), Row(_folder, "Quest", 0.9, Lost(100, 100)), Row(_folder, "SnapKV", 0.9, Lost(100, 100))];
        foreach (string text in new[] { "Quest not below Dense", "Quest over SnapKV" })
        {
            var row = (SparsityClaim)Claim(text, floor, 0.1).Objects.Single();
            Assert.Equal(ClaimVerdict.Underpowered, row.Verdict);
            Assert.Contains("more than 0.1 above chance (0), so that a loss could not be seen", row.Message, StringComparison.Ordinal);
            Assert.Equal([false], Claim(text, floor, 0.1, quiet: true).Objects);
        }

        // With dense attention well above chance two methods that fail alike are one not better than the other, and without it nothing says that the task can be done.
        SparseAttentionResult[] failing = [Row(_folder, "Dense", null, Lost(100, 5)), .. floor[1..]];
        Assert.Equal(ClaimVerdict.Refuted, ((SparsityClaim)Claim("Quest over SnapKV", failing, 0.1).Objects.Single()).Verdict);
        Assert.Equal(ClaimVerdict.Underpowered, ((SparsityClaim)Claim("Quest over SnapKV", failing[1..], 0.1).Objects.Single()).Verdict);

        // What no run at random would get stands.
        Assert.Equal(ClaimVerdict.Supported, ((SparsityClaim)Claim("Dense over Quest", failing, 0.1).Objects.Single()).Verdict);

        // A comparison with a baseline near chance shows no margin either.
        var compared = (ResultDifference)Compare(floor[..1], [Row(_folder, "Dense", null, Lost(100, 98))], drop: 0.1).Objects.Single();
        Assert.Equal(ComparisonVerdict.Unclear, compared.Verdict);
        Assert.Contains("the baseline's score, 0.010, is not shown to be more than 0.1 above chance (0)", compared.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sparsities_are_compared_as_measured()
    {
        // Asked for the same, the second left out less; a third was asked for that much.
        SparseAttentionResult[] rows =
        [
            Row(_folder, "Quest", 0.9, Lost(100, 0)), Measured(Row(_folder, "SnapKV", 0.9, Lost(100, 30)), 0.8), Row(_folder, "Quest", 0.8, Lost(100, 0)),
        ];
        RecordingSink sink = Claim("Quest over SnapKV", rows, 0);
        var row = (SparsityClaim)sink.Objects.Single();
        Assert.Equal((0.8, 0.8, 0.9, 0.8), (row.Sparsity!.Value, row.MeasuredSparsity!.Value, row.OtherSparsity!.Value, row.OtherMeasuredSparsity!.Value));
        Assert.Contains("were both asked for sparsity 0.9 and left out 0.900 and 0.800", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        sink = Claim("Quest at 0.9 over SnapKV at 0.8", rows, 0);
        Assert.Single(sink.Objects);
        Assert.Empty(sink.Warnings);
        sink = new RecordingSink();
        Assert.Equal(
            ErrorIds.DataInsufficient,
            Assert.Throws<SparseFrontierException>(() => new TestClaimOperation { Claim = "Quest at 0.9 over SnapKV at 0.9", Results = rows }.Execute(sink, default)).ErrorId);
        Assert.Contains("SnapKV was asked for sparsity 0.9 and left out 0.800", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        // Of the prompt's cache, which a budget is solved for: what is generated afterwards is not what was asked.
        SparseAttentionResult generated = Row(_folder, "SnapKV", 0.9, Lost(100, 30));
        Assert.Single(Claim("Quest over SnapKV", [rows[0], Measured(generated, 0.7, cache: 0.9)], 0).Objects);

        static SparseAttentionResult Measured(SparseAttentionResult row, double sparsity, double? cache = null) => new()
        {
            RunId = row.RunId,
            Method = row.Method,
            DecodeMethod = row.DecodeMethod,
            Task = row.Task,
            Model = row.Model,
            SequenceLength = row.SequenceLength,
            Seed = row.Seed,
            PrefillSparsity = 0,
            DecodeSparsity = sparsity,
            CacheSparsity = cache,
            RequestedDecodeSparsity = row.RequestedDecodeSparsity,
            Score = row.Score,
            StandardError = row.StandardError,
            SampleCount = row.SampleCount,
            Path = row.Path,
        };
    }

    private SparseAttentionResult[] Cell() =>
        [Row(_folder, "Dense", null, Lost(100, 0)), Row(_folder, "Quest", 0.9, Lost(100, 5)), Row(_folder, "SnapKV", 0.9, Lost(100, 25))];

    private static RecordingSink Compare(
        IReadOnlyList<SparseAttentionResult> before, IReadOnlyList<SparseAttentionResult> now, double drop = 0, ComparisonGate gate = ComparisonGate.Never, string[]? property = null)
    {
        var sink = new RecordingSink();
        new CompareResultOperation { Baseline = before, Candidate = now, MaximumDrop = drop, FailOn = gate, Property = property ?? [] }.Execute(sink, default);
        return sink;
    }

    private static RecordingSink Claim(string claim, SparseAttentionResult[] rows, double margin, bool quiet = false)
    {
        var sink = new RecordingSink();
        new TestClaimOperation { Claim = claim, Results = rows, Margin = margin, Quiet = quiet }.Execute(sink, default);
        return sink;
    }

    private static SparseAttentionResult Loose(double score, double? error) => new()
    {
        RunId = $"loose{score}",
        Method = "Dense",
        DecodeMethod = "Quest",
        RequestedDecodeSparsity = 0.5,
        Task = "Niah",
        Model = "tiny",
        SequenceLength = 2048,
        Score = score,
        StandardError = error,
        SampleCount = 100,
    };

    private static double Number(JsonElement element, string name) => element.GetProperty(name).GetDouble();

    private sealed class Close : IEqualityComparer<(double, int?)>
    {
        public bool Equals((double, int?) x, (double, int?) y) => Math.Abs(x.Item1 - y.Item1) < 1e-12 && x.Item2 == y.Item2;

        public int GetHashCode((double, int?) obj) => 0;
    }
}
