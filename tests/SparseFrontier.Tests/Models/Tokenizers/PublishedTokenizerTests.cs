using System.Text.Json;
using SparseFrontier.Models.Tokenizers;
using Xunit;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>Published vocabularies against what Hugging Face's tokenizers library gave.</summary>
public class PublishedTokenizerTests
{
    [Theory]
    [InlineData("qwen2_5")]
    [InlineData("llama3_1")]
    [InlineData("gemma3")]
    public void Every_golden_entry_is_exact(string name)
    {
        Tokenizer tokenizer = PublishedTokenizers.Load(name);
        using var golden = JsonDocument.Parse(Fixtures.Decompress("tokens-dev.json.br"));
        int entries = 0;
        var failures = new List<string>();
        foreach (JsonElement entry in golden.RootElement.GetProperty(name).EnumerateArray())
        {
            string text = entry.GetProperty("text").GetString()!;
            int[] ids = tokenizer.Encode(text);
            int[] special = tokenizer.Encode(text, addSpecialTokens: true);
            string decoded = tokenizer.Decode(ids);
            if (!ids.SequenceEqual(Ids(entry, "ids"))
                || !special.SequenceEqual(Ids(entry, "ids_special"))
                || decoded != entry.GetProperty("decoded").GetString())
            {
                failures.Add($"{JsonSerializer.Serialize(text)}: [{string.Join(' ', ids)}] instead of [{string.Join(' ', Ids(entry, "ids"))}]"
                    + $", '{decoded}' instead of {entry.GetProperty("decoded").GetRawText()}");
            }

            entries++;
        }

        Assert.Empty(failures);
        Assert.True(entries > 200);
    }

    private static int[] Ids(JsonElement entry, string name) => entry.GetProperty(name).EnumerateArray().Select(static id => id.GetInt32()).ToArray();
}
