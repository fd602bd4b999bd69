namespace SparseFrontier.Kernels.Measurement;

/// <summary>
/// Times contenders in turn (A, B, C, A, B, C, ...), so that a change of the clock or of the machine's load meets all of them alike, and
/// compares each with the baseline round by round. A sample during which threads waited for a core is repeated.
/// </summary>
public sealed class InterleavedTimer
{
    // Waiting for a core above this share of a sample's time makes it disturbed.
    private const double DisturbedShare = 0.03;

    private const int MaximumTries = 8;

    /// <summary>Samples of each contender.</summary>
    public int Rounds { get; init; } = 9;

    /// <summary>Least time of a sample: shorter calls are repeated within it.</summary>
    public double SampleSeconds { get; init; } = 0.02;

    /// <summary>Seconds that a contender's threads have waited for a core so far.</summary>
    internal Func<Contender, double> Waited { get; init; } = WaitedSoFar;

    /// <summary>Times all contenders.</summary>
    /// <param name="contenders">At least one; each is first run once, untimed.</param>
    /// <param name="baseline">Name of the contender that the others are compared with.</param>
    /// <param name="roof">Name of the contender that shows the machine's limit (<see cref="MachineRoofs"/>), or null. It does other work, so only rates are compared with it.</param>
    /// <param name="cancellationToken">Stops between samples.</param>
    /// <returns>A result for each contender, in their order.</returns>
    /// <exception cref="ArgumentException">No contender has the baseline's or the roof's name.</exception>
    public IReadOnlyList<TimingResult> Run(
        IReadOnlyList<Contender> contenders, string baseline, string? roof = null, CancellationToken cancellationToken = default)
    {
        int reference = IndexOf(baseline);
        int limit = roof is null ? -1 : IndexOf(roof);
        int[] calls = [.. contenders.Select(CallsPerSample)];
        double[][] times = [.. contenders.Select(_ => new double[Rounds])];
        int[] repeated = new int[contenders.Count];
        int[] disturbed = new int[contenders.Count];
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < contenders.Count; i++)
            {
                (times[i][round], int thrownAway, bool kept) = TakeSample(contenders[i], calls[i], cancellationToken);
                repeated[i] += thrownAway;
                disturbed[i] += kept ? 1 : 0;
            }
        }

        return [.. contenders.Select((contender, i) =>
        {
            double[]? ratios = i == limit ? null : [.. times[i].Select((t, round) => times[reference][round] / t)];
            double work = limit < 0 || i == limit ? 0
                : contenders[limit].Operations > 0 ? contender.Operations / contenders[limit].Operations
                : contender.Bytes / contenders[limit].Bytes;
            double median = Quantile(times[i], 0.5);
            return new TimingResult
            {
                Name = contender.Name,
                MedianSeconds = median,
                LowerQuartileSeconds = Quantile(times[i], 0.25),
                UpperQuartileSeconds = Quantile(times[i], 0.75),
                MinimumSeconds = times[i].Min(),
                Ratio = ratios is null ? null : Quantile(ratios, 0.5),
                LowerQuartileRatio = ratios is null ? null : Quantile(ratios, 0.25),
                UpperQuartileRatio = ratios is null ? null : Quantile(ratios, 0.75),
                ShareOfRoof = work == 0 ? null : work * Quantile(times[i].Select((t, round) => times[limit][round] / t), 0.5),
                GigaOperationsPerSecond = contender.Operations / median * 1e-9,
                GigaBytesPerSecond = contender.Bytes / median * 1e-9,
                Rounds = Rounds,
                CallsPerSample = calls[i],
                Repeated = repeated[i],
                Disturbed = disturbed[i],
            };
        })];

        int IndexOf(string name)
        {
            int index = contenders.ToList().FindIndex(c => c.Name == name);
            return index >= 0 ? index : throw new ArgumentException($"There is no contender '{name}' to compare with.", nameof(contenders));
        }
    }

    /// <summary>The value below which a share of the samples lies, linear between neighbours.</summary>
    internal static double Quantile(IEnumerable<double> samples, double share)
    {
        double[] sorted = [.. samples.Order()];
        double position = share * (sorted.Length - 1);
        int lower = (int)position;
        int upper = Math.Min(lower + 1, sorted.Length - 1);
        return sorted[lower] + ((position - lower) * (sorted[upper] - sorted[lower]));
    }

    // Doubles the calls until they fill a sample; the first call, which compiles and allocates, does not count.
    private int CallsPerSample(Contender contender)
    {
        contender.Sample(1);
        for (int calls = 1; ; calls *= 2)
        {
            double seconds = contender.Sample(calls);
            if (seconds >= SampleSeconds / 2 || calls >= 1 << 20)
            {
                Thread.Sleep(contender.Rest);
                return Math.Max(1, (int)Math.Ceiling(calls * SampleSeconds / Math.Max(seconds, 1e-9)));
            }
        }
    }

    private (double Seconds, int Repeated, bool Disturbed) TakeSample(Contender contender, int calls, CancellationToken cancellationToken)
    {
        double best = double.PositiveInfinity;
        double bestShare = double.PositiveInfinity;
        for (int attempt = 0; attempt < MaximumTries; attempt++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (calls > 1)
            {
                // Short calls first find their caches warm and their threads awake.
                contender.Sample(1);
            }

            double waited = Waited(contender);
            double seconds = contender.Sample(calls);
            double share = (Waited(contender) - waited) / seconds;
            Thread.Sleep(contender.Rest);
            if (share < bestShare)
            {
                (best, bestShare) = (seconds, share);
            }

            if (share <= DisturbedShare)
            {
                return (seconds / calls, attempt, false);
            }
        }

        return (best / calls, MaximumTries - 1, true);
    }

    private static double WaitedSoFar(Contender contender) =>
        RunQueueDelay.Seconds(0) + (contender.ProcessId == 0 ? 0 : RunQueueDelay.Seconds(contender.ProcessId));
}
