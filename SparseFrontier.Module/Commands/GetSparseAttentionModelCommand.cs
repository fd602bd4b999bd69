using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists checkpoints: the embedded ones, those in SPARSEFRONTIER_MODELS, or those at a path.</summary>
/// <remarks>Only headers are read, so that a folder of large checkpoints is listed at once.</remarks>
/// <example><code>Get-SparseAttentionModel</code></example>
/// <example><code>Get-ChildItem ~/checkpoints -Directory | Get-SparseAttentionModel | Sort-Object ParameterCount</code></example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionModel", DefaultParameterSetName = ParameterSets.Path)]
[OutputType(typeof(SparseAttentionModel))]
public sealed class GetSparseAttentionModelCommand : SparseFrontierCmdlet
{
    /// <summary>Checkpoint directories, folders of them, or names of embedded models; wildcards match.</summary>
    [Parameter(
        Position = 0,
        ParameterSetName = ParameterSets.Path,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Checkpoint directories, folders of them, or names of embedded models; wildcards match.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    [SupportsWildcards]
    [Alias("Model")]
    public string[] Path { get; set; } = [];

    /// <summary>Checkpoint directories, taken as they are.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.LiteralPath,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Checkpoint directories, taken as they are.")]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        IReadOnlyList<string> paths = ParameterSetName == ParameterSets.LiteralPath
            ? ResolveInput(LiteralPath, literal: true)
            : [.. Path.SelectMany(ResolveModel)];
        if (paths.Count > 0 || Path.Length + LiteralPath.Length == 0)
        {
            Run(() => new GetModelOperation { Path = paths }.Execute);
        }
    }
}
