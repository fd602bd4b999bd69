using System.Collections.Concurrent;
using SparseFrontier.Models.Tokenizers;
using Xunit;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>The vocabularies that tests/fetch-tokenizers.sh gets; tests over them are skipped where they are absent.</summary>
internal static class PublishedTokenizers
{
    private static readonly ConcurrentDictionary<string, Lazy<Tokenizer>> s_loaded = new(StringComparer.Ordinal);

    public static string Directory(string name)
    {
        string directory = Path.Combine(Fixtures.Root, "artifacts", "tokenizers", name);
        Assert.SkipUnless(
            File.Exists(Path.Combine(directory, "tokenizer.json")), $"The vocabulary of {name} is absent: run tests/fetch-tokenizers.sh.");
        return directory;
    }

    public static Tokenizer Load(string name)
    {
        string directory = Directory(name);
        return s_loaded.GetOrAdd(name, _ => new Lazy<Tokenizer>(() => Tokenizer.Load(directory))).Value;
    }
}
