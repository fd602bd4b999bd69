using System.Globalization;
using System.Text.RegularExpressions;

namespace SparseFrontier.Tasks;

/// <summary>Questions on short encyclopedia paragraphs, answered with a phrase of the text (SQuAD 2.0, Rajpurkar et al. 2018).</summary>
public sealed partial class Squad : QuestionAnsweringTask
{
    // The ASCII punctuation that SQuAD's and the reference's normalisation delete.
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    /// <inheritdoc/>
    public override string Name => "Squad";

    /// <inheritdoc/>
    public override int Version => 1;

    /// <inheritdoc/>
    public override string Description => "Answer a question on one of many short documents with a phrase of it.";

    /// <inheritdoc/>
    public override string Metric => "TokenF1";

    private protected override string[] FileNames => ["dev-v2.0.json", "squad.json"];

    private protected override string Origin => "Get dev-v2.0.json of SQuAD 2.0 from https://rajpurkar.github.io/SQuAD-explorer/ (CC BY-SA 4.0).";

    private protected override PromptWording Wording => new()
    {
        Introduction = "The context is a collection of numbered documents. Answer the question with a short phrase from the document that it names.",
        AnswerFormat = "The shortest phrase of the document that answers the question:\n<phrase>",
        Important = ["Use the words of the document.", "Only the document that the question names counts."],
        ShortIntroduction = "Answer from the document.",
        ShortAnswerFormat = "<phrase>",
    };

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        string[] gold = Gold.Read<string[]>(goldJson, "gold_answer", Name);
        string? answer = AnswerParsing.Answer(response, ignoreCase: !referenceScoring);
        string given = answer ?? "";
        double best = gold.Length == 0 ? 0 : gold.Max(g => referenceScoring ? ReferenceF1(given, g) : F1(given, g));
        return new TaskScore(answer is null ? 0 : best, AnswerParsing.FormatFailure(response, answer, 1));
    }

    private protected override QuestionAnsweringData Read(string path) => QuestionAnsweringData.ReadSquad(path);

    private protected override string GoldJson(QuestionEntry question) => Gold.Write(("gold_answer", question.Answers), ("is_mcq", false));

    // SQuAD's own: F1 over the multisets of tokens; two empty texts are equal.
    private static double F1(string given, string gold)
    {
        string[] givenTokens = Tokens(Articles().Replace(WithoutPunctuation(given), " "));
        string[] goldTokens = Tokens(Articles().Replace(WithoutPunctuation(gold), " "));
        if (givenTokens.Length == 0 || goldTokens.Length == 0)
        {
            return givenTokens.Length == goldTokens.Length ? 1 : 0;
        }

        Dictionary<string, int> left = goldTokens.CountBy(t => t).ToDictionary();
        int common = 0;
        foreach (string token in givenTokens)
        {
            if (left.TryGetValue(token, out int count) && count > 0)
            {
                left[token] = count - 1;
                common++;
            }
        }

        return 2.0 * common / (givenTokens.Length + goldTokens.Length);
    }

    // The reference's: over sets, without and/or/about/to, rounded to two decimals.
    private static double ReferenceF1(string given, string gold)
    {
        HashSet<string> givenTokens = [.. Tokens(ReferenceWords().Replace(WithoutPunctuation(given), " "))];
        HashSet<string> goldTokens = [.. Tokens(ReferenceWords().Replace(WithoutPunctuation(gold), " "))];
        int common = givenTokens.Count(goldTokens.Contains);
        if (common == 0)
        {
            return 0;
        }

        double precision = (double)common / givenTokens.Count;
        double recall = (double)common / goldTokens.Count;
        double f1 = 2 * (precision * recall) / (precision + recall);

        // Python rounds the number's exact binary value, half to even; Math.Round of a double scales first and differs at apparent ties.
        return (double)Math.Round(decimal.Parse(f1.ToString("F25", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture), 2);
    }

    private static string WithoutPunctuation(string text) =>
        string.Concat(text.ToLowerInvariant().Where(c => !Punctuation.Contains(c, StringComparison.Ordinal)));

    private static string[] Tokens(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    [GeneratedRegex(@"\b(?:a|an|the)\b")]
    private static partial Regex Articles();

    [GeneratedRegex(@"\b(?:a|an|the|and|or|about|to)\b")]
    private static partial Regex ReferenceWords();
}
