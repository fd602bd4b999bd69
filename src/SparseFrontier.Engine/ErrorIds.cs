namespace SparseFrontier;

/// <summary>Identifiers of the errors that users and their scripts see. None is ever renamed; docs/errors.md explains each.</summary>
public static class ErrorIds
{
#pragma warning disable CS1591 // The names say it; docs/errors.md says more, and a test compares the two.
    public const string MethodNotFound = "MethodNotFound";
    public const string TaskNotFound = "TaskNotFound";
    public const string ModelNotFound = "ModelNotFound";
    public const string KernelNotFound = "KernelNotFound";
    public const string RunNotFound = "RunNotFound";
    public const string DeviceNotFound = "DeviceNotFound";
    public const string FileNotFound = "FileNotFound";
    public const string MethodParameterInvalid = "MethodParameterInvalid";
    public const string ParameterInvalid = "ParameterInvalid";
    public const string SparsityOutOfRange = "SparsityOutOfRange";
    public const string SequenceLengthInvalid = "SequenceLengthInvalid";
    public const string SequenceTooLong = "SequenceTooLong";
    public const string BudgetInfeasible = "BudgetInfeasible";
    public const string CheckpointUnreadable = "CheckpointUnreadable";
    public const string CheckpointInvalid = "CheckpointInvalid";
    public const string ArchitectureUnsupported = "ArchitectureUnsupported";
    public const string TokenizerMissing = "TokenizerMissing";
    public const string TokenizerInvalid = "TokenizerInvalid";
    public const string TokenizerUnsupported = "TokenizerUnsupported";
    public const string ChatTemplateUnsupported = "ChatTemplateUnsupported";
    public const string TaskDataMissing = "TaskDataMissing";
    public const string TaskDataInvalid = "TaskDataInvalid";
    public const string CudaNotInstalled = "CudaNotInstalled";
    public const string DeviceFailed = "DeviceFailed";
    public const string DeviceUnsupported = "DeviceUnsupported";
    public const string KernelCompilationFailed = "KernelCompilationFailed";
    public const string DeviceOutOfMemory = "DeviceOutOfMemory";
    public const string RunSpecificationInvalid = "RunSpecificationInvalid";
    public const string SchedulerNotInstalled = "SchedulerNotInstalled";
    public const string SubmissionRejected = "SubmissionRejected";
    public const string JobNotFound = "JobNotFound";
    public const string RunBusy = "RunBusy";
    public const string RunTimedOut = "RunTimedOut";
    public const string RunPoisoned = "RunPoisoned";
    public const string ResultUnreadable = "ResultUnreadable";
    public const string ResultRowInvalid = "ResultRowInvalid";
    public const string BundleInvalid = "BundleInvalid";
    public const string ResultWriteFailed = "ResultWriteFailed";
    public const string OutputFileExists = "OutputFileExists";
    public const string DataInsufficient = "DataInsufficient";
    public const string ComparisonFailed = "ComparisonFailed";
    public const string NameTaken = "NameTaken";
    public const string ScoresInvalid = "ScoresInvalid";
    public const string PowerShellRequired = "PowerShellRequired";
    public const string PathNotFileSystem = "PathNotFileSystem";
#pragma warning restore CS1591
}
