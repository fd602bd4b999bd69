using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tests.Experiments;
using Xunit;
using static SparseFrontier.Tests.Analysis.StoredScores;

namespace SparseFrontier.Tests.Analysis;

public sealed class RecommendTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_largest_shown_sparsity_is_advised_and_nothing_beyond()
    {
        SparsityRecommendation advice = Assert.Single(Recommend(Cell(1024, "Niah", 200, (0.5, 0), (0.8, 2), (0.9, 40)), drop: 0.05));
        Assert.Equal(("Dense", "Quest", "Decode", 0.8), (advice.Method, advice.DecodeMethod, advice.Phase, advice.Sparsity!.Value));
        Assert.Equal(0.01, advice.Loss!.Value, 1e-12);
        Assert.InRange(advice.LossHigh!.Value, 0.01, 0.05);
        Assert.Equal(204.8, advice.KeptTokens!.Value, 1e-9);
        Assert.Contains("0.90 is not established with 200 samples of Niah: the loss observed, 0.200, is not below the margin", advice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_shown_is_dense_and_says_how_many_samples_would_show_it()
    {
        SparsityRecommendation advice = Assert.Single(Recommend(Cell(1024, "Niah", 20, (0.5, 0)), drop: 0.02));
        Assert.Equal(("Dense", "Dense"), (advice.Method, advice.DecodeMethod));
        Assert.Null(advice.Sparsity);
        Assert.Null(advice.ToleratedSparsity);
        Assert.Matches("Dense attention: no sparsity is shown .* about 149 samples", advice.Reason);
    }

    [Fact]
    public void Every_task_must_tolerate_it()
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0), (0.9, 0)), .. Cell(1024, "Vt", 200, (0.5, 1), (0.9, 60))];
        SparsityRecommendation[] both = Recommend(rows);
        Assert.Equal([("Niah", 0.5, 0.0), ("Vt", 0.5, 0.005)], both.Select(b => (b.Task, b.Sparsity!.Value, Math.Round(b.Loss!.Value, 9))));
        Assert.All(both, b => Assert.Equal(2, b.TaskCount));
        Assert.Equal(0.9, Assert.Single(Recommend(rows, task: "niah")).Sparsity);
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Recommend(rows, task: "Cwe")).ErrorId);

        // A sparsity that one task lacks stands in the way at most.
        Assert.All(Recommend([.. Cell(1024, "Niah", 200, (0.5, 0), (0.9, 0)), .. Cell(1024, "Vt", 200, (0.5, 1))]), r => Assert.Equal(0.5, r.Sparsity));
    }

    [Fact]
    public void Chance_of_any_false_claim_is_held_over_methods()
    {
        // 1 - 0.95^(1/59) is the bound at 59 samples without a loss; two methods share the level and need 73.
        SparseAttentionResult[] one = Cell(1024, "Niah", 60, (0.5, 0));
        SparseAttentionResult[] two = [.. one, Row(_folder, "SnapKV", 0.5, Lost(60, 6), "Niah", 1024)];
        Assert.Equal("Quest", Assert.Single(Recommend(one)).DecodeMethod);
        Assert.Equal("Dense", Assert.Single(Recommend(two)).DecodeMethod);
    }

    [Fact]
    public void The_fastest_is_taken_where_speeds_are_known_and_dense_where_none_is_faster()
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0), (0.9, 0)), Row(_folder, "SnapKV", 0.5, Lost(200, 0), "Niah", 1024)];
        KernelMeasurement[] kernels =
        [
            Kernel("Quest", 512, 0.9, 0.5), Kernel("Quest", 2048, 0.9, 2), Kernel("SnapKV", 512, 0.5, 1.5), Kernel("SnapKV", 2048, 0.5, 1.5),
        ];
        Assert.Equal("Quest", Assert.Single(Recommend(rows)).DecodeMethod);
        SparsityRecommendation fastest = Assert.Single(Recommend(rows, kernels: kernels));
        Assert.Equal(("SnapKV", "attention"), (fastest.DecodeMethod, fastest.SpeedUpOf));
        Assert.Equal(1.5, fastest.SpeedUp!.Value, 1e-12);

        // 1 by interpolation at 1024 for Quest: half way between 0.5 and 2 in logarithms.
        SparsityRecommendation alone = Assert.Single(Recommend(rows[..3], kernels: [.. kernels.Where(k => k.Method == "Quest").Select(k => k with { SpeedUp = k.SpeedUp * 0.9 })]));
        Assert.Equal("Dense", alone.DecodeMethod);
        Assert.Contains("takes 1.11 times as long (attention)", alone.Reason, StringComparison.Ordinal);

        // Of several, one whose speed is known to be above dense attention's; else one whose speed is not known.
        SparsityRecommendation known = Assert.Single(Recommend(rows, kernels: [.. kernels.Where(k => k.Method == "SnapKV")]));
        Assert.Equal(("SnapKV", (double?)1.5), (known.DecodeMethod, known.SpeedUp!.Value is var f ? Math.Round(f, 9) : null));
        Assert.Contains("It alone of 2 has a measured speed.", known.Reason, StringComparison.Ordinal);
        SparsityRecommendation unknown = Assert.Single(Recommend(rows, kernels: [.. kernels.Where(k => k.Method == "SnapKV").Select(k => k with { SpeedUp = 0.8 })]));
        Assert.Equal(("Quest", (double?)null), (unknown.DecodeMethod, unknown.SpeedUp));

        // Another device's kernels say nothing.
        Assert.Null(Assert.Single(Recommend(rows, kernels: [.. kernels.Select(k => k with { Device = "cuda:0" })], device: "cpu")).SpeedUp);
    }

    // Two thirds of dense attention's time a token say so of steps that a run had to itself, and nothing of an equal share of steps.
    [Theory]
    [InlineData(1.0, 1.0, 1.5)]
    [InlineData(8.0, 8.0, null)]
    [InlineData(1.0, 2.0, null)]
    [InlineData(null, null, null)]
    public void Seconds_of_generation_count_where_runs_stepped_alone(double? sequences, double? denseSequences, double? speedUp)
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0)), .. Cell(4096, "Niah", 200, (0.5, 0))];
        SparseAttentionResult[] timed = [.. rows.Select(r => r.DecodeMethod == "Dense" ? Timed(r, 6, denseSequences) : Timed(r, 4, sequences))];
        SparsityRecommendation[] advice = [.. Recommend(timed), .. Recommend(timed, length: 2048)];
        Assert.Equal(3, advice.Length);
        Assert.All(advice, a =>
        {
            Assert.Equal(("Quest", speedUp), (a.DecodeMethod, a.SpeedUp is { } f ? Math.Round(f, 9) : null));
            Assert.Contains(speedUp is null ? "Its speed is not known: steps were, or may have been, shared with other runs (SequencesPerStep)" : "0.67 of dense attention's time", a.Reason, StringComparison.Ordinal);
        });

        // Where there are kernels, they are what is meant; where nothing was measured, nothing was shared.
        Assert.Contains("No speed was measured.", Recommend(timed, kernels: [Kernel("SnapKV", 1024, 0.5, 2)])[0].Reason, StringComparison.Ordinal);
        Assert.Contains("No speed was measured.", Recommend(rows)[0].Reason, StringComparison.Ordinal);

        static SparseAttentionResult Timed(SparseAttentionResult row, double seconds, double? sequences)
        {
            JsonNode node = JsonSerializer.SerializeToNode(row, StoreJson.Line)!;
            node[nameof(row.DecodeSeconds)] = seconds;
            node[nameof(row.OutputTokenCount)] = 10;
            node[nameof(row.SequencesPerStep)] = sequences;
            return RunSummary.WithPath(node.Deserialize<SparseAttentionResult>(StoreJson.Line)!, row.Path);
        }
    }

    [Fact]
    public void Kernels_are_interpolated_and_never_beyond_what_was_measured()
    {
        var table = new KernelTable([Kernel("Quest", 1024, 0.5, 1), Kernel("Quest", 1024, 0.9, 2), Kernel("Quest", 4096, 0.5, 2), Kernel("Quest", 4096, 0.9, 8)]);
        Assert.Equal(4, table.SpeedUp("Decode", "quest", "", 2048, 0.9)!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(2), table.SpeedUp("Decode", "Quest", "", 1024, 1 - Math.Sqrt(0.05))!.Value, 1e-12);
        Assert.Equal(2, table.SpeedUp("Decode", "Quest", "", 1024, 0.901)!.Value, 0.05);
        Assert.Null(table.SpeedUp("Decode", "Quest", "", 8192, 0.9));
        Assert.Null(table.SpeedUp("Decode", "Quest", "", 1024, 0.95));
        Assert.Null(table.SpeedUp("Prefill", "Quest", "", 1024, 0.9));
        Assert.Null(table.SpeedUp("Decode", "Quest", "PageSize=8", 1024, 0.9));

        // A kernel with parameters of its own speaks for those alone; the budget is none of them.
        var own = new KernelTable([Kernel("Quest", 1024, 0.5, 3) with { Parameters = "PageSize=8;SharePages=1;TokenBudget=512" }]);
        Assert.Equal(3, own.SpeedUp("Decode", "Quest", "PageSize=8", 1024, 0.5)!.Value, 1e-12);
        Assert.Null(own.SpeedUp("Decode", "Quest", "", 1024, 0.5));
    }

    [Fact]
    public void A_schedule_gives_back_the_budgets_that_were_shown()
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0), (0.9, 60)), .. Cell(2048, "Niah", 200, (0.5, 0), (0.7, 0)), .. Cell(4096, "Niah", 200, (0.5, 60))];
        SparsityRecommendation[] advice = Recommend(rows);
        Assert.Equal(["Quest", "Quest", "Dense"], advice.Select(a => a.DecodeMethod));
        Assert.Equal("length:0-1024 x1 | length:1025-2048 x1.21875 | length:2049-4096 dense | length:4097- dense", advice[1].BudgetSchedule);
        Assert.Equal(("TokenBudget=512", (double?)null), (advice[1].Parameters, advice[1].Sparsity));

        DecodeMethod quest = MethodLookup.Decode("Quest")!;
        MethodParameters parameters = quest.CreateParameters(advice[1].Parameters).With(BudgetSchedule.Parse(advice[1].BudgetSchedule));
        Assert.Equal(512, quest.At(parameters, new BudgetPlace(3, 0, 1000, BudgetPlace.Prompt))!["TokenBudget"]);
        Assert.Equal(624, quest.At(parameters, new BudgetPlace(3, 0, 2048, 5))!["TokenBudget"]);
        Assert.Null(quest.At(parameters, new BudgetPlace(3, 0, 4000, BudgetPlace.Prompt)));
    }

    [Fact]
    public void A_schedule_of_FlexPrefill_goes_from_its_floor_to_its_coverage()
    {
        SparseAttentionResult[] rows =
        [
            .. Flex(1024, (0.5, "Alpha=0;MinimumBudget=300;Window=64", 0)), .. Flex(2048, (0.5, "Alpha=0.25;MinimumBudget=512;Window=64", 0)),
        ];
        SparsityRecommendation[] advice = Recommend(rows);
        Assert.Equal(["FlexPrefill", "FlexPrefill"], advice.Select(a => a.Method));
        Assert.All(advice, a => Assert.Equal("Window=64;Alpha=0;MinimumBudget=300", a.Parameters));
        PrefillMethod flex = MethodRegistry.FindPrefill("FlexPrefill");
        MethodParameters parameters = flex.CreateParameters(advice[1].Parameters).With(BudgetSchedule.Parse(advice[1].BudgetSchedule));
        Assert.Equal((0.0, 300.0), At(900));
        Assert.Equal((0.25, 512.0), At(2000));
        Assert.Null(flex.At(parameters, new BudgetPlace(0, 0, 4096, BudgetPlace.Prompt)));

        (double, double) At(int length)
        {
            MethodParameters there = flex.At(parameters, new BudgetPlace(0, 0, length, BudgetPlace.Prompt))!;
            return (Math.Round(there["Alpha"], 12), there["MinimumBudget"]);
        }
    }

    [Fact]
    public void Between_two_lengths_is_advised_what_both_show_and_beyond_them_nothing()
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0), (0.9, 0)), .. Cell(4096, "Niah", 200, (0.5, 4), (0.9, 80))];
        KernelMeasurement[] kernels = [Kernel("Quest", 1024, 0.5, 1), Kernel("Quest", 4096, 0.5, 4)];
        SparsityRecommendation between = Assert.Single(Recommend(rows, kernels: kernels, length: 2048));
        Assert.Equal((true, 2048, "Quest", 0.5, ""), (between.IsInterpolated, between.SequenceLength, between.DecodeMethod, between.Sparsity!.Value, between.BudgetSchedule));

        // 2048 is half way in logarithms.
        Assert.Equal(0.01, between.Loss!.Value, 1e-12);
        Assert.Equal(2, between.SpeedUp!.Value, 1e-12);
        SparsityRecommendation[] ends = Recommend(rows, length: 0);
        Assert.All(ends, e => Assert.False(e.IsInterpolated));
        Assert.True(between.LossLow < between.Loss && between.Loss < between.LossHigh && between.LossHigh > ends.Min(e => e.LossHigh));
        Assert.StartsWith("Interpolated: Quest at 0.50 is shown to lose less than 0.05 at 1024 and at 4096 tokens", between.Reason, StringComparison.Ordinal);

        // Shown at one end alone it is not advised between.
        SparsityRecommendation dense = Assert.Single(Recommend([.. Cell(1024, "Niah", 200, (0.5, 0)), .. Cell(4096, "Niah", 200, (0.5, 80))], length: 2048));
        Assert.Equal(("Dense", true), (dense.DecodeMethod, dense.IsInterpolated));
        Assert.Contains("both at 1024 and at 4096 tokens", dense.Reason, StringComparison.Ordinal);
        Assert.Empty(Recommend(rows, length: 512));
        Assert.Empty(Recommend(rows, length: 8192));
    }

    [Fact]
    public void Where_dense_attention_is_near_chance_nothing_is_advised()
    {
        SparseAttentionResult[] rows = [Row(_folder, "Dense", null, Lost(200, 199), "Niah", 1024), Row(_folder, "Quest", 0.9, Lost(200, 199), "Niah", 1024)];
        SparsityRecommendation advice = Assert.Single(Recommend(rows));
        Assert.Equal(("Dense", (double?)0.005), (advice.DecodeMethod, advice.DenseScore));
        Assert.StartsWith("Dense attention: on Niah at 1024 tokens dense attention's score, 0.005, is not shown to be more than 0.05 above chance (0)", advice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Tasks_with_parameters_and_windows_of_their_own_are_advised_together()
    {
        SparseAttentionResult[] rows = [.. Task("Niah", "Queries=4", 512), .. Task("StoryMultiHop", "Back=1", 256)];
        SparsityRecommendation[] advice = Recommend(rows);
        Assert.Equal([("Niah", "Queries=4"), ("StoryMultiHop", "Back=1")], advice.Select(a => (a.Task, a.TaskParameters)));
        Assert.All(advice, a => Assert.Equal(("VerticalSlash", 0.5, 2, ""), (a.Method, a.Sparsity, a.TaskCount, a.Parameters)));

        // Of a task with several parameter sets it is not known which belongs to the other task.
        advice = Recommend([.. rows, .. Task("Niah", "Queries=1", 512)]);
        Assert.Equal(["Back=1", "Queries=1", "Queries=4"], advice.Select(a => a.TaskParameters).Order(StringComparer.Ordinal));
        Assert.All(advice, a => Assert.Equal(1, a.TaskCount));

        SparseAttentionResult[] Task(string task, string parameters, int window) =>
        [
            Row(_folder, "Dense", null, Lost(200, 0), task, 1024, taskParameters: parameters),
            PrefillRow(_folder, "VerticalSlash", 0.5, Lost(200, 0), $"SlashSize=99;VerticalSize=99;Window={window}", 1024, task, parameters),
        ];
    }

    [Fact]
    public void Tasks_that_a_length_lacks_are_left_out_unless_they_are_named()
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0)), .. Cell(4096, "Niah", 200, (0.5, 0)), .. Cell(4096, "CommonWords", 200, (0.5, 200))];
        var sink = new RecordingSink();
        new RecommendOperation { Results = rows }.Execute(sink, default);
        Assert.Equal([("Niah", 1024), ("Niah", 4096)], sink.Objects.Cast<SparsityRecommendation>().Select(a => (a.Task, a.SequenceLength)));
        Assert.Contains("CommonWords was not run", Assert.Single(sink.Warnings), StringComparison.Ordinal);
        Assert.Equal(["CommonWords", "Niah"], Recommend(rows, length: 4096).Select(a => a.Task));
        Assert.Empty(Recommend(rows, task: "CommonWords", length: 1024));
        Assert.Equal("Dense", Assert.Single(Recommend(rows, task: "CommonWords")).DecodeMethod);
    }

    [Fact]
    public void Rows_and_messages_name_the_folder_that_nobody_named()
    {
        SparseAttentionResult[] rows = [.. Cell(1024, "Niah", 200, (0.5, 0))];
        var sink = new RecordingSink();
        new RecommendOperation { Results = rows, ResultPath = "/here/results" }.Execute(sink, default);
        var advice = (SparsityRecommendation)Assert.Single(sink.Objects);
        Assert.Equal("the results in '/here/results'", advice.Source);
        Assert.EndsWith(" From the results in '/here/results'.", advice.Reason, StringComparison.Ordinal);
        foreach (RecommendOperation operation in (RecommendOperation[])[
            new() { Results = [], ResultPath = "/here/results" },
            new() { Results = rows, ResultPath = "/here/results", Task = ["Cwe"] },
            new() { Results = [rows[0]], ResultPath = "/here/results" }])
        {
            Assert.Contains("'/here/results'", Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), default)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Parameters_that_no_version_reads_are_taken_as_they_are()
    {
        SparseAttentionResult[] rows = [Row(_folder, "Dense", null, Lost(200, 0), length: 1024), PrefillRow(_folder, "VerticalSlash", 0.5, Lost(200, 0), "Window=wide", 1024)];
        Assert.Equal(("VerticalSlash", "Window=wide"), Assert.Single(Recommend(rows).Select(a => (a.Method, a.Parameters))));
    }

    [Fact]
    public void What_this_version_cannot_ask_of_a_method_has_no_schedule_and_is_advised_all_the_same()
    {
        // Another program's parameters, at two lengths.
        SparseAttentionResult[] words =
        [
            .. new[] { 1024, 2048 }.SelectMany(n => new[] { Row(_folder, "Dense", null, Lost(200, 0), length: n), Row(_folder, "SnapKV", 0.5, Lost(200, 0), length: n, decodeParameters: "press=snap") }),
        ];
        words = [.. words.Select(r => With(r, nameof(SparseAttentionResult.DecodeParameters), r.DecodeMethod == "SnapKV" ? "press=snap" : ""))];
        Assert.All(Recommend(words), a => Assert.Equal(("SnapKV", 0.5, ""), (a.DecodeMethod, a.Sparsity!.Value, a.BudgetSchedule)));

        // A file of rows whose sparsity the usual windows cannot reach at 1024 tokens, nor any at all.
        foreach (double sparsity in new[] { 0.95, 1, 1.5 })
        {
            SparseAttentionResult[] rows = [.. new[] { 1024, 2048 }.SelectMany(n => new[] { Row(_folder, "Dense", null, Lost(200, 0), length: n), Row(_folder, "SnapKV", sparsity, Lost(200, 0), length: n) })];
            rows = [.. rows.Select(r => With(r, nameof(SparseAttentionResult.DecodeParameters), r.DecodeMethod == "SnapKV" ? "Capacity=51" : ""))];
            string file = _folder.File(FormattableString.Invariant($"{sparsity}.jsonl.br"));
            ResultSummaryFile.Write(file, rows);
            Assert.All(Recommend([.. ResultSummaryFile.Read(file).Rows]), a => Assert.Equal(("SnapKV", sparsity, ""), (a.DecodeMethod, a.Sparsity!.Value, a.BudgetSchedule)));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whatever_rows_are_given_advice_comes_or_says_what_is_missing(bool asFile)
    {
        string[] methods = ["Quest", "SnapKV", "AdaSnapKV", "VerticalSlash", "FlexPrefill", "BlockSparse", "Random", "OracleTopK", "OfAnother"];
        string[] parameters = ["", "TokenBudget=512", "TokenBudget=7", "Capacity=1", "Capacity=300;Window=512", "VerticalSize=64;SlashSize=128", "VerticalSize=64;SlashSize=64;Window=512", "TopBlocks=4;BlockSize=16", "TopBlocks=1", "Alpha=0;MinimumBudget=300", "Alpha=0.9;MinimumBudget=512", "=", "Window=wide"];
        double?[] sparsities = [null, 0, 1e-9, 0.33, 0.5, 0.5, 0.9, 0.95, 0.99999, 1, 1.5, -0.1];
        int[] lengths = [1, 16, 1024, 2048, 4096];
        double[][] scores = [Lost(300, 0), Lost(300, 0), Lost(300, 0), Lost(300, 1), Lost(100, 99), Lost(100, 100), Lost(2, 0), Lost(1, 0), [.. Enumerable.Range(0, 100).Select(i => i / 99.0)]];
        int advised = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            // The same runs at every length, so that what is shown of a method there makes a schedule.
            var random = new Random(seed);
            int[] at = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Any(lengths)).Distinct()];
            string[] tasks = [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => Any(["Niah", "VariableTracking", "Vt"])).Distinct()];
            (string Method, string Parameters, double? Sparsity, bool IsDecode)[] runs = [.. Enumerable.Range(0, random.Next(0, 6)).Select(_ => (Any(methods), Any(parameters), Any(sparsities), random.Next(2) == 0))];
            List<SparseAttentionResult> rows =
            [
                .. from length in at
                   from task in tasks
                   from run in runs.Prepend(("Dense", "", null, true))
                   let row = run.IsDecode
                       ? Row(_folder, run.Method, run.Sparsity, run.Method == "Dense" ? scores[0] : Any(scores), task, length, decodeParameters: run.Parameters)
                       : PrefillRow(_folder, run.Method, run.Sparsity ?? 0.4, Any(scores), run.Parameters, length, task)
                   select With(row, nameof(SparseAttentionResult.DecodeParameters), run.IsDecode ? run.Parameters : ""),
            ];
            if (asFile)
            {
                string file = _folder.File($"{seed}.jsonl.br");
                ResultSummaryFile.Write(file, rows);
                rows = [.. ResultSummaryFile.Read(file).Rows];
            }

            try
            {
                advised += Recommend([.. rows], drop: Any([0.01, 0.05, 0.9]), length: random.Next(4) == 0 ? 1500 : 0).Length;
            }
            catch (SparseFrontierException e)
            {
                Assert.Equal((seed, ErrorIds.DataInsufficient), (seed, e.ErrorId));
            }

            T Any<T>(T[] of) => of[random.Next(of.Length)];
        }

        Assert.True(advised > 60, $"{advised}");
    }

    [Fact]
    public void Nothing_is_advised_without_results_or_where_nothing_was_run()
    {
        Assert.Contains("no completed results", Assert.Throws<SparseFrontierException>(() => Recommend([])).Message, StringComparison.Ordinal);
        var sink = new RecordingSink();
        new RecommendOperation { Results = Cell(1024, "Niah", 100, (0.5, 0)), SequenceLength = [8192] }.Execute(sink, default);
        Assert.Empty(sink.Objects);
        Assert.Contains("8192 tokens lie outside of the lengths", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        // Runs of another protocol at other lengths are none that are missed at this one.
        sink = new RecordingSink();
        new RecommendOperation
        {
            Results = [.. Cell(1024, "Niah", 100, (0.5, 0)), .. Cell(4096, "Niah", 100, (0.5, 0)).Select(r => With(r, nameof(SparseAttentionResult.QuestionPosition), "Last"))],
            SequenceLength = [1024],
        }.Execute(sink, default);
        Assert.Single(sink.Objects);
        Assert.Empty(sink.Warnings);

        // Nor is a length that they enclose outside.
        sink = new RecordingSink();
        new RecommendOperation
        {
            Results =
            [
                .. Cell(1024, "Niah", 100, (0.5, 0)), .. Cell(4096, "Niah", 100, (0.5, 0)), .. Cell(4096, "Niah", 100, (0.5, 0)).Select(r => With(r, nameof(SparseAttentionResult.QuestionPosition), "Last")),
            ],
            SequenceLength = [2000],
        }.Execute(sink, default);
        Assert.Single(sink.Objects);
        Assert.Empty(sink.Warnings);

        // Runs of one of the tasks are no runs of both.
        sink = new RecordingSink();
        new RecommendOperation
        {
            Results = [.. Cell(1024, "Niah", 100, (0.5, 0)), .. Cell(1024, "CommonWords", 100, (0.5, 0)), .. Cell(4096, "Niah", 100, (0.5, 0))],
            Task = ["CommonWords", "Niah"],
            SequenceLength = [4096],
        }.Execute(sink, default);
        Assert.Empty(sink.Objects);
        Assert.Contains("4096 tokens lie outside of the lengths", Assert.Single(sink.Warnings), StringComparison.Ordinal);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Recommend(Cell(1024, "Niah", 100, (0.5, 0)), drop: 0)).ErrorId);
        string path = _folder.File("kernels.jsonl");
        File.WriteAllText(path, "no json");
        Assert.Equal(ErrorIds.ResultUnreadable, Assert.Throws<SparseFrontierException>(() => RecommendOperation.ReadKernels(path)).ErrorId);
    }

    private static SparseAttentionResult With(SparseAttentionResult row, string column, string value)
    {
        JsonNode node = JsonSerializer.SerializeToNode(row, StoreJson.Line)!;
        node[column] = value;
        return RunSummary.WithPath(node.Deserialize<SparseAttentionResult>(StoreJson.Line)!, row.Path);
    }

    // Quest at some sparsities, of whose samples some are lost.
    private SparseAttentionResult[] Cell(int length, string task, int n, params (double Sparsity, int Lost)[] levels) =>
    [
        Row(_folder, "Dense", null, Lost(n, 0), task, length),
        .. levels.Select(l => Row(_folder, "Quest", l.Sparsity, Lost(n, l.Lost), task, length, decodeParameters: FormattableString.Invariant($"TokenBudget={Math.Ceiling((1 - l.Sparsity) * length / 16 - 1e-6) * 16}"))),
    ];

    private SparseAttentionResult[] Flex(int length, params (double Sparsity, string Parameters, int Lost)[] levels) =>
    [
        Row(_folder, "Dense", null, Lost(200, 0), "Niah", length),
        .. levels.Select(l => PrefillRow(_folder, "FlexPrefill", l.Sparsity, Lost(200, l.Lost), l.Parameters, length)),
    ];

    private static SparsityRecommendation[] Recommend(
        SparseAttentionResult[] rows, double drop = 0.05, string task = "", KernelMeasurement[]? kernels = null, string device = "", int length = 0)
    {
        var sink = new RecordingSink();
        new RecommendOperation { Results = rows, SequenceLength = length > 0 ? [length] : [], MaximumDrop = drop, Task = task.Length > 0 ? [task] : [], Kernel = kernels ?? [], Device = device }.Execute(sink, default);
        return [.. sink.Objects.Cast<SparsityRecommendation>()];
    }

    private static KernelMeasurement Kernel(string method, int length, double sparsity, double speedUp) =>
        new() { Phase = "Decode", Method = method, SequenceLength = length, Sparsity = sparsity, SpeedUp = speedUp, Device = "cpu" };
}
