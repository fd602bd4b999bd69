using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Findings;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class SweepBuilderTests
{
    [Fact]
    public void A_sweep_is_the_product_of_its_lists_with_one_dense_run_a_cell()
    {
        List<RunSpecification> runs = Build(new SweepDefinition
        {
            Method = ["Dense", "BlockSparse"],
            DecodeMethod = ["Dense", "Quest"],
            Sparsity = [0.5, 0.9],
            DecodeSparsity = [0.8],
            Task = ["Niah", "Variable*"],
            SequenceLength = [1024, 2048],
            Seed = [1, 2],
        });

        // Dense+Dense, Dense+Quest, BlockSparse+Dense twice, BlockSparse+Quest twice; two tasks, lengths and seeds.
        Assert.Equal(6 * 8, runs.Count);
        Assert.Equal(8, runs.Count(r => r.Method == "Dense" && r.DecodeMethod == "Dense"));
        Assert.All(runs.Where(r => r.DecodeMethod == "Quest"), r => Assert.Equal(0.8, r.DecodeSparsity));
        Assert.All(runs.Where(r => r.DecodeMethod == "Dense"), r => Assert.Null(r.DecodeSparsity));
        Assert.Equal(runs.Count, runs.Select(r => r.ToString()).Distinct().Count());
        Assert.Equal("Dense", runs[0].Method);
    }

    [Fact]
    public void Decode_methods_may_stand_among_the_methods_and_take_the_sparsity()
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Method = ["*"], Sparsity = [0.5, 0.9] });
        Assert.Equal(1 + (2 * 6), runs.Count);
        RunSpecification quest = runs.First(r => r.DecodeMethod == "Quest");
        Assert.Equal(("Dense", null, 0.5), (quest.Method, quest.Sparsity, quest.DecodeSparsity));
        Assert.DoesNotContain(runs, r => MethodRegistry.FindDecode(r.DecodeMethod).IsControl || MethodRegistry.FindPrefill(r.Method).IsControl);

        // Named in full, a control takes part.
        Assert.Equal(2, Build(new SweepDefinition { Method = ["WindowSink"], Sparsity = [0.5, 0.9] }).Count(r => r.Method == "WindowSink"));
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Build(new SweepDefinition { Method = ["SnapKV"], DecodeMethod = ["Quest"] })).ErrorId);
    }

    [Fact]
    public void Parameters_go_to_the_methods_that_have_them()
    {
        List<RunSpecification> runs = Build(new SweepDefinition
        {
            Method = ["Dense", "BlockSparse;BlockSize=64", "SnapKV", "Quest"],
            Parameter = "PageSize=32;BlockSize=32;SnapKV.Window=64",
            TaskParameter = "Queries=2",
            Task = ["Niah", "CommonWords"],
        });
        Assert.All(runs.Where(r => r.Method == "BlockSparse"), r => Assert.Equal("BlockSize=64", r.Parameters));
        Assert.All(runs.Where(r => r.DecodeMethod == "Quest"), r => Assert.Equal("PageSize=32", r.DecodeParameters));
        Assert.All(runs.Where(r => r.DecodeMethod == "SnapKV"), r => Assert.Equal("Window=64", r.DecodeParameters));
        Assert.All(runs, r => Assert.Equal(r.Task == "Niah" ? "Queries=2" : "", r.TaskParameters));
        foreach (string parameter in (string[])["Alpha=0.5", "Quest.Window=5", "PageSizes=2"])
        {
            Assert.Equal(ErrorIds.MethodParameterInvalid, Assert.Throws<SparseFrontierException>(() => Build(new SweepDefinition { Method = ["Quest"], Parameter = parameter })).ErrorId);
        }

        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Build(new SweepDefinition { TaskParameter = "Chains=2" })).ErrorId);
    }

    [Fact]
    public void Without_arguments_it_compares_all_methods_of_the_paper()
    {
        List<RunSpecification> runs = Build(new SweepDefinition());
        Assert.Equal(
            ["AdaSnapKV", "BlockSparse", "Dense", "FlexPrefill", "Quest", "SnapKV", "VerticalSlash"],
            runs.Select(r => r.Method == "Dense" ? r.DecodeMethod : r.Method).Distinct().Order());
        Assert.All(runs, r => Assert.Equal(("StoryFiltering", 2048, "", 16, 512), (r.Task, r.SequenceLength, r.Model, r.SampleCount, r.MaximumOutputTokens)));

        // What is named is taken; runs of named methods have a task that fits into short prompts.
        Assert.All(Build(new SweepDefinition { Task = ["Niah"], SampleCount = 3 }), r => Assert.Equal(("Niah", 3, 512), (r.Task, r.SampleCount, r.MaximumOutputTokens)));
        RunSpecification named = Assert.Single(Build(new SweepDefinition { Method = ["Dense"] }));
        Assert.Equal(("Niah", 2048, 20, 1024), (named.Task, named.SequenceLength, named.SampleCount, named.MaximumOutputTokens));
    }

    [Theory]
    [InlineData(16384, 10, 7, 7, 10, 10)]
    [InlineData(32768, 10, 7, 7, 10, 10)]
    [InlineData(65536, 10, 7, 7, 10, 10)]
    [InlineData(128000, 10, 0, 0, 10, 10)]
    public void The_paper_preset_has_the_paper_s_budgets(int length, int verticalSlash, int flexPrefill, int blockSparse, int snapKV, int quest)
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Preset = SweepPreset.Paper, Model = ["Qwen2.5-7B-Instruct"], SequenceLength = [length], Task = ["Niah", "StoryRetrieval", "Squad"] });
        Assert.All(runs, r => Assert.Equal((1024, 100, 43L), (r.MaximumOutputTokens, r.SampleCount, r.Seed)));
        Assert.All(runs, r => Assert.Equal((null, null), (r.Sparsity, r.DecodeSparsity)));
        foreach (var task in runs.GroupBy(r => r.Task))
        {
            Assert.Equal(verticalSlash, task.Count(r => r.Method == "VerticalSlash"));
            Assert.Equal(flexPrefill, task.Count(r => r.Method == "FlexPrefill"));
            Assert.Equal(blockSparse, task.Count(r => r.Method == "BlockSparse"));
            Assert.Equal(snapKV, task.Count(r => r.DecodeMethod == "SnapKV"));
            Assert.Equal(snapKV, task.Count(r => r.DecodeMethod == "AdaSnapKV"));
            Assert.Equal(quest, task.Count(r => r.DecodeMethod == "Quest"));
            Assert.Single(task, r => r.Method == "Dense" && r.DecodeMethod == "Dense");
            string window = task.Key == "Squad" ? "Window=256" : "Window=512";
            Assert.All(task.Where(r => r.Method is "VerticalSlash" or "FlexPrefill"), r => Assert.EndsWith(window, r.Parameters, StringComparison.Ordinal));
        }

        // Every emitted specification is one that can be planned, with the YaRN factor that the length needs.
        foreach (RunSpecification run in runs.Where(r => r.Task == "Niah"))
        {
            PlannedRun plan = PlannedRun.Create(OnHash(run), new HashEngineFactory());
            Assert.Equal(length + 1024 > 32768 ? (length + 1024) / 32768.0 : null, plan.YarnFactor);
        }
    }

    [Fact]
    public void The_paper_preset_has_the_paper_s_first_budgets_and_sample_counts()
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Preset = SweepPreset.Paper, Model = ["Llama-3.1-8B-Instruct"], SequenceLength = [16384], Task = ["Squad"] });
        Assert.All(runs, r => Assert.Equal(50, r.SampleCount));
        Assert.Equal("SlashSize=164;VerticalSize=164;Window=256", runs.First(r => r.Method == "VerticalSlash").Parameters);
        Assert.Equal("Alpha=0.88;MinimumBudget=512;Window=256", runs.Last(r => r.Method == "FlexPrefill").Parameters);
        Assert.Equal("BlockSize=16;TopBlocks=26", runs.First(r => r.Method == "BlockSparse").Parameters);
        Assert.StartsWith("Capacity=819;", runs.First(r => r.DecodeMethod == "SnapKV").DecodeParameters, StringComparison.Ordinal);
        Assert.Equal("PageSize=16;SharePages=1;TokenBudget=11472", runs.Last(r => r.DecodeMethod == "Quest").DecodeParameters);
        Assert.All(Build(new SweepDefinition { Preset = SweepPreset.Paper, Method = ["Quest"], SequenceLength = [16384] }), r => Assert.Equal("Quest", r.DecodeMethod));
    }

    [Fact]
    public void The_ablation_preset_tries_every_value_at_every_sparsity()
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Preset = SweepPreset.Ablation, Task = ["Squad"] });
        Assert.All(runs, r => Assert.Equal(16384, r.SequenceLength));
        Assert.Equal(3, runs.Where(r => r.Method == "BlockSparse").Select(r => r.Parameters).Distinct().Count());
        Assert.Equal(4, runs.Where(r => r.Method == "VerticalSlash").Select(r => r.Parameters).Distinct().Count());
        Assert.Equal(5, runs.Where(r => r.DecodeMethod == "AdaSnapKV").Select(r => r.DecodeParameters).Distinct().Count());
        Assert.Equal(8, runs.Where(r => r.DecodeMethod == "SnapKV").Select(r => r.DecodeParameters).Distinct().Count());
        Assert.All(runs.Where(r => r.DecodeMethod == "Quest").GroupBy(r => r.DecodeParameters), g => Assert.Equal(6, g.Count()));
        foreach (RunSpecification run in runs)
        {
            PlannedRun.Create(OnHash(run), new HashEngineFactory());
        }
    }

    [Fact]
    public void Presets_refuse_what_they_set_themselves()
    {
        foreach (SweepDefinition sweep in (SweepDefinition[])
            [
                new() { Preset = SweepPreset.Paper, SequenceLength = [2048] },
                new() { Preset = SweepPreset.Paper, SequenceLength = [16384], Method = ["Random"] },
                new() { Preset = SweepPreset.Ablation, DecodeSparsity = [0.3] },
                new() { Preset = SweepPreset.Paper, SequenceLength = [16384], Sparsity = [0.5] },
                new() { Preset = SweepPreset.Paper, SequenceLength = [16384], Parameter = "PageSize=32" },
                new() { Preset = SweepPreset.Findings, Parameter = "PageSize=32" },
            ])
        {
            Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => Build(sweep)).ErrorId);
        }
    }

    [Fact]
    public void The_grid_of_findings_has_two_series_that_meet_at_its_longest_length()
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Preset = SweepPreset.Findings, Model = ["frontier-3m"], Task = ["Niah"] });
        Assert.Equal([1024, 2048, 4096, 8192], runs.Select(r => r.SequenceLength).Distinct());
        Assert.All(runs, r => Assert.Equal((50, true, 512), (r.SampleCount, r.ShortInstructions, r.MaximumOutputTokens)));
        Assert.Equal(runs.Count, runs.Select(Key).Distinct().Count());

        // Nine sparsities of six methods and of three controls in each phase, beside dense attention; below 8,192 tokens twice, but OracleTopK of the decode phase has nothing to scale.
        List<RunSpecification> grid = [.. runs.Where(r => r.CompressBefore == "None")];
        Assert.Equal(1 + (12 * 9) + (11 * 9), grid.Count(r => r.SequenceLength == 1024));
        List<RunSpecification> longest = [.. grid.Where(r => r.SequenceLength == 8192)];
        Assert.Equal(1 + (12 * 9), longest.Count(r => r.Parameters.Length + r.DecodeParameters.Length == 0));
        Assert.All(["Random", "WindowSink", "OracleTopK"], c => Assert.Equal(18, longest.Count(r => r.Method == c || r.DecodeMethod == c)));

        // What the ablation adds: values that the grid does not have.
        Assert.Equal(["32", "64"], longest.Where(r => r.Method == "BlockSparse" && r.Parameters.Length > 0).Select(r => r.Parameters["BlockSize=".Length..]).Distinct());
        Assert.Equal(2 * 3, longest.Count(r => r.Method == "VerticalSlash" && r.Parameters.Length > 0));
        Assert.All(runs.Where(r => r.CompressBefore == "Question"), r => Assert.Equal((4096, "Last"), (r.SequenceLength, r.QuestionPosition)));
        Assert.DoesNotContain(Build(new SweepDefinition { Preset = SweepPreset.Findings, Task = ["Niah"], SequenceLength = [8192], Model = ["frontier-1m", "frontier-3m"] }), r => r.Model == "frontier-1m" && r.Parameters.StartsWith("BlockSize", StringComparison.Ordinal));

        static string Key(RunSpecification r) => string.Join('|', r.SequenceLength, r.Method, r.Parameters, r.Sparsity, r.DecodeMethod, r.DecodeParameters, r.DecodeSparsity, r.CompressBefore);
    }

    [Fact]
    public void Difficulty_is_the_same_at_all_lengths_and_the_papers_where_it_fits()
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Preset = SweepPreset.Findings, Model = ["frontier-3m"], Task = ["StoryRetrieval", "StoryFiltering"] });
        Assert.All(runs.Where(r => r.Task == "StoryFiltering"), r => Assert.Equal("", r.TaskParameters));
        Assert.Equal(["Queries=2", ""], runs.Where(r => r.Task == "StoryRetrieval").Select(r => r.TaskParameters).Distinct());
        Assert.Equal([4096, 8192], runs.Where(r => r.Task == "StoryRetrieval" && r.TaskParameters.Length == 0).Select(r => r.SequenceLength).Distinct());
        Assert.Equal(["Queries=6"], Build(new SweepDefinition { Preset = SweepPreset.Findings, Task = ["StoryRetrieval"], TaskParameter = "Queries=6", SequenceLength = [4096] }).Select(r => r.TaskParameters).Distinct());
    }

    [Fact]
    public void Values_are_scaled_with_the_length_and_rows_say_in_which_series_they_are()
    {
        List<RunSpecification> runs = Build(new SweepDefinition { Preset = SweepPreset.FindingsSmall, SequenceLength = [1024], Task = ["Niah", "StoryFiltering"], Model = ["frontier-3m"], Method = ["VerticalSlash", "SnapKV", "Quest", "FlexPrefill", "BlockSparse"], Sparsity = [0.8] });
        Assert.Equal(
            ["Alpha=0.65;ForcedSlashes=8;ForcedVerticals=1;Window=64;MinimumBudget=64", "Alpha=0;ForcedSlashes=8;ForcedVerticals=1;Window=64;MinimumBudget=20", "Alpha=0;ForcedSlashes=8;ForcedVerticals=1;Window=64;MinimumBudget=50", "BlockSize=2;ForcedFirstBlocks=1;ForcedLocalBlocks=2", "ForcedSlashes=8;ForcedVerticals=1;Window=64"],
            runs.Where(r => r.Task == "Niah").Select(r => r.Parameters).Where(p => p.Length > 0).Order(StringComparer.Ordinal));
        Assert.Contains(runs, r => r.Task == "StoryFiltering" && r.Parameters == "ForcedSlashes=8;ForcedVerticals=1;Window=32");
        Assert.Contains(runs, r => r.DecodeParameters == "KernelSize=3;LocalWindow=16;PrefixTokens=1;Window=32");
        Assert.Contains(runs, r => r.DecodeParameters == "PageSize=2");

        Assert.Equal(FindingSeries.Scaled, Series("Quest", "PageSize=2;SharePages=1;TokenBudget=64", 1024));
        Assert.Equal(FindingSeries.Absolute, Series("Quest", "PageSize=16;SharePages=1;TokenBudget=64", 1024));
        Assert.Equal(FindingSeries.Other, Series("Quest", "PageSize=32;SharePages=1;TokenBudget=64", 1024));
        Assert.Equal(FindingSeries.Absolute, Series("Quest", "PageSize=16;TokenBudget=64", 8192));
        Assert.Equal(FindingSeries.Other, Series("AdaSnapKV", "Capacity=9;KernelSize=21;LocalWindow=128;MinimumHeadRatio=0.5;PrefixTokens=4;Window=256", 8192));
        Assert.Equal(FindingSeries.Other, Series("Quest", "PageSize=16;Schedule=layer:0 dense", 8192));

        static FindingSeries Series(string method, string parameters, int length) =>
            FindingsGrid.SeriesOf(new SparseAttentionResult { Method = "Dense", DecodeMethod = method, DecodeParameters = parameters, SequenceLength = length, Task = "Niah" });
    }

    [Theory]
    [InlineData("Quests", "Niah", 0.5, ErrorIds.MethodNotFound)]
    [InlineData("Quest", "Niahs", 0.5, ErrorIds.TaskNotFound)]
    [InlineData("Quest", "Niah", 1.5, ErrorIds.SparsityOutOfRange)]
    public void What_is_wrong_is_said(string method, string task, double sparsity, string errorId) =>
        Assert.Equal(errorId, Assert.Throws<SparseFrontierException>(() => Build(new SweepDefinition { Method = [method], Task = [task], Sparsity = [sparsity] })).ErrorId);

    private static RunSpecification OnHash(RunSpecification run) => new()
    {
        Model = "hash",
        Method = run.Method,
        DecodeMethod = run.DecodeMethod,
        Parameters = run.Parameters,
        DecodeParameters = run.DecodeParameters,
        Sparsity = run.Sparsity,
        DecodeSparsity = run.DecodeSparsity,
        Task = run.Task,
        SequenceLength = run.SequenceLength,
        MaximumOutputTokens = run.MaximumOutputTokens,
    };

    private static List<RunSpecification> Build(SweepDefinition sweep)
    {
        var sink = new RecordingSink();
        new NewSweepOperation { Sweep = sweep }.Execute(sink, default);
        return [.. sink.Objects.Cast<RunSpecification>()];
    }

    [Theory]
    [InlineData("None", "", "Both")]
    [InlineData("Question", "", "Last")]
    [InlineData("question", "", "Last")]
    [InlineData("Question", "Both", "Both")]
    [InlineData("None", "First", "First")]
    public void The_question_is_hidden_from_what_compresses_unless_a_position_is_named(string compressBefore, string named, string expected) =>
        Assert.All(
            SweepBuilder.Build(new SweepDefinition { Task = ["Niah"], CompressBefore = compressBefore, QuestionPosition = named }),
            s => Assert.Equal(expected, s.QuestionPosition));
}
