using System.Numerics;
using System.Text.RegularExpressions;

namespace SparseFrontier.Tasks;

/// <summary>In which chapters of a story was nothing bought? (paper, section 4.7).</summary>
public sealed partial class StoryFiltering : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => "StoryFiltering";

    /// <inheritdoc/>
    public override int Version => 1;

    /// <inheritdoc/>
    public override string Description => "Name the few chapters of a story in which nothing was bought.";

    /// <inheritdoc/>
    public override string Category => "Aggregation";

    /// <inheritdoc/>
    public override string Dispersion => "Low";

    /// <inheritdoc/>
    public override string Scope => "High";

    /// <inheritdoc/>
    public override string Metric => "IntersectionOverUnion";

    /// <summary>Three chapters of thirty named blindly, as many as short stories have; of a hundred they score 0.02.</summary>
    public override double ChanceScore => 0.06;

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } =
    [
        new("Chapters", 3, 1, 64, "Chapters without a purchase.", HeldOutFrom: 4),
        HeldOutMaterial,
    ];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder)
    {
        int chapters = parameters["Chapters"];
        return new StorySource(this, options, encoder, (HeldOut)parameters[nameof(HeldOut)], Wording, (story, key) => new Draft(story, key, chapters));
    }

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        HashSet<BigInteger> gold = Numbers(Gold.Read<string>(goldJson, "gold_answer", Name), referenceScoring);
        string? answer = AnswerParsing.Answer(response);
        HashSet<BigInteger> given = [];
        if (answer is not null)
        {
            given = [.. ChapterNumber().Matches(answer).Select(m => AnswerParsing.Number(m.Groups[1].Value))];
            given = given.Count > 0 ? given : Numbers(answer, referenceScoring);
        }

        string? failure = AnswerParsing.FormatFailure(response, answer, given.Count);
        return referenceScoring && (gold.Count == 0 || string.IsNullOrWhiteSpace(response))
            ? new TaskScore(null, failure)
            : new TaskScore(AnswerParsing.IntersectionOverUnion(given, gold), failure);
    }

    private static HashSet<BigInteger> Numbers(string text, bool referenceScoring)
    {
        // The reference first deletes all but digits, commas and blanks, which glues "3;7" to 37.
        string digits = referenceScoring ? NoSeparator().Replace(text, "") : text;
        return [.. Digits().Matches(digits).Select(m => AnswerParsing.Number(m.Value))];
    }

    private static PromptWording Wording => new()
    {
        Introduction =
            $"The context is a story in numbered chapters. In almost every chapter {StoryMaterial.Protagonist} buys an item, and in some an item "
            + "bought earlier is sold. Find the chapters in which nothing is bought.",
        AnswerFormat = "The numbers of the chapters in ascending order, separated by commas, like this:\n<number 1>, <number 2>, <number 3>",
        Important =
        [
            "A chapter in which something is sold but nothing is bought counts as one in which nothing is bought.",
            "Give as many numbers as the question says.",
        ],
        ShortIntroduction = "Find the chapters without a purchase.",
        ShortAnswerFormat = "<number>, <number>",
    };

    [GeneratedRegex(@"Chapter\s+(\d+)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ChapterNumber();

    [GeneratedRegex(@"[^0-9,\s]")]
    private static partial Regex NoSeparator();

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Digits();

    private sealed class Draft(StoryGenerator story, long key, int untold) : SampleDraft
    {
        public override int MinimumUnits => untold + 1;

        public override int MaximumUnits => StoryGenerator.MaximumChapters;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            string context = story.Text(units, new HashSet<int>(Untold(units)), filler);
            string question = untold == 1
                ? $"In which chapter did {StoryMaterial.Protagonist} not buy anything? There is exactly 1 such chapter."
                : $"In which chapters did {StoryMaterial.Protagonist} not buy anything? There are exactly {untold} such chapters.";
            return (question, context);
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            string answer = string.Join(", ", Untold(units).Order().Select(c => c + 1));
            return (
                Gold.Write(("gold_answer", answer)),
                PromptProtocol.Response($"Every chapter tells of a purchase except {answer}.", answer));
        }

        private int[] Untold(int units) => StorySource.Choose(key, 0, units, untold).Chapters;
    }
}
