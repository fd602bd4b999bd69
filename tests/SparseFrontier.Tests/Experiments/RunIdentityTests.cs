using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class RunIdentityTests
{
    // Whether changing a property of the specification changes the run's identity.
    private static readonly Dictionary<string, (JsonNode? Value, bool Changes)> s_table = new()
    {
        [nameof(RunSpecification.Model)] = ("hash-other", true),
        [nameof(RunSpecification.Method)] = ("FlexPrefill", true),
        [nameof(RunSpecification.DecodeMethod)] = ("SnapKV", true),
        [nameof(RunSpecification.Parameters)] = ("Window=128", true),
        [nameof(RunSpecification.DecodeParameters)] = ("PageSize=32", true),
        [nameof(RunSpecification.Sparsity)] = (0.6, true),
        [nameof(RunSpecification.DecodeSparsity)] = (0.6, true),
        [nameof(RunSpecification.Task)] = ("VariableTracking", true),
        [nameof(RunSpecification.TaskParameters)] = ("Queries=3", true),
        [nameof(RunSpecification.SequenceLength)] = (2000, true),
        [nameof(RunSpecification.SampleCount)] = (7, false),
        [nameof(RunSpecification.MaximumOutputTokens)] = (77, true),
        [nameof(RunSpecification.Seed)] = (44, true),
        [nameof(RunSpecification.QuestionPosition)] = ("Last", true),
        [nameof(RunSpecification.CompressBefore)] = ("Question", true),
        [nameof(RunSpecification.DenseLayers)] = ("0", true),
        [nameof(RunSpecification.BudgetSchedule)] = ("layer:1 x0.5", true),
        [nameof(RunSpecification.AllowDenseFallback)] = (true, true),
        [nameof(RunSpecification.ReferenceScoring)] = (true, true),
        [nameof(RunSpecification.ShortInstructions)] = (true, true),
        [nameof(RunSpecification.Device)] = ("CPU", false),
        [nameof(RunSpecification.TaskDataPath)] = ("", false),
    };

    private static readonly RunSpecification s_base = new()
    {
        Model = "hash",
        Method = "VerticalSlash",
        DecodeMethod = "Quest",
        Sparsity = 0.5,
        DecodeSparsity = 0.5,
        Task = "Niah",
        SequenceLength = 1000,
    };

    public static TheoryData<string> Properties => [.. typeof(RunSpecification).GetProperties().Select(p => p.Name)];

    [Fact]
    public void A_specification_says_in_words_what_it_holds() => Assert.Equal(
        [
            "Dense+Dense Niah@800 hash, 1 sample, seed 1", "Dense+Quest Niah@800 hash, sparsity 0.6, PageSize=32, 3 samples, seed 1",
            "BlockSparse+Quest Niah@800 hash, sparsity 0.5/0.6, 3 samples, seed 1", "VerticalSlash+Dense Niah@800 hash, SlashSize=64;VerticalSize=64, 3 samples, seed 1", "Dense+Dense Niah@2048, 20 samples, seed 43",
        ],
        [
            $"{Sweeps.Specification(samples: 1)}", $"{Sweeps.Specification(decode: "Quest", decodeSparsity: 0.6, decodeParameters: "PageSize=32")}",
            $"{Sweeps.Specification("BlockSparse", 0.5, "Quest", 0.6)}", $"{Sweeps.Specification("VerticalSlash", parameters: "SlashSize=64;VerticalSize=64")}", $"{new RunSpecification { Task = "Niah", SequenceLength = 2048 }}",
        ]);

    [Theory]
    [InlineData("FRONTIER-1M", "frontier-1m")]
    [InlineData("frontier-1m", "frontier-1m")]
    [InlineData("", "frontier-3m")]
    public void A_model_is_called_by_its_own_name_however_it_was_typed(string typed, string name)
    {
        JsonObject given = JsonSerializer.SerializeToNode(Sweeps.Specification(length: 1200))!.AsObject();
        given[nameof(RunSpecification.Model)] = typed;
        Assert.Equal(name, PlannedRun.Create(given.Deserialize<RunSpecification>()!, new TransformerEngineFactory()).Specification.Model);
    }

    [Theory]
    [MemberData(nameof(Properties))]
    public void A_property_changes_the_identity_or_not_as_the_table_says(string property)
    {
        Assert.True(s_table.TryGetValue(property, out var entry), $"{property} is not in the table: say whether it affects an answer.");
        if (property == nameof(RunSpecification.TaskDataPath))
        {
            using var folder = new TemporaryFolder();
            File.WriteAllText(folder.File("a.json"), "data");
            File.WriteAllText(folder.File("b.json"), "data");
            File.WriteAllText(folder.File("c.json"), "other data");
            RunSpecification reading = With(nameof(RunSpecification.Task), "Squad");
            string first = Id(With(property, folder.File("a.json"), reading));
            Assert.NotEqual(Id(reading), first);
            Assert.Equal(first, Id(With(property, folder.File("b.json"), reading)));
            Assert.NotEqual(first, Id(With(property, folder.File("c.json"), reading)));

            // A task that reads no data does not change with the data of the others.
            Assert.Equal(Id(s_base), Id(With(property, folder.File("a.json"))));
            return;
        }

        Assert.Equal(entry.Changes, Id(s_base) != Id(With(property, entry.Value)));
    }

    [Fact]
    public void What_is_the_same_run_has_the_same_identity()
    {
        string id = Id(s_base);
        Assert.Matches("^[0-9a-f]{16}$", id);

        // Names in any case, defaults spelt out, and the specification as it is stored.
        Assert.Equal(id, Id(With(nameof(RunSpecification.Method), "verticalslash")));
        Assert.Equal(id, Id(With(nameof(RunSpecification.Parameters), "window=512")));
        Assert.Equal(id, Id(With(nameof(RunSpecification.TaskParameters), "Queries=4")));
        Assert.Equal(id, Id(With(nameof(RunSpecification.QuestionPosition), "both")));
        Assert.Equal(id, Id(PlannedRun.Create(s_base, new HashEngineFactory()).Specification));
    }

    [Theory]
    [InlineData("VerticalSlash", "SlashSize=100")]
    [InlineData("VerticalSlash", "VerticalSize=100")]
    [InlineData("FlexPrefill", "MinimumBudget=64")]
    [InlineData("FlexPrefill", "Alpha=0.3")]
    [InlineData("BlockSparse", "TopBlocks=9")]
    public void A_budget_is_not_given_twice(string method, string parameter)
    {
        RunSpecification run = new() { Model = "hash", Method = method, Sparsity = 0.5, Parameters = parameter, Task = "Niah", SequenceLength = 1000 };
        var error = Assert.Throws<SparseFrontierException>(() => PlannedRun.Create(run, new HashEngineFactory()));
        Assert.Equal(ErrorIds.MethodParameterInvalid, error.ErrorId);
        Assert.Contains(parameter.Split('=')[0], error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_one_sparsity_belongs_to_the_one_sparse_method()
    {
        RunSpecification asPrefill = new() { Model = "hash", Method = "Quest", Sparsity = 0.5, Task = "Niah", SequenceLength = 1000, Parameters = "PageSize=32" };
        RunSpecification asDecode = new() { Model = "hash", DecodeMethod = "Quest", DecodeSparsity = 0.5, Task = "Niah", SequenceLength = 1000, DecodeParameters = "PageSize=32" };
        RunSpecification mixed = new() { Model = "hash", DecodeMethod = "Quest", Sparsity = 0.5, Task = "Niah", SequenceLength = 1000, DecodeParameters = "PageSize=32" };
        Assert.Equal(Id(asDecode), Id(asPrefill));
        Assert.Equal(Id(asDecode), Id(mixed));

        // A dense run has no sparsity, no schedule and nothing to fall back from.
        RunSpecification dense = new() { Model = "hash", Task = "Niah", SequenceLength = 1000 };
        RunSpecification decorated = new() { Model = "hash", Task = "Niah", SequenceLength = 1000, Sparsity = 0.5, DenseLayers = "0", AllowDenseFallback = true };
        Assert.Equal(Id(dense), Id(decorated));
    }

    [Fact]
    public void Content_of_checkpoint_tokenizer_and_template_is_part_of_the_identity()
    {
        PlannedRun run = PlannedRun.Create(s_base, new HashEngineFactory());
        string[] ids =
        [
            .. new ModelIdentity[] { new("a", "b", "c"), new("x", "b", "c"), new("a", "x", "c"), new("a", "b", "x"), new("a", "b", null), new("a", "b", "c", "BF16") }
                .Select(m => RunIdentity.Hash(RunIdentity.Create(run, m, null))),
        ];
        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    [Fact]
    public void Yarn_beyond_the_native_length_is_part_of_the_plan()
    {
        Assert.Null(PlannedRun.Create(s_base, new HashEngineFactory()).YarnFactor);
        PlannedRun longer = PlannedRun.Create(With(nameof(RunSpecification.SequenceLength), 65536), new HashEngineFactory());
        Assert.Equal((65536 + 1024) / 32768.0, longer.YarnFactor);
    }

    [Theory]
    [InlineData(nameof(RunSpecification.Method), "VerticalSlsh", ErrorIds.MethodNotFound)]
    [InlineData(nameof(RunSpecification.DecodeMethod), "Quests", ErrorIds.MethodNotFound)]
    [InlineData(nameof(RunSpecification.Method), "SnapKV", ErrorIds.RunSpecificationInvalid)]
    [InlineData(nameof(RunSpecification.DecodeMethod), "Dense", ErrorIds.RunSpecificationInvalid)]
    [InlineData(nameof(RunSpecification.Task), "Niha", ErrorIds.TaskNotFound)]
    [InlineData(nameof(RunSpecification.Task), "", ErrorIds.TaskNotFound)]
    [InlineData(nameof(RunSpecification.Model), "absent", ErrorIds.ModelNotFound)]
    [InlineData(nameof(RunSpecification.Sparsity), 1.5, ErrorIds.SparsityOutOfRange)]
    [InlineData(nameof(RunSpecification.Sparsity), 1.0, ErrorIds.SparsityOutOfRange)]
    [InlineData(nameof(RunSpecification.DecodeSparsity), -0.1, ErrorIds.SparsityOutOfRange)]
    [InlineData(nameof(RunSpecification.Parameters), "Windows=5", ErrorIds.MethodParameterInvalid)]
    [InlineData(nameof(RunSpecification.Parameters), "Window", ErrorIds.ParameterInvalid)]
    [InlineData(nameof(RunSpecification.Parameters), "Window=0,5", ErrorIds.ParameterInvalid)]
    [InlineData(nameof(RunSpecification.DecodeParameters), "TokenBudget=512", ErrorIds.MethodParameterInvalid)]
    [InlineData(nameof(RunSpecification.TaskParameters), "Queries=0", ErrorIds.ParameterInvalid)]
    [InlineData(nameof(RunSpecification.SequenceLength), 0, ErrorIds.SequenceLengthInvalid)]
    [InlineData(nameof(RunSpecification.SampleCount), 0, ErrorIds.ParameterInvalid)]
    [InlineData(nameof(RunSpecification.MaximumOutputTokens), 0, ErrorIds.ParameterInvalid)]
    [InlineData(nameof(RunSpecification.QuestionPosition), "Middle", ErrorIds.RunSpecificationInvalid)]
    [InlineData(nameof(RunSpecification.CompressBefore), "Answer", ErrorIds.RunSpecificationInvalid)]
    [InlineData(nameof(RunSpecification.DenseLayers), "0,x", ErrorIds.RunSpecificationInvalid)]
    [InlineData(nameof(RunSpecification.DenseLayers), "0,1000", ErrorIds.RunSpecificationInvalid)]
    [InlineData(nameof(RunSpecification.BudgetSchedule), "layers", ErrorIds.MethodParameterInvalid)]
    [InlineData(nameof(RunSpecification.Device), "tpu:7", ErrorIds.DeviceNotFound)]
    public void What_is_wrong_is_said_before_anything_starts(string property, object value, string errorId)
    {
        var engines = new HashEngineFactory();
        using var folder = new TemporaryFolder();
        RunSpecification wrong = With(property, JsonSerializer.SerializeToNode(value));
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Sweeps.Run(folder.File("results"), [s_base, wrong], engines));
        Assert.Equal(errorId, error.ErrorId);
        Assert.Equal(0, engines.Opened);
        Assert.False(Directory.Exists(folder.File("results")));
    }

    private static string Id(RunSpecification specification)
    {
        var factory = new HashEngineFactory();
        PlannedRun run = PlannedRun.Create(specification, factory);
        using SampleEngine engine = factory.Open(run.ModelDirectory, "cpu");
        return RunIdentity.Hash(RunIdentity.Create(run, engine.Identity, RunIdentity.HashData(run.TaskOptions.DataPath)));
    }

    private static RunSpecification With(string property, JsonNode? value, RunSpecification? specification = null)
    {
        JsonObject node = JsonSerializer.SerializeToNode(specification ?? s_base)!.AsObject();
        node[property] = value?.DeepClone();
        return node.Deserialize<RunSpecification>()!;
    }
}
