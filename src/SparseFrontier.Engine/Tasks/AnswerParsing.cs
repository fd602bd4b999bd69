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
        Match match = (ignoreCase ? AnswerTag() : LowerCaseAnswerTag()).Match(response);
        return match.Success ? match.Groups[1].Value : null;
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
    public static BigInteger Number(string digits)
    {
        BigInteger value = BigInteger.Zero;
        foreach (char digit in digits)
        {
            value = (value * 10) + (int)char.GetNumericValue(digit);
        }

        return value;
    }

    /// <summary>Size of the intersection over size of the union; 1 where both are empty.</summary>
    public static double IntersectionOverUnion<T>(IReadOnlySet<T> first, IReadOnlySet<T> second)
    {
        int both = first.Count(second.Contains);
        int either = first.Count + second.Count - both;
        return either == 0 ? 1.0 : (double)both / either;
    }

    [GeneratedRegex(@"<answer>(.*?)</answer>", RegexOptions.Singleline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex AnswerTag();

    [GeneratedRegex(@"<answer>(.*?)</answer>", RegexOptions.Singleline)]
    private static partial Regex LowerCaseAnswerTag();

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    [GeneratedRegex(@"^(?:the|an?)\s+")]
    private static partial Regex LeadingArticle();
}
