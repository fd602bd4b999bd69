using System.Numerics;
using System.Text.RegularExpressions;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>Many questions on single chapters of a story: where, whom, what (paper, section 4.6).</summary>
public sealed partial class StoryRetrieval : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => "StoryRetrieval";

    /// <inheritdoc/>
    public override int Version => 2;

    /// <inheritdoc/>
    public override string Description => "Answer many questions, each on a single fact of a single chapter of a story.";

    /// <inheritdoc/>
    public override string Category => "Retrieval";

    /// <inheritdoc/>
    public override string Dispersion => "Low";

    /// <inheritdoc/>
    public override string Scope => "Low";

    /// <inheritdoc/>
    public override string Metric => "ExactMatchShare";

    /// <inheritdoc/>
    public override int ApproximationWindow => 512;

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } =
    [
        new("Queries", 16, 1, 256, "Questions, each on another chapter.", HeldOutFrom: 17),
        HeldOutMaterial,
    ];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder)
    {
        int queries = parameters["Queries"];
        return new StorySource(this, options, encoder, (HeldOut)parameters[nameof(HeldOut)], Wording(queries), (story, key) => new Draft(story, key, queries));
    }

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        Dictionary<BigInteger, string> gold = Answers(Gold.Read<string>(goldJson, "gold_answer", Name));
        string? answer = AnswerParsing.Answer(response);
        Dictionary<BigInteger, string> given = Answers(answer ?? response);
        if (gold.Count == 0)
        {
            return new TaskScore(referenceScoring ? null : 0, AnswerParsing.FormatFailure(response, answer, given.Count));
        }

        int hits = gold.Count(g => given.TryGetValue(g.Key, out string? text) && text == g.Value);
        return new TaskScore((double)hits / gold.Count, AnswerParsing.FormatFailure(response, answer, given.Count));
    }

    // The first line of each number counts.
    private static Dictionary<BigInteger, string> Answers(string text)
    {
        var answers = new Dictionary<BigInteger, string>();
        foreach (string line in text.Split('\n'))
        {
            Match match = NumberedLine().Match(line.Trim());
            if (match.Success)
            {
                answers.TryAdd(AnswerParsing.Number(match.Groups[1].Value), AnswerParsing.WithoutArticle(match.Groups[2].Value));
            }
        }

        return answers;
    }

    [GeneratedRegex(@"^(\d+)[.:)]\s*(.+)$")]
    private static partial Regex NumberedLine();

    private static PromptWording Wording(int queries) => new()
    {
        Plural = true,
        Introduction =
            $"The context is a story in numbered chapters. In every chapter {StoryMaterial.Protagonist} arrives at a location, meets someone and "
            + "buys something. Answer the questions about single chapters.",
        AnswerFormat = queries == 1
            ? "1. <answer 1>"
            : "One numbered line for each question, in the order of the questions:\n1. <answer 1>\n2. <answer 2>",
        Important =
        [
            "Answer with the name of the location, the person or the item alone, exactly as the story has it.",
            "Answer every question, with its own number.",
        ],
        ShortIntroduction = "Answer from the story.",
        ShortAnswerFormat = "1. <answer>",
    };

    private sealed class Draft(StoryGenerator story, long key, int queries) : SampleDraft
    {
        private const int Kinds = 3;

        public override int MinimumUnits => queries;

        public override int MaximumUnits => StoryGenerator.MaximumChapters;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            string context = story.Text(units, new HashSet<int>(), filler);
            return (string.Join('\n', Asked(units).Select((a, i) => $"{i + 1}. {a.Question}")), context);
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            (string Fact, string Question, string Answer)[] asked = [.. Asked(units)];
            string answer = string.Join('\n', asked.Select((a, i) => $"{i + 1}. {a.Answer}"));

            // Each fact is found beside its chapter's number, and then copied.
            string explanation = string.Join('\n', asked.Select((a, i) => $"{i + 1}. In {a.Fact} is {a.Answer}."));
            return (Gold.Write(("gold_answer", answer)), PromptProtocol.Response(explanation, answer));
        }

        private IEnumerable<(string Fact, string Question, string Answer)> Asked(int units)
        {
            IReadOnlyList<StoryChapter> chapters = story.Chapters(units);
            (int[] chosen, RandomSource random) = StorySource.Choose(key, 0, units, queries);
            int[] kinds = [.. chosen.Select(_ => random.Next(Kinds))];
            if (queries == Kinds)
            {
                // The reference asks exactly one question of each kind when it asks three.
                kinds = [0, 1, 2];
                random.Shuffle<int>(kinds);
            }

            for (int i = 0; i < queries; i++)
            {
                StoryChapter chapter = chapters[chosen[i]];
                int number = chosen[i] + 1;
                yield return kinds[i] switch
                {
                    0 => ($"chapter {number} the location", $"At which location did {StoryMaterial.Protagonist} arrive in chapter {number}?", chapter.Location),
                    1 => ($"chapter {number} the person", $"Whom did {StoryMaterial.Protagonist} meet in chapter {number}?", chapter.Character),
                    _ => ($"chapter {number} the item", $"Which item did {StoryMaterial.Protagonist} buy in chapter {number}?", chapter.Item),
                };
            }
        }
    }
}
