using System.IO.Enumeration;

namespace SparseFrontier;

/// <summary>How the names of methods, tasks, models and their parameters are matched: case never matters.</summary>
public static class NameMatcher
{
    /// <summary>Whether a name matches a pattern with <c>*</c> and <c>?</c>; a pattern without them must equal the name.</summary>
    public static bool Matches(string name, string pattern) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: true);

    /// <summary>Whether a text is a pattern rather than a name.</summary>
    public static bool IsPattern(string text) => text.AsSpan().ContainsAny('*', '?');

    /// <summary>The names nearest to a misspelt one, nearest first: those within a third of its length in edits, or that begin with it.</summary>
    /// <param name="name">What was asked for.</param>
    /// <param name="candidates">What there is.</param>
    /// <param name="count">How many at most.</param>
    public static IReadOnlyList<string> Nearest(string name, IEnumerable<string> candidates, int count = 3)
    {
        int limit = Math.Max(2, name.Length / 3);
        return [.. candidates
            .Select((candidate, order) => (candidate, order, distance: Distance(name, candidate)))
            .Where(c => c.distance <= limit
                || (name.Length >= 2 && c.candidate.StartsWith(name, StringComparison.OrdinalIgnoreCase)))
            .OrderBy(c => c.distance)
            .ThenBy(c => c.order)
            .Take(count)
            .Select(c => c.candidate)];
    }

    /// <summary>
    /// The end of an error message about an unknown name: "Did you mean A or B?" where something is near, else "Known: A, B, C.".
    /// </summary>
    public static string Suggestion(string name, IReadOnlyList<string> candidates)
    {
        IReadOnlyList<string> nearest = Nearest(name, candidates);
        string known = $"Known: {string.Join(", ", candidates)}.";
        return nearest.Count == 0 ? known : $"Did you mean {string.Join(" or ", nearest)}? {known}";
    }

    /// <summary>Edits (insertion, deletion, substitution) between two names, case ignored (Levenshtein 1966).</summary>
    public static int Distance(string first, string second)
    {
        int[] row = new int[second.Length + 1];
        for (int j = 0; j < row.Length; j++)
        {
            row[j] = j;
        }

        for (int i = 1; i <= first.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= second.Length; j++)
            {
                int substitution = diagonal + (char.ToUpperInvariant(first[i - 1]) == char.ToUpperInvariant(second[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
