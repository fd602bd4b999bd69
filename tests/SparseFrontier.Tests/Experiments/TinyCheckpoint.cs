using System.Text.Json;
using System.Text.Json.Nodes;

namespace SparseFrontier.Tests.Experiments;

/// <summary>A committed golden checkpoint with a byte-level tokenizer beside it: a real, if untrained, model to run sweeps on.</summary>
internal static class TinyCheckpoint
{
    /// <summary>Copies a checkpoint of the golden files into a folder and gives it a tokenizer without merges.</summary>
    public static string Create(TemporaryFolder folder, string golden = "qwen3-hub-float16")
    {
        string directory = folder.File("tiny");
        Directory.CreateDirectory(directory);
        foreach (string file in Directory.GetFiles(Fixtures.Golden(Path.Combine("checkpoints", golden))).Where(f => !f.EndsWith("golden.safetensors", StringComparison.Ordinal)))
        {
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
        }

        var vocabulary = new JsonObject();
        int next = 0;
        for (int i = 0; i < 256; i++)
        {
            // GPT-2's alphabet: printable bytes stand for themselves, the others for 256 and up.
            bool printable = i is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            vocabulary[((char)(printable ? i : 256 + next++)).ToString()] = i + 3;
        }

        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true },
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(directory, "tokenizer.json"), tokenizer.ToJsonString(new JsonSerializerOptions()));
        return directory;
    }
}
