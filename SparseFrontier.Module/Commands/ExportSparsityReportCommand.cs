using System.ComponentModel;
using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Reporting.Report;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Writes results as one self-contained HTML file: what they say, figures with their tables, what was run.</summary>
/// <remarks>
/// The file needs nothing beside it and fetches nothing: charts, their data and the libraries that draw them are in it. Without JavaScript the tables remain. All rows are
/// collected first; equal rows give equal bytes in whatever order they come. Frontier bands, tolerances and lost answers need the runs' folders on this disk.
/// </remarks>
/// <example>
/// Writes a report of the results in the folder results.
/// <code>Get-SparseAttentionResult | Export-SparsityReport -Path frontier.html</code>
/// </example>
/// <example>
/// Adds timed layers, for the speed-up and the roofline.
/// <code>
/// $times = Measure-SparseKernel BlockSparse, Quest -SequenceLength 1024, 2048 -Sparsity 0.5, 0.8
/// Get-SparseAttentionResult | Export-SparsityReport timed.html -KernelMeasurement $times -Title 'What pays on this machine'
/// </code>
/// </example>
/// <example>
/// Overwrites last night's report and hands the file on.
/// <code>Get-SparseAttentionResult | Export-SparsityReport nightly.html -Force -PassThru | Select-Object Name, Length</code>
/// </example>
[Cmdlet(VerbsData.Export, "SparsityReport", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportSparsityReportCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results: from runs, from disk, or from JSON, CSV and other modules, as long as they have a Method column.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, HelpMessage = "Rows of results, from a run, from disk, or from JSON or CSV.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>The file to write.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "The HTML file to write.")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Title of the page.</summary>
    [Parameter(HelpMessage = "Title of the page.")]
    [ValidateNotNull]
    public string Title { get; set; } = ExportReportOperation.DefaultTitle;

    /// <summary>Rows of Measure-SparseKernel, for the speed-up and the roofline. Without them the speed-up is of the runs' own seconds.</summary>
    [Parameter(HelpMessage = "Rows of Measure-SparseKernel, for the speed-up and the roofline.")]
    [RowTransformation(typeof(KernelMeasurement), nameof(SparseFrontier.KernelMeasurement.Method), nameof(SparseFrontier.KernelMeasurement.Phase))]
    [ValidateNotNull]
    public KernelMeasurement[] KernelMeasurement { get; set; } = [];

    /// <summary>The mean loss of score that the tolerance accepts, above 0 and below 1.</summary>
    [Parameter(HelpMessage = "The mean loss of score that the tolerance accepts.")]
    public double MaximumDrop { get; set; } = 0.05;

    /// <summary>Overwrites the file.</summary>
    [Parameter(HelpMessage = "Overwrite the file.")]
    public SwitchParameter Force { get; set; }

    /// <summary>Opens the file in the system's browser.</summary>
    [Parameter(HelpMessage = "Open the file in the system's browser.")]
    public SwitchParameter Show { get; set; }

    /// <summary>Emits the file.</summary>
    [Parameter(HelpMessage = "Emit the file.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(
        () => new ExportReportOperation
        {
            Results = _results,
            KernelMeasurements = KernelMeasurement,
            Path = ResolveOutput(Path),
            Title = Title,
            MaximumDrop = MaximumDrop,
            Force = Force,
        }.Execute,
        Written);

    private void Written(object file)
    {
        if (Show)
        {
            Open((FileInfo)file);
        }

        if (PassThru)
        {
            WriteFile(file);
        }
    }

    // A machine without a desktop is no reason to fail: the file is there.
    private void Open(FileInfo file)
    {
        try
        {
            InvokeProvider.Item.Invoke(WildcardPattern.Escape(file.FullName));
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or PlatformNotSupportedException or CmdletInvocationException)
        {
            WriteWarning($"The report could not be opened here: {e.Message} It is in '{file.FullName}'.");
        }
    }
}
