using System.Text;
using System.Text.RegularExpressions;

namespace SparseFrontier.HelpBuilder;

/// <summary>
/// Turns the markdown of an about topic into the text that Get-Help shows: headings in capitals, text and code indented, links and code
/// marks reduced to their words.
/// </summary>
internal static partial class AboutTopic
{
    public static string ToText(string markdown)
    {
        var text = new StringBuilder();
        bool code = false;
        foreach (string line in markdown.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                code = !code;
            }
            else if (code)
            {
                Add("        ", line);
            }
            else if (Heading().Match(line) is { Success: true } heading)
            {
                string title = Plain(heading.Groups[2].Value);
                Add("", heading.Groups[1].Length switch { 1 => $"TOPIC\n    {title}", 2 => title.ToUpperInvariant(), _ => $"  {title}" });
            }
            else
            {
                Add("    ", Plain(line));
            }
        }

        return text.ToString();

        void Add(string indent, string line) => text.Append(line.Length == 0 ? "" : indent).Append(line).Append('\n');
    }

    private static string Plain(string line) => Marks().Replace(Link().Replace(line, "$1"), "");

    [GeneratedRegex(@"^(#+) (.*)$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]+\)")]
    private static partial Regex Link();

    // Code marks and bold; a single star is a wildcard.
    [GeneratedRegex(@"`|\*\*")]
    private static partial Regex Marks();
}
