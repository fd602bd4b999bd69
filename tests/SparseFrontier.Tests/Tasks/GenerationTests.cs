using System.Security.Cryptography;
using System.Text;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

/// <summary>What holds for the samples of every task.</summary>
public class GenerationTests
{
    private static readonly PromptEncoder s_encoder = TestEncoders.Runs();

    public static TheoryData<string> Names => [.. TaskRegistry.Tasks.Select(t => t.Name)];

    /// <summary>Options that work for a task: a length that its parameters, or the small data files, can fill.</summary>
    internal static TaskOptions Options(string task, bool brief = false, QuestionPosition position = QuestionPosition.Both) => new()
    {
        SequenceLength = task switch
        {
            "Squad" => 640,
            "Quality" => 780,
            "Toefl" => 640,
            _ => 6144,
        },
        DataPath = Fixtures.Golden("qa"),
        ShortInstructions = brief,
        QuestionPosition = position,
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void Prompts_fill_95_to_100_percent_and_targets_score_one(string name)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        foreach (QuestionPosition position in Enum.GetValues<QuestionPosition>())
        {
            foreach (bool brief in new[] { false, true })
            {
                TaskOptions options = Options(name, brief, position);
                TaskSource source = task.Open(options, s_encoder);
                for (int i = 0; i < Math.Min(6, source.Count ?? 6); i++)
                {
                    TaskSample sample = source.Generate(i);
                    Assert.Equal(i, sample.Index);
                    Assert.InRange(sample.PromptTokens, 0.95 * options.SequenceLength, options.SequenceLength);
                    Assert.Equal(s_encoder.Encode(s_encoder.Template(sample.Prompt)), sample.PromptIds);
                    Assert.Equal(sample.PromptIds.Length, sample.PromptTokens);
                    Assert.Equal(new TaskScore(1, null), task.Score(sample.GoldJson, sample.TargetResponse));
                    Assert.Equal(new TaskScore(1, null), task.Score(sample.GoldJson, sample.TargetResponse, referenceScoring: true));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_question_stands_where_it_was_asked_for(string name)
    {
        foreach (QuestionPosition position in Enum.GetValues<QuestionPosition>())
        {
            TaskSample sample = TaskRegistry.Find(name).Open(Options(name, position: position), s_encoder).Generate(0);
            string tag = name is "Niah" or "StoryRetrieval" ? "questions" : "question";
            int contextStart = sample.Prompt.IndexOf("<context>", StringComparison.Ordinal);
            int first = sample.Prompt.IndexOf($"<{tag}>", StringComparison.Ordinal);
            int last = sample.Prompt.LastIndexOf($"<{tag}>", StringComparison.Ordinal);
            Assert.EndsWith("</context>", sample.Prompt[..sample.ContextEnd], StringComparison.Ordinal);
            Assert.DoesNotContain("</context>", sample.Prompt[sample.ContextEnd..], StringComparison.Ordinal);
            Assert.Equal(position != QuestionPosition.Last, first < contextStart);
            Assert.Equal(position != QuestionPosition.First, last > sample.ContextEnd);
            string announced = position switch
            {
                QuestionPosition.First => "once, before the context",
                QuestionPosition.Last => "once, after the context",
                _ => "twice, before and after the context",
            };
            Assert.Contains(announced, sample.Prompt[..contextStart], StringComparison.Ordinal);

            int contextTokens = s_encoder.ContextTokens(sample);
            int expected = s_encoder.Count(s_encoder.Template(sample.Prompt).Split(sample.Prompt[sample.ContextEnd..])[0]);
            Assert.InRange(contextTokens, expected - 1, expected);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Samples_depend_on_seed_split_and_index_alone(string name)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        TaskOptions options = Options(name);
        TaskSource source = task.Open(options, s_encoder);
        TaskSample later = source.Generate(1);
        Assert.Equal(source.Generate(0).Prompt, task.Open(options, s_encoder).Generate(0).Prompt);
        Assert.Equal(later.Prompt, task.Open(options, s_encoder).Generate(1).Prompt);

        var prompts = new HashSet<string>();
        int count = 0;
        foreach (string split in new[] { "evaluation", "calibration", "training" })
        {
            foreach (long seed in name is "Squad" or "Quality" or "Toefl" ? new long[] { 43 } : [43, 44])
            {
                TaskSource other = task.Open(options with { Seed = seed, Split = split }, s_encoder);
                for (int i = 0; i < Math.Min(3, other.Count ?? 3); i++)
                {
                    prompts.Add(Question(other.Generate(i)));
                    count++;
                }
            }
        }

        Assert.Equal(count, prompts.Count);

        // The question without the document's number, which differs between samples of the same question.
        static string Question(TaskSample sample)
        {
            int start = sample.Prompt.IndexOf("<question", StringComparison.Ordinal);
            string question = sample.Prompt[start..sample.Prompt.IndexOf("</question", StringComparison.Ordinal)];
            return question.Contains("on document", StringComparison.Ordinal) ? question[question.IndexOf(".\n", StringComparison.Ordinal)..] : sample.Prompt;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Too_short_a_length_is_refused_with_one_that_works(string name)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        TaskOptions options = Options(name) with { SequenceLength = 100 };
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => task.Open(options, s_encoder));
        Assert.Equal(ErrorIds.SequenceLengthInvalid, exception.ErrorId);
        int needed = int.Parse(exception.Message.Split("needs at least ", 2) is [_, string rest]
            ? rest.Split(' ')[0]
            : exception.Message.Split(" needs ")[1].Split(' ')[0]);
        Assert.InRange(needed, 101, 6144);
        Assert.Contains("short instructions", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("short instructions", Assert.Throws<SparseFrontierException>(() => task.Open(options with { ShortInstructions = true }, s_encoder)).Message, StringComparison.Ordinal);
        TaskSource source = task.Open(options with { SequenceLength = needed }, s_encoder);
        for (int i = 0; i < Math.Min(20, source.Count ?? 20); i++)
        {
            Assert.InRange(source.Generate(i).PromptTokens, 1, needed);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Other_tokenizers_fill_the_length_too(string name)
    {
        foreach (int run in new[] { 1, 12 })
        {
            PromptEncoder encoder = TestEncoders.Runs(run);
            int length = Options(name).SequenceLength * (run == 1 ? 3 : 1);
            if (name is "Squad" or "Quality" or "Toefl")
            {
                length = run == 1 ? 2700 : 640;
            }

            TaskSource source = TaskRegistry.Find(name).Open(Options(name) with { SequenceLength = length }, encoder);
            for (int i = 0; i < 2; i++)
            {
                Assert.InRange(source.Generate(i).PromptTokens, 0.95 * length, length);
            }
        }
    }

    // Any change of a sample's bytes must change the task's Version, because old results would be taken for new ones.
    [Theory]
    [InlineData("Niah", 1, "937b63a1f967c1d4")]
    [InlineData("VariableTracking", 2, "11b461415d1c43cd")]
    [InlineData("CommonWords", 2, "d95fb0ebf9e5fe32")]
    [InlineData("StoryRetrieval", 2, "cea9daafee86192a")]
    [InlineData("StoryMultiHop", 2, "27f62c9b61f217d0")]
    [InlineData("StoryFiltering", 1, "816e1abe363918fc")]
    [InlineData("Squad", 1, "ac90fc6064d35089")]
    [InlineData("Quality", 1, "9187ea370b7aa546")]
    [InlineData("Toefl", 1, "f133338eb0123de5")]
    public void The_same_seed_gives_the_same_bytes(string name, int version, string hash)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        Assert.Equal(version, task.Version);
        var text = new StringBuilder();
        foreach (bool brief in new[] { false, true })
        {
            TaskSource source = task.Open(Options(name, brief), s_encoder);
            for (int i = 0; i < 3; i++)
            {
                TaskSample sample = source.Generate(i);
                text.Append(sample.Prompt).Append(sample.GoldJson).Append(sample.TargetResponse);
            }
        }

        Assert.Equal(hash, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16]);
    }

    [Fact]
    public void Parameters_and_splits_are_checked()
    {
        EvaluationTask niah = TaskRegistry.Find("Niah");
        foreach ((string parameter, double value) in new[] { ("Quries", 4.0), ("Queries", 0), ("Queries", 2.5), ("KeyGroups", 17), ("Queries", double.NaN) })
        {
            TaskOptions options = new() { SequenceLength = 4096, Parameters = new Dictionary<string, double> { [parameter] = value } };
            SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => niah.Open(options, s_encoder));
            Assert.Equal(ErrorIds.ParameterInvalid, exception.ErrorId);
            Assert.Contains(parameter == "Quries" ? "Queries" : parameter, exception.Message, StringComparison.Ordinal);
        }

        Assert.Equal(8, niah.ResolveParameters(new Dictionary<string, double> { ["queries"] = 8 })["Queries"]);
        Assert.Equal(
            ErrorIds.ParameterInvalid,
            Assert.Throws<SparseFrontierException>(() => niah.Open(new TaskOptions { SequenceLength = 4096, Split = "test" }, s_encoder)).ErrorId);
        Assert.Equal(
            ErrorIds.ParameterInvalid,
            Assert.Throws<SparseFrontierException>(() => TaskRegistry.Find("CommonWords").Open(
                new TaskOptions { SequenceLength = 4096, Parameters = new Dictionary<string, double> { ["CommonFrequency"] = 3 } }, s_encoder)).ErrorId);
    }

    [Fact]
    public void The_papers_defaults_stand()
    {
        string defaults = string.Join(
            "; ",
            TaskRegistry.Tasks.Select(t => $"{t.Name} {t.ApproximationWindow} {string.Join(' ', t.Parameters.Select(p => $"{p.Name}={p.Default}"))}".Trim()));
        Assert.Equal(
            "Niah 512 Queries=4 KeyGroups=4 HeldOut=0; VariableTracking 256 Chains=8 Hops=4 Letters=26 HeldOut=0; "
            + "CommonWords 256 CommonWords=10 CommonFrequency=30 RareFrequency=3 HeldOut=0; StoryRetrieval 512 Queries=16 HeldOut=0; "
            + "StoryMultiHop 256 Back=1 HeldOut=0; StoryFiltering 256 Chapters=3 HeldOut=0; Squad 256; Quality 256; Toefl 256",
            defaults);
    }

    [Fact]
    public void An_unknown_task_is_told_the_nearest_name()
    {
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => TaskRegistry.Find("StoryFilter"));
        Assert.Equal(ErrorIds.TaskNotFound, exception.ErrorId);
        Assert.Contains("Did you mean StoryFiltering?", exception.Message, StringComparison.Ordinal);
    }
}
