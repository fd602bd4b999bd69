using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists the long-context tasks that runs can evaluate on.</summary>
/// <remarks>Squad, Quality and Toefl read a data file that runs name with -TaskDataPath; the others generate their samples.</remarks>
/// <example>
/// Lists all tasks.
/// <code>Get-SparseAttentionTask</code>
/// </example>
/// <example>
/// Lists the tasks of a category.
/// <code>Get-SparseAttentionTask -Category Retrieval</code>
/// </example>
/// <example>
/// Makes a grid of the tasks in which what is needed is hard to find.
/// <code>New-SparseAttentionSweep Quest (Get-SparseAttentionTask | Where-Object Dispersion -eq High) -Sparsity 0.9</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionTask")]
[OutputType(typeof(SparseAttentionTask))]
public sealed class GetSparseAttentionTaskCommand : SparseFrontierCmdlet
{
    /// <summary>Names of tasks.</summary>
    /// <value>All tasks</value>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of tasks; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    [Alias("Task")]
    [ValidateNotNull]
    public string[] Name { get; set; } = [];

    /// <summary>Only tasks of these categories: Retrieval, MultiHop, Aggregation, QuestionAnswering.</summary>
    /// <value>All categories</value>
    [Parameter(HelpMessage = "Only tasks of these categories: Retrieval, MultiHop, Aggregation, QuestionAnswering; wildcards match.")]
    [ArgumentCompleter(typeof(CategoryCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Category { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetTaskOperation { Name = Name, Category = Category }.Execute);
}
