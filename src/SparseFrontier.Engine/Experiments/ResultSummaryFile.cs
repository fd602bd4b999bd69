using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SparseFrontier.Experiments;

/// <summary>
/// Rows of runs and the scores of their samples as one small file, JSON lines with or without gzip: what analyses need of a grid of thousands of runs, to keep beside a text that was
/// written from it. Rows that are read from it name the file as their <see cref="SparseAttentionResult.Path"/>, and <see cref="PairedScores"/> finds the scores there, so that
/// every analysis takes them as it takes rows of a folder. Outputs are not in it: those are in bundles. docs/results-format.md.
/// </summary>
internal static class ResultSummaryFile
{
    /// <summary>A line; <see cref="Golds"/> tells whether samples of two runs ask the same questions.</summary>
    private sealed record Line(SparseAttentionResult Row, double?[] Scores, string Golds);

    private const string Plain = ".jsonl";
    private const string Compressed = ".jsonl.gz";

    /// <summary>Hexadecimal digits of a gold's SHA-256 that are kept: two questions of one index are taken for one in one of 16 million cases.</summary>
    private const int GoldDigits = 6;

    /// <summary>More bytes than any grid has; a file that unpacks to more is refused.</summary>
    private const long Longest = 1L << 28;

    private static readonly JsonSerializerOptions s_options = new(StoreJson.Line) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Whether a path has a name by which such files are known.</summary>
    public static bool HasName(string path) => path.EndsWith(Plain, StringComparison.OrdinalIgnoreCase) || path.EndsWith(Compressed, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a path is a file of such a name.</summary>
    public static bool IsSummary(string path) => HasName(path) && File.Exists(path);

    /// <summary>The rows of a file with their samples, of which only index, score and a hash of the gold are known; in the order of the file.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable, ResultRowInvalid: damage is an error, because the file is whole or worthless.</exception>
    public static IEnumerable<(SparseAttentionResult Row, IReadOnlyList<SampleResult> Samples)> Read(string path)
    {
        string full = Path.GetFullPath(path);
        int number = 0;
        foreach (string text in Lines(full))
        {
            number++;
            yield return Parse(text, full, number);
        }
    }

    /// <summary>Writes rows with the scores of their samples, by model, length, task, methods and sparsities; compressed where the name ends with .gz. Equal rows give equal bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rows">Rows whose samples are here, or that have none.</param>
    /// <exception cref="SparseFrontierException">DataInsufficient: a row with a score whose samples are not here. ResultWriteFailed.</exception>
    public static void Write(string path, IEnumerable<SparseAttentionResult> rows)
    {
        var scores = new PairedScores();
        using var memory = new MemoryStream();
        using (Stream stream = path.EndsWith(Compressed, StringComparison.OrdinalIgnoreCase) ? new GZipStream(memory, CompressionLevel.SmallestSize, leaveOpen: true) : new BufferedStream(memory))
        {
            // Runs of the same questions lie together, so that their hashes are compressed away.
            foreach (SparseAttentionResult row in rows
                .OrderBy(r => r.Model, StringComparer.Ordinal).ThenBy(r => r.SequenceLength).ThenBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.Seed)
                .ThenBy(r => r.Method, StringComparer.Ordinal).ThenBy(r => r.DecodeMethod, StringComparer.Ordinal).ThenBy(r => r.PrefillSparsity).ThenBy(r => r.DecodeSparsity).ThenBy(r => r.RunId, StringComparer.Ordinal))
            {
                stream.Write(JsonSerializer.SerializeToUtf8Bytes(LineOf(row, scores), s_options));
                stream.WriteByte((byte)'\n');
            }

            stream.Flush();
        }

        StoreIO.Replace(path, memory.ToArray());
    }

    private static Line LineOf(SparseAttentionResult row, PairedScores scores)
    {
        IReadOnlyList<SampleResult> samples = row.Score is null ? [] : scores.Of(row);
        double?[] values = new double?[samples.Count == 0 ? 0 : samples.Max(s => s.Index) + 1];
        string[] golds = [.. Enumerable.Repeat(new string('-', GoldDigits), values.Length)];
        foreach (SampleResult sample in samples)
        {
            values[sample.Index] = sample.Score;
            golds[sample.Index] = IsSummary(row.Path!) ? sample.GoldJson : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sample.GoldJson)))[..GoldDigits];
        }

        return new Line(RunSummary.WithPath(row, null), values, string.Concat(golds));
    }

    private static (SparseAttentionResult Row, IReadOnlyList<SampleResult> Samples) Parse(string text, string path, int number)
    {
        Line line;
        try
        {
            line = JsonSerializer.Deserialize<Line>(text, s_options) ?? throw new JsonException("the line holds null.");
            if (line.Row is null || line.Scores is null || line.Golds is null || line.Golds.Length != GoldDigits * line.Scores.Length || line.Scores.Any(s => s is < 0 or > 1))
            {
                throw new JsonException("a row, its scores from 0 to 1 and a hash for each are needed.");
            }
        }
        catch (JsonException e)
        {
            throw new SparseFrontierException(ErrorIds.ResultRowInvalid, FormattableString.Invariant($"Line {number} of '{path}' is no row of a summary: {e.Message}"), path, e);
        }

        var samples = new List<SampleResult>();
        for (int i = 0; i < line.Scores.Length; i++)
        {
            string gold = line.Golds.Substring(i * GoldDigits, GoldDigits);
            if (gold[0] != '-')
            {
                samples.Add(new SampleResult { RunId = line.Row.RunId, Index = i, Score = line.Scores[i], GoldJson = gold });
            }
        }

        return (RunSummary.WithPath(line.Row, path), samples);
    }

    private static IEnumerable<string> Lines(string path)
    {
        byte[] bytes = StoreIO.ReadAll(path) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{path}'.", path);
        if (path.EndsWith(Compressed, StringComparison.OrdinalIgnoreCase))
        {
            bytes = Unpack(bytes, path);
        }

        using var reader = new StreamReader(new MemoryStream(bytes), Encoding.UTF8);
        while (reader.ReadLine() is { } text)
        {
            if (text.Length > 0)
            {
                yield return text;
            }
        }
    }

    private static byte[] Unpack(byte[] packed, string path)
    {
        using var stream = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        try
        {
            for (int count = stream.Read(buffer); count > 0; count = stream.Read(buffer))
            {
                unpacked.Write(buffer, 0, count);
                if (unpacked.Length > Longest)
                {
                    throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{path}' unpacks to more than {Longest} bytes, which no summary does.", path);
                }
            }
        }
        catch (InvalidDataException e)
        {
            throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{path}' is not compressed as its name says: {e.Message}", path, e);
        }

        return unpacked.ToArray();
    }
}
