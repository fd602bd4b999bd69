using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Times methods on one attention layer over several lengths, beside dense attention timed in the same run.</summary>
/// <remarks>
/// Inputs are random, so that what a method keeps is scattered as widely as can be. Output comes after the last length, because the length
/// from which on a method pays (CrossoverLength) is known only then. Rate in the table is what attending executed in a second, tiles and padding included (prefill),
/// or what a step read in a second (decode).
/// </remarks>
/// <example>
/// Shows where BlockSparse pays on this machine.
/// <code>Measure-SparseKernel BlockSparse -SequenceLength 512, 1024, 2048</code>
/// </example>
/// <example>
/// Compares two methods at two sparsities.
/// <code>Measure-SparseKernel BlockSparse, VerticalSlash -SequenceLength 2048 -Sparsity 0.3, 0.6 | Format-Table Method, Sparsity, IndexMilliseconds, SpeedUp</code>
/// </example>
/// <example>
/// Keeps the times of a layer of another shape in a file.
/// <code>Measure-SparseKernel -SequenceLength 1024 -QueryHeadCount 4 -KvHeadCount 1 -HeadDimension 128 -Sparsity 0.5 | Export-Csv kernels.csv</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Measure, "SparseKernel")]
[OutputType(typeof(KernelMeasurement))]
public sealed class MeasureSparseKernelCommand : SparseFrontierCmdlet
{
    /// <summary>Methods of both phases; wildcards match all but controls.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Methods of both phases; wildcards match all but controls.")]
    [Alias("Name")]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [ValidateNotNull]
    public string[] Method { get; set; } = [];

    /// <summary>Lengths of the prompt, in tokens.</summary>
    [Parameter(HelpMessage = "Lengths of the prompt, in tokens.")]
    [ValidateNotNull]
    public int[] SequenceLength { get; set; } = [.. new MeasureKernelOperation().SequenceLength];

    /// <summary>Sparsities, 0 to 1.</summary>
    [Parameter(HelpMessage = "Sparsities, 0 to 1.")]
    [NumberTransformation(typeof(double))]
    [ValidateNotNull]
    public double[] Sparsity { get; set; } = [.. new MeasureKernelOperation().Sparsity];

    /// <summary>Query heads of the layer.</summary>
    [Parameter(HelpMessage = "Query heads of the layer.")]
    public int QueryHeadCount { get; set; } = new MeasureKernelOperation().QueryHeadCount;

    /// <summary>KV heads of the layer.</summary>
    [Parameter(HelpMessage = "KV heads of the layer; they divide the query heads.")]
    public int KvHeadCount { get; set; } = new MeasureKernelOperation().KvHeadCount;

    /// <summary>Elements of a head's vector.</summary>
    [Parameter(HelpMessage = "Elements of a head's vector, a multiple of 8.")]
    public int HeadDimension { get; set; } = new MeasureKernelOperation().HeadDimension;

    /// <summary>Samples of each time.</summary>
    [Parameter(HelpMessage = "Samples of each time; the median counts.")]
    public int IterationCount { get; set; } = new MeasureKernelOperation().IterationCount;

    /// <summary>Device to measure.</summary>
    [Parameter(HelpMessage = "Device to measure: cpu.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    [ValidateNotNull]
    public string Device { get; set; } = "cpu";

    /// <summary>Seed of the random inputs.</summary>
    [Parameter(HelpMessage = "Seed of the random inputs.")]
    public long Seed { get; set; } = 1;

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new MeasureKernelOperation
    {
        Method = Method,
        SequenceLength = SequenceLength,
        Sparsity = Sparsity,
        QueryHeadCount = QueryHeadCount,
        KvHeadCount = KvHeadCount,
        HeadDimension = HeadDimension,
        IterationCount = IterationCount,
        Device = Device,
        Seed = Seed,
    }.Execute);
}
