using System.IO.Compression;

namespace SparseFrontier.Tasks;

/// <summary>Some 8,500 common English words: lower case, unique, sorted, no hyphens (SCOWL levels 10 and 20; THIRD-PARTY-NOTICES.md).</summary>
internal static class Vocabulary
{
    private static readonly Lazy<string[]> s_words = new(Read);
    private static readonly Lazy<string[]> s_heldOutWords = new(Invent);

    /// <summary>The words.</summary>
    public static string[] Words => s_words.Value;

    /// <summary>Some 9,800 made-up words of seven letters, none of which is among <see cref="Words"/>: two syllables and an ending.</summary>
    public static string[] HeldOutWords => s_heldOutWords.Value;

    private static string[] Invent()
    {
        string[] syllables = [.. "bdfgklmnprstvz".SelectMany(c => "aeiou".Select(v => $"{c}{v}"))];
        return [.. syllables.SelectMany(a => syllables.SelectMany(b => (string[])[$"{a}{b}nth", $"{a}{b}rsk"])).Except(Words)];
    }

    private static string[] Read()
    {
        using Stream stream = typeof(Vocabulary).Assembly.GetManifestResourceStream("common-words.txt.gz")!;
        using var reader = new StreamReader(new GZipStream(stream, CompressionMode.Decompress));
        return reader.ReadToEnd().Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
    }
}
