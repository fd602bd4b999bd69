using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;

namespace SparseFrontier.Benchmarks;

/// <summary>Writes docs/patterns.jsonl.br: of what `pattern --json` measured, the means over all samples that the first table of docs/findings.md is made of, a row a layer and head.</summary>
internal static class ShippedPatternsWriter
{
    private static readonly (string Name, int Digits)[] s_means =
    [
        (nameof(AttentionPattern.FirstTokenMass), 5), (nameof(AttentionPattern.LocalMass), 5), (nameof(AttentionPattern.VerticalMass), 5), (nameof(AttentionPattern.SlashMass), 5),
        (nameof(AttentionPattern.KeysFor95), 2), (nameof(AttentionPattern.KeyShareFor95), 5),
    ];

    /// <summary>Writes the file.</summary>
    /// <param name="output">File to write, compressed with Brotli.</param>
    /// <param name="measured">What `pattern --json` wrote.</param>
    public static void Write(string output, string measured)
    {
        using var file = new BrotliStream(File.Create(output), CompressionLevel.SmallestSize);
        JsonObject[] rows = [.. File.ReadLines(measured).Where(l => l.Length > 0).Select(l => JsonNode.Parse(l)!.AsObject())];
        string[] same = [nameof(AttentionPattern.Model), nameof(AttentionPattern.Phase), nameof(AttentionPattern.Method), nameof(AttentionPattern.SequenceLength), nameof(AttentionPattern.Seed), nameof(AttentionPattern.Layer), nameof(AttentionPattern.Head)];
        foreach (IGrouping<string, JsonObject> head in rows.GroupBy(r => string.Join('|', same.Select(name => r[name]!.ToJsonString()))))
        {
            // The tasks together: a row is of samples of each.
            var mean = new JsonObject { [nameof(AttentionPattern.Task)] = string.Join(", ", head.Select(r => (string)r[nameof(AttentionPattern.Task)]!).Distinct().Order(StringComparer.Ordinal)) };
            Array.ForEach(same, name => mean[name] = head.First()[name]!.DeepClone());
            Array.ForEach(s_means, m => mean[m.Name] = Math.Round(head.Average(r => (double)r[m.Name]!), m.Digits));
            file.Write(Encoding.UTF8.GetBytes(mean.ToJsonString() + "\n"));
        }
    }
}
