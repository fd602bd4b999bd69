using SparseFrontier.Analysis;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Import;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Fuzz.Readers;
using SparseFrontier.Reporting.Report;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public sealed class ImportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Evaluations_of_kvpress_become_rows_that_analyses_take()
    {
        string source = _folder.File("kvpress");
        ForeignResults.KVPress(source, "no_press", "0.0", 60, 0);
        ForeignResults.KVPress(source, "snapkv", "0.5", 60, 0);
        ForeignResults.KVPress(source, "snapkv", "0.9", 60, 30);
        RecordingSink sink = Import(source);
        Assert.Empty(sink.Errors);
        SparseAttentionResult row = Assert.Single(sink.Rows, r => r.Task == "niah_single_1" && r.NominalDecodeSparsity == 0.9);
        Assert.Equal(("Dense", "SnapKV", "small", 4096, 60), (row.Method, row.DecodeMethod, row.Model, row.SequenceLength, row.SampleCount));
        Assert.Equal((0.5, 0.9, 0.0, "Question", 42L), (row.Score!.Value, row.RequestedDecodeSparsity!.Value, row.PrefillSparsity!.Value, row.CompressBefore, row.Seed));
        Assert.Equal((null, null, null, null, null), (row.DecodeSparsity, row.CacheSparsity, row.PrefillSeconds, row.PeakMemoryBytes, row.FormatFailureRate));
        Assert.Contains("no measured sparsity", Assert.Single(sink.Warnings), StringComparison.Ordinal);

        // What is in the folder is what was emitted.
        var stored = new RecordingSink();
        new GetResultOperation { Path = [_folder.File("results")] }.Execute(stored, CancellationToken.None);
        Assert.Equal(sink.Rows.Select(r => r.RunId).Order(), stored.Rows.Select(r => r.RunId).Order());

        var tolerance = new RecordingSink();
        new MeasureToleranceOperation { Results = [.. stored.Rows.Where(r => r.Task == "niah_single_1")], MaximumDrop = 0.1 }.Execute(tolerance, CancellationToken.None);
        Assert.Equal(0.5, Assert.IsType<SparsityTolerance>(Assert.Single(tolerance.Objects)).ToleratedSparsity);
        Assert.Contains(tolerance.Warnings, w => w.Contains("nominal", StringComparison.Ordinal));

        var frontier = new RecordingSink();
        new GetParetoOperation { Results = stored.Rows }.Execute(frontier, CancellationToken.None);
        Assert.Equal([0.1, 0.5, 1], frontier.Objects.Cast<SparsityPoint>().Where(p => p.Task == "niah_single_1").Select(p => Math.Round(p.Cost, 6)));

        var claim = new RecordingSink();
        new TestClaimOperation { Claim = "SnapKV at 0.5 over SnapKV at 0.9", Results = stored.Rows, Task = ["niah_single_1"] }.Execute(claim, CancellationToken.None);
        Assert.Single(claim.Objects);

        new ExportReportOperation { Results = stored.Rows, Path = _folder.File("report.html") }.Execute(new RecordingSink(), CancellationToken.None);
        Assert.Contains("Imported from kvpress", File.ReadAllText(_folder.File("report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void Effects_scaling_and_bundles_take_imported_rows()
    {
        foreach ((int length, int some, int many) in new[] { (4096, 1, 6), (8192, 3, 15), (16384, 6, 30) })
        {
            string source = _folder.File($"kvpress{length}");
            ForeignResults.KVPress(source, "no_press", "0.0", 60, 0, length: length);
            ForeignResults.KVPress(source, "snapkv", "0.5", 60, some, length: length);
            ForeignResults.KVPress(source, "snapkv", "0.9", 60, many, length: length);
            Assert.Empty(Import(source).Errors);
        }

        var stored = new RecordingSink();
        new GetResultOperation { Path = [_folder.File("results")] }.Execute(stored, CancellationToken.None);
        SparseAttentionResult[] rows = [.. stored.Rows.Where(r => r.Task == "niah_single_1")];
        var effect = new RecordingSink();
        new MeasureEffectOperation { Results = rows }.Execute(effect, CancellationToken.None);
        Assert.Equal([0.1, 0.25, 0.5], effect.Objects.Cast<SparsityEffect>().Where(e => e.Sparsity == 0.9).Select(e => Math.Round(e.RelativeError!.Value, 9)));
        Assert.All(effect.Objects.Cast<SparsityEffect>(), e => Assert.True(e.RelativeErrorLow <= e.RelativeError && e.RelativeError <= e.RelativeErrorHigh));
        Assert.Contains(effect.Warnings, w => w.Contains("nominal", StringComparison.Ordinal));

        var scaling = new RecordingSink();
        new MeasureScalingOperation { Results = rows }.Execute(scaling, CancellationToken.None);
        SparsityScaling law = scaling.Objects.Cast<SparsityScaling>().Single(s => s.Form == ScalingForm.Logit && s.HeldOut == ScalingHoldOut.None);
        Assert.Equal((9, "niah_single_1", (double?)null), (law.PointCount, law.Task, law.SizeSlope));
        Assert.True(law.CompressionSlope < 0 && law.LengthSlope < 0);

        // A bundle of imported runs is read where their tasks are not known, and the runs are the same there.
        new ExportBundleOperation { Results = stored.Rows, Path = _folder.File("imported.zip") }.Execute(new RecordingSink(), CancellationToken.None);
        var bundle = new RecordingSink();
        new ImportBundleOperation { Path = [_folder.File("imported.zip")], ResultPath = _folder.File("theirs") }.Execute(bundle, CancellationToken.None);
        Assert.Empty(bundle.Errors);
        Assert.Equal(stored.Rows.Select(r => (r.RunId, r.Score)).Order(), bundle.Objects.Cast<BundledRun>().Select(r => (r.RunId, r.StoredScore)).Order());
        Assert.Equal(ResultExport.Canonical(_folder.File("results")), ResultExport.Canonical(_folder.File("theirs")));
    }

    [Fact]
    public void Multiple_choice_brings_its_chance_from_the_samples()
    {
        // As lm-evaluation-harness logs them: a request a choice, in an object since 0.4.3 and in a list before; the unconditioned ones of acc_mutual_info choose among the same.
        string four = """{"gen_args_0": {"arg_0": "q", "arg_1": " A"}, "gen_args_1": {"arg_0": "q", "arg_1": " B"}, "gen_args_2": {"arg_0": "q", "arg_1": " C"}, "gen_args_3": {"arg_0": "q", "arg_1": " D"}, "gen_args_4": {"arg_0": "", "arg_1": " A"}}""";
        SparseAttentionResult row = Assert.Single(Choice("multiple_choice", [("doc", "{}", four), ("doc", "{}", """[["q", " yes"], ["q", " no"]]""")]).Rows);
        Assert.Equal(0.375, row.ChanceScore!.Value, 1e-12);
        Assert.Equal(0.375, ChanceFloor.Of(row));

        // Generated answers have options in place of a continuation; their document may hold the choices.
        string generated = """{"gen_args_0": {"arg_0": "q", "arg_1": {"until": ["."]}}}""";
        Assert.Equal(1 / 3.0, Assert.Single(Choice("generate_until", [("doc", """{"choices": {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}}""", generated), ("doc", """{"choices": ["a", "b", "c"]}""", generated)]).Rows).ChanceScore!.Value, 1e-12);
        Assert.Null(Assert.Single(Choice("generate_until", [("doc", "{}", generated), ("doc", "{}", generated)]).Rows).ChanceScore);

        // Without samples nobody knows among how many was chosen: two is the most that chance can gain from.
        RecordingSink unknown = Choice("multiple_choice", []);
        Assert.Equal(0.5, Assert.Single(unknown.Rows).ChanceScore);
        Assert.Contains("do not say among how many answers", Assert.Single(unknown.Warnings, w => w.Contains("multiple choice", StringComparison.Ordinal)), StringComparison.Ordinal);

        RecordingSink Choice(string type, (string Name, string Document, string Arguments)[] samples)
        {
            string folder = _folder.File(Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(folder);
            string path = Path.Combine(folder, "results_2026-01-02T03-04-05.678901.json");
            File.WriteAllText(path, $$"""{"results": {"quiz": {"acc,none": 0.5, "acc_stderr,none": 0.1} }, "configs": {"quiz": {"output_type": "{{type}}"} }, "n-samples": {"quiz": {"effective": 2} }, "config": {"model_args": "pretrained=org/tiny"} }""");
            if (samples.Length > 0)
            {
                File.WriteAllLines(
                    Path.Combine(folder, "samples_quiz_2026-01-02T03-04-05.678901.jsonl"),
                    samples.Select((s, i) => $$"""{"doc_id": {{i}}, "doc": {{s.Document}}, "arguments": {{s.Arguments}}, "target": "x", "filter": "none", "acc": {{i}} }"""));
            }

            return Import(path, method: "Dense");
        }
    }

    [Fact]
    public void Effects_take_rows_of_the_harness_and_of_the_papers_code_without_samples()
    {
        string path = ForeignResults.Harness(_folder.File("harness"));
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(path)!, "samples_*"))
        {
            File.Delete(file);
        }

        RecordingSink dense = Import(path, method: "Dense", metric: ["exact_match:flexible"]);
        string worse = _folder.File("results_2026-02-02T03-04-05.678901.json");
        File.WriteAllText(worse, File.ReadAllText(path).Replace("\"4096,none\": 0.75", "\"4096,none\": 0.6", StringComparison.Ordinal).Replace("\"8192,none\": 0.5", "\"8192,none\": 0.2", StringComparison.Ordinal));
        RecordingSink sparse = Import(worse, method: "Quest", sparsity: 0.9, metric: ["exact_match:flexible"]);
        var effect = new RecordingSink();
        new MeasureEffectOperation { Results = [.. dense.Rows.Concat(sparse.Rows).Where(r => r.Task == "niah_single_1")] }.Execute(effect, CancellationToken.None);
        SparsityEffect[] rows = [.. effect.Objects.Cast<SparsityEffect>()];
        Assert.Equal([0.2, 0.6], rows.Select(r => Math.Round(r.RelativeError!.Value, 9)));
        Assert.All(rows, r => Assert.Equal((null, 0.9), (r.RelativeErrorLow, r.Sparsity)));

        // A claim about rows that have neither samples nor a standard error is refused, not guessed.
        SparseFrontierException refused = Assert.Throws<SparseFrontierException>(() => new TestClaimOperation
        {
            Claim = "Dense over Quest",
            Results = [.. dense.Rows.Concat(sparse.Rows).Where(r => r.Task == "niah_single_1")],
            Margin = 0.4,
        }.Execute(new RecordingSink(), CancellationToken.None));
        Assert.Contains("its samples are not here", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Importing_again_changes_nothing()
    {
        string source = ForeignResults.KVPress(_folder.File("kvpress"), "snapkv", "0.5", 4, 1);
        RecordingSink first = Import(source);
        RecordingSink second = Import(Path.Combine(source, "predictions.csv"));
        Assert.Equal(first.Rows.Select(r => (r.RunId, r.Path)), second.Rows.Select(r => (r.RunId, r.Path)));
        Assert.Equal(2, Directory.GetDirectories(_folder.File("results")).Length);
        File.AppendAllText(Path.Combine(source, "predictions.csv"), "other,\"['x']\",?,x,0.5\n");
        Assert.DoesNotContain(first.Rows[0].RunId, Import(source).Rows.Select(r => r.RunId));
    }

    [Fact]
    public void Presses_without_a_ratio_have_no_nominal_sparsity_and_predictions_that_contradict_are_left_out()
    {
        string source = ForeignResults.KVPress(_folder.File("a"), "think", "0.5", 4, 0, "key_channel_compression_ratio: 0.4\n");
        SparseAttentionResult channels = Import(source).Rows[0];
        Assert.Equal(("think", null, "key_channel_compression_ratio=0.4"), (channels.DecodeMethod, channels.NominalDecodeSparsity, channels.DecodeParameters));
        source = ForeignResults.KVPress(_folder.File("b"), "kvzap_mlp", "", 4, 0, "threshold: 0.3\n");
        Assert.Null(Import(source).Rows[0].NominalDecodeSparsity);
        source = ForeignResults.KVPress(_folder.File("c"), "snapkv", "0.5", 4, 1);
        File.WriteAllText(Path.Combine(source, "metrics.json"), """{"niah_single_1": {"string_match": 12.5}, "qa_1": {"string_match": 100.0}}""");
        RecordingSink sink = Import(source);
        SparseAttentionResult row = Assert.Single(sink.Rows, r => r.Task == "niah_single_1");
        Assert.Equal((0.125, null, 4), (row.Score!.Value, row.ScoreLow, row.SampleCount));
        Assert.Contains(sink.Warnings, w => w.Contains("does not give the figure", StringComparison.Ordinal));
        Assert.Contains(sink.Warnings, w => w.Contains("1 has no scores of samples", StringComparison.Ordinal));
    }

    [Fact]
    public void Results_of_the_harness_need_a_method_and_a_metric_where_there_are_several()
    {
        string path = ForeignResults.Harness(_folder.File("harness"));
        Assert.Contains("do not say how attention was computed", Assert.Single(Import(path).Errors).Message, StringComparison.Ordinal);
        RecordingSink sink = Import(path, method: "BlockSparse", sparsity: 0.8);
        Assert.Equal(["quiz", "words"], sink.Errors.Select(e => (string)e.Target!));
        Assert.Contains("exact_match:strict, exact_match:flexible", sink.Errors[0].Message, StringComparison.Ordinal);
        Assert.Equal([("niah_single_1", 4096), ("niah_single_1", 8192), ("single", 0)], sink.Rows.Select(r => (r.Task, r.SequenceLength)));
        SparseAttentionResult single = sink.Rows[2];
        Assert.Equal((0.6, 0.05, 100), (single.Score!.Value, single.StandardError!.Value, single.SampleCount));
        Assert.InRange(single.ScoreLow!.Value, 0.49, 0.51);
        Assert.Contains(sink.Warnings, w => w.Contains("1 are of unknown length", StringComparison.Ordinal));

        sink = Import(path, method: "quest", sparsity: 0.5, metric: ["exact_match:flexible", "acc"], length: 512);
        SparseAttentionResult quiz = sink.Rows[0];
        Assert.Equal(("Dense", "Quest", "tiny", 512, 64, 7L), (quiz.Method, quiz.DecodeMethod, quiz.Model, quiz.SequenceLength, quiz.MaximumOutputTokens, quiz.Seed));
        Assert.Equal((0.5, 0.5, null, 4, "Metric=exact_match:flexible;Shots=5"), (quiz.Score!.Value, quiz.NominalDecodeSparsity!.Value, quiz.DecodeSparsity, quiz.SampleCount, quiz.TaskParameters));
        Assert.Equal(2026, quiz.StartedAt!.Value.Year);
        var samples = new RecordingSink();
        new GetResultOperation { Path = [quiz.Path!], Sample = true }.Execute(samples, CancellationToken.None);
        SampleResult second = (SampleResult)samples.Objects[1];
        Assert.Equal((1.0, "answer 1", null, null), (second.Score!.Value, second.Output, second.DecodeSparsity, second.PromptTokens));
        Assert.Contains("gold 1", second.GoldJson, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Results_of_the_papers_code_keep_its_figures_and_take_its_rule(bool predictions)
    {
        string source = _folder.File("experiments");
        ForeignResults.Reference(source, "dense", "default", 0, 50, 2, predictions);
        ForeignResults.Reference(source, "block_sparse", "chunk_size@16+top_chunks@64", 0.75, 50, 2, predictions);
        ForeignResults.Reference(source, "block_sparse", "chunk_size@16+top_chunks@16", 0.9, 50, 30, predictions);
        ForeignResults.Reference(source, "quest", "token_budget@1024+page_size@16+share_pages@True", 0.875, 50, 40, predictions);
        RecordingSink sink = Import(Path.Combine(source, "results"));
        Assert.Empty(sink.Errors);
        SparseAttentionResult row = Assert.Single(sink.Rows, r => r.Parameters == "BlockSize=16;TopBlocks=16");
        Assert.Equal(("VariableTracking", "qwen_7b", 8192, 50, true), (row.Task, row.Model, row.SequenceLength, row.SampleCount, row.ReferenceScoring));
        Assert.Equal((0.9, null, 0.0, predictions ? 43 : 0), (Math.Round(row.NominalSparsity!.Value, 9), row.PrefillSparsity, row.DecodeSparsity!.Value, row.Seed));
        Assert.Equal(0.4, row.Score!.Value, 9);
        MeanInterval expected = Statistics.Interval([.. Enumerable.Range(0, 50).Select(i => i < 20 ? 1.0 : 0)], 0, 1);
        Assert.Equal(expected.StandardError!.Value, row.StandardError!.Value, 9);
        Assert.Equal(expected.Low!.Value, row.ScoreLow!.Value, 9);
        Assert.Equal(expected.High!.Value, row.ScoreHigh!.Value, 9);
        Assert.Equal("TokenBudget=1024;PageSize=16;SharePages=1", Assert.Single(sink.Rows, r => r.DecodeMethod == "Quest").DecodeParameters);

        var paper = new RecordingSink();
        new MeasureToleranceOperation { Results = sink.Rows, Criterion = ToleranceCriterion.Paper }.Execute(paper, CancellationToken.None);
        Assert.Equal(0.75, Assert.Single(paper.Objects.Cast<SparsityTolerance>(), t => t.Method == "BlockSparse").ToleratedSparsity!.Value, 9);
        var paired = new RecordingSink();
        new MeasureToleranceOperation { Results = sink.Rows, MaximumDrop = 0.2 }.Execute(paired, CancellationToken.None);
        Assert.Equal(predictions ? 2 : 0, paired.Objects.Count);
        Assert.Equal(predictions, paired.Errors.Count == 0);
    }

    [Fact]
    public void What_cannot_be_imported_is_said_and_nothing_is_written_under_what_if()
    {
        string source = ForeignResults.KVPress(_folder.File("kvpress"), "snapkv", "0.5", 4, 0);
        var quiet = new RecordingSink { Process = false };
        new ImportResultOperation { Path = [source], ResultPath = _folder.File("results") }.Execute(quiet, CancellationToken.None);
        Assert.Equal(2, quiet.Asked.Count);
        Assert.Empty(quiet.Objects);
        Assert.False(Directory.Exists(_folder.File("results")));

        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Single(Import(source, method: "Quest").Errors).ErrorId);
        File.WriteAllText(Path.Combine(source, "predictions.csv"), "a,b\n\"open");
        Assert.Contains("cut off", Assert.Single(Import(source).Errors).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(source, "config.yaml"));
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Import(source)).ErrorId);
        Assert.Equal(ErrorIds.FileNotFound, Assert.Throws<SparseFrontierException>(() => Import(_folder.File("none"))).ErrorId);
        Assert.Equal(ErrorIds.SparsityOutOfRange, Assert.Throws<SparseFrontierException>(() => Import(source, sparsity: 95)).ErrorId);
        string lost = _folder.File("evaluation_results_5.json");
        File.WriteAllText(lost, """{"iou": 0.5, "total_samples": 5}""");
        Assert.Contains("folders say what was run", Assert.Single(Import(lost).Errors).Message, StringComparison.Ordinal);
        string text = _folder.File("results_x.json");
        File.WriteAllText(text, "no json");
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(Import(text, method: "Dense").Errors).ErrorId);
        File.WriteAllText(text, "[]");
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(Import(text, method: "Dense").Errors).ErrorId);
    }

    [Fact]
    public void Names_from_outside_stay_in_the_folder_of_results()
    {
        string path = _folder.File("results_y.json");
        File.WriteAllText(path, """{"results": {"../../up": {"acc,none": 0.5}}, "configs": {}, "model_name": "../../m/..", "date": 1767323045}""");
        SparseAttentionResult row = Assert.Single(Import(path, method: "../../../sneaky").Rows);
        Assert.Equal("../../up", row.Task);
        Assert.Equal(_folder.File("results"), Path.GetDirectoryName(row.Path));
        Assert.Single(Directory.GetDirectories(_folder.File("results")));
    }

    [Fact]
    public void Texts_of_python_are_read()
    {
        Assert.Equal(["a", "b's", "c\nd"], PythonText.Strings("['a' \"b's\"\n 'c\\nd']")!);
        Assert.Null(PythonText.Strings("['a' b]"));
        Assert.Null(PythonText.Strings("'a'"));
        Assert.Empty(PythonText.Strings("[]")!);
        IReadOnlyDictionary<string, string> values = PythonText.TopLevel("a: 'it''s'\nb: null\n# c: 1\nd:\n  e: 2\nf: \"x: y\"\ng: 0.5\r\n");
        Assert.Equal(["a=it's", "f=x: y", "g=0.5"], values.Select(v => $"{v.Key}={v.Value}"));
        string path = _folder.File("rows.csv");
        File.WriteAllText(path, "a,b\r\n\"x, \"\"y\"\"\nz\",\n\n1,2");
        Assert.Equal(["x, \"y\"\nz", "1"], CsvFile.Read(path).Select(r => r["a"]));
        File.WriteAllText(path, "a,b\n1\n");
        Assert.Contains("row 1 has 1 fields", Assert.Throws<SparseFrontierException>(() => CsvFile.Read(path)).Message, StringComparison.Ordinal);
    }

    private RecordingSink Import(string path, string method = "", double? sparsity = null, string[]? metric = null, int length = 0)
    {
        var sink = new RecordingSink();
        new ImportResultOperation { Path = [path], ResultPath = _folder.File("results"), Method = method, Sparsity = sparsity, Metric = metric ?? [], SequenceLength = length }
            .Execute(sink, CancellationToken.None);
        return sink;
    }
}
