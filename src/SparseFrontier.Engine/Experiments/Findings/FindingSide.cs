namespace SparseFrontier.Experiments.Findings;

/// <summary>Whether the mean of differences lies on a side of a threshold.</summary>
/// <param name="Test">The differences.</param>
/// <param name="Threshold">The threshold.</param>
/// <param name="IsAbove">Whether it is to be shown above.</param>
internal sealed record FindingQuestion(FindingTest Test, double Threshold, bool IsAbove)
{
    /// <summary>P value of the other side.</summary>
    public double PValue => IsAbove ? Test.PValueAbove(Threshold) : Test.PValueBelow(Threshold);
}

/// <summary>What shows a claim, or refutes it: that every one of several differences lies where it is asked, or that one does.</summary>
/// <param name="Questions">The differences and their thresholds.</param>
/// <param name="IsEvery">Whether every one has to; else one suffices, each at its part of the level.</param>
internal sealed record FindingSide(IReadOnlyList<FindingQuestion> Questions, bool IsEvery = true)
{
    /// <summary>All differences above a threshold.</summary>
    public static FindingSide Above(double threshold, params IEnumerable<FindingTest> tests) => new([.. tests.Select(t => new FindingQuestion(t, threshold, true))]);

    /// <summary>All differences below a threshold.</summary>
    public static FindingSide Below(double threshold, params IEnumerable<FindingTest> tests) => new([.. tests.Select(t => new FindingQuestion(t, threshold, false))]);

    /// <summary>P value of its opposite: every one is shown by the weakest, one by the strongest, corrected for their number.</summary>
    public double PValue => IsEvery ? Questions.Max(q => q.PValue) : Math.Min(1, Questions.Count * Questions.Min(q => q.PValue));

    /// <summary>The level of each question where this side is tested at a level.</summary>
    public double LevelOfOne(double level) => IsEvery ? level : level / Questions.Count;
}
