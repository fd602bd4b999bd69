using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Looks inside: measures, for each layer and query head of single samples, what methods keep of dense attention, and emits an
/// <see cref="AttentionPattern"/> each. One dense prefill of a sample serves all methods, so that they are compared on the same queries, keys and
/// values; traces are measured without a model.
/// </summary>
public sealed class MeasurePatternOperation
{
    /// <summary>The runs whose methods are looked at.</summary>
    public required IReadOnlyList<RunSpecification> Specifications { get; init; }

    /// <summary>Traces to measure instead of the specifications' models and tasks.</summary>
    public IReadOnlyList<string> TracePath { get; init; } = [];

    /// <summary>Samples, counted from 0.</summary>
    public IReadOnlyList<int> SampleIndex { get; init; } = [0];

    /// <summary>Layers to measure; empty: all with global attention.</summary>
    public IReadOnlyList<int> Layer { get; init; } = [];

    /// <summary>Query heads to measure; empty: all.</summary>
    public IReadOnlyList<int> Head { get; init; } = [];

    /// <summary>Queries measured in each phase at most, spread evenly.</summary>
    public int QueryCount { get; init; } = 64;

    /// <summary>Folder of results, whose calibrated budgets are used; empty: <c>SPARSEFRONTIER_RESULTS</c>, else "results" in the current directory.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Whether to emit an <see cref="AttentionMask"/> for each method, layer and head instead.</summary>
    public bool AsMask { get; init; }

    /// <summary>How models are opened.</summary>
    internal EngineFactory Engines { get; init; } = new TransformerEngineFactory();

    /// <summary>Measures. What a method cannot keep is an error on the sink.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with a specification or a trace; ParameterInvalid: no such layer, head or sample.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        Require(QueryCount >= 1, "At least one query is measured.", QueryCount);
        if (TracePath.Count > 0)
        {
            foreach (string path in TracePath)
            {
                cancellationToken.ThrowIfCancellationRequested();
                MeasureTrace(path, sink, cancellationToken);
            }

            return;
        }

        var engines = new PlanningFactory(Engines);
        List<PlannedRun> plans = [.. Specifications.Select(s => PlannedRun.Create(s, engines))];
        foreach (PlannedRun plan in plans)
        {
            InspectedLayers.Require(plan, Engines, Layer, Head);
        }

        foreach (var model in plans.GroupBy(p => p.ModelDirectory))
        {
            using SampleEngine engine = Engines.Open(model.Key, "cpu");
            foreach (var cell in model.GroupBy(p => RunIdentity.Cell(p, engine.Identity, RunIdentity.HashData(p.TaskOptions.DataPath)).ToJsonString()))
            {
                foreach (int index in SampleIndex.Distinct())
                {
                    MeasureSample(engine, [.. cell], InspectedSample.Create(cell.First(), index, engine), sink, cancellationToken);
                }
            }
        }
    }

    private void MeasureSample(SampleEngine engine, PlannedRun[] runs, InspectedSample sample, IPipelineSink sink, CancellationToken cancellationToken)
    {
        var shape = SamplePrompt.Shape(engine.Configuration, sample.Prompt.Length);
        List<InspectedMethod> methods = InspectedMethod.Solve(runs, shape, engine, ResultPath, sink);
        if (methods.Any(m => m.NeedsSample))
        {
            InspectedMethod.FindOnSample(methods, sink, observe => sample.Read(
                engine, null, null, layer => observe(InspectedSample.FirstRows(layer, sample.Prompt.Length)), cancellationToken));
        }

        RunSpecification run = sample.Run.Specification;
        var inspector = new PatternInspector(
            methods,
            new AttentionPattern
            {
                Model = ModelCatalog.NameOf(run.Model),
                Task = run.Task,
                SequenceLength = run.SequenceLength,
                SampleIndex = sample.Index,
                Seed = run.Seed,
                PromptTokens = sample.Prompt.Length,
            },
            Head,
            QueryCount,
            engine.Identity.CacheType == nameof(DataType.BF16) ? DataType.BF16 : DataType.F32,
            sink)
        { AsMask = AsMask };
        int done = 0;
        var stopwatch = Stopwatch.StartNew();
        string activity = FormattableString.Invariant($"{run.Task} at {run.SequenceLength} tokens, sample {sample.Index}");
        if (methods.Count > 0)
        {
            sample.Read(
                engine,
                null,
                null,
                layer =>
                {
                    sink.Progress(ProgressUpdate.At(activity, $"Layer {layer.Layer}", done++ / (double)shape.Layers.Count, stopwatch.Elapsed));
                    if (Layer.Count == 0 || Layer.Contains(layer.Layer))
                    {
                        inspector.Measure(layer, sample.Prompt.Length);
                    }
                },
                cancellationToken);
        }

        sink.Progress(new ProgressUpdate(1, activity, "Done", 100, Completed: true));
    }

    private void MeasureTrace(string path, IPipelineSink sink, CancellationToken cancellationToken)
    {
        using var trace = AttentionTrace.Open(path);
        PromptLayer whole = trace.Layer(KernelSets.Default, null, null, cancellationToken);
        PromptLayer prompt = InspectedSample.FirstRows(whole, trace.Length);
        AttentionPattern sample = trace.Sample;
        if (Layer.Count > 0 && !Layer.Contains(whole.Layer))
        {
            return;
        }

        foreach (int head in Head)
        {
            Require(head >= 0 && head < whole.Queries.Heads, $"'{path}' has query heads 0 to {whole.Queries.Heads - 1}, not {head}.", head);
        }

        EvaluationTask? task = TaskRegistry.Tasks.FirstOrDefault(t => t.Name == sample.Task);
        List<InspectedMethod> methods = InspectedMethod.Solve(Specifications.Select(s => PlannedMethods.Create(s, task)), prompt.Shape, sink);
        if (methods.Any(m => m.NeedsSample))
        {
            InspectedMethod.FindOnSample(methods, sink, observe => observe(prompt));
        }

        new PatternInspector(methods, sample, Head, QueryCount, trace.CacheType, sink) { AsMask = AsMask }.Measure(whole, trace.Length);
    }

    private static void Require(bool holds, string message, object value)
    {
        if (!holds)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, message, value);
        }
    }
}
