using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>
/// One sample of a run, as looking inside needs it: the tokens of its prefill, and those that follow in the run's decode path, the target response
/// among them. Read in one dense prefill, the following tokens' rows are the queries of teacher-forced decoding.
/// </summary>
/// <param name="Run">The run.</param>
/// <param name="Index">Index of the sample.</param>
/// <param name="Prompt">Tokens of the prefill.</param>
/// <param name="Following">The question, where the cache is compressed before it, and the target response where the context holds it.</param>
/// <param name="Seed">The sample's seed.</param>
internal sealed record InspectedSample(PlannedRun Run, int Index, int[] Prompt, int[] Following, long Seed)
{
    /// <summary>Makes a sample.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: the task's data hold no such sample; what the task throws.</exception>
    public static InspectedSample Create(PlannedRun run, int index, SampleEngine engine)
    {
        TaskSource source = run.Task.Open(run.TaskOptions, engine.Encoder);
        if (index < 0 || index >= (source.Count ?? int.MaxValue))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                source.Count is int count ? $"{run.Task.Name} has samples 0 to {count - 1} in its data, not {index}." : $"Samples are counted from 0, not {index}.",
                index);
        }

        TaskSample sample = source.Generate(index);
        var prompt = SamplePrompt.Create(sample, run.CompressesBeforeQuestion, engine.Encoder);
        int[] target = SamplePrompt.Target(sample, engine, run.YarnFactor);
        return new InspectedSample(run, index, prompt.Prefill, [.. prompt.Question, .. target], SamplePrompt.Seed(run.Specification.Seed, index));
    }

    /// <summary>Reads the prompt and shows each global layer.</summary>
    /// <param name="engine">The model.</param>
    /// <param name="method">The prefill method; null for dense, in which case the following tokens are read with the prompt.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="observer">Shown each layer; valid during the call only.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Read(SampleEngine engine, PrefillMethod? method, MethodParameters? parameters, Action<PromptLayer> observer, CancellationToken cancellationToken)
    {
        var request = new PrefillRequest { Method = method, Parameters = parameters, YarnFactor = Run.YarnFactor, Seed = Seed, LayerObserver = observer };
        engine.Prefill(method is null ? [.. Prompt, .. Following] : Prompt, request, cancellationToken).Dispose();
    }

    /// <summary>The rows of the prompt alone.</summary>
    public static PromptLayer FirstRows(PromptLayer layer, int rows) => layer with
    {
        Queries = FirstRows(layer.Queries, rows),
        Keys = FirstRows(layer.Keys, rows),
        Values = FirstRows(layer.Values, rows),
    };

    private static unsafe Tensors.HeadTensor FirstRows(Tensors.HeadTensor tensor, int rows) =>
        new(tensor.Data, tensor.Heads, rows, tensor.Dimension, tensor.HeadStride, tensor.RowStride);
}
