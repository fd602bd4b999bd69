using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

/// <summary>One prompt with its target per task and form, as text to read and to compare. SPARSEFRONTIER_UPDATE_GOLDEN=1 writes them anew.</summary>
public class GoldenPromptTests
{
    private static readonly string[] s_order =
    [
        "\n\nThe question", "<question", "</question", "<context>", "</context>", "<question", "</question", "Respond in two steps", "Answer format:",
        "<explanation>", "</explanation>", "<answer>", "</answer>", "Important:", "- Be concise",
    ];

    private static readonly string[] s_briefOrder =
    [
        "\nQuestion", "<question", "</question", "<context>", "</context>", "<question", "</question", "Explain, then answer:", "<explanation>", "<answer>",
    ];

    public static TheoryData<string, bool> Prompts =>
        new MatrixTheoryData<string, bool>(TaskRegistry.Tasks.Select(t => t.Name), [false, true]);

    [Theory]
    [MemberData(nameof(Prompts))]
    public void Prompts_are_as_pinned_with_sections_in_the_papers_order(string name, bool brief)
    {
        TaskSample sample = TaskRegistry.Find(name).Open(Options(name, brief), TestEncoders.Runs()).Generate(0);
        int from = 0;
        foreach (string section in brief ? s_briefOrder : s_order)
        {
            from = sample.Prompt.IndexOf(section, from, StringComparison.Ordinal);
            Assert.True(from >= 0, $"'{section}' is missing or out of order in\n{sample.Prompt}");
        }

        string path = Fixtures.Golden(Path.Combine("prompts", $"{name}.{(brief ? "short" : "full")}.txt"));
        string text = $"{sample.Prompt}\n---- gold ----\n{sample.GoldJson}\n---- target ----\n{sample.TargetResponse}\n";
        if (Environment.GetEnvironmentVariable("SPARSEFRONTIER_UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        Assert.Equal(File.ReadAllText(path).ReplaceLineEndings("\n"), text);
    }

    [Fact]
    public void Short_instructions_are_short()
    {
        foreach (EvaluationTask task in TaskRegistry.Tasks)
        {
            Assert.InRange(Instructions(task.Name, brief: true), 10, 70);
            Assert.InRange(Instructions(task.Name, brief: false), 120, 400);
        }

        // Words and tags outside the question and context sections.
        static int Instructions(string name, bool brief)
        {
            TaskSample sample = TaskRegistry.Find(name).Open(
                GenerationTests.Options(name, brief, QuestionPosition.Last), TestEncoders.Runs()).Generate(0);
            string before = sample.Prompt[..sample.Prompt.IndexOf("<context>", StringComparison.Ordinal)];
            string after = sample.Prompt[sample.Prompt.LastIndexOf("</question", StringComparison.Ordinal)..];
            return (before + " " + after).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length;
        }
    }

    private static TaskOptions Options(string name, bool brief)
    {
        TaskOptions options = GenerationTests.Options(name, brief);
        return name switch
        {
            "Niah" => options with { SequenceLength = 1024, Parameters = new Dictionary<string, double> { ["Queries"] = 2, ["KeyGroups"] = 2 } },
            "VariableTracking" => options with { SequenceLength = 900, Parameters = new Dictionary<string, double> { ["Chains"] = 2, ["Hops"] = 2 } },
            "CommonWords" => options with
            {
                SequenceLength = 900,
                Parameters = new Dictionary<string, double> { ["CommonWords"] = 3, ["CommonFrequency"] = 6, ["RareFrequency"] = 2 },
            },
            "StoryRetrieval" => options with { SequenceLength = 2300, Parameters = new Dictionary<string, double> { ["Queries"] = 3 } },
            "StoryMultiHop" => options with { SequenceLength = 1600 },
            "StoryFiltering" => options with { SequenceLength = 2300, Parameters = new Dictionary<string, double> { ["Chapters"] = 2 } },
            _ => options,
        };
    }
}
