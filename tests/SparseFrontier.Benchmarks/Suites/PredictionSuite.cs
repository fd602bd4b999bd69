using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Seconds that plans name, beside what was measured: calibrated on sweeps at two lengths and two sparsities, compared with other sweeps between them, and with methods alone.
/// </summary>
internal static class PredictionSuite
{
    private const int Samples = 7;
    private const int OutputTokens = 96;
    private static readonly string[] s_methods = ["BlockSparse", "VerticalSlash", "Quest", "SnapKV"];

    public static void Run(BenchmarkReport report)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-benchmark-").FullName;
        try
        {
            foreach ((string model, string task) in new[] { ("frontier-1m", "StoryFiltering"), ("frontier-3m", "StoryFiltering"), ("frontier-7m", "StoryMultiHop") })
            {
                Measure(report, model, task, Path.Combine(folder, model));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Measure(BenchmarkReport report, string model, string task, string folder)
    {
        string[] all = ["Dense", .. s_methods];
        (string Name, RunSpecification[] Runs)[] sweeps =
        [
            ("calibration", Grid(model, task, 1024, all, [0.3, 0.75])),
            ("calibration", Grid(model, task, 4096, all, [0.3, 0.75])),
            ("between lengths", Grid(model, task, 2048, all, [0.3, 0.75])),
            ("between sparsities", Grid(model, task, 4096, all, [0.5, 0.6])),
            ("between both", Grid(model, task, 2048, all, [0.5, 0.6])),
            ("prefill alone", Grid(model, task, 2048, ["BlockSparse"], [0.7])),
            ("decode alone", Grid(model, task, 2048, ["Quest"], [0.7])),
        ];

        // A sample of each sweep in turn, so that a change of the machine's load meets all alike.
        var measured = new SparseAttentionResult[sweeps.Length][];
        for (int round = 1; round <= Samples; round++)
        {
            for (int i = 0; i < sweeps.Length; i++)
            {
                var sink = new RowSink();
                new InvokeRunOperation
                {
                    Specifications = [.. sweeps[i].Runs.Select(r => WithSamples(r, round))],
                    ResultPath = Path.Combine(folder, i.ToString(CultureInfo.InvariantCulture)),
                }.Execute(sink, CancellationToken.None);
                measured[i] = [.. sink.Rows.Where(r => r.Status == RunStatus.Completed)];
            }
        }

        RunTimes times = RunTimes.Of(measured.Where((_, i) => sweeps[i].Name == "calibration").SelectMany(r => r), "the calibration");
        var rows = new List<(string Name, double[] Values)>();
        ModelShape shape = ModelShapes.Resolve(model);
        foreach ((string name, SparseAttentionResult[] runs) in sweeps.Select((s, i) => (s.Name, measured[i])).Where(s => s.Name != "calibration"))
        {
            RunTimes here = RunTimes.Of(runs, "");
            foreach (SparseAttentionResult row in runs)
            {
                PredictedTime predicted = times.Predict(shape, row, runs.Length);
                (double? prefill, double? token) = here.Measured(row);
                string of = $"{name}: {MethodNames.Of(row)} {row.RequestedSparsity ?? row.RequestedDecodeSparsity:0.00} at {row.SequenceLength}";
                rows.Add((of, [1000 * prefill!.Value, Percent(predicted.Prefill, prefill), 1000 * token!.Value, Percent(predicted.OutputToken, token)]));
            }
        }

        report.AddTable($"{model}, {task}, {Samples} samples: medians in ms, and by how many percent the prediction is above (NaN: nothing predicted)", ["prefill", "error %", "token", "error %"], rows);
        report.Note($"{model}, {task}: largest error of {Count(1)} prefills {Worst(1)} %, of {Count(3)} output tokens {Worst(3)} %");

        int Count(int column) => rows.Count(r => double.IsFinite(r.Values[column]));

        string Worst(int column) => rows.Select(r => Math.Abs(r.Values[column])).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max().ToString("0.0", CultureInfo.InvariantCulture);
    }

    private static double Percent(double? predicted, double? measured) => predicted is { } p && measured is { } m ? 100 * ((p / m) - 1) : double.NaN;

    private static RunSpecification[] Grid(string model, string task, int length, string[] methods, double[] sparsities) =>
    [
        .. SweepBuilder.Build(new SweepDefinition
        {
            Model = [Path.Combine(RepositoryFolder.Path, "models", model)],
            Method = [.. methods],
            Task = [task],
            SequenceLength = [length],
            Sparsity = [.. sparsities],
            SampleCount = Samples,
            MaximumOutputTokens = OutputTokens,
            ShortInstructions = true,
        }),
    ];

    private static RunSpecification WithSamples(RunSpecification run, int samples)
    {
        JsonObject node = JsonSerializer.SerializeToNode(run, StoreJson.Line)!.AsObject();
        node[nameof(RunSpecification.SampleCount)] = samples;
        return node.Deserialize<RunSpecification>(StoreJson.Line)!;
    }

    /// <summary>Keeps rows.</summary>
    private sealed class RowSink : IPipelineSink
    {
        public List<SparseAttentionResult> Rows { get; } = [];

        public void Object(object value) => Rows.Add((SparseAttentionResult)value);

        public void Error(SparseFrontierException error) => throw error;

        public void Warning(string message)
        {
        }

        public void Verbose(string message)
        {
        }

        public void Information(string message)
        {
        }

        public void Progress(ProgressUpdate update)
        {
        }

        public bool ShouldProcess(string target, string action) => true;
    }
}
