using System.Management.Automation;
using SparseFrontier.Experiments;

namespace SparseFrontier.Shell;

/// <summary>Hands what an operation sends to the cmdlet's streams. Used on the pipeline thread only.</summary>
internal sealed class CmdletSink(PSCmdlet cmdlet, Action<object>? receiver) : IPipelineSink
{
    private static readonly string[] s_tags = ["SparseFrontier"];

    private readonly ProgressThrottle _throttle = new();

    // PowerShell shows the questions of ShouldProcess under -WhatIf, -Confirm and -Verbose, given with the cmdlet or set as preferences. What it shows besides loses words, never the question.
    public bool ShowsQuestions { get; } = IsOn(cmdlet, "WhatIf") || IsOn(cmdlet, "Confirm") || IsOn(cmdlet, "Verbose");

    public void Object(object value)
    {
        if (receiver is null)
        {
            cmdlet.WriteObject(value);
        }
        else
        {
            receiver(value);
        }
    }

    public void Error(SparseFrontierException error) => cmdlet.WriteError(ErrorMap.ToRecord(error));

    public void Warning(string message) => cmdlet.WriteWarning(VisibleText.Message(message));

    public void Verbose(string message) => cmdlet.WriteVerbose(VisibleText.Message(message));

    public void Information(string message) => cmdlet.WriteInformation(VisibleText.Message(message), s_tags);

    public void Progress(ProgressUpdate update)
    {
        if (_throttle.Admit(update))
        {
            Write(update);
        }
    }

    public bool ShouldProcess(string target, string action) => cmdlet.ShouldProcess(VisibleText.Line(target), VisibleText.Message(action));

    /// <summary>Takes away progress bars that an operation left open (it was cancelled or failed).</summary>
    public void CompleteProgress()
    {
        foreach (ProgressUpdate update in _throttle.Close())
        {
            Write(update);
        }
    }

    // ConfirmPreference is High if not set; what asks even then, by its own impact, has short questions.
    private static bool IsOn(PSCmdlet cmdlet, string parameter) =>
        cmdlet.MyInvocation.BoundParameters.TryGetValue(parameter, out object? value)
            ? value is SwitchParameter { IsPresent: true }
            : cmdlet.GetVariableValue($"{parameter}Preference")?.ToString() is not (null or "" or "False" or "None" or "High" or "SilentlyContinue" or "Ignore");

    private void Write(ProgressUpdate update)
    {
        var record = new ProgressRecord(update.ActivityId, VisibleText.Line(update.Activity), update.Status.Length > 0 ? VisibleText.Line(update.Status) : " ")
        {
            ParentActivityId = update.ActivityId > 1 ? update.ActivityId - 1 : -1,
            PercentComplete = update.Percent < 0 ? -1 : (int)Math.Clamp(update.Percent, 0, 100),
            SecondsRemaining = update.SecondsRemaining is double seconds ? (int)Math.Min(seconds, int.MaxValue) : -1,
            RecordType = update.Completed ? ProgressRecordType.Completed : ProgressRecordType.Processing,
        };
        cmdlet.WriteProgress(record);
    }
}
