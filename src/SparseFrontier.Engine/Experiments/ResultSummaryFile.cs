using System.Buffers;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>
/// Rows of runs and the scores of their samples as one small file, JSON lines as they are or compressed with gzip or Brotli: what analyses need of a grid of thousands of runs, to keep beside a text that was
/// written from it. The first line is a header; each other one holds runs that were asked the same questions, as a table of columns, or a kernel. Rows that are read carry their scores
/// (<see cref="SummarySamples"/>) and name the file as their <see cref="SparseAttentionResult.Path"/>, so that every analysis takes them as it takes rows of a folder. Outputs are not in it: those are
/// in bundles. docs/results-format.md.
/// </summary>
internal static class ResultSummaryFile
{
    /// <summary>The format that is written and read.</summary>
    public const string CurrentFormat = "sparsefrontier-rows/1";

    private const string Plain = ".jsonl";
    private const string Gzip = ".jsonl.gz";
    private const string Brotli = ".jsonl.br";

    /// <summary>More bytes than any grid has; a file that unpacks to more is refused.</summary>
    private const int Longest = 1 << 26;

    /// <summary>More rows than any grid has: a file can say of many rows in few bytes that they are equal.</summary>
    private const int MostRuns = 1 << 18;

    /// <summary>Hexadecimal digits of a commit that are enough to find it.</summary>
    private const int CommitDigits = 9;

    private const string DateFormat = "yyyy-MM-dd";

    /// <summary>A line: one of the three.</summary>
    private sealed record Line(ResultSummaryHeader? Header, Block? Block, KernelMeasurement? Kernel);

    /// <summary>Runs of the same questions.</summary>
    /// <param name="Golds">Hashes of the questions (<see cref="SummaryScores"/>).</param>
    /// <param name="Values">The scores that occur.</param>
    /// <param name="Same">The columns in which all runs agree; a column that is nowhere has its default, or what follows from the scores.</param>
    /// <param name="Columns">The other columns, a value for each run.</param>
    /// <param name="Scores">Of each run, the codes of its samples' scores.</param>
    private sealed record Block(string Golds, List<double> Values, JsonElement Same, Dictionary<string, JsonElement> Columns, string[] Scores);

    // What follows from the scores.
    private static readonly string[] s_ofScores = [nameof(SparseAttentionResult.Score), nameof(SparseAttentionResult.ScoreLow), nameof(SparseAttentionResult.ScoreHigh), nameof(SparseAttentionResult.StandardError)];

    /// <summary>Whether a path has a name by which such files are known.</summary>
    public static bool HasName(string path) => Ends(path, Plain) || Ends(path, Gzip) || Ends(path, Brotli);

    /// <summary>Whether a path is a file of such a name.</summary>
    public static bool IsSummary(string path) => HasName(path) && File.Exists(path);

    /// <summary>Reads a file; its rows in their order.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound, ResultUnreadable, ResultRowInvalid: damage is an error, because the file is whole or worthless.</exception>
    public static ResultSummary Read(string path)
    {
        string full = Path.GetFullPath(path);
        return Read(StoreIO.ReadAll(full) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{full}'.", full), full, full);
    }

    /// <summary>Reads the content of a file.</summary>
    /// <param name="content">The content, compressed as its name says.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="path">The path that rows name.</param>
    /// <exception cref="SparseFrontierException">ResultRowInvalid.</exception>
    public static ResultSummary Read(byte[] content, string name, string? path)
    {
        ReadOnlySpan<byte> rest = Unpacked(content, name);
        ResultSummaryHeader? header = null;
        var rows = new List<SparseAttentionResult>();
        var kernels = new List<KernelMeasurement>();
        var ids = new HashSet<string>(StringComparer.Ordinal);
        for (int number = 1; rest.Length > 0; number++)
        {
            int end = rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> text = end < 0 ? rest : rest[..end];
            rest = end < 0 ? [] : rest[(end + 1)..];
            try
            {
                Line line = JsonSerializer.Deserialize<Line>(text, StoreJson.Line) ?? throw new JsonException("the line holds null.");
                if (header is null)
                {
                    header = line.Header?.Format == CurrentFormat ? line.Header : throw new JsonException($"a header of the format {CurrentFormat} is needed. Write the file again from the runs: Export-SparseAttentionResult (export).");
                }
                else if (line.Block is { } block)
                {
                    Add(block, rows, ids, path);
                }
                else
                {
                    kernels.Add(line.Kernel ?? throw new JsonException("it holds neither runs nor a kernel."));
                }
            }
            catch (JsonException e)
            {
                throw new SparseFrontierException(ErrorIds.ResultRowInvalid, FormattableString.Invariant($"Line {number} of '{name}' is not what a file of rows holds: {e.Message}"), name, e);
            }
        }

        return header is not null && rows.Count == header.RunCount && kernels.Count == header.KernelCount
            ? new ResultSummary(header, rows, kernels)
            : throw new SparseFrontierException(
                ErrorIds.ResultRowInvalid,
                FormattableString.Invariant($"'{name}' is cut off: it holds {rows.Count} of {Counted.Of(header?.RunCount ?? 0, "run")} and {kernels.Count} of {Counted.Of(header?.KernelCount ?? 0, "kernel")}. Restore it from a copy."),
                name);
    }

    /// <summary>Writes rows with the scores of their samples, and says where they are from; compressed where the name ends with .gz or .br. Equal rows give equal bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rows">Rows of runs, each once, whose samples are here, or that have none.</param>
    /// <exception cref="SparseFrontierException">DataInsufficient: a row with a score whose samples are not here. ResultWriteFailed.</exception>
    public static void Write(string path, IReadOnlyList<SparseAttentionResult> rows) => Write(path, new ResultSummary(HeaderOf(rows), rows, []));

    /// <summary>Writes a summary; its header gets the format and the counts.</summary>
    /// <inheritdoc cref="Write(string, IReadOnlyList{SparseAttentionResult})"/>
    public static void Write(string path, ResultSummary summary)
    {
        using var memory = new MemoryStream();
        using (Stream stream = Ends(path, Gzip) ? new GZipStream(memory, CompressionLevel.SmallestSize, leaveOpen: true)
            : Ends(path, Brotli) ? new BrotliStream(memory, CompressionLevel.SmallestSize, leaveOpen: true) : new BufferedStream(memory))
        {
            AddLine(stream, nameof(Line.Header), json => JsonSerializer.Serialize(json, summary.Header with { Format = CurrentFormat, RunCount = summary.Rows.Count, KernelCount = summary.Kernels.Count }, StoreJson.Line));
            foreach (List<(SparseAttentionResult Row, IReadOnlyList<SampleResult> Samples)> block in Blocks(summary.Rows))
            {
                AddLine(stream, nameof(Line.Block), json => WriteBlock(json, block));
            }

            foreach (KernelMeasurement kernel in summary.Kernels)
            {
                AddLine(stream, nameof(Line.Kernel), json => JsonSerializer.Serialize(json, kernel, s_kernel));
            }

            stream.Flush();
        }

        StoreIO.Replace(path, memory.ToArray());
    }

    /// <summary>What rows and the folders or files that they name say of where they are from.</summary>
    public static ResultSummaryHeader HeaderOf(IReadOnlyList<SparseAttentionResult> rows)
    {
        var files = new Dictionary<string, ResultSummaryHeader>(StringComparer.Ordinal);
        var versions = new SortedSet<string>(StringComparer.Ordinal);
        var dates = new SortedSet<string>(StringComparer.Ordinal);
        var devices = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        var checkpoints = new SortedDictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach (SparseAttentionResult row in rows)
        {
            versions.Add(VersionOf(row));
            if (row.StartedAt is { } start)
            {
                dates.Add(start.UtcDateTime.ToString(DateFormat, CultureInfo.InvariantCulture));
            }

            if (row.Path is not { Length: > 0 } path)
            {
                continue;
            }

            if (Directory.Exists(path))
            {
                var directory = new RunDirectory(path);
                Add(checkpoints, row.Model, CheckpointOf(directory));
                if (row.Device == "cpu")
                {
                    foreach (StoredAttempt attempt in directory.ReadAttempts())
                    {
                        Add(devices, row.Device, attempt.Processor);
                    }
                }
            }
            else if (IsSummary(path))
            {
                if (!files.TryGetValue(path, out ResultSummaryHeader? header))
                {
                    files.Add(path, header = Read(path).Header);
                }

                Add(checkpoints, row.Model, header.Checkpoints.GetValueOrDefault(row.Model));
                Add(devices, row.Device, header.Devices.GetValueOrDefault(row.Device));
            }
        }

        return new ResultSummaryHeader
        {
            ModuleVersion = string.Join(", ", versions.Where(v => v.Length > 0)),
            Date = dates.Min ?? "",
            Devices = devices.ToDictionary(d => d.Key, d => string.Join(" or ", d.Value)),
            Checkpoints = checkpoints.ToDictionary(c => c.Key, c => string.Join(" or ", c.Value)),
        };

        static void Add(SortedDictionary<string, SortedSet<string>> names, string key, string? name)
        {
            if (name is { Length: > 0 })
            {
                (names.TryGetValue(key, out SortedSet<string>? known) ? known : names[key] = new SortedSet<string>(StringComparer.Ordinal)).Add(name);
            }
        }
    }

    // What a kernel's row is not followed by: it is null, false, 0 or empty.
    private static readonly JsonSerializerOptions s_kernel = new(StoreJson.Line) { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingDefault };

    // Nothing of it goes into a page as it is.
    private static readonly JsonWriterOptions s_writer = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string VersionOf(SparseAttentionResult row) =>
        row.ModuleVersion.Split('+') is [var version, { Length: > CommitDigits } commit] ? $"{version} ({commit[..CommitDigits]})" : row.ModuleVersion;

    // Not known where a disk has lost the specification, which the row does not need.
    private static string? CheckpointOf(RunDirectory directory)
    {
        try
        {
            return (string?)directory.ReadSpecification()?.Identity?["Checkpoint"];
        }
        catch (SparseFrontierException)
        {
            return null;
        }
    }

    private static void AddLine(Stream stream, string name, Action<Utf8JsonWriter> write)
    {
        // Not to the stream itself: a writer flushes it with every value, and what is flushed is compressed alone.
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, s_writer))
        {
            json.WriteStartObject();
            json.WritePropertyName(name);
            write(json);
            json.WriteEndObject();
        }

        stream.Write(buffer.WrittenSpan);
        stream.WriteByte((byte)'\n');
    }

    /// <summary>Rows in the order of a file.</summary>
    public static IEnumerable<SparseAttentionResult> InOrder(IEnumerable<SparseAttentionResult> rows) => rows
        .OrderBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.SequenceLength).ThenBy(r => r.TaskParameters, StringComparer.Ordinal).ThenBy(r => r.Seed)
        .ThenBy(r => r.Model, StringComparer.Ordinal).ThenBy(r => r.CompressBefore, StringComparer.Ordinal).ThenBy(r => r.Method, StringComparer.Ordinal).ThenBy(r => r.DecodeMethod, StringComparer.Ordinal)
        .ThenBy(r => SummaryColumn.Round(r.PrefillSparsity ?? 0)).ThenBy(r => SummaryColumn.Round(r.DecodeSparsity ?? 0)).ThenBy(r => r.RunId, StringComparer.Ordinal);

    // Runs of the same questions, over models and methods: a block's golds are those of all of them.
    private static IEnumerable<List<(SparseAttentionResult Row, IReadOnlyList<SampleResult> Samples)>> Blocks(IEnumerable<SparseAttentionResult> rows)
    {
        var scores = new PairedScores();
        var block = new List<(SparseAttentionResult Row, IReadOnlyList<SampleResult> Samples)>();
        var golds = new Dictionary<int, string>();
        foreach (SparseAttentionResult row in InOrder(rows))
        {
            IReadOnlyList<SampleResult> samples = row.Score is null ? [] : scores.Of(row);
            if (block.Count > 0 && (block[0].Row.Task != row.Task || block[0].Row.SequenceLength != row.SequenceLength || block[0].Row.TaskParameters != row.TaskParameters || block[0].Row.Seed != row.Seed
                || samples.Any(s => golds.TryGetValue(s.Index, out string? gold) && gold != GoldOf(s, samples))))
            {
                yield return block;
                block = [];
                golds = [];
            }

            block.Add((row, samples));
            foreach (SampleResult sample in samples)
            {
                golds[sample.Index] = GoldOf(sample, samples);
            }
        }

        if (block.Count > 0)
        {
            yield return block;
        }
    }

    /// <summary>What a file keeps of a sample's gold.</summary>
    /// <param name="sample">One of the samples.</param>
    /// <param name="samples">The samples of a run, from a folder or a file of rows.</param>
    public static string GoldOf(SampleResult sample, IReadOnlyList<SampleResult> samples) =>
        samples is SummarySamples ? sample.GoldJson : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sample.GoldJson)))[..SummaryScores.GoldDigits];

    private static void WriteBlock(Utf8JsonWriter json, List<(SparseAttentionResult Row, IReadOnlyList<SampleResult> Samples)> block)
    {
        SparseAttentionResult[] rows = [.. block.Select(b => b.Row)];
        var golds = new StringBuilder();
        foreach ((_, IReadOnlyList<SampleResult> samples) in block)
        {
            foreach (SampleResult sample in samples)
            {
                int missing = ((sample.Index + 1) * SummaryScores.GoldDigits) - golds.Length;
                golds.Append(SummaryScores.NoSample, Math.Max(0, missing));
                if (golds[sample.Index * SummaryScores.GoldDigits] == SummaryScores.NoSample)
                {
                    golds.Remove(sample.Index * SummaryScores.GoldDigits, SummaryScores.GoldDigits).Insert(sample.Index * SummaryScores.GoldDigits, GoldOf(sample, samples));
                }
            }
        }

        var scores = new SummaryScores(golds.ToString(), [.. block.SelectMany(b => b.Samples).Select(s => s.Score).OfType<double>().Distinct().Order()]);
        json.WriteStartObject();
        json.WriteString(nameof(Block.Golds), scores.Golds);
        json.WritePropertyName(nameof(Block.Values));
        JsonSerializer.Serialize(json, scores.Values, StoreJson.Line);
        json.WriteStartObject(nameof(Block.Same));
        SparseAttentionResult[] ofScores = [.. block.Select(b => OfScores(b.Samples))];
        KeyValuePair<string, SummaryColumn>[] columns = [.. SummaryColumn.All.Where(c => s_ofScores.Contains(c.Key) ? !c.Value.Agree(rows, ofScores) : !c.Value.IsDefault(rows))];
        foreach ((string name, SummaryColumn column) in columns.Where(c => c.Value.IsConstant(rows)))
        {
            json.WritePropertyName(name);
            column.Write(json, rows[0]);
        }

        json.WriteEndObject();
        json.WriteStartObject(nameof(Block.Columns));
        foreach ((string name, SummaryColumn column) in columns.Where(c => !c.Value.IsConstant(rows)))
        {
            json.WriteStartArray(name);
            foreach (SparseAttentionResult row in rows)
            {
                column.Write(json, row);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteStartArray(nameof(Block.Scores));
        foreach ((_, IReadOnlyList<SampleResult> samples) in block)
        {
            json.WriteStringValue(scores.Encode(samples));
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Add(Block block, List<SparseAttentionResult> rows, HashSet<string> ids, string? path)
    {
        var scores = new SummaryScores(block.Golds ?? "", block.Values ?? []);
        if (block.Golds is null || block.Values is null || block.Same.ValueKind != JsonValueKind.Object || block.Columns is null || block.Scores is null
            || !scores.HasHashes || block.Values.Any(v => v is < 0 or > 1) || block.Scores.Any(s => s is null || !scores.Holds(s)))
        {
            throw new JsonException("runs, their scores from 0 to 1 and a hash of each question are needed.");
        }

        int count = block.Scores.Length;
        if (rows.Count + count > MostRuns)
        {
            throw new JsonException(FormattableString.Invariant($"with it there are more than {MostRuns} runs, which no grid has."));
        }

        // Columns of later versions are left out.
        Action<SparseAttentionResult, int>[] columns = [.. block.Columns.Where(c => SummaryColumn.All.ContainsKey(c.Key)).Select(c => SummaryColumn.All[c.Key].Read(c.Value, count))];
        SummaryColumn[] missing = [.. s_ofScores.Where(n => !block.Columns.ContainsKey(n) && !block.Same.TryGetProperty(n, out _)).Select(n => SummaryColumn.All[n])];
        SparseAttentionResult same = RunSummary.WithPath(block.Same.Deserialize<SparseAttentionResult>(StoreJson.Line)!, path);
        for (int i = 0; i < count; i++)
        {
            SparseAttentionResult row = same.Copy();
            foreach (Action<SparseAttentionResult, int> set in columns)
            {
                set(row, i);
            }

            if (!ids.Add(row.RunId))
            {
                throw new JsonException($"the run '{row.RunId}' is there twice.");
            }

            var samples = new SummarySamples(row, scores, block.Scores[i]);
            SparseAttentionResult ofScores = OfScores(samples);
            foreach (SummaryColumn column in missing)
            {
                column.Copy(ofScores, row);
            }

            row.Samples = samples;
            rows.Add(row);
        }
    }

    // As RunSummary makes a row from samples.
    private static SparseAttentionResult OfScores(IReadOnlyList<SampleResult> samples)
    {
        if (samples.Count == 0)
        {
            return new SparseAttentionResult();
        }

        MeanInterval score = Statistics.Interval([.. samples is SummarySamples summary ? summary.Scores : samples.Select(s => s.Score).OfType<double>()], 0, 1);
        return new SparseAttentionResult { Score = score.Mean, ScoreLow = score.Low, ScoreHigh = score.High, StandardError = score.StandardError };
    }

    private static bool Ends(string path, string extension) => path.EndsWith(extension, StringComparison.OrdinalIgnoreCase);

    /// <summary>The content of a file, unpacked where its name ends as that of a compressed one.</summary>
    /// <exception cref="SparseFrontierException">ResultRowInvalid: it is not compressed as its name says, or by far too long.</exception>
    internal static byte[] Unpacked(byte[] content, string path) => Ends(path, Gzip) || Ends(path, Brotli) ? Unpack(content, path) : content;

    private static byte[] Unpack(byte[] packed, string path)
    {
        using Stream stream = Ends(path, Gzip)
            ? new GZipStream(new MemoryStream(packed), CompressionMode.Decompress) : new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress);
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
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException)
        {
            throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{path}' is not compressed as its name says: {e.Message}", path, e);
        }

        return unpacked.ToArray();
    }
}
