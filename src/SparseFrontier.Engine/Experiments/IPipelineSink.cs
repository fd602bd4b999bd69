namespace SparseFrontier.Experiments;

/// <summary>
/// Where an operation sends what it finds: the PowerShell pipeline, the command line, or a test's recorder. Operations hold all logic of
/// cmdlets and verbs; front doors only fill requests and implement this.
/// </summary>
public interface IPipelineSink
{
    /// <summary>Emits an output object.</summary>
    void Object(object value);

    /// <summary>Reports an error that does not end the operation.</summary>
    void Error(SparseFrontierException error);

    /// <summary>An unintended result.</summary>
    void Warning(string message);

    /// <summary>A decision.</summary>
    void Verbose(string message);

    /// <summary>What a job log should keep.</summary>
    void Information(string message);

    /// <summary>Progress.</summary>
    void Progress(ProgressUpdate update);

    /// <summary>Whether somebody sees what <see cref="ShouldProcess"/> asks: only then are words worth making that take reading files.</summary>
    bool ShowsQuestions => true;

    /// <summary>Asks whether to do something that writes or costs; false under -WhatIf.</summary>
    bool ShouldProcess(string target, string action);
}

/// <summary>Progress of an activity.</summary>
/// <param name="ActivityId">1 sweep, 2 run, 3 samples.</param>
/// <param name="Activity">What is being done.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Percent">0 to 100, or -1.</param>
/// <param name="SecondsRemaining">Estimate, or null.</param>
/// <param name="Completed">Whether the activity has ended.</param>
public sealed record ProgressUpdate(int ActivityId, string Activity, string Status, double Percent, double? SecondsRemaining = null, bool Completed = false)
{
    /// <summary>Where the only activity of an operation stands, with the time that is left at the pace so far.</summary>
    /// <param name="activity">What is being done.</param>
    /// <param name="status">Where it stands.</param>
    /// <param name="share">The part that is done, 0 to 1.</param>
    /// <param name="elapsed">Since it began.</param>
    public static ProgressUpdate At(string activity, string status, double share, TimeSpan elapsed) =>
        new(1, activity, status, 100 * share, share > 0 ? elapsed.TotalSeconds * (1 - share) / share : null);
}
