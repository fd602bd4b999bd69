using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace SparseFrontier.Experiments;

/// <summary>What <c>manifest.json</c> of a bundle holds: every other file with its size and hash (docs/results-format.md).</summary>
internal sealed partial class BundleManifest
{
    /// <summary>Name of the manifest in the archive.</summary>
    public const string FileName = "manifest.json";

    /// <summary>The format that is written and read.</summary>
    public const string CurrentFormat = "sparsefrontier-bundle/1";

    public string Format { get; init; } = "";

    public string Description { get; init; } =
        "Runs of SparseFrontier: specification and content hashes (spec.json), machines (environment.json), raw outputs with their scores (samples-*.jsonl), rows "
        + "(summary.json). Import-SparseAttentionBundle, or sparsefrontier bundle import, checks the hashes and scores the outputs again without a model.";

    public List<BundledFile> Files { get; init; } = [];

    /// <summary>Whether a name is one that a bundle may hold beside the manifest: a folder named by a run id, and in it a file of a run.</summary>
    public static bool IsRunFile(string name) => RunFile().IsMatch(name);

    /// <summary>The manifest's bytes: equal for equal files.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(JsonSerializer.Serialize(this, StoreJson.File).ReplaceLineEndings("\n") + "\n");

    /// <summary>What names a bundle: the SHA-256 of its manifest.</summary>
    public static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    [GeneratedRegex(@"\Aruns/[0-9a-f]{16}/(spec\.json|environment\.json|summary\.json|state\.json|calibration\.json|samples-[0-9]{4,9}\.jsonl)\z")]
    private static partial Regex RunFile();
}

/// <summary>One file of a bundle.</summary>
internal sealed class BundledFile
{
    public string Name { get; init; } = "";

    public long Size { get; init; }

    public string Sha256 { get; init; } = "";
}
