using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>A method at a length that was not run, between the two nearest that were: what is shown at both holds between them if the loss goes one way.</summary>
/// <param name="Shorter">The method at the next shorter length.</param>
/// <param name="Longer">The method at the next longer one.</param>
/// <param name="Low">The highest level that is shown at both, at the shorter length.</param>
/// <param name="High">The same at the longer length.</param>
/// <param name="Length">Prompt tokens.</param>
internal sealed record AdvisedBetween(AdvisedMethod Shorter, AdvisedMethod Longer, AdvisedLevel Low, AdvisedLevel High, int Length)
{
    /// <summary>How many times as fast as dense, and of what; null where it was not measured.</summary>
    public (double Factor, string Of)? Speed { get; init; }

    /// <summary>Measured sparsity, the least of both lengths and all tasks.</summary>
    public double Sparsity => Low.Tasks.Concat(High.Tasks).Min(t => t.Sparsity);

    /// <summary>The same of the prompt's cache, see <see cref="AdvisedMethod.PromptSparsity"/>.</summary>
    public double PromptSparsity => Low.Tasks.Concat(High.Tasks).Min(AdvisedMethod.PromptSparsityOf);

    /// <summary>Where the length lies between the two: 0 at the shorter, 1 at the longer, linear in its logarithm.</summary>
    public double Share => Math.Log((double)Length / Shorter.Dense.SequenceLength) / Math.Log((double)Longer.Dense.SequenceLength / Shorter.Dense.SequenceLength);

    /// <summary>The methods that some level is shown of at both lengths.</summary>
    public static IReadOnlyList<AdvisedBetween> Of(IReadOnlyList<AdvisedMethod> shorter, IReadOnlyList<AdvisedMethod> longer, int length) =>
    [
        .. from low in shorter
           from high in longer
           where low.IsSameAs(high)
           let both = low.Shown.Where(l => l.IsAsked).SelectMany(_ => high.Shown.Where(h => h.IsAsked), (l, h) => (Low: l, High: h)).Where(p => Math.Abs(p.Low.Asked - p.High.Asked) < 0.005).ToArray()
           where both.Length > 0
           let most = both.MaxBy(p => p.Low.Asked)
           select new AdvisedBetween(low, high, most.Low, most.High, length),
    ];

    /// <summary>
    /// The loss on a task, linear between the losses at both lengths in the logarithm of the length, with one-sided bounds: the same mean of the two bounds, each at half
    /// the error, so that they hold together.
    /// </summary>
    /// <param name="task">Task.</param>
    /// <param name="confidence">Such as 0.95.</param>
    public (double Loss, double Low, double High, int SampleCount) LossOn(string task, double confidence)
    {
        DifferenceTest[] ends = [.. new[] { Low, High }.Select(l => l.Tasks.First(t => t.Row.Task == task)).Select(t => DifferenceTest.Paired([.. t.DenseScores.Zip(t.Scores, (d, s) => d - s)]))];
        double each = 1 - ((1 - confidence) / 2);
        return (Mean(e => e.Difference), Mean(e => e.Low(each)), Mean(e => e.High(each)), ends.Min(e => e.SampleCount));

        double Mean(Func<DifferenceTest, double> of) => ((1 - Share) * of(ends[0])) + (Share * of(ends[1]));
    }
}
