using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SparseFrontier.Experiments;
using SparseFrontier.Reporting.Report;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Reporting;

public sealed partial class ReportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_libraries_are_those_that_their_checksums_name()
    {
        string assets = Path.Combine(Fixtures.Root, "src", "SparseFrontier.Engine", "Reporting", "Report", "Assets");
        (string Sum, string Name)[] sums = [.. File.ReadAllLines(Path.Combine(assets, "SHA256SUMS")).Select(l => l.Split("  ")).Select(p => (p[0], p[1]))];
        Assert.Equal(ReportAssets.Libraries.Concat(ReportAssets.Licenses).Order(StringComparer.Ordinal), sums.Select(s => s.Name).Order(StringComparer.Ordinal));
        Assert.All(sums, s => Assert.Equal(s.Sum, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ReportAssets.Text(s.Name))))));
        Assert.All(ReportAssets.Libraries.Append("report.js").Select(ReportAssets.Text), script =>
        {
            Assert.DoesNotContain("</script", script, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("<!--", script, StringComparison.Ordinal);
            Assert.DoesNotContain('\r', script);
        });
    }

    [Fact]
    public void Every_figure_has_charts_and_a_table_and_its_charts_are_json()
    {
        string page = Export(ReportRuns.Write(_folder.Path), ReportRuns.Kernels);
        string[] figures = [.. FigureSection().Matches(page).Select(m => m.Groups[1].Value)];
        Assert.Equal(["frontier", "tolerance", "length", "speed-up", "roofline", "heat-map"], figures);
        Assert.All(FigureSection().Matches(page), figure =>
        {
            Assert.Contains("<table>", figure.Value, StringComparison.Ordinal);
            Assert.Contains("<caption>", figure.Value, StringComparison.Ordinal);
            Assert.NotEmpty(Specification().Matches(figure.Value));
        });
        Assert.All(Specification().Matches(page), m =>
        {
            using var chart = JsonDocument.Parse(m.Groups[1].Value);
            Assert.All(chart.RootElement.GetProperty("layer").EnumerateArray(), layer => Assert.NotEqual(0, layer.GetProperty("data").GetProperty("values").GetArrayLength()));
            foreach (JsonElement axis in Axes(chart.RootElement).Where(a => a.TryGetProperty("title", out JsonElement t) && t.GetString()!.Length > 0))
            {
                Assert.Matches(@"\(.+\)", axis.GetProperty("title").GetString()!);
            }
        });
        Assert.Single(Embedded().Matches(page));
        Assert.DoesNotContain("http://", Specification().Replace(page[..page.IndexOf("<footer>", StringComparison.Ordinal)], ""), StringComparison.Ordinal);
        Assert.Matches("id=\"lost-answers\"", page);
        Assert.Matches("c0ffee", page);
    }

    [Fact]
    public void A_frontier_that_no_run_is_beaten_on_has_no_empty_layer()
    {
        SparseAttentionResult[] rows = [.. ReportRuns.Write(_folder.Path).Where(r => r.Method is "Dense" or "BlockSparse" && r.DecodeMethod == "Dense" && r.Task == "Niah" && r.SequenceLength == 1024)];
        string page = Export(rows, []);
        Assert.Contains("\"data\":{\"values\":[{", page, StringComparison.Ordinal);
        Assert.DoesNotContain("\"data\":{\"values\":[]}", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_figure_without_data_says_so_in_words()
    {
        string page = Export(
        [
            new SparseAttentionResult { Method = "Quest", DecodeMethod = "Dense", Task = "Niah", Model = "m", Status = RunStatus.Failed, Message = "It broke." },
            new SparseAttentionResult { Method = "Quest", DecodeMethod = "Dense", Task = "Niah", Model = "m", Score = 1, ScoreLow = 0.5, ScoreHigh = 1, SampleCount = 4, FallbackCount = 4 },
        ],
        []);
        Assert.Contains("Completed, 4 of 4 samples ran dense", page, StringComparison.Ordinal);
        Assert.Equal(6, FigureSection().Count(page));
        Assert.All(FigureSection().Matches(page), figure => Assert.Matches("<p class=\"missing\">[A-Z].{20,}\\.</p>", figure.Value));
        Assert.Empty(Specification().Matches(page));
        Assert.Contains("It broke.", page, StringComparison.Ordinal);
        Assert.Contains("No run of these results can be compared", page, StringComparison.Ordinal);
    }

    // A step that several sequences share is divided equally among them, whatever their methods.
    [Theory]
    [InlineData(1.0, true)]
    [InlineData(8.0, false)]
    public void Speed_of_generation_is_shown_of_runs_that_stepped_alone(double sequences, bool shown)
    {
        SparseAttentionResult[] rows =
        [
            .. ReportRuns.Write(_folder.Path).Select(r =>
            {
                JsonNode node = JsonSerializer.SerializeToNode(r, StoreJson.Line)!;
                node[nameof(r.SequencesPerStep)] = sequences;
                return RunSummary.WithPath(node.Deserialize<SparseAttentionResult>(StoreJson.Line)!, r.Path);
            }),
        ];
        string figure = FigureSection().Matches(Export(rows, [])).Single(m => m.Groups[1].Value == "speed-up").Value;
        Assert.Contains("Prefill: ", figure, StringComparison.Ordinal);
        Assert.Equal(shown, figure.Contains("Decode, a token: ", StringComparison.Ordinal));
    }

    [Fact]
    public void Equal_input_gives_equal_bytes_in_any_order_and_culture()
    {
        IReadOnlyList<SparseAttentionResult> rows = ReportRuns.Write(_folder.Path);
        string page = Export(rows, ReportRuns.Kernels);
        CultureInfo before = CultureInfo.CurrentCulture;
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        comma.NumberFormat.NumberGroupSeparator = ".";
        try
        {
            CultureInfo.CurrentCulture = comma;
            Assert.Equal(page, Export([.. rows.Reverse(), rows[0]], [.. ReportRuns.Kernels.Reverse()]));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        Assert.DoesNotContain(_folder.Path, page, StringComparison.Ordinal);
        Assert.DoesNotContain(Environment.MachineName + "<", page, StringComparison.Ordinal);
        Assert.DoesNotContain(DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), page, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_from_outside_is_never_markup()
    {
        string page = Export(ReportRuns.Write(_folder.Path, ReportRuns.Hostile), ReportRuns.Kernels, title: $"Mine {ReportRuns.Hostile}");
        string own = string.Concat(ReportAssets.Libraries.Append("report.js").Select(ReportAssets.Text));
        string rest = ReportAssets.Libraries.Append("report.js").Select(ReportAssets.Text).Aggregate(page, (text, script) => text.Replace(script, "", StringComparison.Ordinal));
        Assert.True(page.Length - rest.Length == own.Length);
        Assert.DoesNotContain("<script>window", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("<img", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("<!--", rest, StringComparison.Ordinal);
        Assert.DoesNotContain('\u0001', rest);
        Assert.Contains("&lt;/script&gt;&lt;script&gt;window.injected=1", rest, StringComparison.Ordinal);
        Assert.Equal(Specification().Count(rest) + ReportAssets.Libraries.Count + 1, Regex.Count(rest, "<script"));
        Assert.Equal(Regex.Count(rest, "<script"), Regex.Count(rest, "</script"));
    }

    [Fact]
    public void No_script_runs_but_those_of_the_policy_and_nothing_can_be_fetched()
    {
        string page = Export(ReportRuns.Write(_folder.Path), []);
        string policy = Regex.Match(page, "Content-Security-Policy\" content=\"([^\"]+)\"").Groups[1].Value;
        Assert.StartsWith("default-src 'none';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe-eval", policy, StringComparison.Ordinal);
        Assert.All(ReportAssets.Libraries.Append("report.js").Select(ReportAssets.Text), script => Assert.Contains($"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)))}'", policy, StringComparison.Ordinal));
    }

    [Fact]
    public void The_answer_counts_what_the_frontiers_hold()
    {
        string page = Export(ReportRuns.Write(_folder.Path), []);
        // Costs fall back to density, as nobody knows this model's sizes: a frontier for each task and length.
        Assert.Contains("On 0 of 4 frontiers a sparse run has at least dense attention", page, StringComparison.Ordinal);
        Assert.Contains("of those that it was compared on: Dense 4 of 4", page, StringComparison.Ordinal);
        Assert.Matches("Tolerance \\(loss below 0.05 with confidence 0.95\\): none of \\d+ series", page);
        string few = Export([.. ReportRuns.Write(_folder.Path).Where(r => r.Task == "Niah" && r.SequenceLength == 1024)], []);
        Assert.Contains("Niah at 1024 tokens, tiny, by density: of 8 runs,", few, StringComparison.Ordinal);
        Assert.Contains("The highest mean score, 1.000 [0.90, 1.00], costs least with Dense: 1.0000.", few, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_written_once_and_only_when_told()
    {
        var rows = ReportRuns.Write(_folder.Path);
        string path = _folder.File("deep/report.html");
        var operation = new ExportReportOperation { Results = rows, Path = path };
        var quiet = new RecordingSink { Process = false };
        operation.Execute(quiet, CancellationToken.None);
        Assert.False(File.Exists(path));
        Assert.Contains(path, Assert.Single(quiet.Asked), StringComparison.Ordinal);
        var sink = new RecordingSink();
        operation.Execute(sink, CancellationToken.None);
        Assert.Equal(path, Assert.IsType<FileInfo>(Assert.Single(sink.Objects)).FullName);
        Assert.Equal(ErrorIds.OutputFileExists, Assert.Throws<SparseFrontierException>(() => operation.Execute(sink, CancellationToken.None)).ErrorId);
        new ExportReportOperation { Results = rows, Path = path, Force = true }.Execute(sink, CancellationToken.None);
        foreach (string name in (string[])["report.json", "report", "report.html.gz"])
        {
            var other = new ExportReportOperation { Results = rows, Path = _folder.File(name) };
            Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => other.Execute(sink, CancellationToken.None)).ErrorId);
        }
    }

    [Fact]
    public void Measurements_come_from_files_and_bad_ones_are_named()
    {
        string path = _folder.File("kernels.jsonl");
        File.WriteAllLines(path, ReportRuns.Kernels.Select(k => JsonSerializer.Serialize(k)).Append(""));
        string page = Export([], [], paths: [path]);
        Assert.Contains("cpu: multiply-adds 100 GFLOP/s, reading 15.0 GB/s", page, StringComparison.Ordinal);
        File.AppendAllText(path, "{\"Method\":\"\"}\n");
        var bad = Assert.Throws<SparseFrontierException>(() => Export([], [], paths: [path]));
        Assert.Equal(ErrorIds.ResultRowInvalid, bad.ErrorId);
        Assert.Contains($"Line {ReportRuns.Kernels.Count + 2} of", bad.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorIds.FileNotFound, Assert.Throws<SparseFrontierException>(() => Export([], [], paths: [_folder.File("none")])).ErrorId);
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Export([], [])).ErrorId);
    }

    internal string Export(IReadOnlyList<SparseAttentionResult> rows, IReadOnlyList<KernelMeasurement> kernels, string title = "", string[]? paths = null)
    {
        string path = _folder.File("report.html");
        new ExportReportOperation { Results = rows, KernelMeasurements = kernels, KernelMeasurementPaths = paths ?? [], Path = path, Title = title, Force = true }
            .Execute(new RecordingSink(), CancellationToken.None);
        return File.ReadAllText(path);
    }

    private static IEnumerable<JsonElement> Axes(JsonElement chart) =>
        from layer in chart.GetProperty("layer").EnumerateArray()
        from channel in layer.GetProperty("encoding").EnumerateObject()
        where channel.Value.ValueKind == JsonValueKind.Object && channel.Value.TryGetProperty("axis", out _)
        select channel.Value.GetProperty("axis");

    [GeneratedRegex("<section class=\"figure\" id=\"([a-z-]+)\".*?</section>", RegexOptions.Singleline)]
    private static partial Regex FigureSection();

    [GeneratedRegex("<script type=\"application/json\"[^>]*>(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Specification();

    [GeneratedRegex("vegaEmbed=", RegexOptions.None)]
    private static partial Regex Embedded();
}
