namespace SparseFrontier.Tasks;

/// <summary>Some 8,500 common English words: lower case, unique, sorted, no hyphens (SCOWL levels 10 and 20; THIRD-PARTY-NOTICES.md).</summary>
internal static class Vocabulary
{
    private static readonly Lazy<string[]> s_words = new(Read);

    /// <summary>The words.</summary>
    public static string[] Words => s_words.Value;

    private static string[] Read()
    {
        using Stream stream = typeof(Vocabulary).Assembly.GetManifestResourceStream("common-words.txt")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
    }
}
