using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Reads results of runs from disk.</summary>
/// <remarks>
/// Without a path it reads SPARSEFRONTIER_RESULTS, else the folder "results" here. Damaged files are warned of and skipped. Filters are
/// wildcards and narrow one another. A folder with brackets in its name is taken as it is where nothing matches it as a pattern.
/// </remarks>
/// <example>
/// Finds the frontier of what was run on one task.
/// <code>Get-SparseAttentionResult ./results -Task Niah | Get-SparsityPareto</code>
/// </example>
/// <example>
/// Shows what was answered wrong.
/// <code>Get-SparseAttentionResult -Sample | Where-Object Score -lt 1 | Select-Object Index, GoldJson, Output</code>
/// </example>
/// <example>
/// Writes the finished runs of a day into a spreadsheet.
/// <code>Get-SparseAttentionResult -Status Completed -After (Get-Date).AddDays(-1) | Export-Csv runs.csv</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionResult", DefaultParameterSetName = ParameterSets.Path)]
[OutputType(typeof(SparseAttentionResult))]
[OutputType(typeof(SampleResult))]
public sealed class GetSparseAttentionResultCommand : SparseFrontierCmdlet
{
    /// <summary>Folders of results or of single runs, or files of rows that Export-SparseAttentionResult wrote.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(
        Position = 0,
        ParameterSetName = ParameterSets.Path,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Folders of results or of single runs, or files of rows; wildcards match.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Folders of results or of single runs, taken as they are: no character is a wildcard.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.LiteralPath,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Folders of results or of single runs, taken as they are.")]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Only runs with these ids.</summary>
    /// <value>All runs</value>
    [Parameter(HelpMessage = "Only runs with these ids; wildcards match.")]
    [ArgumentCompleter(typeof(RunIdCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] RunId { get; set; } = [];

    /// <summary>Only runs of these prefill methods, or of these decode methods with a dense prefill.</summary>
    /// <value>All methods</value>
    [Parameter(HelpMessage = "Only runs of these prefill methods, or decode methods with a dense prefill; wildcards match.")]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Method { get; set; } = [];

    /// <summary>Only runs of these decode methods.</summary>
    /// <value>All decode methods</value>
    [Parameter(HelpMessage = "Only runs of these decode methods; wildcards match.")]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] DecodeMethod { get; set; } = [];

    /// <summary>Only runs on these tasks.</summary>
    /// <value>All tasks</value>
    [Parameter(HelpMessage = "Only runs on these tasks; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Task { get; set; } = [];

    /// <summary>Only runs of these models, by name.</summary>
    /// <value>All models</value>
    [Parameter(HelpMessage = "Only runs of these models; wildcards match.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Model { get; set; } = [];

    /// <summary>Only runs at these prompt lengths, in tokens.</summary>
    /// <value>All lengths</value>
    [Parameter(HelpMessage = "Only runs at these prompt lengths, in tokens.")]
    [ValidateNotNull]
    public int[] SequenceLength { get; set; } = [];

    /// <summary>Only runs in these states.</summary>
    /// <value>All states</value>
    [Parameter(HelpMessage = "Only runs in these states.")]
    [ValidateNotNull]
    public RunStatus[] Status { get; set; } = [];

    /// <summary>Only runs that were started after this time.</summary>
    /// <value>Any time</value>
    [Parameter(HelpMessage = "Only runs started after this time.")]
    public DateTimeOffset? After { get; set; }

    /// <summary>Emits the samples of the runs, with their outputs and scores, instead of the runs.</summary>
    [Parameter(HelpMessage = "Emit the samples of the runs instead of the runs.")]
    public SwitchParameter Sample { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        bool asked = Path.Length + LiteralPath.Length > 0;
        IReadOnlyList<string> paths = !asked ? [] : ParameterSetName == ParameterSets.LiteralPath ? ResolveInput(LiteralPath, literal: true) : ResolveInput(Path, literal: false);
        if (asked && paths.Count == 0)
        {
            return;
        }

        Run(() => new GetResultOperation
        {
            Path = asked ? paths : DefaultResultPath() is { Length: > 0 } path ? [path] : [],
            RunId = RunId,
            Method = Method,
            DecodeMethod = DecodeMethod,
            Task = Task,
            Model = Model,
            SequenceLength = SequenceLength,
            Status = Status,
            After = After,
            Sample = Sample,
        }.Execute);
    }
}
