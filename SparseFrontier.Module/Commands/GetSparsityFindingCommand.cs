using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Findings;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Says of each claim of the paper whether results agree, disagree, have too few samples or cannot tell, and why.</summary>
/// <remarks>
/// There is a row for each claim of The Sparse Frontier: its label, the estimate with its 95 % interval, samples and cells, the gain over Random and WindowSink and the
/// gap to OracleTopK in the same cells. Samples are compared sample by sample at equal measured sparsity. Runs that keep more that is forced than chosen are
/// left out, and so is everything beside dense runs that are not clearly above chance. The chance of a false label of a kind is at most 5 % over all claims.
/// Rows come from a folder or from a file that Export-SparseAttentionResult wrote; the presets Findings and FindingsSmall run what is needed. How each claim is
/// tested is in docs/analysis.md.
/// </remarks>
/// <example>
/// Shows what results say of the paper.
/// <code>Get-SparseAttentionResult ./lengths | Get-SparsityFinding</code>
/// </example>
/// <example>
/// Shows the claims about Quest with the paper's own windows and forced sets, and why.
/// <code>Get-SparseAttentionResult ./lengths | Get-SparsityFinding -Name Quest*, AdaSnapKV* -Series Absolute | Format-List Claim, Label, Estimate, Low, High, Message</code>
/// </example>
/// <example>
/// Writes a page of it, as docs/findings.md is.
/// <code>Get-SparseAttentionResult ./lengths | Get-SparsityFinding -AsMarkdown | Set-Content findings.md</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparsityFinding")]
[OutputType(typeof(SparsityFinding))]
[OutputType(typeof(string))]
public sealed class GetSparsityFindingCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results, dense runs and controls among them; their samples must be here.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, dense runs and controls among them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>Names of claims.</summary>
    /// <value>All claims</value>
    [Parameter(HelpMessage = "Names of claims; wildcards match.")]
    [ArgumentCompleter(typeof(FindingCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Name { get; set; } = [];

    /// <summary>Scaled: windows, forced sets, floors and tiles in proportion to the length. Absolute: the paper's values.</summary>
    [Parameter(HelpMessage = "Scaled: windows, forced sets, floors and tiles in proportion to the length; Absolute: the paper's values.")]
    [ValidateSet("Scaled", "Absolute")]
    public string Series { get; set; } = "Scaled";

    /// <summary>Emits both series as one page of markdown instead of rows.</summary>
    [Parameter(HelpMessage = "Emit both series as a page of markdown.")]
    public SwitchParameter AsMarkdown { get; set; }

    /// <summary>Rows of Measure-AttentionPattern, or what 'pattern --json' wrote, for the page's first table.</summary>
    /// <value>No such table</value>
    [Parameter(HelpMessage = "Rows of Measure-AttentionPattern for the page's first table.")]
    [RowTransformation(typeof(SparseFrontier.AttentionPattern), nameof(SparseFrontier.AttentionPattern.Layer), nameof(SparseFrontier.AttentionPattern.Head))]
    [ValidateNotNull]
    public AttentionPattern[] AttentionPattern { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (AsMarkdown)
        {
            Run(() => new WriteFindingPageOperation { Results = _results, Pattern = AttentionPattern }.Execute);
        }
        else
        {
            Run(() => new GetFindingOperation { Results = _results, Name = Name, Series = Series }.Execute);
        }
    }
}
