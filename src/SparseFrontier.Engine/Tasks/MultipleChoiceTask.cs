using System.Text.RegularExpressions;

namespace SparseFrontier.Tasks;

/// <summary>Questions with options A to D, of which one or several are right; scored by equality of the letters (paper, section 4.1).</summary>
public abstract partial class MultipleChoiceTask : QuestionAnsweringTask
{
    /// <inheritdoc/>
    public override string Metric => "ExactMatch";

    /// <summary>One of four letters; a question with several right ones is harder to guess.</summary>
    public override double ChanceScore => 0.25;

    private protected override PromptWording Wording => new()
    {
        Introduction =
            "The context is a collection of numbered documents. Answer the multiple-choice question on the document that it names. One option is "
            + "right, or several where the question asks for several.",
        AnswerFormat = "The letter of the right option, or the letters of the right options without anything between:\n<letter>",
        Important = ["Give letters only, not the text of the options.", "Only the document that the question names counts."],
        ShortIntroduction = "Answer from the document.",
        ShortAnswerFormat = "<letter>",
    };

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        string gold = Gold.Read<string>(goldJson, "gold_answer", Name);
        string? answer = AnswerParsing.Answer(response, ignoreCase: !referenceScoring);
        string given = referenceScoring ? ReferenceLetters(answer ?? "") : Letters(answer ?? "");
        string expected = referenceScoring ? ReferenceLetters(gold) : Letters(gold);
        return new TaskScore(given == expected && expected.Length > 0 ? 1 : 0, AnswerParsing.FormatFailure(response, answer, given.Length));
    }

    private protected override QuestionAnsweringData Read(string path) => QuestionAnsweringData.ReadMultipleChoice(path);

    private protected override string GoldJson(QuestionEntry question) => Gold.Write(("gold_answer", question.Answers[0]), ("is_mcq", true));

    // The letters of groups that stand alone, in order and once each; small ones ("a" is also a word) only where there is no capital.
    private static string Letters(string answer)
    {
        string[] groups = [.. LetterGroup().Matches(answer).Select(m => m.Value)];
        string[] capitals = [.. groups.Where(g => !g.AsSpan().ContainsAnyInRange('a', 'd'))];
        return new([.. string.Concat(capitals.Length > 0 ? capitals : groups).ToUpperInvariant().Distinct().Order()]);
    }

    // Every A, B, C and D of the answer, those inside words too.
    private static string ReferenceLetters(string answer) =>
        new([.. QuestionNumber().Replace(answer, "").ToUpperInvariant().Where(c => c is >= 'A' and <= 'D').Order()]);

    [GeneratedRegex(@"(?<![\w])[A-Da-d]{1,4}(?![\w])")]
    private static partial Regex LetterGroup();

    [GeneratedRegex(@"Question\s*\d+\.?\s*")]
    private static partial Regex QuestionNumber();
}
