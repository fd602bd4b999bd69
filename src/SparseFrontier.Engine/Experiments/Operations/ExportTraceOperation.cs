using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Writes the queries, keys and values of layers of single samples, as each run's prefill makes them, one safetensors file a run, sample and layer, from which any
/// method chooses as it did in the run. Emits an <see cref="AttentionTraceFile"/> each.
/// </summary>
/// <remarks>
/// After a dense prefill the files also hold what follows the prompt (the target response), so that decode methods can be measured on its steps. A run
/// whose prefill is sparse has only the prompt.
/// </remarks>
public sealed class ExportTraceOperation
{
    /// <summary>The runs.</summary>
    public required IReadOnlyList<RunSpecification> Specifications { get; init; }

    /// <summary>Folder to write to; made if it is not there.</summary>
    public required string OutputPath { get; init; }

    /// <summary>Samples, counted from 0.</summary>
    public IReadOnlyList<int> SampleIndex { get; init; } = [0];

    /// <summary>Layers to write; empty: all with global attention.</summary>
    public IReadOnlyList<int> Layer { get; init; } = [];

    /// <summary>KV heads to write, with the query heads that read them; empty: all.</summary>
    public IReadOnlyList<int> KvHead { get; init; } = [];

    /// <summary>Whether files that are there are replaced.</summary>
    public bool Force { get; init; }

    /// <summary>Folder of results, whose calibrated budgets are used; empty: <c>SPARSEFRONTIER_RESULTS</c>, else "results" in the current directory.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>How models are opened.</summary>
    internal EngineFactory Engines { get; init; } = new TransformerEngineFactory();

    /// <summary>Runs the prefills and writes. A run whose budget is infeasible, or a file that is there already, is an error on the sink.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with a specification; ParameterInvalid: no such layer, head or sample; ResultWriteFailed.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        // Runs that differ in their decode methods have the same prefill.
        var engines = new PlanningFactory(Engines);
        List<PlannedRun> plans = [.. Specifications.Select(s => PlannedRun.Create(s, engines)).DistinctBy(p => $"{p.ModelDirectory};{p.PrefillParameters};{FileName(p.Specification, 0, 0)}")];
        foreach (PlannedRun plan in plans)
        {
            int group = Engines.ReadConfiguration(plan.ModelDirectory) is var model ? model.QueryHeads / model.KvHeads : 1;
            InspectedLayers.Require(plan, Engines, Layer, KvHead.Select(h => h * group));
        }

        foreach (var model in plans.GroupBy(p => p.ModelDirectory))
        {
            var due = model.Where(p => sink.ShouldProcess(OutputPath, $"Write queries, keys and values of sample {string.Join(", ", SampleIndex)} of {p}")).ToList();
            if (due.Count == 0)
            {
                continue;
            }

            StoreIO.Write(OutputPath, () => Directory.CreateDirectory(OutputPath));
            using SampleEngine engine = Engines.Open(model.Key, "cpu");
            foreach (PlannedRun plan in due)
            {
                foreach (int index in SampleIndex.Distinct())
                {
                    Export(engine, plan, InspectedSample.Create(plan, index, engine), sink, cancellationToken);
                }
            }
        }
    }

    private void Export(SampleEngine engine, PlannedRun plan, InspectedSample sample, IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (FindPrefill(engine, plan, sample, sink, cancellationToken) is not { } prefill)
        {
            return;
        }

        var metadata = new Dictionary<string, string>
        {
            ["format"] = "sparsefrontier-attention-trace/1",
            ["model"] = ModelCatalog.NameOf(plan.Specification.Model),
            ["checkpoint"] = engine.Identity.Checkpoint,
            ["cache_type"] = engine.Identity.CacheType,
            ["task"] = plan.Specification.Task,
            ["sequence_length"] = FormattableString.Invariant($"{plan.Specification.SequenceLength}"),
            ["sample"] = FormattableString.Invariant($"{sample.Index}"),
            ["seed"] = FormattableString.Invariant($"{plan.Specification.Seed}"),
            ["prefill_method"] = prefill.Method.Name,
            ["prefill_parameters"] = prefill.Parameters!.ToString(),
        };
        bool dense = prefill.Method.BudgetParameter is null;
        sample.Read(
            engine,
            dense ? null : (PrefillMethod)prefill.Method,
            dense ? null : prefill.Parameters,
            layer =>
            {
                if (Layer.Count > 0 && !Layer.Contains(layer.Layer))
                {
                    return;
                }

                string path = Path.Combine(OutputPath, FileName(plan.Specification, sample.Index, layer.Layer));
                if (File.Exists(path) && !Force)
                {
                    sink.Error(new SparseFrontierException(ErrorIds.OutputFileExists, $"'{path}' is there already. Name another folder, or replace it with -Force (--force).", path));
                    return;
                }

                IReadOnlyList<int> heads = KvHead.Count > 0 ? KvHead : [.. Enumerable.Range(0, layer.Keys.Heads)];
                AttentionTrace.Write(path, layer, sample.Prompt.Length, heads, metadata);
                sink.Object(new AttentionTraceFile
                {
                    Path = path,
                    Model = metadata["model"],
                    Task = metadata["task"],
                    PrefillMethod = prefill.Method.Name,
                    PrefillParameters = prefill.Parameters.ToString(),
                    Layer = layer.Layer,
                    QueryHeads = heads.Count * layer.GroupSize,
                    KvHeads = heads.Count,
                    PromptTokens = sample.Prompt.Length,
                    NextTokens = layer.Length - sample.Prompt.Length,
                    SizeInBytes = new FileInfo(path).Length,
                });
            },
            cancellationToken);
    }

    // The run's prefill method with its budget; null where it is infeasible, which the sink was told.
    private InspectedMethod? FindPrefill(SampleEngine engine, PlannedRun plan, InspectedSample sample, IPipelineSink sink, CancellationToken cancellationToken)
    {
        if (plan.Prefill.BudgetParameter is null)
        {
            return InspectedMethod.Given(plan.Prefill, plan.PrefillParameters);
        }

        List<InspectedMethod> found = [.. InspectedMethod.Solve([plan], SamplePrompt.Shape(engine.Configuration, sample.Prompt.Length), engine, ResultPath, sink)
            .Where(m => m.Method == plan.Prefill)];
        if (found.Any(m => m.NeedsSample))
        {
            InspectedMethod.FindOnSample(found, sink, observe => sample.Read(
                engine, null, null, layer => observe(InspectedSample.FirstRows(layer, sample.Prompt.Length)), cancellationToken));
        }

        return found.FirstOrDefault();
    }

    // "dense-niah-2048-sample0-layer03.safetensors"
    private static string FileName(RunSpecification run, int sample, int layer)
    {
        string sparsity = run.Sparsity is double s ? FormattableString.Invariant($"-{s}") : "";
        return FormattableString.Invariant($"{run.Method.ToLowerInvariant()}{sparsity}-{run.Task.ToLowerInvariant()}-{run.SequenceLength}-sample{sample}-layer{layer:D2}.safetensors");
    }
}
