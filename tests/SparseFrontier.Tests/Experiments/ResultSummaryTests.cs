using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;
using static SparseFrontier.Tests.Analysis.StoredScores;

namespace SparseFrontier.Tests.Experiments;

public sealed partial class ResultSummaryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("grid.jsonl")]
    [InlineData("grid.jsonl.gz")]
    [InlineData("grid.jsonl.br")]
    public void Rows_of_a_file_are_compared_as_those_of_folders_are(string name)
    {
        SparseAttentionResult[] rows = Rows();
        string file = Export(rows, name);
        SparseAttentionResult[] read = Read(file);
        Assert.Equal(["Dense", "Quest", "SnapKV"], read.Select(r => r.DecodeMethod));
        Assert.All(read, r => Assert.Equal(file, r.Path));
        Assert.Equal(Claim(rows), Claim(read));

        // Rows of a folder and of a file are of the same questions, and rows that came through a pipe have lost what they carried.
        Assert.Equal(Claim(rows), Claim([rows[0], rows[1], .. read.Where(r => r.DecodeMethod == "Quest")]));
        Assert.Equal(Claim(rows), Claim([.. read.Select(r => System.Text.Json.JsonSerializer.Deserialize<SparseAttentionResult>(System.Text.Json.JsonSerializer.Serialize(r))!)]));

        // A file made from a file is the same file, in whatever order the rows come.
        Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Export(read, "again" + name)));
        Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Export([.. rows.Reverse()], "reverse" + name)));
        Assert.Equal(["Quest"], Read(file, "Quest").Select(r => r.DecodeMethod));
    }

    [Fact]
    public void Samples_hold_scores_and_no_text()
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [Export(Rows(), "grid.jsonl")], Sample = true }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.Equal(90, sink.Objects.OfType<SampleResult>().Count());
        Assert.Equal(10, sink.Objects.OfType<SampleResult>().Count(s => s.Score == 0));
        Assert.All(sink.Objects.OfType<SampleResult>(), s => Assert.Empty(s.Output));
        Assert.DoesNotContain("output text", File.ReadAllText(_folder.File("grid.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_column_is_kept_to_six_digits_and_scores_as_they_are()
    {
        // 100 different scores take two characters each; a sample has none, another is not there.
        double[] scores = [.. Enumerable.Range(0, 100).Select(i => 1 / (i + 3.0))];
        SparseAttentionResult row = Full(scores.Select((s, i) => new SampleResult { Index = i, Score = i == 7 ? null : s, GoldJson = FormattableString.Invariant($"{i}") }).Where(s => s.Index != 9));
        SparseAttentionResult read = Assert.Single(Read(Export([row], "full.jsonl")));
        foreach (System.Reflection.PropertyInfo column in typeof(SparseAttentionResult).GetProperties().Where(p => p.Name != nameof(SparseAttentionResult.Path)))
        {
            object? expected = column.GetValue(row) is double d ? double.Parse(d.ToString("G6", null), null) : column.GetValue(row);
            Assert.True(Equals(column.Name == nameof(row.StartedAt) ? DateTimeOffset.Parse("2026-01-02T03:04:05Z", null) : expected, column.GetValue(read)), column.Name);
            Assert.False(Equals(column.GetValue(new SparseAttentionResult()), expected), $"{column.Name} tests nothing.");
        }

        Assert.Equal(row.Samples!.Select(s => (s.Index, s.Score)), read.Samples!.Select(s => (s.Index, s.Score)));
        Assert.Equal(99, read.Samples!.Select(s => s.GoldJson).Distinct().Count());
    }

    [Fact]
    public void A_file_says_where_its_rows_are_from()
    {
        RecordingSink sink = Sweeps.Run(_folder.File("results"), [Sweeps.Specification(samples: 2)], cancellationToken: TestContext.Current.CancellationToken);
        ResultSummaryHeader header = ResultSummaryFile.Read(Export([.. sink.Rows], "run.jsonl.gz")).Header;
        Assert.Equal(ResultSummaryFile.CurrentFormat, header.Format);
        Assert.Equal(sink.Rows[0].StartedAt!.Value.UtcDateTime.ToString("yyyy-MM-dd", null), header.Date);
        Assert.Equal(HostInformation.ProcessorName, header.Devices["cpu"]);
        Assert.Equal((string)new RunDirectory(sink.Rows[0].Path!).ReadSpecification()!.Identity!["Checkpoint"]!, header.Checkpoints["hash"]);
        Assert.StartsWith(ModuleInformation.Version.Split('+')[0], header.ModuleVersion, StringComparison.Ordinal);

        // And keeps it when it is made from a file.
        Assert.Equivalent(header, ResultSummaryFile.Read(Export(Read(_folder.File("run.jsonl.gz")), "again.jsonl")).Header, strict: true);
    }

    [Fact]
    public void A_grid_of_the_findings_is_small_and_read_at_once()
    {
        SparseAttentionResult[] rows = [.. MadeGrid.Rows(50)];
        Assert.Equal(14652, rows.Length);
        string file = Export(rows, "grid.jsonl.gz");
        var watch = Stopwatch.StartNew();
        SparseAttentionResult[] read = Read(file);
        TestContext.Current.SendDiagnosticMessage(FormattableString.Invariant($"{new FileInfo(file).Length} bytes, read in {watch.Elapsed.TotalSeconds:F2} s"));
        Assert.Equal(rows.Length, read.Length);
        Assert.InRange(new FileInfo(file).Length, 500_000, 1_500_000);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 10);
        Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Export(read, "again.jsonl.gz")));
        Dictionary<string, SparseAttentionResult> made = rows.ToDictionary(r => r.RunId);
        Assert.All(read.Where((_, i) => i % 97 == 0), r => Assert.Equal(made[r.RunId].Samples!.Select(s => s.Score), r.Samples!.Select(s => s.Score)));
    }

    [Fact]
    public void Damage_is_an_error_that_names_the_line()
    {
        string file = Export(Rows(), "grid.jsonl");
        string[] lines = File.ReadAllLines(file);
        Assert.Equal(2, lines.Length);
        const string Golds = "\"Golds\":\"";
        foreach (string line in (string[])
        [
            "{", "null", "{}", lines[0], "{\"Block\":{}}", lines[1] + "x",
            lines[1].Replace("\"Golds\":\"", "\"Golds\":\"0", StringComparison.Ordinal),
            lines[1][..(lines[1].IndexOf(Golds, StringComparison.Ordinal) + Golds.Length)] + "g" + lines[1][(lines[1].IndexOf(Golds, StringComparison.Ordinal) + Golds.Length + 1)..],
            lines[1].Replace("\"Values\":[0,1]", "\"Values\":[0,2]", StringComparison.Ordinal),
            lines[1].Replace("\"Values\":[0,1]", "\"Values\":[0]", StringComparison.Ordinal),
            lines[1].Replace("\"DecodeMethod\":[\"Dense\",", "\"DecodeMethod\":[", StringComparison.Ordinal),
            lines[1].Replace("\"DecodeMethod\":[\"Dense\",", "\"DecodeMethod\":[null,", StringComparison.Ordinal),
            lines[1].Replace("\"RequestedDecodeSparsity\":[null,", "\"RequestedDecodeSparsity\":[\"1\",", StringComparison.Ordinal),
            lines[1].Replace("\"Task\":", "\"Task\":null,\"Task\":", StringComparison.Ordinal),
            RunIds().Replace(lines[1], "\"RunId\":[\"1\",\"1\",\"1\"]"),
            lines[1].Replace("000000", "00000?", StringComparison.Ordinal),
        ])
        {
            Assert.NotEqual(lines[1], line);
            File.WriteAllLines(file, [lines[0], line]);
            SparseFrontierException e = Assert.Throws<SparseFrontierException>(() => Read(file));
            Assert.Equal(ErrorIds.ResultRowInvalid, e.ErrorId);
            Assert.Contains("Line 2", e.Message, StringComparison.Ordinal);
        }

        // Without a header, of another format, and cut off where a line ends.
        foreach (string[] content in (string[][])[[lines[1]], [lines[0].Replace("-rows/1", "-rows/9", StringComparison.Ordinal), lines[1]], [lines[0]], []])
        {
            File.WriteAllLines(file, content);
            Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Throws<SparseFrontierException>(() => Read(file)).ErrorId);
        }

        // Not compressed at all, and a part of what was.
        foreach (string name in (string[])["packed.jsonl.gz", "packed.jsonl.br"])
        {
            string packed = Export(Rows(), name);
            byte[] whole = File.ReadAllBytes(packed);
            foreach (byte[] content in (byte[][])[Encoding.UTF8.GetBytes(lines[0]), whole[..(whole.Length / 2)], []])
            {
                File.WriteAllBytes(packed, content);
                Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Throws<SparseFrontierException>(() => Read(packed)).ErrorId);
            }
        }
    }

    // The file has been written again with more samples since the row was read.
    [Fact]
    public void A_row_of_fewer_samples_than_its_file_is_paired_with_runs_of_a_folder()
    {
        SparseAttentionResult[] rows = Rows();
        string file = Export(rows, "grid.jsonl");
        System.Text.Json.Nodes.JsonNode node = System.Text.Json.JsonSerializer.SerializeToNode(Read(file, "Quest").First())!;
        node[nameof(SparseAttentionResult.SampleCount)] = 20;
        SparseAttentionResult row = System.Text.Json.JsonSerializer.Deserialize<SparseAttentionResult>(node)!;
        double[][] shared = new PairedScores().Shared([rows[0], row]);
        Assert.All(shared, scores => Assert.Equal(20, scores.Length));
        Assert.Equal(20, Assert.Single(Read(Export([row], "fewer.jsonl"))).Samples!.Count);
        Assert.Equal(Read(file)[0].Samples!.Take(20).Select(s => s.GoldJson), Read(_folder.File("fewer.jsonl"))[0].Samples!.Select(s => s.GoldJson));
    }

    [Fact]
    public void A_column_of_a_later_version_is_left_out()
    {
        string file = Export(Rows(), "grid.jsonl");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"Columns\":{", "\"Columns\":{\"Later\":[1,2,3],", StringComparison.Ordinal));
        Assert.Equal(3, Read(file).Length);
    }

    [Theory]
    [InlineData("bomb.jsonl.gz")]
    [InlineData("bomb.jsonl.br")]
    public void A_file_that_unpacks_to_more_than_any_grid_is_refused(string name)
    {
        string file = _folder.File(name);
        using (Stream stream = name.EndsWith(".gz", StringComparison.Ordinal)
            ? new GZipStream(File.Create(file), CompressionLevel.Fastest) : new BrotliStream(File.Create(file), CompressionLevel.Fastest))
        {
            byte[] blanks = Encoding.ASCII.GetBytes(new string(' ', 1 << 20));
            for (int i = 0; i < 65; i++)
            {
                stream.Write(blanks);
            }
        }

        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Throws<SparseFrontierException>(() => Read(file)).ErrorId);

        // So are more rows than any grid has, which take a few bytes each.
        string header = File.ReadAllLines(Export(Rows(), "grid.jsonl"))[0];
        File.WriteAllLines(_folder.File("many.jsonl"), [header, "{\"Block\":{\"Golds\":\"\",\"Values\":[],\"Same\":{},\"Columns\":{},\"Scores\":[" + string.Join(',', Enumerable.Repeat("\"\"", (1 << 18) + 1)) + "]}}"]);
        Assert.Contains("no grid has", Assert.Throws<SparseFrontierException>(() => Read(_folder.File("many.jsonl"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_written_is_said()
    {
        SparseAttentionResult[] rows = Rows();
        string file = Export(rows, "grid.jsonl");
        Assert.Equal(ErrorIds.OutputFileExists, Fails(rows, file));
        Assert.Equal(ErrorIds.ParameterInvalid, Fails(rows, _folder.File("rows.csv")));
        Assert.Equal(ErrorIds.DataInsufficient, Fails([], _folder.File("none.jsonl")));
        Assert.Equal(ErrorIds.DataInsufficient, Fails([new SparseAttentionResult { Score = 0.5, SampleCount = 3 }], _folder.File("lost.jsonl")));

        // A run without a score has no samples to look for.
        Assert.Equal(RunStatus.Infeasible, Read(Export([new SparseAttentionResult { RunId = "1", Status = RunStatus.Infeasible }], "infeasible.jsonl"))[0].Status);
    }

    [GeneratedRegex("\"RunId\":\\[[^]]*\\]")]
    private static partial Regex RunIds();

    private SparseAttentionResult[] Rows() =>
    [
        Row(_folder, "Dense", null, Lost(30, 0)),
        Row(_folder, "SnapKV", 0.9, Lost(30, 8), output: "output text"),
        Row(_folder, "Quest", 0.9, Lost(30, 2)),
    ];

    // Every column has a value that says something.
    private static SparseAttentionResult Full(IEnumerable<SampleResult> samples)
    {
        var node = new System.Text.Json.Nodes.JsonObject();
        int number = 0;
        foreach (System.Reflection.PropertyInfo column in typeof(SparseAttentionResult).GetProperties())
        {
            Type type = Nullable.GetUnderlyingType(column.PropertyType) ?? column.PropertyType;
            number++;
            node[column.Name] = type == typeof(string) ? $"{column.Name}, \"{number}\" \u00e9"
                : type == typeof(double) ? System.Text.Json.Nodes.JsonValue.Create(number * 1234567.891)
                : type == typeof(bool) ? System.Text.Json.Nodes.JsonValue.Create(true)
                : type == typeof(RunStatus) ? System.Text.Json.Nodes.JsonValue.Create((int)RunStatus.Poisoned)
                : type == typeof(DateTimeOffset) ? "2026-01-02T03:04:05.678Z"
                : System.Text.Json.Nodes.JsonValue.Create(number + 1);
        }

        SparseAttentionResult row = System.Text.Json.JsonSerializer.Deserialize<SparseAttentionResult>(node)!;
        row.Samples = [.. samples];
        return row;
    }

    private string Export(SparseAttentionResult[] rows, string name)
    {
        string file = _folder.File(name);
        var sink = new RecordingSink();
        new ExportResultOperation { Results = rows, Path = file }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.Equal(file, ((FileInfo)Assert.Single(sink.Objects)).FullName);
        return file;
    }

    private static string Fails(SparseAttentionResult[] rows, string file) => Assert.Throws<SparseFrontierException>(
        () => new ExportResultOperation { Results = rows, Path = file }.Execute(new RecordingSink(), TestContext.Current.CancellationToken)).ErrorId;

    private static SparseAttentionResult[] Read(string file, params string[] methods)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [file], DecodeMethod = methods }.Execute(sink, TestContext.Current.CancellationToken);
        return [.. sink.Rows];
    }

    private static SparsityClaim Claim(SparseAttentionResult[] rows)
    {
        var sink = new RecordingSink();
        new TestClaimOperation { Claim = "Quest over SnapKV", Results = rows }.Execute(sink, TestContext.Current.CancellationToken);
        return Assert.Single(sink.Objects.OfType<SparsityClaim>());
    }
}
