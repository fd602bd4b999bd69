using SparseFrontier.Attention;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>Measures methods on the layers of one sample, layer by layer.</summary>
/// <param name="methods">The methods; their budgets are known.</param>
/// <param name="sample">What the sample's rows have in common.</param>
/// <param name="heads">Query heads to measure; empty: all.</param>
/// <param name="queryCount">Queries to measure of each phase, at most.</param>
/// <param name="cacheType">Type of the cache that decode methods choose from.</param>
/// <param name="sink">Gets the rows, and an error for each method that cannot keep what it must.</param>
internal sealed class PatternInspector(
    IReadOnlyList<InspectedMethod> methods, AttentionPattern sample, IReadOnlyList<int> heads, int queryCount, DataType cacheType, IPipelineSink sink)
{
    private readonly HashSet<InspectedMethod> _failed = [];

    /// <summary>Whether to emit an <see cref="AttentionMask"/> for each method and head, over the rows that it shows, instead of rows.</summary>
    public bool AsMask { get; init; }

    /// <summary>Positions spread evenly over some rows, the last among them.</summary>
    public static int[] Spread(int first, int count, int most)
    {
        int number = Math.Min(count, most);
        return [.. Enumerable.Range(1, number).Select(i => first + (int)((long)i * count / number) - 1)];
    }

    /// <summary>Measures a layer and emits its rows, method by method.</summary>
    /// <param name="whole">The rows of the prompt, and of what follows it.</param>
    /// <param name="promptLength">Rows of the prompt.</param>
    public void Measure(PromptLayer whole, int promptLength)
    {
        PromptLayer prompt = InspectedSample.FirstRows(whole, promptLength);
        int[] promptRows = AsMask ? AttentionMask.Spread(0, promptLength) : Spread(0, promptLength, queryCount);
        int following = whole.Length - promptLength;
        int[] stepRows = following == 0 ? [promptLength - 1] : AsMask ? AttentionMask.Spread(promptLength, following) : Spread(promptLength, following, queryCount);
        Measure(AttentionPhase.Prefill, prompt, promptRows, promptLength, m => new PromptKeptKeys((PrefillMethod)m.Method, m.Parameters!, prompt, promptRows));
        Measure(AttentionPhase.Decode, whole, stepRows, Math.Max(1, following), m => new StepKeptKeys((DecodeMethod)m.Method, m.Parameters!, prompt, whole, stepRows, cacheType));
    }

    private void Measure(AttentionPhase phase, PromptLayer layer, int[] rows, int total, Func<InspectedMethod, KeptKeys> choose)
    {
        var chosen = new List<(InspectedMethod Method, KeptKeys Kept)>();
        foreach (InspectedMethod method in methods.Where(m => m.Method.Phase == phase && !_failed.Contains(m)))
        {
            try
            {
                chosen.Add((method, choose(method)));
            }
            catch (SparseFrontierException e)
            {
                _failed.Add(method);
                sink.Error(e);
            }
        }

        if (chosen.Count == 0)
        {
            return;
        }

        int[] measured = heads.Count > 0 ? [.. heads] : [.. Enumerable.Range(0, layer.Queries.Heads)];
        var probe = new AttentionProbe(layer, rows);
        KeptKeys[] selections = [.. chosen.Select(c => c.Kept)];
        var found = new (HeadPattern Pattern, KeptQuality[] Qualities)[measured.Length];
        WorkerPool.For(measured.Length, i => found[i] = probe.MeasureHead(measured[i], selections), layer.CancellationToken);
        for (int m = 0; m < chosen.Count; m++)
        {
            for (int i = 0; i < measured.Length; i++)
            {
                (HeadPattern pattern, KeptQuality[] qualities) = found[i];
                KeptQuality quality = qualities[m];
                AttentionPattern row = sample with
                {
                    Layer = layer.Layer,
                    Head = measured[i],
                    KvHead = measured[i] / layer.GroupSize,
                    Phase = phase.ToString(),
                    Method = chosen[m].Method.Method.Name,
                    Parameters = chosen[m].Method.Parameters!.ToString(),
                    RequestedSparsity = chosen[m].Method.RequestedSparsity,
                    Sparsity = chosen[m].Kept.Sparsity(measured[i]),
                    ExecutedDensity = chosen[m].Kept.ExecutedDensity(measured[i]),
                    CapturedMass = quality.CapturedMass,
                    OracleMass = quality.OracleMass,
                    AttentionRecall = quality.OracleMass > 0 ? quality.CapturedMass / quality.OracleMass : 1,
                    OracleDistance = quality.OracleDistance,
                    OutputError = quality.OutputError,
                    FirstTokenMass = pattern.FirstTokenMass,
                    LocalMass = pattern.LocalMass,
                    VerticalMass = pattern.VerticalMass,
                    SlashMass = pattern.SlashMass,
                    KeysFor95 = pattern.KeysForMass,
                    KeyShareFor95 = pattern.KeyShareForMass,
                    QueryCount = rows.Length,
                    QueryTotal = total,
                };
                sink.Object(AsMask ? AttentionMask.Create(layer, measured[i], chosen[m].Kept, row) : row);
            }
        }
    }
}
