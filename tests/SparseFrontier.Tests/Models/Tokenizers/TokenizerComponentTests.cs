using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Models.Tokenizers;
using Xunit;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>Each component of tokenizer.json by itself against Hugging Face's tokenizers library (tests/golden/tokenizers).</summary>
public sealed class TokenizerComponentTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tokenizer").FullName;

    public static IEnumerable<TheoryDataRow<string>> Names()
    {
        using JsonDocument golden = Golden();
        return golden.RootElement.EnumerateArray().Select(static entry => new TheoryDataRow<string>(entry.GetProperty("name").GetString()!)).ToList();
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void Component_agrees(string name)
    {
        using JsonDocument golden = Golden();
        JsonElement configuration = golden.RootElement.EnumerateArray().Single(entry => entry.GetProperty("name").GetString() == name);
        JsonObject file = JsonObject.Create(configuration.GetProperty("tokenizer"))!;
        if (file["model"] is JsonValue)
        {
            file["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = ByteVocabulary(), ["merges"] = new JsonArray() };
        }

        string path = Path.Combine(_directory, "tokenizer.json");
        File.WriteAllText(path, file.ToJsonString());
        Tokenizer tokenizer = Tokenizer.Load(path);
        foreach (JsonElement entry in configuration.GetProperty("entries").EnumerateArray())
        {
            string text = entry[0].GetString()!;
            int[] special = Ids(entry[2]);
            Assert.Equal(Describe(text, Ids(entry[1])), Describe(text, tokenizer.Encode(text)));
            Assert.Equal(Describe(text, special), Describe(text, tokenizer.Encode(text, addSpecialTokens: true)));
            if (entry[3].GetString() is { } decoded)
            {
                Assert.Equal(decoded, tokenizer.Decode(special));
                Assert.Equal(entry[4].GetString(), tokenizer.Decode(special, skipSpecialTokens: true));
            }
        }
    }

    private static JsonDocument Golden() => JsonDocument.Parse(Fixtures.Decompress("tokenizers/golden.json.br"));

    private static JsonObject ByteVocabulary()
    {
        var vocabulary = new JsonObject();
        for (int b = 0; b < 256; b++)
        {
            vocabulary[ByteLevelAlphabet.Character((byte)b).ToString()] = b;
        }

        return vocabulary;
    }

    private static int[] Ids(JsonElement ids) => ids.EnumerateArray().Select(static id => id.GetInt32()).ToArray();

    private static string Describe(string text, int[] ids) => $"{JsonSerializer.Serialize(text)} -> {string.Join(' ', ids)}";
}
