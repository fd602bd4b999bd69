using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Writes the queries, keys and values of layers of one sample, to be replayed without the model.</summary>
/// <remarks>
/// <para>
/// It takes what Invoke-SparseAttentionRun takes, runs the prefill of each run and writes one safetensors file a run and layer: q [query heads, length,
/// dimension], k and v [KV heads, length, dimension] after rotary embedding, in float32. Invoke-AttentionTrace then chooses on them as the run did;
/// Measure-AttentionPattern -TracePath compares with dense attention.
/// </para>
/// <para>
/// After a dense prefill the files also hold the tokens of the target response (next_q, next_k, next_v), on which decode methods are measured. With some KV
/// heads left out, methods that spread a budget over heads (AdaSnapKV) or draw random numbers by head choose otherwise than in the run.
/// </para>
/// </remarks>
/// <example>
/// Writes two layers of a dense run.
/// <code>Export-AttentionTrace -Layer 2, 3 -OutputPath traces</code>
/// </example>
/// <example>
/// Writes what the layers see when those before them are sparse.
/// <code>Export-AttentionTrace VerticalSlash -Sparsity 0.7 -Layer 5 -OutputPath traces -PassThru | Format-List</code>
/// </example>
/// <example>
/// Writes one KV head, with the query heads that read it, of another sample.
/// <code>Export-AttentionTrace -Layer 0 -KvHead 1 -SampleIndex 3 -OutputPath traces -Force</code>
/// </example>
[Cmdlet(VerbsData.Export, "AttentionTrace", DefaultParameterSetName = ParameterSets.Parameters, SupportsShouldProcess = true)]
[OutputType(typeof(AttentionTraceFile))]
public sealed class ExportAttentionTraceCommand : RunCmdlet
{
    /// <summary>Folder to write to. It is made if it is not there.</summary>
    [Parameter(Mandatory = true, HelpMessage = "Folder to write to.")]
    public string OutputPath { get; set; } = "";

    /// <summary>The sample, counted from 0.</summary>
    [Parameter(HelpMessage = "The sample, counted from 0.")]
    [ValidateNotNull]
    public int[] SampleIndex { get; set; } = [0];

    /// <summary>Layers to write, counted from 0.</summary>
    /// <value>All layers with global attention</value>
    [Parameter(HelpMessage = "Layers to write, counted from 0.")]
    [ValidateNotNull]
    public int[] Layer { get; set; } = [];

    /// <summary>KV heads to write, with the query heads that read them.</summary>
    /// <value>All heads</value>
    [Parameter(HelpMessage = "KV heads to write, with the query heads that read them.")]
    [ValidateNotNull]
    public int[] KvHead { get; set; } = [];

    /// <summary>Folder of results, whose calibrated budgets are used. Nothing is written to it.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder of results, whose calibrated budgets are used.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string? ResultPath { get; set; }

    /// <summary>Replaces files that are there.</summary>
    [Parameter(HelpMessage = "Replace files that are there.")]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits the files that were written.</summary>
    [Parameter(HelpMessage = "Emit the files that were written.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override SweepDefinition Grid() => Sweep() is { Method.Count: 0, DecodeMethod.Count: 0, Preset: null } sweep ? sweep with { Method = ["Dense"] } : Sweep();

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Specifications.Count > 0)
        {
            Run(
                () => new ExportTraceOperation
                {
                    Specifications = Specifications,
                    OutputPath = ResolveOutput(OutputPath),
                    SampleIndex = SampleIndex,
                    Layer = Layer,
                    KvHead = KvHead,
                    Force = Force,
                    ResultPath = ResultFolder(ResultPath),
                }.Execute,
                PassThru ? null : _ => { });
        }
    }
}
