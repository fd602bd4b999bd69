namespace SparseFrontier.Experiments;

/// <summary>Paths whose last parts may hold wildcards.</summary>
internal static class PathPattern
{
    /// <summary>The directories that a path with wildcards in any of its parts stands for, in ordinal order.</summary>
    public static IReadOnlyList<string> Expand(string pattern)
    {
        string root = Path.GetPathRoot(pattern) ?? "";
        IEnumerable<string> found = [root.Length == 0 ? "." : root];
        foreach (string part in pattern[root.Length..].Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries))
        {
            found = NameMatcher.IsPattern(part)
                ? found.Where(Directory.Exists).SelectMany(d => Directory.EnumerateDirectories(d)).Where(d => NameMatcher.Matches(Path.GetFileName(d), part))
                : found.Select(d => Path.Combine(d, part)).Where(Directory.Exists);
        }

        return [.. found.Order(StringComparer.Ordinal)];
    }
}
