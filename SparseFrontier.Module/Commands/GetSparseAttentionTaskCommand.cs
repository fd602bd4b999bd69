using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists the long-context tasks that runs can evaluate on.</summary>
/// <remarks>Squad, Quality and Toefl read a data file that runs name with -TaskDataPath; the others generate their samples.</remarks>
/// <example><code>Get-SparseAttentionTask</code></example>
/// <example><code>Get-SparseAttentionTask -Category Retrieval</code></example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionTask")]
[OutputType(typeof(SparseAttentionTask))]
public sealed class GetSparseAttentionTaskCommand : SparseFrontierCmdlet
{
    /// <summary>Names; wildcards match.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of tasks; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    [Alias("Task")]
    public string[] Name { get; set; } = [];

    /// <summary>Only tasks of these categories; wildcards match.</summary>
    [Parameter(HelpMessage = "Only tasks of these categories: Retrieval, MultiHop, Aggregation, QuestionAnswering; wildcards match.")]
    [ArgumentCompleter(typeof(CategoryCompleter))]
    [SupportsWildcards]
    public string[] Category { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetTaskOperation { Name = Name, Category = Category }.Execute);
}
