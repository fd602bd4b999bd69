using System.Management.Automation;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Measures what methods keep of dense attention in single samples, by layer and query head.</summary>
/// <remarks>
/// <para>
/// It takes what Invoke-SparseAttentionRun takes. One dense prefill of a sample serves all methods: each chooses from the same queries, keys and values, and
/// what it keeps is compared with dense attention on an even sample of the queries (QueryCount of QueryTotal): the mass that is captured, the recall against
/// the best choice of the same size (OracleTopK), the distance to that choice, the error of the output. Prefill methods are measured on the queries of the
/// prompt, decode methods on those of the target response that follows it. Beside it stands where dense attention lies: on the first and the latest tokens,
/// on columns and diagonals, and how many keys hold 95 % of it.
/// </para>
/// <para>
/// A budget that must be calibrated is taken from the folder of results, or else found on the sample. With -TracePath no model is run: the files that
/// Export-AttentionTrace wrote are measured, and of the other parameters only those of the methods count.
/// </para>
/// </remarks>
/// <example>
/// Shows what three methods keep in a layer.
/// <code>Measure-AttentionPattern VerticalSlash, BlockSparse, SnapKV -Sparsity 0.7 -Layer 2</code>
/// </example>
/// <example>
/// Averages over heads, to find the method that is nearest to the best choice.
/// <code>Measure-AttentionPattern -Sparsity 0.7 | Group-Object Method | Select-Object Name, @{ Name = 'Recall'; Expression = { ($_.Group | Measure-Object AttentionRecall -Average).Average } }</code>
/// </example>
/// <example>
/// Shows where the dense attention of the model lies.
/// <code>Measure-AttentionPattern Dense | Format-Table -View Shares</code>
/// </example>
/// <example>
/// Measures traces without the model.
/// <code>Export-AttentionTrace -Layer 2 -OutputPath traces -Force -PassThru | Measure-AttentionPattern Quest -Sparsity 0.5</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Measure, "AttentionPattern", DefaultParameterSetName = ParameterSets.Parameters)]
[OutputType(typeof(AttentionPattern))]
public sealed class MeasureAttentionPatternCommand : InspectionCmdlet
{
    /// <summary>Layers to measure, counted from 0.</summary>
    /// <value>All layers with global attention</value>
    [Parameter(HelpMessage = "Layers to measure, counted from 0.")]
    [ValidateNotNull]
    public int[] Layer { get; set; } = [];

    /// <summary>Query heads to measure, counted from 0.</summary>
    /// <value>All heads</value>
    [Parameter(HelpMessage = "Query heads to measure, counted from 0.")]
    [ValidateNotNull]
    public int[] Head { get; set; } = [];

    /// <summary>Queries measured in each phase at most. They are spread evenly, the last among them.</summary>
    [Parameter(HelpMessage = "Queries measured in each phase at most, spread evenly.")]
    public int QueryCount { get; set; } = 64;

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Specifications.Count > 0)
        {
            Run(() => new MeasurePatternOperation
            {
                Specifications = Specifications,
                TracePath = Traces,
                SampleIndex = SampleIndex,
                Layer = Layer,
                Head = Head,
                QueryCount = QueryCount,
                ResultPath = ResultFolder(ResultPath),
            }.Execute);
        }
    }
}
