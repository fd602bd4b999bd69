using SparseFrontier.Experiments.Findings;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Findings;
using SparseFrontier.Tests.Experiments;
using Xunit;
using static SparseFrontier.Tests.Analysis.StoredScores;

namespace SparseFrontier.Tests.Analysis;

/// <summary>Labels where the truth is known: scores are made up, everything after them is what users get.</summary>
public sealed class FindingTests : IDisposable
{
    private const int Samples = 400;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0.9, 0.5, FindingLabel.Agrees)]
    [InlineData(0.5, 0.9, FindingLabel.Disagrees)]
    [InlineData(0.7, 0.7, FindingLabel.Disagrees)]
    public void Quest_over_AdaSnapKV_is_what_the_scores_say(double quest, double ada, FindingLabel label)
    {
        SparsityFinding finding = Find("QuestOverAdaSnapKV", [Dense("StoryFiltering"), Decode("Quest", 0.9, quest, "StoryFiltering"), Decode("AdaSnapKV", 0.9, ada, "StoryFiltering")]);
        Assert.Equal(label, finding.Label);
        Assert.Equal(quest - ada, finding.Estimate!.Value, 1e-9);
        Assert.InRange(finding.Estimate.Value, finding.Low!.Value, finding.High!.Value);
        Assert.Equal((Samples, 1, "Scaled"), (finding.SampleCount, finding.CellCount, finding.Series));
        Assert.Equal("frontier-3m; StoryFiltering; 8192 tokens; sparsity 0.90", finding.Cells);
    }

    [Fact]
    public void A_question_counts_once_however_long_its_answers_may_be()
    {
        SparseAttentionResult[] rows = [Dense("StoryFiltering"), Decode("Quest", 0.9, 0.9, "StoryFiltering"), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering")];
        SparseAttentionResult[] longer = [.. rows.Select(r => Copy(r, o => o["MaximumOutputTokens"] = 2048))];
        SparsityFinding once = Find("QuestOverAdaSnapKV", rows);
        SparsityFinding twice = Find("QuestOverAdaSnapKV", [.. rows, .. longer]);
        Assert.Equal((Samples, once.Low, once.High, once.PValue), (twice.SampleCount, twice.Low, twice.High, twice.PValue));
        Assert.Equal(2 * Samples, Find("QuestOverAdaSnapKV", [.. rows, .. longer.Select(r => Copy(r, o => o["TaskParameters"] = "Chapters=4"))]).SampleCount);
    }

    [Fact]
    public void Few_samples_are_underpowered_and_say_how_many_would_do()
    {
        SparsityFinding finding = Find("QuestOverAdaSnapKV", [Dense("StoryFiltering", n: 12), Decode("Quest", 0.9, 0.75, "StoryFiltering", n: 12), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering", n: 12)]);
        Assert.Equal(FindingLabel.Underpowered, finding.Label);
        Assert.InRange(finding.NeededSampleCount!.Value, 13, 500);
    }

    [Fact]
    public void Half_forced_runs_do_not_enter_and_are_counted()
    {
        SparseAttentionResult[] rows = [Dense("StoryFiltering"), Decode("Quest", 0.9, 0.9, "StoryFiltering", forced: 0.51), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering")];
        SparsityFinding finding = Find("QuestOverAdaSnapKV", rows);
        Assert.Equal((FindingLabel.NotTestable, 1), (finding.Label, finding.ForcedCount));
        Assert.Contains("more that is forced than chosen", finding.Message, StringComparison.Ordinal);
        Assert.Equal(FindingLabel.Agrees, Find("QuestOverAdaSnapKV", [rows[0], Decode("Quest", 0.9, 0.9, "StoryFiltering", forced: 0.5), rows[2]]).Label);

        // How much is forced has to be known.
        Assert.Equal(FindingLabel.NotTestable, Find("QuestOverAdaSnapKV", [rows[0], Decode("Quest", 0.9, 0.9, "StoryFiltering", forced: null), rows[2]]).Label);
    }

    // A run that never ends its answer keeps many generated tokens: that says how it answered, not how it chose.
    [Fact]
    public void What_is_generated_is_not_forced()
    {
        SparseAttentionResult[] rows = [Dense("StoryFiltering"), Decode("Quest", 0.9, 0.9, "StoryFiltering"), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering", forced: 0.7)];
        Assert.Equal(FindingLabel.NotTestable, Find("QuestOverAdaSnapKV", rows).Label);

        // 132 of 819 kept prompt tokens are always kept, 132 of 246 are more than half.
        rows[2] = Copy(rows[2], o => (o["PromptTokens"], o["CacheSparsity"]) = (8192, 0.9));
        Assert.Equal((FindingLabel.Agrees, 0), (Find("QuestOverAdaSnapKV", rows).Label, Find("QuestOverAdaSnapKV", rows).ForcedCount));
        rows[2] = Copy(rows[2], o => (o["DecodeForcedShare"], o["CacheSparsity"]) = (0.1, 0.97));
        Assert.Equal((FindingLabel.NotTestable, 1), (Find("QuestOverAdaSnapKV", rows).Label, Find("QuestOverAdaSnapKV", rows).ForcedCount));
    }

    [Fact]
    public void Cells_where_dense_attention_is_not_clearly_above_chance_do_not_enter()
    {
        SparsityFinding finding = Find("QuestOverAdaSnapKV", [Dense("StoryFiltering", 0.11), Decode("Quest", 0.9, 0.11, "StoryFiltering"), Decode("AdaSnapKV", 0.9, 0, "StoryFiltering")]);
        Assert.Equal((FindingLabel.NotTestable, 1), (finding.Label, finding.BlindCount));
        Assert.Contains("not clearly above chance", finding.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Niah_is_the_exception_of_Quest()
    {
        SparseAttentionResult[] rows = [Dense("Niah"), Decode("Quest", 0.9, 0.6, "Niah"), Decode("AdaSnapKV", 0.9, 0.9, "Niah"), Decode("SnapKV", 0.9, 0.7, "Niah")];
        Assert.Equal(FindingLabel.Agrees, Find("AdaSnapKVOverQuestOnNiah", rows).Label);
        Assert.Equal(FindingLabel.Agrees, Find("AdaSnapKVOverSnapKV", rows).Label);
        Assert.Equal(FindingLabel.NotTestable, Find("QuestOverAdaSnapKV", rows).Label);
    }

    [Fact]
    public void Prefill_methods_have_their_tasks()
    {
        SparseAttentionResult[] rows =
        [
            Dense("Niah"), Prefill("VerticalSlash", 0.9, 0.9, "Niah"), Prefill("BlockSparse", 0.9, 0.6, "Niah"), Prefill("FlexPrefill", 0.9, 0.9, "Niah"),
            Dense("StoryFiltering"), Prefill("VerticalSlash", 0.9, 0.6, "StoryFiltering"), Prefill("BlockSparse", 0.9, 0.9, "StoryFiltering"), Prefill("FlexPrefill", 0.9, 0.55, "StoryFiltering"),
        ];
        SparsityFinding[] findings = Findings(rows);
        Assert.All(["NoPrefillWinner", "VerticalSlashOnRetrieval", "BlockSparseOnTracking", "FlexPrefillNotOver"], n => Assert.Equal(FindingLabel.Agrees, findings.Single(f => f.Name == n).Label));

        // One method that wins everywhere refutes it, and a better FlexPrefill that other claim.
        rows[5] = Prefill("VerticalSlash", 0.9, 0.95, "StoryFiltering");
        rows[7] = Prefill("FlexPrefill", 0.9, 1, "StoryFiltering");
        rows[3] = Prefill("FlexPrefill", 0.9, 1, "Niah");
        findings = Findings(rows);
        Assert.All(["NoPrefillWinner", "BlockSparseOnTracking", "FlexPrefillNotOver"], n => Assert.Equal(FindingLabel.Disagrees, findings.Single(f => f.Name == n).Label));
        Assert.Equal(FindingLabel.NotTestable, Find("NoPrefillWinner", rows[..4]).Label);
    }

    [Theory]
    [InlineData(0.9, 0.5, FindingLabel.Agrees)]
    [InlineData(0.5, 0.9, FindingLabel.Disagrees)]
    public void Decode_is_set_beside_prefill_in_either_protocol(double decode, double prefill, FindingLabel label)
    {
        foreach ((string name, string compress) in new[] { ("DecodeOverPrefill", "None"), ("DecodeOverPrefillUnseen", "Question") })
        {
            SparseAttentionResult[] rows = [Dense("StoryFiltering", compress: compress), Decode("Quest", 0.9, decode, "StoryFiltering", compress: compress), Prefill("VerticalSlash", 0.9, prefill, "StoryFiltering", compress: compress)];
            SparsityFinding[] findings = Findings(rows);
            Assert.Equal(label, findings.Single(f => f.Name == name).Label);
            Assert.Equal(FindingLabel.NotTestable, findings.Single(f => f.Name.StartsWith("DecodeOverPrefill", StringComparison.Ordinal) && f.Name != name).Label);
        }
    }

    [Fact]
    public void Gains_over_controls_are_of_the_same_cells_and_sparsities()
    {
        SparsityFinding finding = Find("QuestOverAdaSnapKV",
        [
            Dense("StoryFiltering"), Decode("Quest", 0.9, 0.8, "StoryFiltering"), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering"), Decode("Random", 0.9, 0.2, "StoryFiltering"),
            Decode("WindowSink", 0.9, 0.3, "StoryFiltering", forced: 1), Decode("OracleTopK", 0.9, 0.95, "StoryFiltering"), Prefill("Random", 0.9, 0.01, "StoryFiltering"),
        ]);
        Assert.Equal((0.6, 0.5, 0.15), (Round(finding.GainOverRandom), Round(finding.GainOverWindowSink), Round(finding.GapToOracle)));
        Assert.True(finding.GapToOracleLow < finding.GapToOracle && finding.GapToOracle < finding.GapToOracleHigh);
        Assert.Null(Find("AdaSnapKVOverSnapKV", [Dense("Niah"), Decode("SnapKV", 0.9, 0.8, "Niah"), Decode("AdaSnapKV", 0.9, 0.9, "Niah")]).GainOverRandom);
    }

    [Fact]
    public void Sparsities_between_measured_ones_are_interpolated_and_none_is_extrapolated()
    {
        // At 0.8 SnapKV lies halfway between its runs, at 0.9 it has one; at 0.7 AdaSnapKV lies two thirds of the way from 0.5 to 0.8.
        SparsityFinding finding = Find("AdaSnapKVOverSnapKV",
            [Dense("Niah"), Decode("AdaSnapKV", 0.5, 1, "Niah"), Decode("AdaSnapKV", 0.8, 0.9, "Niah"), Decode("AdaSnapKV", 0.95, 0.1, "Niah"), Decode("SnapKV", 0.5, 0.9, "Niah"), Decode("SnapKV", 0.7, 0.8, "Niah"), Decode("SnapKV", 0.9, 0.4, "Niah")]);
        Assert.Equal(Math.Round(((1 - 0.9) + (0.9333333333 - 0.8) + (0.9 - 0.6) + (0.3666666667 - 0.4)) / 4, 6), Round(finding.Estimate, 6));
        Assert.EndsWith("sparsity 0.50 to 0.90", finding.Cells, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.5, 0.9, FindingLabel.Agrees)]
    [InlineData(0.9, 0.5, FindingLabel.Disagrees)]
    public void Longer_prompts_are_compared_with_the_shortest(double atShort, double atLong, FindingLabel label)
    {
        SparseAttentionResult[] rows = [Dense("Niah", length: 1024), Decode("Quest", 0.9, atShort, "Niah", length: 1024), Dense("Niah"), Decode("Quest", 0.9, atLong, "Niah")];
        SparsityFinding finding = Find("LongerTolerates", rows);
        Assert.Equal(label, finding.Label);
        Assert.Equal(atLong - atShort, finding.Estimate!.Value, 1e-9);
    }

    // Errors lie between -1 and 1 over the dense score, what they differ by between -2 and 2: a claim that holds for differences between -1 and 1 alone is none.
    [Fact]
    public void Differences_of_errors_are_tested_over_all_that_they_can_be()
    {
        SparsityFinding finding = Find("LongerTolerates",
            [Dense("Niah", length: 1024, n: 8), Decode("Quest", 0.9, 0, "Niah", length: 1024, n: 8), Dense("Niah", n: 8), Decode("Quest", 0.9, 1, "Niah", n: 8)]);
        Assert.Equal((FindingLabel.Underpowered, 1), (finding.Label, Round(finding.Estimate)));

        // Eight differences of half of what is possible: the bound is (2 / 3)^8, for the two claims that can be tested here.
        Assert.Equal(2 * Math.Pow(2.0 / 3, 8), finding.PValue!.Value, 1e-6);
    }

    [Theory]
    [InlineData(0.5, FindingLabel.Agrees)]
    [InlineData(0, FindingLabel.Disagrees)]
    [InlineData(1, FindingLabel.Disagrees)]
    public void The_budgets_exponent_is_found(double exponent, FindingLabel label)
    {
        // An error that reaches 0.1 at the density that the law asks for, and rises from there.
        List<SparseAttentionResult> rows = [];
        foreach (int length in new[] { 1024, 2048, 4096, 8192 })
        {
            double density = 0.45 * Math.Pow(length / 1024.0, exponent - 1);
            rows.Add(Dense("Niah", length: length));
            rows.AddRange(new[] { 0.5, 0.6, 0.7, 0.8, 0.9, 0.95 }.Select(s => Decode("Quest", s, Math.Clamp(0.9 + (1.5 * (1 - density - s)), 0, 1), "Niah", length: length)));
        }

        SparsityFinding finding = Find("BudgetExponent", [.. rows]);
        Assert.Equal(exponent, finding.Estimate!.Value, 0.15);
        Assert.True(label == finding.Label || finding.Label == FindingLabel.Underpowered, $"{finding}");
        if (exponent == 0.5)
        {
            Assert.Equal(FindingLabel.Agrees, finding.Label);
        }
    }

    [Fact]
    public void Larger_models_at_equal_cost_are_indexed_by_the_share_of_attention()
    {
        SparseAttentionResult[] rows =
        [
            Dense("Niah", 0.6, model: "frontier-3m"), Dense("Niah", 1, model: "frontier-7m"),
            Prefill("VerticalSlash", 0.5, 0.95, "Niah", model: "frontier-7m"), Prefill("VerticalSlash", 0.95, 0.9, "Niah", model: "frontier-7m"),
            Decode("Quest", 0.5, 0.95, "Niah", model: "frontier-7m"), Decode("Quest", 0.95, 0.2, "Niah", model: "frontier-7m"),
        ];
        SparsityFinding[] findings = Findings(rows);
        SparsityFinding prefill = findings.Single(f => f.Name == "LargerSparsePrefill");
        Assert.Equal(FindingLabel.Agrees, prefill.Label);
        Assert.InRange(prefill.AttentionShare!.Value, 0.7, 1);
        Assert.Equal(prefill.AttentionShare.Value, CostFindings.Share(SparseFrontier.Experiments.ModelShapes.Resolve("Qwen2.5-7B"), prefill.EquivalentLength!.Value, 1, true), 1e-3);
        SparsityFinding decode = findings.Single(f => f.Name == "LargerSparseDecode");
        Assert.Equal((FindingLabel.Agrees, 64), (decode.Label, decode.EquivalentBatch!.Value));

        // A smaller model that leaves no room above its score is told of.
        const string NoRoom = "; in 1 of 1 pair compared the smaller model is not shown to leave room for 0.03 above its dense score";
        Assert.DoesNotContain(NoRoom, prefill.Message, StringComparison.Ordinal);
        rows[0] = Dense("Niah", 0.97, model: "frontier-3m");
        Assert.EndsWith(NoRoom, Find("LargerSparsePrefill", rows).Message, StringComparison.Ordinal);
        rows[0] = Dense("Niah", 0.9, model: "frontier-3m");
        rows[2] = Prefill("VerticalSlash", 0.5, 0.3, "Niah", model: "frontier-7m");
        rows[3] = Prefill("VerticalSlash", 0.95, 0.2, "Niah", model: "frontier-7m");
        Assert.Equal(FindingLabel.Disagrees, Find("LargerSparsePrefill", rows).Label);

        // A sparsity that does not make up for the size.
        Assert.Contains("no sparsity that was run", Find("LargerSparsePrefill", [rows[0], rows[1], Prefill("VerticalSlash", 0.05, 1, "Niah", model: "frontier-7m")]).Message, StringComparison.Ordinal);
    }

    // The first of each size shows it, the second large one does as much or not at all.
    [Theory]
    [InlineData(0.95, FindingLabel.Agrees, "2 x 2 trainings of the sizes, every choice of one a size compared: ")]
    [InlineData(0.2, FindingLabel.Underpowered, "2 x 2 trainings of the sizes, every choice of one a size compared: -")]
    public void At_equal_cost_every_choice_of_trainings_is_compared_and_none_of_one_size(double second, FindingLabel label, string message)
    {
        List<SparseAttentionResult> rows = [];
        foreach ((string model, double score) in new[] { ("frontier-7m", 0.95), ("frontier-7m-2", second) })
        {
            rows.AddRange([Dense("Niah", model: model), .. new[] { 0.5, 0.95 }.Select(s => Prefill("VerticalSlash", s, score, "Niah", model: model))]);
        }

        SparsityFinding one = Find("LargerSparsePrefill", [.. rows[..3], Dense("Niah", 0.8, model: "frontier-3m")]);
        Assert.Equal((FindingLabel.Agrees, "one training a size, so that it is said of these weights alone"), (one.Label, one.Message));
        SparsityFinding finding = Find("LargerSparsePrefill", [.. rows, Dense("Niah", 0.8, model: "frontier-3m"), Dense("Niah", 0.8, model: "frontier-3m-2")]);
        Assert.Equal(label, finding.Label);
        Assert.StartsWith(message, finding.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("cannot be made", finding.Message, StringComparison.Ordinal);

        // Two trainings of one size are no two sizes.
        Assert.Contains("no two models of different sizes", Find("LargerSparsePrefill", [.. rows]).Message, StringComparison.Ordinal);

        // Nothing is known of a sparsity that is far from every run.
        Assert.Contains("no sparsity that was run", Find("LargerSparsePrefill", [rows[0], Prefill("VerticalSlash", 0.95, 0.95, "Niah", model: "frontier-7m"), Dense("Niah", 0.6, model: "frontier-1m")]).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_trainings_of_a_size_change_no_claim_but_those_about_sizes()
    {
        string[] tasks = ["Niah", "StoryRetrieval", "StoryFiltering"];
        SparseAttentionResult[] first = [.. new[] { "frontier-1m", "frontier-3m" }.SelectMany(m => Runs(m, 0.9))];
        SparseAttentionResult[] others = [.. new[] { "frontier-1m-2", "frontier-1m-3", "frontier-3m-2" }.SelectMany(m => Runs(m, 0.2)), Dense("CommonWords", model: "frontier-1m-2"), Decode("Quest", 0.9, 0.1, "CommonWords", model: "frontier-1m-2")];
        SparsityFinding[] before = Findings(first);
        SparsityFinding[] after = Findings([.. others, .. first]);
        Assert.Contains(before, f => f.Name == "IntolerantTask" && f.Label != FindingLabel.NotTestable);
        Assert.All(before.Zip(after).Where(f => !f.First.Name.StartsWith("Size", StringComparison.Ordinal) && !f.First.Name.StartsWith("LargerSparse", StringComparison.Ordinal)), f => Assert.Equal(f.First, f.Second with { PValue = f.First.PValue, NeededSampleCount = f.First.NeededSampleCount }));

        // Without the first training another stands for the size.
        Assert.Equal(FindingLabel.Agrees, Find("QuestOverAdaSnapKV", [.. Runs("frontier-1m-2", 0.9)]).Label);

        SparseAttentionResult[] Runs(string model, double score) =>
        [
            .. tasks.SelectMany(t => new[] { Dense(t, model: model), Decode("Quest", 0.8, score, t, model: model), Decode("AdaSnapKV", 0.8, score / 2, t, model: model), Prefill("VerticalSlash", 0.8, score / 3, t, model: model), Prefill("BlockSparse", 0.8, score / 4, t, model: model) }),
        ];
    }

    [Fact]
    public void The_page_says_over_how_many_trainings_and_samples_it_stands()
    {
        SparseAttentionResult[] rows = [Dense("Niah", model: "frontier-1m"), Dense("Niah", model: "frontier-7m", n: 60)];
        string page = Page(rows);
        Assert.Contains("by one recipe, each of one seed. They", page, StringComparison.Ordinal);
        Assert.Contains("A difference between two sizes is one of these weights.", page, StringComparison.Ordinal);
        Assert.Contains("This page is from 2 complete runs, 1 of them of 60 samples and 1 of 400;", Page([rows[1], rows[0]]), StringComparison.Ordinal);
        page = Page([.. rows, Dense("Niah", model: "frontier-1m-2"), Dense("Niah", model: "frontier-1m-3"), Dense("Niah", model: "frontier-7m-2")]);
        Assert.Contains("by one recipe, 2 to 3 trainings of a size, each of a seed of its own. They", page, StringComparison.Ordinal);
        Assert.DoesNotContain("one of these weights", page, StringComparison.Ordinal);
        Assert.Contains("This page is from 5 complete runs, 4 of them of 400 samples and 1 of 60;", page, StringComparison.Ordinal);
        Assert.Contains("This page is from 1 complete run of 400 samples;", Page(rows[..1]), StringComparison.Ordinal);

        static string Page(SparseAttentionResult[] rows)
        {
            var sink = new RecordingSink();
            new WriteFindingPageOperation { Results = rows }.Execute(sink, TestContext.Current.CancellationToken);
            return (string)Assert.Single(sink.Objects);
        }
    }

    [Theory]
    [InlineData(0.92, 0.9, 0.1, FindingLabel.Agrees)]
    [InlineData(0.1, 0.1, 0.05, FindingLabel.Disagrees)]
    public void The_sparsest_prefill_on_the_frontier_is_found(double at60, double at93, double at95, FindingLabel label)
    {
        List<SparseAttentionResult> rows = [];
        foreach ((string model, double dense, double first, double a, double b) in new[] { ("frontier-3m", 0.5, 0.47, 0.3, 0.2), ("frontier-7m", 1.0, at60, at93, at95) })
        {
            rows.Add(Dense("Niah", dense, model: model));
            rows.Add(Prefill("VerticalSlash", 0.5, dense * 0.95, "Niah", model: model));
            rows.Add(Prefill("VerticalSlash", 0.6, first, "Niah", model: model));
            rows.Add(Prefill("VerticalSlash", 0.93, a, "Niah", model: model));
            rows.Add(Prefill("VerticalSlash", 0.95, b, "Niah", model: model));
        }

        SparsityFinding finding = Find("BestPrefillSparsity", [.. rows]);
        Assert.True(label == finding.Label, $"{finding} {finding.Message}");
    }

    [Theory]
    [InlineData(1.0, 0.5, FindingLabel.Agrees)]
    [InlineData(0.99, 0.99, FindingLabel.Disagrees)]
    public void A_configuration_has_a_task_that_does_not_tolerate_a_fifth(double first, double second, FindingLabel label)
    {
        SparseAttentionResult[] rows = [Dense("Niah"), Decode("Quest", 0.8, first, "Niah"), Dense("StoryRetrieval"), Decode("Quest", 0.8, second, "StoryRetrieval")];
        Assert.Equal(label, Find("IntolerantTask", rows).Label);
        Assert.Equal(FindingLabel.NotTestable, Find("IntolerantTask", rows[..2]).Label);
        Assert.Equal(FindingLabel.Underpowered, Find("IntolerantTask", [Dense("Niah", n: 10), Decode("Quest", 0.8, 1, "Niah", n: 10), Dense("StoryRetrieval", n: 10), Decode("Quest", 0.8, 0.9, "StoryRetrieval", n: 10)]).Label);
    }

    // Five gains of forty have a p value of 1 / 2^5: below 0.05 alone, and not beside another claim at its part of the level.
    [Fact]
    public void Claims_over_many_runs_share_the_level_with_all_others()
    {
        SparseAttentionResult[] gain = [Dense("Niah", 0.5, n: 40), Decode("Quest", 0.8, 0.625, "Niah", n: 40)];
        Assert.Equal(FindingLabel.Disagrees, Find("NoneOverDense", gain).Label);
        SparseAttentionResult[] other =
        [
            Dense("Niah", n: 40, compress: "Question"), Decode("Quest", 0.8, 1, "Niah", n: 40, compress: "Question"), Prefill("VerticalSlash", 0.8, 1, "Niah", compress: "Question"),
        ];
        Assert.Equal(FindingLabel.Underpowered, Find("NoneOverDense", [.. gain, .. other]).Label);

        SparseAttentionResult[] rows = [Dense("Niah", n: 40), Decode("Quest", 0.8, 1, "Niah", n: 40), Dense("StoryRetrieval", n: 40), Decode("Quest", 0.8, 0.7, "StoryRetrieval", n: 40)];
        Assert.InRange(Find("IntolerantTask", rows).PValue!.Value, 1e-9, 0.05);
    }

    [Fact]
    public void Gains_over_dense_attention_are_set_beside_Random()
    {
        SparseAttentionResult[] rows = [Dense("Niah", 0.5), Decode("Quest", 0.8, 0.7, "Niah"), Decode("Random", 0.8, 0.65, "Niah")];
        SparsityFinding finding = Find("NoneOverDense", rows);
        Assert.Equal(FindingLabel.Disagrees, finding.Label);
        Assert.Contains("1 of 1 run is shown above its dense run: Quest", finding.Message, StringComparison.Ordinal);
        Assert.Contains("Random +0.150, so that the choice is not the reason", finding.Message, StringComparison.Ordinal);

        finding = Find("NoneOverDense", [rows[0], Decode("Quest", 0.8, 0.4, "Niah"), Decode("Random", 0.8, 0.3, "Niah")]);
        Assert.Equal(FindingLabel.Agrees, finding.Label);
        Assert.Contains("the largest gain: Quest at 0.80, ", finding.Message, StringComparison.Ordinal);
        Assert.Contains("tokens -0.100 (Random -0.200)", finding.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.6, 0.9, FindingLabel.Agrees)]
    [InlineData(0.9, 0.6, FindingLabel.Disagrees)]
    public void Near_the_ceiling_the_larger_loses_less(double small, double large, FindingLabel label)
    {
        SparsityFinding finding = Find("SizeNearCeiling", Sizes(1, 1, small, large));
        Assert.Equal((label, Math.Round(large - small, 9)), (finding.Label, Round(finding.Estimate)));
        Assert.Equal(FindingLabel.NotTestable, Find("SizeNearFloor", Sizes(1, 1, small, large)).Label);
    }

    // The first seeds show it, and of all trainings of a size the one that shows least decides.
    [Theory]
    [InlineData(0.9, 0.6, FindingLabel.Agrees, "2 x 2 trainings of the sizes, every choice of one a size compared: +0.300 to +0.300")]
    [InlineData(0.6, 0.6, FindingLabel.Underpowered, "2 x 2 trainings of the sizes, every choice of one a size compared: 0.000 to +0.300")]
    [InlineData(0.9, 0.9, FindingLabel.Underpowered, "2 x 2 trainings of the sizes, every choice of one a size compared: 0.000 to +0.300")]
    public void What_holds_of_a_size_holds_of_each_of_its_trainings(double secondLarge, double secondSmall, FindingLabel label, string message)
    {
        SparseAttentionResult[] first = Sizes(1, 1, 0.6, 0.9);
        Assert.Equal("one training a size, so that it is said of these weights alone", Find("SizeNearCeiling", first).Message);
        SparsityFinding finding = Find("SizeNearCeiling",
        [
            .. first, Dense("Niah", 1, model: "frontier-7m-2"), Decode("Quest", 0.9, secondLarge, "Niah", model: "frontier-7m-2"),
            Dense("Niah", 1, model: "frontier-1m-2"), Decode("Quest", 0.9, secondSmall, "Niah", model: "frontier-1m-2"),
        ]);
        Assert.Equal((label, message), (finding.Label, finding.Message));
    }

    // A second training of the middle size stands beside both others: its choices hold as many cells as those of the first, and no difference between sizes is taken for one between trainings.
    [Fact]
    public void A_choice_of_trainings_holds_every_two_sizes()
    {
        SparseAttentionResult[] rows =
        [
            Dense("Niah", 0.3, model: "frontier-1m"),
            .. new[] { "frontier-3m", "frontier-3m-2" }.SelectMany(m => new[] { Dense("Niah", 0.8, model: m), Prefill("VerticalSlash", 0.5, 0.8, "Niah", model: m), Prefill("VerticalSlash", 0.95, 0.8, "Niah", model: m) }),
            Dense("Niah", 0.9, model: "frontier-7m"), Prefill("VerticalSlash", 0.5, 0.9, "Niah", model: "frontier-7m"), Prefill("VerticalSlash", 0.95, 0.9, "Niah", model: "frontier-7m"),
        ];
        SparsityFinding one = Find("LargerSparsePrefill", [.. rows.Where(r => r.Model != "frontier-3m-2")]);
        SparsityFinding two = Find("LargerSparsePrefill", rows);
        string difference = FormattableString.Invariant($"{one.Estimate:+0.000;-0.000;0.000}");
        Assert.StartsWith($"1 x 2 x 1 trainings of the sizes, every choice of one a size compared: {difference} to {difference}", two.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_smaller_model_with_a_dense_run_alone_leaves_the_claim_about_sizes_to_the_others()
    {
        SparsityFinding finding = Find("SizeNearCeiling",
        [
            Dense("StoryFiltering", model: "frontier-1m"), Dense("Niah", model: "frontier-3m"), Dense("Niah", model: "frontier-7m"),
            Decode("Quest", 0.9, 0.6, "Niah", model: "frontier-3m"), Decode("Quest", 0.9, 0.9, "Niah", model: "frontier-7m"),
        ]);
        Assert.Equal((FindingLabel.Agrees, 0.3), (finding.Label, Round(finding.Estimate)));
    }

    [Theory]
    [InlineData(0.25, 0.2, FindingLabel.Agrees)]
    [InlineData(0.05, 0.6, FindingLabel.Disagrees)]
    public void Near_the_floor_the_larger_loses_more(double small, double large, FindingLabel label) =>
        Assert.Equal(label, Find("SizeNearFloor", Sizes(0.3, 0.65, small, large)).Label);

    [Theory]
    [InlineData(0.9, 0.8, FindingLabel.Agrees)]
    [InlineData(0.7, 0.8, FindingLabel.Disagrees)]
    public void An_ablation_compares_the_papers_value_with_every_other(double chosen, double best, FindingLabel label)
    {
        SparsityFinding finding = Find("AblationQuestPageSize",
        [
            Dense("StoryFiltering"), Decode("Quest", 0.9, chosen, "StoryFiltering"), Decode("Quest", 0.9, best, "StoryFiltering", parameters: "PageSize=32;SharePages=1;TokenBudget=992"),
            Decode("Quest", 0.9, 0.5, "StoryFiltering", parameters: "PageSize=64;SharePages=1;TokenBudget=960"),
        ]);
        Assert.Equal(label, finding.Label);
        Assert.Equal(chosen - best, finding.Estimate!.Value, 1e-9);
        Assert.Contains("PageSize=64", finding.Message, StringComparison.Ordinal);
    }

    // What was run at high sparsities alone loses in no straight line up to them: at 0.5 to 0.7 it is not known, and says nothing for the paper's value.
    [Fact]
    public void An_ablation_is_compared_at_sparsities_near_to_which_it_was_run()
    {
        SparsityFinding finding = Find("AblationQuestPageSize",
        [
            Dense("StoryFiltering"), .. new[] { 0.5, 0.6, 0.7 }.Select(s => Decode("Quest", s, 1, "StoryFiltering")), Decode("Quest", 0.8, 0.4, "StoryFiltering"),
            Decode("Quest", 0.8, 0.5, "StoryFiltering", parameters: "PageSize=32;SharePages=1;TokenBudget=1024"),
        ]);
        Assert.Equal((FindingLabel.Disagrees, -0.1), (finding.Label, Round(finding.Estimate)));
        Assert.EndsWith("sparsity 0.80", finding.Cells, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.9, "None", "no cell in which Quest with pages of 16 can be compared with PageSize=32")]
    [InlineData(0.4, "None", "Quest with PageSize=32 leaves out 0.40 at most, and below 0.5 nothing is compared")]
    [InlineData(0.4, "Question", "no runs of Quest with PageSize=32, PageSize=64")]
    public void An_ablation_that_cannot_be_compared_says_why(double sparsity, string compress, string why)
    {
        SparsityFinding finding = Find("AblationQuestPageSize",
            [Dense("StoryFiltering", compress: compress), Decode("Quest", sparsity, 0.9, "StoryFiltering", compress: compress, parameters: "PageSize=32;SharePages=1;TokenBudget=992")]);
        Assert.Equal((FindingLabel.NotTestable, why), (finding.Label, finding.Message.Split(';')[0]));
    }

    [Fact]
    public void Series_are_kept_apart_below_the_length_at_which_they_meet()
    {
        SparseAttentionResult[] rows =
        [
            Dense("Niah", length: 1024), Decode("AdaSnapKV", 0.8, 0.9, "Niah", length: 1024, parameters: "Capacity=204;KernelSize=3;LocalWindow=16;MinimumHeadRatio=0.2;PrefixTokens=1;Window=32"),
            Decode("SnapKV", 0.8, 0.5, "Niah", length: 1024, parameters: "Capacity=204;KernelSize=3;LocalWindow=16;PrefixTokens=1;Window=32"),
            Decode("AdaSnapKV", 0.8, 0.5, "Niah", length: 1024, parameters: "Capacity=204;KernelSize=21;LocalWindow=128;MinimumHeadRatio=0.2;PrefixTokens=4;Window=256"),
            Decode("SnapKV", 0.8, 0.9, "Niah", length: 1024, parameters: "Capacity=204;KernelSize=21;LocalWindow=128;PrefixTokens=4;Window=256"),
        ];
        Assert.Equal(FindingLabel.Agrees, Find("AdaSnapKVOverSnapKV", rows).Label);
        Assert.Equal(FindingLabel.Disagrees, Find("AdaSnapKVOverSnapKV", rows, "Absolute").Label);
    }

    [Fact]
    public void A_file_of_rows_gives_the_findings_of_the_folder()
    {
        SparseAttentionResult[] rows = [Dense("StoryFiltering"), Decode("Quest", 0.9, 0.9, "StoryFiltering"), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering")];
        string file = _folder.File("rows.jsonl.gz");
        new ExportResultOperation { Results = rows, Path = file }.Execute(new RecordingSink(), TestContext.Current.CancellationToken);
        var sink = new RecordingSink();
        new GetResultOperation { Path = [file] }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.Equal(Findings(rows), Findings([.. sink.Rows]));

        // Nor does it matter which of them are read from where: a file keeps of the questions what tells them apart.
        Assert.Equal(3, sink.Rows.Count);
        Assert.Equal(Findings(rows), Findings([.. rows.Where(r => r.DecodeMethod == "Dense"), .. sink.Rows.Where(r => r.DecodeMethod != "Dense")]));
        Assert.Equal(Findings(rows), Findings([.. rows.Where(r => r.DecodeMethod != "Dense"), .. sink.Rows.Where(r => r.DecodeMethod == "Dense")]));
    }

    [Fact]
    public void Lengths_beyond_training_are_marked()
    {
        SparseAttentionResult[] rows = [Dense("StoryFiltering", length: 9216), Decode("Quest", 0.9, 0.9, "StoryFiltering", length: 9216), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering", length: 9216)];
        Assert.True(Find("QuestOverAdaSnapKV", rows).IsExtrapolated);
    }

    [Fact]
    public void The_page_holds_every_claim_and_no_markup_of_others()
    {
        SparseAttentionResult[] rows = [Dense("StoryFiltering"), Decode("Quest", 0.9, 0.9, "StoryFiltering"), Decode("AdaSnapKV", 0.9, 0.5, "StoryFiltering"), Dense("StoryRetrieval", model: "a|b<script>")];
        var sink = new RecordingSink();
        new WriteFindingPageOperation { Results = rows, Pattern = [new AttentionPattern { Model = "frontier-3m", Phase = "Prefill", Layer = 2, Head = 1, FirstTokenMass = 0.25, KeysFor95 = 40 }] }.Execute(sink, TestContext.Current.CancellationToken);
        string page = (string)Assert.Single(sink.Objects);
        Assert.All(Findings(rows), f => Assert.Contains($"- **{f.Name}**", page, StringComparison.Ordinal));
        Assert.Contains("| frontier-3m | Prefill | 2 | 1 | 0.25 |", page, StringComparison.Ordinal);
        Assert.Contains("| QuestOverAdaSnapKV | Agrees | +0.400 [", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", page, StringComparison.Ordinal);
        Assert.Contains("a\\|b&lt;script>", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.2, 0.3, 0.5, "")]
    [InlineData(0.95, 0.3, 0.5, " WindowSink at the same sparsities scores higher: what is shown is not to the credit of the method's choice.")]
    [InlineData(0.95, 0.3, 0.95, " WindowSink at the same sparsities scores higher.")]
    [InlineData(1, 0.98, 0.5, " Random and WindowSink at the same sparsities score higher: what is shown is not to the credit of the method's choice.")]
    public void The_page_says_which_controls_choose_better(double windowSink, double random, double other, string said)
    {
        SparseAttentionResult[] rows =
        [
            Dense("StoryFiltering"), Decode("Quest", 0.9, 0.9, "StoryFiltering"), Decode("AdaSnapKV", 0.9, other, "StoryFiltering"),
            Decode("WindowSink", 0.9, windowSink, "StoryFiltering"), Decode("Random", 0.9, random, "StoryFiltering"),
        ];
        var sink = new RecordingSink();
        new WriteFindingPageOperation { Results = rows }.Execute(sink, TestContext.Current.CancellationToken);
        string[] lines = [.. ((string)sink.Objects[0]).Split('\n').Where(l => l.StartsWith("- **QuestOverAdaSnapKV**", StringComparison.Ordinal))];
        Assert.NotEmpty(lines);
        Assert.All(lines, line =>
        {
            Assert.Contains(said, line, StringComparison.Ordinal);
            Assert.Equal(said.Contains("credit", StringComparison.Ordinal), line.Contains("credit", StringComparison.Ordinal));
            Assert.Equal(said.Length > 0, line.Contains("at the same sparsities", StringComparison.Ordinal));
        });
    }

    [Theory]
    [InlineData("patterns.jsonl")]
    [InlineData("patterns.jsonl.gz")]
    [InlineData("patterns.jsonl.br")]
    public void Patterns_of_other_checkpoints_stand_beside_those_of_the_models(string name)
    {
        string line = System.Text.Json.JsonSerializer.Serialize(new AttentionPattern { Model = "own", Task = "Niah", SequenceLength = 2048, Phase = "Prefill", Layer = 0, Head = 3, FirstTokenMass = 0.75, KeysFor95 = 12 });
        using (Stream file = File.Create(_folder.File(name)))
        using (Stream packed = name.EndsWith(".gz", StringComparison.Ordinal) ? new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionLevel.Fastest)
            : name.EndsWith(".br", StringComparison.Ordinal) ? new System.IO.Compression.BrotliStream(file, System.IO.Compression.CompressionLevel.Fastest) : new BufferedStream(file))
        {
            packed.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
        }

        var page = new RecordingSink();
        new WriteFindingPageOperation { Results = [Dense("Niah")], PatternPath = [Path.Combine(Fixtures.Root, "docs", "patterns.jsonl.br"), _folder.File(name)] }.Execute(page, TestContext.Current.CancellationToken);
        string text = (string)Assert.Single(page.Objects);
        Assert.Contains("| own | Prefill | 0 | 3 | 0.75 |", text, StringComparison.Ordinal);
        Assert.Contains("| frontier-7m | Prefill | 5 | 7 |", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_committed_page_is_what_the_committed_rows_say()
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [Path.Combine(Fixtures.Root, "docs", "findings.jsonl.br")] }.Execute(sink, TestContext.Current.CancellationToken);
        var page = new RecordingSink();
        new WriteFindingPageOperation { Results = sink.Rows, PatternPath = [Path.Combine(Fixtures.Root, "docs", "patterns.jsonl.br")] }.Execute(page, TestContext.Current.CancellationToken);
        Assert.Equal(File.ReadAllText(Path.Combine(Fixtures.Root, "docs", "findings.md")).ReplaceLineEndings("\n"), ((string)page.Objects[0]).ReplaceLineEndings("\n"));
    }

    [Fact]
    public void What_is_not_there_is_said()
    {
        SparseAttentionResult[] rows = [Dense("Niah")];
        Assert.Equal(ErrorIds.ParameterInvalid, Fails(new GetFindingOperation { Results = rows, Series = "Both" }));
        Assert.Equal(ErrorIds.ParameterInvalid, Fails(new GetFindingOperation { Results = rows, Name = ["NoSuchClaim"] }));
        Assert.Equal(ErrorIds.DataInsufficient, Fails(new GetFindingOperation { Results = [] }));
        Assert.All(Findings(rows).Where(f => f.Name != "NoneOverDense"), f => Assert.Equal((FindingLabel.NotTestable, true), (f.Label, f.Message.Length > 0)));

        static string Fails(GetFindingOperation operation) => Assert.Throws<SparseFrontierException>(() => operation.Execute(new RecordingSink(), CancellationToken.None)).ErrorId;
    }

    private static double Round(double? value, int digits = 9) => Math.Round(value!.Value, digits);

    private SparseAttentionResult[] Sizes(double denseSmall, double denseLarge, double small, double large) =>
    [
        Dense("Niah", denseSmall, model: "frontier-1m"), Dense("Niah", denseLarge, model: "frontier-7m"),
        Decode("Quest", 0.9, small, "Niah", model: "frontier-1m"), Decode("Quest", 0.9, large, "Niah", model: "frontier-7m"),
    ];

    private SparsityFinding Find(string name, SparseAttentionResult[] rows, string series = "Scaled") => Findings(rows, series).Single(f => f.Name == name);

    private static SparsityFinding[] Findings(SparseAttentionResult[] rows, string series = "Scaled")
    {
        var sink = new RecordingSink();
        new GetFindingOperation { Results = rows, Series = series }.Execute(sink, TestContext.Current.CancellationToken);
        return [.. sink.Objects.Cast<SparsityFinding>()];
    }

    private SparseAttentionResult Dense(string task, double score = 1, int length = 8192, string model = "frontier-3m", int n = Samples, string compress = "None") =>
        Change(Row(_folder, "Dense", null, Scores(score, n), task, length, model), null, null, compress);

    private SparseAttentionResult Decode(
        string method, double sparsity, double score, string task, int length = 8192, string model = "frontier-3m", int n = Samples, double? forced = 0.1, string compress = "None", string? parameters = null) =>
        Change(Row(_folder, method, sparsity, Scores(score, n), task, length, model), forced, parameters ?? Fixed(method, false, task, length), compress);

    private SparseAttentionResult Prefill(string method, double sparsity, double score, string task, string model = "frontier-3m", string compress = "None")
    {
        SparseAttentionResult row = Row(_folder, "Dense", null, Scores(score, Samples), task, 8192, model);
        return Copy(row, o =>
        {
            o["Method"] = method;
            o["Parameters"] = Fixed(method, true, task, 8192);
            o["PrefillSparsity"] = sparsity;
            o["RequestedSparsity"] = sparsity;
            o["ForcedShare"] = 0.1;
            o["CompressBefore"] = compress;
        });
    }

    private static string Fixed(string method, bool prefill, string task, int length) =>
        SparseFrontier.Experiments.ParameterText.Format(FindingsGrid.Fixed(method, prefill, task is "Niah" or "StoryRetrieval" ? 512 : 256, Math.Min(length, FindingsGrid.ReferenceLength)));

    private static SparseAttentionResult Change(SparseAttentionResult row, double? forced, string? parameters, string compress) => Copy(row, o =>
    {
        o["DecodeForcedShare"] = forced;
        o["DecodeParameters"] = parameters ?? "";
        o["CompressBefore"] = compress;
    });

    private static SparseAttentionResult Copy(SparseAttentionResult row, Action<System.Text.Json.Nodes.JsonObject> change)
    {
        var node = System.Text.Json.JsonSerializer.SerializeToNode(row)!.AsObject();
        change(node);
        return System.Text.Json.JsonSerializer.Deserialize<SparseAttentionResult>(node)!;
    }

    /// <summary>Ones and zeros in the share that is asked for, the same samples right at a higher score.</summary>
    private static double[] Scores(double mean, int n) => [.. Enumerable.Range(0, n).Select(i => i < Math.Round(mean * n) ? 1.0 : 0)];
}
