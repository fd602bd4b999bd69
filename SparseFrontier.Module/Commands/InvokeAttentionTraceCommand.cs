using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Runs methods on queries, keys and values from files, without a model.</summary>
/// <remarks>
/// <para>
/// Any safetensors file with q [query heads, length, dimension], k and v [KV heads, length, dimension] will do; one that Export-AttentionTrace wrote also says
/// which layer, scale and seed it is of, so that a method chooses as it did in the run. Methods of your own, script blocks too, are run like the others.
/// </para>
/// <para>
/// A prefill method, and one that evicts, computes the attention of all rows; one that chooses at every step, that of the last row. With -OutputPath a file
/// is written for each file and method: out, what was chosen (verticals, slashes, blocks, kept, pages or tokens) and sparsity.
/// </para>
/// </remarks>
/// <example>
/// Replays a trace with two methods.
/// <code>Export-AttentionTrace -Layer 2 -OutputPath traces -Force -PassThru | Invoke-AttentionTrace Quest, VerticalSlash -Sparsity 0.5</code>
/// </example>
/// <example>
/// Keeps what a method computed and chose.
/// <code>Export-AttentionTrace -Layer 2 -OutputPath traces -Force
/// Invoke-AttentionTrace SnapKV -Path traces/*.safetensors -Parameter @{ Capacity = 512 } -OutputPath selections</code>
/// </example>
/// <example>
/// Studies a method of your own on a trace.
/// <code>Export-AttentionTrace -Layer 2 -OutputPath traces -Force
/// Register-SparseAttentionMethod Loud -Unit Tokens { param($units) $units.Similarity() }
/// Invoke-AttentionTrace Loud -Path traces/*.safetensors -Sparsity 0.5</code>
/// </example>
[Cmdlet(VerbsLifecycle.Invoke, "AttentionTrace", DefaultParameterSetName = ParameterSets.Path, SupportsShouldProcess = true)]
[OutputType(typeof(AttendSummary))]
public sealed class InvokeAttentionTraceCommand : SparseFrontierCmdlet
{
    /// <summary>Methods of both phases, given as in Invoke-SparseAttentionRun.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Methods: 'Quest' or @{ Name = 'Quest'; PageSize = 32 }; wildcards match all but controls.")]
    [MethodTransformation]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    public string[] Method { get; set; } = [];

    /// <summary>Files to read.</summary>
    [Parameter(
        Mandatory = true,
        Position = 1,
        ParameterSetName = ParameterSets.Path,
        ValueFromPipeline = true,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Files to read; wildcards match.")]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Files to read, taken as they are: no character is a wildcard.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.LiteralPath,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Files to read, taken as they are.")]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Which half of inference is meant by a name that both have: Prefill or Decode.</summary>
    /// <value>Prefill where both have the name</value>
    [Parameter(HelpMessage = "Prefill or Decode, for names that both phases have.")]
    [ValidateSet("Prefill", "Decode")]
    public string? Phase { get; set; }

    /// <summary>Sparsities that the budgets are solved for on each file.</summary>
    /// <value>None: the parameters set the budget</value>
    [Parameter(HelpMessage = "Sparsities that the budgets are solved for on each file, 0 to 1.")]
    [NumberTransformation(typeof(double))]
    [ValidateNotNull]
    public double[] Sparsity { get; set; } = [];

    /// <summary>Parameters of the methods: @{ PageSize = 32 }, or 'PageSize=32'.</summary>
    /// <value>The defaults of the methods, as Get-SparseAttentionMethod shows them</value>
    [Parameter(HelpMessage = "Parameters of the methods: @{ PageSize = 32 } or 'PageSize=32'.")]
    [ParameterTransformation]
    [ArgumentCompleter(typeof(MethodParameterCompleter))]
    [Alias("Parameters")]
    public string Parameter { get; set; } = "";

    /// <summary>Folder to write to, a file for each file and method. It is made if it is not there, and files in it are replaced.</summary>
    /// <value>None: nothing is written</value>
    [Parameter(HelpMessage = "Folder to write what was computed and chosen to.")]
    [ValidateNotNull]
    public string OutputPath { get; set; } = "";

    /// <summary>Factor on query times key.</summary>
    /// <value>The file's, else 1/√dimension</value>
    [Parameter(HelpMessage = "Factor on query times key; without it the file's, else 1/sqrt(dimension).")]
    public double? Scale { get; set; }

    /// <summary>Device to compute on, as Get-SparseAttentionDevice lists it.</summary>
    [Parameter(HelpMessage = "Device to compute on: cpu or cuda:0.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    [ValidateNotNull]
    public string Device { get; set; } = "cpu";

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        bool literal = ParameterSetName == ParameterSets.LiteralPath;
        IReadOnlyList<string> files = ResolveInput(literal ? LiteralPath : Path, literal);
        if (files.Count > 0)
        {
            Run(() => new ReplayTraceOperation
            {
                Method = Method,
                Phase = Phase,
                Sparsity = Sparsity,
                Parameter = Parameter,
                Path = files,
                OutputPath = OutputPath.Length > 0 ? ResolveOutput(OutputPath) : "",
                Scale = Scale,
                Device = Device,
            }.Execute);
        }
    }
}
