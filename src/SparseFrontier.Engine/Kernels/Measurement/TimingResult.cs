namespace SparseFrontier.Kernels.Measurement;

/// <summary>Times of one contender, in seconds of one call, and how they compare with the baseline's.</summary>
public sealed record TimingResult
{
    /// <summary>Name of the contender.</summary>
    public required string Name { get; init; }

    /// <summary>Median of the samples.</summary>
    public required double MedianSeconds { get; init; }

    /// <summary>First quartile of the samples.</summary>
    public required double LowerQuartileSeconds { get; init; }

    /// <summary>Third quartile of the samples.</summary>
    public required double UpperQuartileSeconds { get; init; }

    /// <summary>Half the distance between the quartiles, over the median.</summary>
    public double Spread => (UpperQuartileSeconds - LowerQuartileSeconds) / 2 / MedianSeconds;

    /// <summary>Shortest sample.</summary>
    public required double MinimumSeconds { get; init; }

    /// <summary>How many times faster than the baseline: the median over the rounds of the baseline's time over this one's, both of the same round. Null for the roof, which does other work.</summary>
    public required double? Ratio { get; init; }

    /// <summary>First quartile of the rounds' ratios.</summary>
    public required double? LowerQuartileRatio { get; init; }

    /// <summary>Third quartile of the rounds' ratios.</summary>
    public required double? UpperQuartileRatio { get; init; }

    /// <summary>Operations (or bytes, where the roof is told in bytes) per second over the roof's: the median over the rounds. Null without a roof.</summary>
    public required double? ShareOfRoof { get; init; }

    /// <summary>Operations of a call over the median time, in 10^9 a second; 0 where they are not told.</summary>
    public required double GigaOperationsPerSecond { get; init; }

    /// <summary>Bytes of a call over the median time, in 10^9 a second; 0 where they are not told.</summary>
    public required double GigaBytesPerSecond { get; init; }

    /// <summary>Number of samples, one a round.</summary>
    public required int Rounds { get; init; }

    /// <summary>Calls that a sample timed together.</summary>
    public required int CallsPerSample { get; init; }

    /// <summary>Samples thrown away because other programs disturbed them.</summary>
    public required int Repeated { get; init; }

    /// <summary>Samples kept although disturbed, because every try was. Above 0, distrust the times.</summary>
    public required int Disturbed { get; init; }
}
