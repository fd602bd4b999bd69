using System.Text.Json;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Experiments.Slurm;
using SparseFrontier.Fuzz.Mutation;

namespace SparseFrontier.Fuzz.Readers;

/// <summary>Runs of a folder of results: a finished one and one that stopped.</summary>
internal abstract class RunFolderReader : FuzzReader
{
    protected const string FirstId = "0123456789abcdef";
    protected const string SecondId = "fedcba9876543210";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        .. Run("20260102T030405Z-dense-niah-1024-01234567", Seeds.Run(FirstId, "Dense", null), finished: true),
        .. Run("20260102T030406Z-blocksparse-niah-1024-fedcba98", Seeds.Run(SecondId, "BlockSparse", 0.5), finished: false),
    ];

    private static IEnumerable<FuzzFile> Run(string folder, (byte[] Specification, byte[] Summary, byte[] Environment, byte[] State, byte[] Samples) run, bool finished) =>
    [
        new($"{folder}/spec.json", FuzzFormat.Json, run.Specification),
        new($"{folder}/samples-0001.jsonl", FuzzFormat.JsonLines, run.Samples),
        finished ? new($"{folder}/summary.json", FuzzFormat.Json, run.Summary) : new($"{folder}/state.json", FuzzFormat.Json, run.State),
        new($"{folder}/environment.json", FuzzFormat.Json, run.Environment),
    ];
}

/// <summary>Reads rows and samples of a folder.</summary>
internal sealed class ResultsReader : RunFolderReader
{
    public override string Name => "results";

    public override double Weight => 0.1;

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        new GetResultOperation { Path = [input] }.Execute(sink, CancellationToken.None);
        new GetResultOperation { Path = [input], Sample = true, Method = ["Block*"] }.Execute(sink, CancellationToken.None);
        var store = new ResultStore(input);
        _ = store.Find(FirstId);
        foreach (RunDirectory run in store.Runs())
        {
            _ = run.ReadAttempts().Count;
        }

        foreach (object value in sink.Objects)
        {
            _ = value.ToString();
        }

        return sink.Outcome;
    }
}

/// <summary>Rows with the scores of their samples as one file, and what is concluded from them.</summary>
internal sealed class RowsFileReader : FuzzReader
{
    public override string Name => "rows";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new("rows.jsonl", FuzzFormat.JsonLines, Seeds.FilesOf(folder => ResultSummaryFile.Write(Path.Combine(folder, "rows.jsonl"), new ResultSummary(
            new ResultSummaryHeader { ModuleVersion = "1", Date = "2026-01-02", Devices = new Dictionary<string, string> { ["cpu"] = "x" } },
            [Row("Dense", 0), Row("Quest", 0.5), Row("SnapKV", 0.5)],
            [new KernelMeasurement { Phase = "Decode", Method = "Quest", SequenceLength = 8192, SpeedUp = 2 }])))["rows.jsonl"]),
    ];

    // A line can say of many rows that they are equal; findings have their own tables.
    public override int BytesPerByte => 256;

    public override int BytesAtLeast => 16 << 20;

    public override double Weight => 0.01;

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        string file = Path.Combine(input, "rows.jsonl");
        new GetResultOperation { Path = [file] }.Execute(sink, CancellationToken.None);
        SparseAttentionResult[] rows = [.. sink.Objects.Cast<SparseAttentionResult>()];
        int outcome = sink.Outcome;
        var own = new FuzzSink();
        new GetFindingOperation { Results = rows }.Execute(own, CancellationToken.None);
        foreach (object value in own.Objects)
        {
            _ = value.ToString();
        }

        return HashCode.Combine(outcome, own.Outcome);
    }

    private static SparseAttentionResult Row(string method, double sparsity) => new()
    {
        RunId = method,
        Method = "Dense",
        DecodeMethod = method,
        Task = "Niah",
        Model = "frontier-3m",
        SequenceLength = 8192,
        PrefillSparsity = 0,
        DecodeSparsity = sparsity,
        DecodeForcedShare = 0.1,
        DecodeParameters = method == "Quest" ? "PageSize=16" : "KernelSize=21;LocalWindow=128;PrefixTokens=4;Window=256",
        Score = 0.75,
        SampleCount = 4,
        Seed = 43,
        Samples = [.. new[] { 1, 1, 0.5, 0.5 }.Select((score, i) => new SampleResult { Index = i, Score = score, GoldJson = FormattableString.Invariant($"{i % 2}") })],
    };
}

/// <summary>Takes a folder of somebody else's in.</summary>
internal sealed class MergeReader : RunFolderReader
{
    public override string Name => "merge";

    public override bool Writes => true;

    public override double Weight => 0.01;

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        new MergeResultOperation { Path = [input], ResultPath = Path.Combine(output, "results") }.Execute(sink, CancellationToken.None);
        return sink.Outcome;
    }
}

/// <summary>Analyses rows of a folder, and makes a report of them.</summary>
internal sealed class AnalysisReader : RunFolderReader
{
    public override string Name => "analysis";

    // The report brings its libraries along.
    public override int BytesAtLeast => 64 << 20;

    public override bool Writes => true;

    public override double Weight => 0.002;

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        new GetResultOperation { Path = [input] }.Execute(sink, CancellationToken.None);
        SparseAttentionResult[] rows = [.. sink.Objects.Cast<SparseAttentionResult>()];
        int outcome = sink.Outcome;
        foreach (Action<FuzzSink> analysis in (Action<FuzzSink>[])
        [
            s => new GetParetoOperation { Results = rows }.Execute(s, CancellationToken.None),
            s => new GetParetoOperation { Results = rows, Cost = "ElapsedSeconds" }.Execute(s, CancellationToken.None),
            s => new MeasureToleranceOperation { Results = rows }.Execute(s, CancellationToken.None),
            s => new CompareResultOperation { Baseline = rows, Candidate = rows }.Execute(s, CancellationToken.None),
            s => new Reporting.Report.ExportReportOperation { Results = rows, Path = Path.Combine(output, "report.html") }.Execute(s, CancellationToken.None),
        ])
        {
            var own = new FuzzSink();
            try
            {
                analysis(own);
                outcome = HashCode.Combine(outcome, own.Outcome);
                foreach (object value in own.Objects)
                {
                    _ = value.ToString();
                }
            }
            catch (SparseFrontierException e)
            {
                outcome = HashCode.Combine(outcome, Outcomes.Of(e));
            }
        }

        return outcome;
    }
}

/// <summary>Bundles: checked, scored again, and added to a folder.</summary>
internal sealed class BundleFileReader : FuzzReader
{
    public override string Name => "bundle";

    public override IReadOnlyList<FuzzFile> Files { get; } = [new("bundle.zip", FuzzFormat.Zip, Bundle())];

    public override bool Writes => true;

    public override double Weight => 0.03;

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        new ImportBundleOperation { Path = [Path.Combine(input, "bundle.zip")], ResultPath = Path.Combine(output, "results") }.Execute(sink, CancellationToken.None);
        return sink.Outcome;
    }

    private static byte[] Bundle()
    {
        (byte[] specification, byte[] summary, byte[] environment, _, byte[] samples) = Seeds.Run("0123456789abcdef", "Dense", null);
        return Seeds.FilesOf(folder =>
        {
            string run = Directory.CreateDirectory(Path.Combine(folder, "run")).FullName;
            File.WriteAllBytes(Path.Combine(run, "spec.json"), specification);
            File.WriteAllBytes(Path.Combine(run, "summary.json"), summary);
            File.WriteAllBytes(Path.Combine(run, "environment.json"), environment);
            File.WriteAllBytes(Path.Combine(run, "samples-0001.jsonl"), samples);
            BundleWriter.Write(Path.Combine(folder, "bundle.zip"), new Dictionary<string, RunDirectory> { ["0123456789abcdef"] = new(run) }, CancellationToken.None);
        })["bundle.zip"];
    }
}

/// <summary>submission.json, how its elements ended, and what Slurm says of it.</summary>
internal sealed class SubmissionReader : FuzzReader
{
    private const string Job = "jobs/20260102T030405Z-sweep";

    public override string Name => "submission";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new($"{Job}/submission.json", FuzzFormat.Json, JsonSerializer.SerializeToUtf8Bytes(new StoredSubmission { JobId = "12", MergeJobId = "13", Name = "sweep", Partition = "p", TaskCount = 2, RunCount = 5 }, StoreJson.File)),
        new($"{Job}/status/0", FuzzFormat.Text, "0\n"u8.ToArray()),
        new($"{Job}/status/1", FuzzFormat.Text, "1\n"u8.ToArray()),
    ];

    public override int Read(string input, string output)
    {
        int outcome = 0;
        foreach ((Submission submission, StoredSubmission stored) in GetJobOperation.Find([], input, new FuzzSink()))
        {
            SparseAttentionJob row = JobReader.Read(submission, stored, null);
            _ = row.ToString();
            outcome = HashCode.Combine(outcome, row.State, Magnitude(row.FailedCount));
        }

        return outcome;
    }
}

/// <summary>Results of other programs.</summary>
internal abstract class ImportReader(Action<string> fill, ResultFormat format, params string[] metric) : FuzzReader
{
    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        .. Seeds.FilesOf(fill).Select(f => new FuzzFile(f.Key, Path.GetExtension(f.Key) switch { ".json" => FuzzFormat.Json, ".jsonl" => FuzzFormat.JsonLines, _ => FuzzFormat.Text }, f.Value)),
    ];

    public override bool Writes => true;

    public override double Weight => 0.01;

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        bool told = format == ResultFormat.LmEvaluationHarness;
        new ImportResultOperation
        {
            Path = [input],
            Format = format,
            ResultPath = Path.Combine(output, "results"),
            Method = told ? "BlockSparse" : "",
            Sparsity = told ? 0.5 : null,
            Metric = metric,
        }.Execute(sink, CancellationToken.None);
        return sink.Outcome;
    }
}

/// <summary>lm-evaluation-harness.</summary>
internal sealed class HarnessReader() : ImportReader(f => ForeignResults.Harness(f), ResultFormat.LmEvaluationHarness, "exact_match:strict", "acc")
{
    public override string Name => "harness";
}

/// <summary>kvpress.</summary>
internal sealed class KVPressReader() : ImportReader(f => ForeignResults.KVPress(f, "snapkv", "0.50", 4, 1), ResultFormat.KVPress)
{
    public override string Name => "kvpress";
}

/// <summary>The code of The Sparse Frontier.</summary>
internal sealed class ReferenceReader() : ImportReader(f => ForeignResults.Reference(f, "quest", "token_budget@1024+page_size@16", 0.875, 4, 1, predictions: true), ResultFormat.SparseFrontierReference)
{
    public override string Name => "reference";
}
