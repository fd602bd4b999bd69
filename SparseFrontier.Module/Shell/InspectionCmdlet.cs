using System.Management.Automation;
using SparseFrontier.Completion;

namespace SparseFrontier.Shell;

/// <summary>A cmdlet that looks into the attention of single samples, of a model or of traces.</summary>
public abstract class InspectionCmdlet : RunCmdlet
{
    private readonly List<string> _traces = [];

    /// <summary>Traces to look into instead of samples of a model, as Export-AttentionTrace writes them.</summary>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Traces to look into instead of samples of a model; wildcards match.")]
    [Alias("Path", "FullName")]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] TracePath { get; set; } = [];

    /// <summary>Samples to look into, counted from 0.</summary>
    [Parameter(HelpMessage = "Samples to look into, counted from 0.")]
    [ValidateNotNull]
    public int[] SampleIndex { get; set; } = [0];

    /// <summary>Folder of results, whose calibrated budgets are used. Nothing is written to it.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder of results, whose calibrated budgets are used.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string? ResultPath { get; set; }

    /// <summary>The traces that were found.</summary>
    private protected IReadOnlyList<string> Traces => _traces;

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        base.ProcessRecord();
        if (TracePath.Length > 0)
        {
            IReadOnlyList<string> found = ResolveInput(TracePath, literal: false);
            _traces.AddRange(found);
            if (found.Count == 0)
            {
                Specifications.Clear();
            }
        }
    }
}
