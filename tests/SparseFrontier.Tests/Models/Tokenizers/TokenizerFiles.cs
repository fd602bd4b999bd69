using System.Text.Json.Nodes;
using SparseFrontier.Models.Tokenizers;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>Small tokenizer.json files made by tests.</summary>
internal static class TokenizerFiles
{
    /// <summary>A byte-level tokenizer: 256 bytes, the given merges, a split pattern.</summary>
    public static JsonObject ByteLevel(string pattern, params IEnumerable<(string Left, string Right)> merges)
    {
        var vocabulary = new JsonObject();
        for (int b = 0; b < 256; b++)
        {
            vocabulary[ByteLevelAlphabet.Character((byte)b).ToString()] = b;
        }

        var pairs = new JsonArray();
        foreach ((string left, string right) in merges)
        {
            pairs.Add($"{left} {right}");
            vocabulary.TryAdd(left + right, vocabulary.Count);
        }

        JsonNode byteLevel() => JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""")!;
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = pattern },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    byteLevel()),
            },
            ["post_processor"] = byteLevel(),
            ["decoder"] = byteLevel(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = pairs },
        };
    }

    /// <summary>Reads a tokenizer from JSON.</summary>
    public static Tokenizer Load(JsonNode file) => new(TokenizerReader.Read(System.Text.Encoding.UTF8.GetBytes(file.ToJsonString()), "tokenizer.json"));
}
