using System.IO.Compression;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>The random checkpoints with golden logits: three committed, the others from the shared archive.</summary>
internal static class Checkpoints
{
    private static readonly Lazy<string?> s_extracted = new(Extract);

    /// <summary>Names of all, as the archive has them.</summary>
    public static readonly string[] All =
    [
        "gemma3-hub-float32", "gemma3-v5config-bfloat16", "gemma3vl-hub-bfloat16", "llama31-hub-float32", "llama31-sharded-bfloat16", "mistral-hub-float32",
        "qwen25-hub-bfloat16", "qwen25-v5config-float32", "qwen25yarn-hub-float32", "qwen3-hub-float16", "smollm2-hub-bfloat16",
    ];

    /// <summary>Names of the committed ones.</summary>
    public static readonly string[] Committed = ["gemma3-v5config-bfloat16", "qwen25-hub-bfloat16", "qwen3-hub-float16"];

    /// <summary>Directory of a checkpoint; null where it is not present.</summary>
    public static string? Find(string name)
    {
        string committed = Fixtures.Golden(Path.Combine("checkpoints", name));
        return Directory.Exists(committed) ? committed : s_extracted.Value is { } folder ? Path.Combine(folder, name) : null;
    }

    private static string? Extract()
    {
        if (Fixtures.Shared("checkpoints-dev.zip") is not { } archive)
        {
            return null;
        }

        string folder = Directory.CreateTempSubdirectory("sparsefrontier-checkpoints-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        ZipFile.ExtractToDirectory(archive, folder);
        return Path.Combine(folder, "checkpoints");
    }
}
