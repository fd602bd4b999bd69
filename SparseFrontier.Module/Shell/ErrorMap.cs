using System.Management.Automation;

namespace SparseFrontier.Shell;

/// <summary>The one place where the engine's errors become PowerShell's.</summary>
internal static class ErrorMap
{
    /// <summary>The error record of an engine error: its id, a category, the target, and advice where there is one.</summary>
    public static ErrorRecord ToRecord(SparseFrontierException error)
    {
        var record = new ErrorRecord(error, error.ErrorId, Category(error.ErrorId), error.Target);
        if (Advice(error.ErrorId) is string advice)
        {
            record.ErrorDetails = new ErrorDetails(error.Message) { RecommendedAction = advice };
        }

        return record;
    }

    /// <summary>Whether no further input can be processed after this error.</summary>
    public static bool IsTerminating(string errorId) => errorId == ErrorIds.ResultWriteFailed;

    /// <summary>PowerShell's category of an error id.</summary>
    public static ErrorCategory Category(string errorId) => errorId switch
    {
        ErrorIds.MethodNotFound or ErrorIds.TaskNotFound or ErrorIds.ModelNotFound or ErrorIds.KernelNotFound or ErrorIds.RunNotFound
            or ErrorIds.JobNotFound or ErrorIds.DeviceNotFound or ErrorIds.FileNotFound or ErrorIds.TokenizerMissing or ErrorIds.TaskDataMissing => ErrorCategory.ObjectNotFound,
        ErrorIds.MethodParameterInvalid or ErrorIds.ParameterInvalid or ErrorIds.SparsityOutOfRange or ErrorIds.SequenceLengthInvalid
            or ErrorIds.BudgetInfeasible or ErrorIds.PathNotFileSystem => ErrorCategory.InvalidArgument,
        ErrorIds.SequenceTooLong => ErrorCategory.LimitsExceeded,
        ErrorIds.CheckpointUnreadable => ErrorCategory.OpenError,
        ErrorIds.CheckpointInvalid or ErrorIds.TokenizerInvalid or ErrorIds.TaskDataInvalid or ErrorIds.RunSpecificationInvalid
            or ErrorIds.ResultRowInvalid or ErrorIds.BundleInvalid or ErrorIds.DataInsufficient => ErrorCategory.InvalidData,
        ErrorIds.ArchitectureUnsupported or ErrorIds.TokenizerUnsupported or ErrorIds.ChatTemplateUnsupported
            or ErrorIds.DeviceUnsupported => ErrorCategory.NotImplemented,
        ErrorIds.CudaNotInstalled or ErrorIds.SchedulerNotInstalled => ErrorCategory.NotInstalled,
        ErrorIds.SubmissionRejected => ErrorCategory.InvalidOperation,
        ErrorIds.PowerShellRequired => ErrorCategory.NotInstalled,
        ErrorIds.ScoresInvalid or ErrorIds.ComparisonFailed => ErrorCategory.InvalidResult,
        ErrorIds.DeviceOutOfMemory => ErrorCategory.ResourceUnavailable,
        ErrorIds.DeviceFailed => ErrorCategory.DeviceError,
        ErrorIds.KernelCompilationFailed => ErrorCategory.InvalidResult,
        ErrorIds.RunBusy => ErrorCategory.ResourceBusy,
        ErrorIds.RunTimedOut => ErrorCategory.OperationTimeout,
        ErrorIds.RunPoisoned => ErrorCategory.OperationStopped,
        ErrorIds.ResultUnreadable => ErrorCategory.ReadError,
        ErrorIds.ResultWriteFailed => ErrorCategory.WriteError,
        ErrorIds.OutputFileExists or ErrorIds.NameTaken => ErrorCategory.ResourceExists,
        _ => ErrorCategory.NotSpecified,
    };

    private static string? Advice(string errorId) => errorId switch
    {
        ErrorIds.MethodNotFound or ErrorIds.MethodParameterInvalid => "Run Get-SparseAttentionMethod.",
        ErrorIds.TaskNotFound => "Run Get-SparseAttentionTask.",
        ErrorIds.ModelNotFound => "Run Get-SparseAttentionModel.",
        ErrorIds.DeviceNotFound or ErrorIds.DeviceUnsupported or ErrorIds.CudaNotInstalled => "Run Get-SparseAttentionDevice -Verbose.",
        ErrorIds.OutputFileExists => "Use -Force to overwrite.",
        _ => null,
    };
}
