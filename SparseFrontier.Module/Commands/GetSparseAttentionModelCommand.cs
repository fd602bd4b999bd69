using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists checkpoints: the embedded ones, those in SPARSEFRONTIER_MODELS, or those at a path.</summary>
/// <remarks>Only headers are read, so that a folder of large checkpoints is listed at once.</remarks>
/// <example>
/// Lists the models that can be named.
/// <code>Get-SparseAttentionModel</code>
/// </example>
/// <example>
/// Lists the checkpoints of a folder by size.
/// <code>Get-ChildItem ./checkpoints -Directory | Get-SparseAttentionModel | Sort-Object ParameterCount</code>
/// </example>
/// <example>
/// Finds the models whose context holds a length.
/// <code>Get-SparseAttentionModel | Where-Object ContextLength -ge 2048 | Select-Object Name, Architecture, ContextLength</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionModel", DefaultParameterSetName = ParameterSets.Path)]
[OutputType(typeof(SparseAttentionModel))]
public sealed class GetSparseAttentionModelCommand : SparseFrontierCmdlet
{
    /// <summary>Checkpoint directories, folders of them, or names of models.</summary>
    /// <value>The embedded models and the folders that SPARSEFRONTIER_MODELS names</value>
    [Parameter(
        Position = 0,
        ParameterSetName = ParameterSets.Path,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Checkpoint directories, folders of them, or names of embedded models; wildcards match.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    [SupportsWildcards]
    [Alias("Model")]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    /// <summary>Checkpoint directories, taken as they are: no character is a wildcard.</summary>
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
