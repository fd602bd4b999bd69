using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Completes runs from all their attempts, and takes runs of other folders in.</summary>
/// <remarks>
/// <para>
/// Each attempt at a run has a samples file of its own. Merging compares all attempts and writes the row of a run whose samples they hold
/// together. With -Path it first takes in what other folders hold, from hosts that share no file system: samples that are not there yet
/// become one more attempt, and a run of more samples grows the one that is there.
/// </para>
/// <para>
/// Equal samples count once. Samples that differ in more than times, memory and device are the error ResultRowInvalid, and nothing of that run
/// is taken. Merging again changes nothing. Jobs of Submit-SparseAttentionRun merge by themselves.
/// </para>
/// </remarks>
/// <example>
/// Completes what the attempts in the folder of results hold together.
/// <code>Merge-SparseAttentionResult</code>
/// </example>
/// <example>
/// Takes in the folders of two other machines.
/// <code>Merge-SparseAttentionResult ./from-alpha, ./from-beta -ResultPath ./all</code>
/// </example>
/// <example>
/// Lists the runs that are not complete yet.
/// <code>Merge-SparseAttentionResult -ResultPath ./all | Where-Object Status -ne Completed</code>
/// </example>
[Cmdlet(VerbsData.Merge, "SparseAttentionResult", SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionResult))]
public sealed class MergeSparseAttentionResultCommand : SparseFrontierCmdlet
{
    private readonly List<string> _paths = [];
    private bool _named;

    /// <summary>Folders of results, or of single runs, to take in.</summary>
    /// <value>None: only the folder of results itself is completed</value>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Folders of results to take in; wildcards match.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Folder of results that is completed.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder that is completed; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        _named |= Path is { Length: > 0 };
        _paths.AddRange(ResolveInput(Path ?? [], literal: false));
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_named && _paths.Count == 0)
        {
            return;
        }

        Run(() => new MergeResultOperation
        {
            Path = _paths,
            ResultPath = ResultFolder(ResultPath),
        }.Execute);
    }
}
