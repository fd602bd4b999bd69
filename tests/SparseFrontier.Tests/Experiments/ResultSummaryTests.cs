using System.IO.Compression;
using System.Text;
using SparseFrontier.Experiments.Operations;
using Xunit;
using static SparseFrontier.Tests.Analysis.StoredScores;

namespace SparseFrontier.Tests.Experiments;

public sealed class ResultSummaryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("grid.jsonl")]
    [InlineData("grid.jsonl.gz")]
    public void Rows_of_a_file_are_compared_as_those_of_folders_are(string name)
    {
        SparseAttentionResult[] rows = Rows();
        string file = Export(rows, name);
        SparseAttentionResult[] read = Read(file);
        Assert.Equal(["Dense", "Quest", "SnapKV"], read.Select(r => r.DecodeMethod));
        Assert.All(read, r => Assert.Equal(file, r.Path));
        Assert.Equal(Claim(rows), Claim(read));

        // A file made from a file is the same file.
        string again = Export(read, "again" + name);
        Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(again));
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
    public void Damage_is_an_error_that_names_the_line()
    {
        string file = Export(Rows(), "grid.jsonl");
        string[] lines = File.ReadAllLines(file);
        foreach (string line in new[] { "{", "null", "{\"Row\":{},\"Scores\":[1],\"Golds\":\"\"}", "{\"Row\":{},\"Scores\":[2],\"Golds\":\"abcdef\"}", "{\"Row\":{}}" })
        {
            File.WriteAllLines(file, [lines[0], line]);
            SparseFrontierException e = Assert.Throws<SparseFrontierException>(() => Read(file));
            Assert.Equal(ErrorIds.ResultRowInvalid, e.ErrorId);
            Assert.Contains("Line 2", e.Message, StringComparison.Ordinal);
        }

        string packed = _folder.File("packed.jsonl.gz");
        File.WriteAllText(packed, lines[0]);
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Throws<SparseFrontierException>(() => Read(packed)).ErrorId);
    }

    [Fact]
    public void A_file_that_unpacks_to_more_than_any_grid_is_refused()
    {
        string file = _folder.File("bomb.jsonl.gz");
        using (var stream = new GZipStream(File.Create(file), CompressionLevel.Fastest))
        {
            byte[] blanks = Encoding.ASCII.GetBytes(new string(' ', 1 << 20));
            for (int i = 0; i < 260; i++)
            {
                stream.Write(blanks);
            }
        }

        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Throws<SparseFrontierException>(() => Read(file)).ErrorId);
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

    private SparseAttentionResult[] Rows() =>
    [
        Row(_folder, "Dense", null, Lost(30, 0)),
        Row(_folder, "SnapKV", 0.9, Lost(30, 8), output: "output text"),
        Row(_folder, "Quest", 0.9, Lost(30, 2)),
    ];

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
