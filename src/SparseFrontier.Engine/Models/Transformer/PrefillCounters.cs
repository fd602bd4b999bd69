using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;

namespace SparseFrontier.Models.Transformer;

/// <summary>Sums over the layers of one prefill; see <see cref="PrefillStatistics"/>.</summary>
internal sealed class PrefillCounters
{
    private readonly List<double> _nominal = [];
    private long _attended;
    private long _causal;
    private long _forced;
    private long _sliding;
    private long _executed;
    private long _executedSliding;
    private double _indexSeconds;
    private double _attentionSeconds;
    private double _slidingSeconds;

    /// <summary>As <see cref="PrefillStatistics.SelectedOnProcessor"/>.</summary>
    public bool SelectedOnProcessor { get; set; }

    public T TimeIndex<T>(Func<T> select)
    {
        long start = Stopwatch.GetTimestamp();
        T selection = select();
        _indexSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        return selection;
    }

    /// <summary>Times attention of a layer, a global one or one with a sliding window.</summary>
    public void TimeAttention(bool isGlobal, Action attend)
    {
        long start = Stopwatch.GetTimestamp();
        attend();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (isGlobal)
        {
            AddAttentionSeconds(seconds);
        }
        else
        {
            AddSlidingSeconds(seconds);
        }
    }

    public void CountGlobal(KernelSet kernels, IReadOnlyList<AttentionPlan> plans, PrefillSelection? selection, int queryHeads, int length)
    {
        long causal = (long)length * (length + 1) / 2 * queryHeads;
        _causal += causal;
        _attended += selection?.CountPairs(queryHeads) ?? causal;
        _forced += selection?.ForcedPairs ?? 0;
        _executed += plans.Count == 1
            ? kernels.CountExecutedPairs(plans[0], 0) * queryHeads
            : plans.Sum(p => kernels.CountExecutedPairs(p, 0));
        _nominal.AddRange(selection?.NominalSparsity ?? []);
    }

    /// <summary>Counts heads of a global layer by their sums.</summary>
    public void Add(long causal, long attended, long forced, long executed, IEnumerable<double> nominal)
    {
        _causal += causal;
        _attended += attended;
        _forced += forced;
        _executed += executed;
        _nominal.AddRange(nominal);
    }

    public void AddIndexSeconds(double seconds) => _indexSeconds += seconds;

    /// <summary>Of global layers.</summary>
    public void AddAttentionSeconds(double seconds) => _attentionSeconds += seconds;

    /// <summary>Of attention in layers with a sliding window.</summary>
    public void AddSlidingSeconds(double seconds) => _slidingSeconds += seconds;

    public void CountSliding(long pairs) => _sliding += pairs;

    public void CountExecutedSliding(long pairs) => _executedSliding += pairs;

    /// <summary>Pairs that the kernels computed in all layers, tiles and padding included.</summary>
    public long ExecutedPairsAllLayers => _executed + _executedSliding;

    public PrefillStatistics ToStatistics(double totalSeconds) => new()
    {
        AttendedPairs = _attended,
        CausalPairs = _causal,
        ForcedPairs = _forced,
        AttendedPairsAllLayers = _attended + _sliding,
        CausalPairsAllLayers = _causal + _sliding,
        ExecutedPairs = _executed,
        NominalSparsity = _nominal.Count > 0 ? _nominal.Average() : null,
        SelectedOnProcessor = SelectedOnProcessor,
        IndexSeconds = _indexSeconds,
        GlobalAttentionSeconds = _attentionSeconds,
        AttentionSeconds = _attentionSeconds + _slidingSeconds,
        TotalSeconds = totalSeconds,
    };
}
