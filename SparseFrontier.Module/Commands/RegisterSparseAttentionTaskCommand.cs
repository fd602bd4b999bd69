using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;
using SparseFrontier.Tasks;

namespace SparseFrontier.Commands;

/// <summary>Makes a long-context task of script blocks or a C# class that make samples and score answers.</summary>
/// <remarks>
/// <para>
/// The task then works in every command, completion and table of this process, with the prompts' protocol and lengths of the other tasks. The
/// code makes a sample of a seed and a number of units, of which there are as many as the length of the prompt asks for: an object with
/// Context, Question and Answer. The same seed and number must give the same sample, and more units a longer context.
/// </para>
/// <para>
/// A hash of the code is part of a run's identity. Script blocks run on the pipeline's thread and see global variables and functions only.
/// </para>
/// </remarks>
/// <example>
/// Asks for the number in one of many lines.
/// <code>
/// Register-SparseAttentionTask LineNumber {
///     param($seed, $units)
///     $random = [random]::new($seed)
///     $numbers = foreach ($i in 1..$units) { $random.Next(1000, 10000) }
///     $asked = 1 + $seed % $units
///     $lines = foreach ($i in 1..$units) { "Line ${i} holds $($numbers[$i - 1])." }
///     @{ Context = $lines -join "`n"; Question = "What does line $asked hold?"; Answer = "$(@($numbers)[$asked - 1])" }
/// }
/// Invoke-SparseAttentionRun Dense LineNumber -SequenceLength 960
/// </code>
/// </example>
/// <example>
/// Gives half a point for an answer that is close.
/// <code>
/// Register-SparseAttentionTask Counting -Score { param($answer, $given) [double]($given -eq $answer) + 0.5 * ([Math]::Abs([int]($given -replace '\D') - $answer) -eq 1) } {
///     param($seed, $units)
///     $colours = foreach ($i in 1..$units) { 'red', 'green', 'blue' | Get-Random -SetSeed ($seed % 1000 + $i) }
///     @{ Context = $colours -join ' '; Question = 'How often does red occur?'; Answer = "$(@($colours -eq 'red').Count)" }
/// }
/// </code>
/// </example>
/// <example>
/// Registers a C# class.
/// <code>
/// Add-Type -ReferencedAssemblies ([SparseFrontier.Tasks.TaskContent].Assembly.Location), System.Runtime, System.Linq -TypeDefinition @'
/// public sealed class LastWord : SparseFrontier.Tasks.TaskContent {
///     public override SparseFrontier.Tasks.ContentSample Create(int seed, int units) {
///         string word = "word" + seed % 1000;
///         string context = string.Join(" ", System.Linq.Enumerable.Range(0, units)) + " " + word;
///         return new SparseFrontier.Tasks.ContentSample(context, "What is the last word?", word);
///     }
/// }
/// '@
/// Register-SparseAttentionTask LastWord -Type ([LastWord])
/// New-SparseAttentionSweep Quest LastWord -Sparsity 0.9
/// </code>
/// </example>
[Cmdlet(VerbsLifecycle.Register, "SparseAttentionTask", DefaultParameterSetName = ParameterSets.Script)]
[OutputType(typeof(SparseAttentionTask))]
public sealed class RegisterSparseAttentionTaskCommand : SparseFrontierCmdlet
{
    /// <summary>Name of the task: letters and digits. A task of this project cannot be replaced.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Name of the task: letters and digits.")]
    public string Name { get; set; } = "";

    /// <summary>The code that makes a sample: it gets a seed and a number of units and gives an object with Context, Question and Answer.</summary>
    [Parameter(
        Mandatory = true,
        Position = 1,
        ParameterSetName = ParameterSets.Script,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Makes a sample: gets a seed and a number of units, gives an object with Context, Question and Answer.")]
    public ScriptBlock? ScriptBlock { get; set; }

    /// <summary>The code that scores: it gets the right answer and the model's and gives a number from 0 to 1.</summary>
    /// <value>Whether the two are equal, case and white space aside</value>
    [Parameter(
        ParameterSetName = ParameterSets.Script,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Scores: gets the right answer and the model's, gives a number from 0 to 1.")]
    public ScriptBlock? Score { get; set; }

    /// <summary>A class with a constructor without parameters that derives from SparseFrontier.Tasks.TaskContent.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.Type,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "A class that derives from SparseFrontier.Tasks.TaskContent.")]
    public Type? Type { get; set; }

    /// <summary>One sentence on what the task asks of a model, for lists and completion.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "One sentence on what the task asks of a model.")]
    [ValidateNotNull]
    public string Description { get; set; } = "";

    /// <summary>What the prompt says first: what the context is and what is asked.</summary>
    /// <value>Read the context and answer the question.</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "What the prompt says of the context and of what is asked.")]
    [ValidateNotNull]
    public string Introduction { get; set; } = "";

    /// <summary>What the prompt says of the form of an answer.</summary>
    /// <value>The answer and nothing else.</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "What the prompt says of the form of an answer.")]
    [ValidateNotNull]
    public string AnswerFormat { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new RegisterTaskOperation
    {
        Name = Name,
        Content = Type is null ? new ScriptBlockContent(Name, ScriptBlock!.ToString(), Score?.ToString()) : UserType.Create<TaskContent>(Type),
        CodeHash = Type is null ? CodeHash.Of($"{ScriptBlock}\n{Score}") : CodeHash.Of(Type),
        Description = Description,
        Introduction = Introduction,
        AnswerFormat = AnswerFormat,
    }.Execute);
}
