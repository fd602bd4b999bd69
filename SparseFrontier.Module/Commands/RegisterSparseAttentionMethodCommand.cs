using System.Management.Automation;
using SparseFrontier.Attention;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Makes a sparse-attention method of a script block or a C# class that scores blocks, tokens or pages.</summary>
/// <remarks>
/// <para>
/// The method then works in every command, completion and table of this process, with every model and task and with every method of the other
/// phase. The units with the largest scores are kept; parameters, forced sets and the translation of a sparsity into a budget are those of
/// BlockSparse (blocks), SnapKV (tokens) and Quest (pages).
/// </para>
/// <para>
/// The code gets one object that says what is scored: Layer, Head, Position, Count, UnitSize, Query (a vector), and Key(unit), Smallest(unit),
/// Largest(unit) and Similarity(), which is query times mean key for every unit. It gives one number for each of Count units.
/// </para>
/// <para>
/// A hash of the code is part of a run's identity, so that changed code is another run; registering a name again replaces the method. Script
/// blocks run on the pipeline's thread, one after another, and see global variables and functions only; they cannot run where there is no
/// PowerShell, such as in the command line. A C# class is much faster.
/// </para>
/// </remarks>
/// <example>
/// Keeps the key blocks that are most like the query block, and compares that with BlockSparse.
/// <code>
/// Register-SparseAttentionMethod Likeness -Unit Blocks { param($units) $units.Similarity() }
/// Invoke-SparseAttentionRun Likeness, BlockSparse Niah -Sparsity 0.5
/// </code>
/// </example>
/// <example>
/// Evicts the tokens with the longest keys.
/// <code>
/// Register-SparseAttentionMethod ShortKeys -Unit Tokens -Description 'Keeps the tokens with the shortest keys.' {
///     param($units)
///     for ($i = 0; $i -lt $units.Count; $i++) {
///         $sum = 0.0
///         foreach ($value in $units.Key($i)) { $sum -= $value * $value }
///         $sum
///     }
/// }
/// New-SparseAttentionSweep ShortKeys -Sparsity 0.5
/// </code>
/// </example>
/// <example>
/// Registers a C# class that scores pages by the upper bound of query times key, as Quest does.
/// <code>
/// Add-Type -ReferencedAssemblies ([SparseFrontier.Attention.UnitScorer].Assembly.Location), System.Runtime, System.Linq -TypeDefinition @'
/// public sealed class Bound : SparseFrontier.Attention.UnitScorer {
///     public override double[] Score(SparseFrontier.Attention.ScoreContext units) {
///         var scores = new double[units.Count];
///         for (int page = 0; page &lt; scores.Length; page++)
///             for (int i = 0; i &lt; units.Query.Length; i++)
///                 scores[page] += System.Math.Max(units.Query[i] * units.Smallest(page)[i], units.Query[i] * units.Largest(page)[i]);
///         return scores;
///     }
/// }
/// '@
/// Register-SparseAttentionMethod MyQuest -Unit Pages -Type ([Bound])
/// Get-SparseAttentionMethod MyQuest | Format-List
/// </code>
/// </example>
[Cmdlet(VerbsLifecycle.Register, "SparseAttentionMethod", DefaultParameterSetName = ParameterSets.Script)]
[OutputType(typeof(SparseAttentionMethod))]
public sealed class RegisterSparseAttentionMethodCommand : SparseFrontierCmdlet
{
    /// <summary>Name of the method: letters and digits. A method of this project cannot be replaced.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Name of the method: letters and digits.")]
    public string Name { get; set; } = "";

    /// <summary>The code, which gets the units as its first parameter and gives one number for each.</summary>
    [Parameter(
        Mandatory = true,
        Position = 1,
        ParameterSetName = ParameterSets.Script,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Scores units: gets an object with Query, Key(unit), Similarity() and gives one number for each unit.")]
    public ScriptBlock? ScriptBlock { get; set; }

    /// <summary>A class with a constructor without parameters that derives from SparseFrontier.Attention.UnitScorer.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.Type,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "A class that derives from SparseFrontier.Attention.UnitScorer.")]
    public Type? Type { get; set; }

    /// <summary>What is scored: key blocks for blocks of query rows (a prefill method), tokens of the prompt's cache (an eviction), or pages at every step.</summary>
    [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true, HelpMessage = "What is scored: Blocks (prefill), Tokens (eviction) or Pages (every step).")]
    public ScoredUnit Unit { get; set; }

    /// <summary>One sentence on what the method keeps, for lists and completion.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "One sentence on what the method keeps.")]
    [ValidateNotNull]
    public string Description { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new RegisterMethodOperation
    {
        Name = Name,
        Unit = Unit,
        Scorer = Type is null ? new ScriptBlockScorer(Name, ScriptBlock!.ToString()) : UserType.Create<UnitScorer>(Type),
        CodeHash = Type is null ? CodeHash.Of(ScriptBlock!.ToString()) : CodeHash.Of(Type),
        Description = Description,
    }.Execute);
}
