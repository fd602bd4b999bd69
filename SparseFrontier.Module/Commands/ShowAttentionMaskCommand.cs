using System.Management.Automation;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Terminal;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Draws what methods keep of one head's attention as heat maps, in characters or as a page.</summary>
/// <remarks>
/// A row is a query, a column some consecutive keys; what a query does not see stays blank. It takes what Measure-AttentionPattern takes. The map is as wide as the
/// host's window, or 80 columns where there is none. With -OutputPath an HTML file is written that needs nothing else, with dense attention beside each mask.
/// </remarks>
/// <example>
/// Draws what a method keeps.
/// <code>Show-AttentionMask VerticalSlash -Sparsity 0.7 -Layer 2 -Head 0</code>
/// </example>
/// <example>
/// Draws dense attention before it, in plain ASCII.
/// <code>Show-AttentionMask BlockSparse -Sparsity 0.7 -Layer 2 -Head 1 -ShowAttention -Ascii</code>
/// </example>
/// <example>
/// Writes a page with the masks of three methods.
/// <code>Show-AttentionMask VerticalSlash, BlockSparse, Quest -Sparsity 0.7 -Layer 2 -Head 0 -OutputPath masks.html</code>
/// </example>
[Cmdlet(VerbsCommon.Show, "AttentionMask", DefaultParameterSetName = ParameterSets.Parameters, SupportsShouldProcess = true)]
[OutputType(typeof(string))]
public sealed class ShowAttentionMaskCommand : InspectionCmdlet
{
    /// <summary>Layers to show, counted from 0.</summary>
    [Parameter(HelpMessage = "Layers to show, counted from 0.")]
    [ValidateNotNull]
    public int[] Layer { get; set; } = [0];

    /// <summary>Query heads to show, counted from 0.</summary>
    [Parameter(HelpMessage = "Query heads to show, counted from 0.")]
    [ValidateNotNull]
    public int[] Head { get; set; } = [0];

    /// <summary>Draws dense attention before each mask.</summary>
    [Parameter(HelpMessage = "Draw dense attention before each mask.")]
    public SwitchParameter ShowAttention { get; set; }

    /// <summary>HTML file to write instead of drawing.</summary>
    /// <value>None: maps are drawn</value>
    [Parameter(HelpMessage = "HTML file to write instead of drawing.")]
    [ValidateNotNull]
    public string OutputPath { get; set; } = "";

    /// <summary>Replaces a file that is there.</summary>
    [Parameter(HelpMessage = "Replace a file that is there.")]
    public SwitchParameter Force { get; set; }

    /// <summary>Columns of a map.</summary>
    /// <value>The width of the host's window; 80 where there is none</value>
    [Parameter(HelpMessage = "Columns of a map; without it the width of the host's window.")]
    public int Width { get; set; }

    /// <summary>Lines of a map at most.</summary>
    /// <value>Half its columns</value>
    [Parameter(HelpMessage = "Lines of a map at most.")]
    public int Height { get; set; }

    /// <summary>Draws with ASCII characters.</summary>
    [Parameter(HelpMessage = "Draw with ASCII characters.")]
    public SwitchParameter Ascii { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Specifications.Count > 0)
        {
            Run(() => new ShowMaskOperation
            {
                Measurement = new MeasurePatternOperation
                {
                    Specifications = Specifications,
                    TracePath = Traces,
                    SampleIndex = SampleIndex,
                    Layer = Layer,
                    Head = Head,
                    AsMask = true,
                    ResultPath = ResultFolder(ResultPath),
                },
                Terminal = HostTerminal.Find(this, Width, Ascii),
                Height = Height > 0 ? Height : null,
                ShowAttention = ShowAttention,
                OutputPath = OutputPath.Length > 0 ? ResolveOutput(OutputPath) : "",
                Force = Force,
            }.Execute);
        }
    }
}
