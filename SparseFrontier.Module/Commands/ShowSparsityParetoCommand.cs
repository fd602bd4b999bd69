using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Terminal;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Draws frontiers of cost and value as charts of characters, for a terminal or a log.</summary>
/// <remarks>
/// It takes points of Get-SparsityPareto, or rows of results, whose frontiers are then those that Get-SparsityPareto finds without parameters. Each method has a letter: a capital for a point on the frontier, lower case for one that another point beats, so that the chart can be read without colour.
/// The line is the best value that a cost buys. The chart is as wide as the host's window, or 80 columns where there is none. Colours are left out where output is
/// redirected, NO_COLOR is set or $PSStyle.OutputRendering is PlainText; lines are drawn in ASCII where the console's encoding is not a Unicode one.
/// </remarks>
/// <example>
/// Draws the frontiers of the results in the folder results.
/// <code>Get-SparseAttentionResult | Get-SparsityPareto | Show-SparsityPareto</code>
/// </example>
/// <example>
/// Draws the frontiers of rows as they are.
/// <code>Invoke-SparseAttentionRun Dense, Quest, SnapKV Niah -Sparsity 0.5, 0.9 -ResultPath ./mine | Show-SparsityPareto</code>
/// </example>
/// <example>
/// Shows the chart of a sweep in passing and keeps the points.
/// <code>$points = Get-SparseAttentionResult | Get-SparsityPareto | Show-SparsityPareto -PassThru</code>
/// </example>
/// <example>
/// Writes a chart of 100 columns in plain ASCII into a log.
/// <code>Get-SparseAttentionResult -Task Niah | Get-SparsityPareto -Cost Density | Show-SparsityPareto -Width 100 -Ascii | Add-Content nightly.log</code>
/// </example>
[Cmdlet(VerbsCommon.Show, "SparsityPareto", DefaultParameterSetName = PointSet)]
[OutputType(typeof(string), typeof(SparsityPoint))]
public sealed class ShowSparsityParetoCommand : SparseFrontierCmdlet
{
    private const string PointSet = "Point";
    private const string ResultSet = "Result";

    private static readonly string[] s_hostTags = ["PSHOST"];

    private readonly List<SparsityPoint> _points = [];
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Points, as Get-SparsityPareto emits them.</summary>
    [Parameter(ParameterSetName = PointSet, Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Points, as Get-SparsityPareto emits them.")]
    [RowTransformation(typeof(SparsityPoint), nameof(SparsityPoint.Cost), nameof(SparsityPoint.Value))]
    [ValidateNotNull]
    public SparsityPoint[] InputObject { get; set; } = [];

    /// <summary>Rows of results, as Get-SparsityPareto takes them.</summary>
    [Parameter(ParameterSetName = ResultSet, Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, as Get-SparsityPareto takes them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method), Without = nameof(SparsityPoint.Cost))]
    [ValidateNotNull]
    public SparseAttentionResult[] Result { get; set; } = [];

    /// <summary>Columns of the chart.</summary>
    /// <value>The width of the host's window; 80 where there is none.</value>
    [Parameter(HelpMessage = "Columns of the chart; without it the width of the host's window.")]
    public int Width { get; set; }

    /// <summary>Lines of the plot, without its axis and legend.</summary>
    [Parameter(HelpMessage = "Lines of the plot, without its axis and legend.")]
    public int Height { get; set; } = 16;

    /// <summary>Draws with ASCII characters and without colour.</summary>
    [Parameter(HelpMessage = "Draw with ASCII characters and without colour.")]
    public SwitchParameter Ascii { get; set; }

    /// <summary>Emits the points; the chart then goes to the host, as Write-Host's text does.</summary>
    [Parameter(HelpMessage = "Emit the points; the chart goes to the host.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == ResultSet)
        {
            _results.AddRange(Result);
        }
        else
        {
            _points.AddRange(InputObject);
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_results.Count > 0)
        {
            Run(() => new GetParetoOperation { Results = _results }.Execute, point => _points.Add((SparsityPoint)point));
        }

        Run(
            () => new ShowParetoOperation { Points = _points, Terminal = HostTerminal.Find(this, Width, Ascii), Height = Height }.Execute,
            PassThru ? line => WriteInformation(new HostInformationMessage { Message = (string)line }, s_hostTags) : null);
        if (PassThru)
        {
            WriteObject(_points, enumerateCollection: true);
        }
    }
}
