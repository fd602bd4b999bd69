using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace SparseFrontier.Tasks;

/// <summary>What the scorers share: finding the answer in a response and taking it apart. docs/tasks.md lists where scoring differs from the paper's code.</summary>
internal static partial class AnswerParsing
{
    /// <summary>Failure kind of a blank response or a blank answer.</summary>
    public const string Empty = "Empty";

    /// <summary>Failure kind of a response without a closed pair of answer tags.</summary>
    public const string NoAnswerTag = "NoAnswerTag";

    /// <summary>Failure kind of an answer in which nothing of the asked form was found.</summary>
    public const string Unparsable = "Unparsable";

    /// <summary>The text between the first pair of answer tags, as it is; null if there is no closed pair.</summary>
    public static string? Answer(string response, bool ignoreCase = true)
    {
        // Not by a regex, which would look for the end again from every start.
        const string open = "<answer>";
        StringComparison comparison = ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        int start = response.IndexOf(open, comparison);
        int end = start < 0 ? -1 : response.IndexOf("</answer>", start + open.Length, comparison);
        return end < 0 ? null : response[(start + open.Length)..end];
    }

    /// <summary>The failure kind of a response of which <paramref name="parsed"/> parts of the asked form were found in the answer; null: none.</summary>
    public static string? FormatFailure(string response, string? answer, int parsed) =>
        string.IsNullOrWhiteSpace(response) ? Empty
        : answer is null ? NoAnswerTag
        : string.IsNullOrWhiteSpace(answer) ? Empty
        : parsed == 0 ? Unparsable
        : null;

    /// <summary>Runs of white space become one blank, ends are cut, letters lower case.</summary>
    public static string Simplify(string text) => WhiteSpace().Replace(text.Trim().ToLowerInvariant(), " ");

    /// <summary><see cref="Simplify"/>, and a leading article removed.</summary>
    public static string WithoutArticle(string text) => LeadingArticle().Replace(Simplify(text), "");

    /// <summary>A number written in decimal digits of any script.</summary>
    public static BigInteger Number(string digits) =>
        BigInteger.Parse(string.Concat(digits.Select(d => (char)('0' + (int)char.GetNumericValue(d)))), NumberStyles.None, CultureInfo.InvariantCulture);

    /// <summary>Size of the intersection over size of the union; 1 where both are empty.</summary>
    public static double IntersectionOverUnion<T>(IReadOnlySet<T> first, IReadOnlySet<T> second)
    {
        int both = first.Count(second.Contains);
        int either = first.Count + second.Count - both;
        return either == 0 ? 1.0 : (double)both / either;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    [GeneratedRegex(@"^(?:the|an?)\s+")]
    private static partial Regex LeadingArticle();
}
