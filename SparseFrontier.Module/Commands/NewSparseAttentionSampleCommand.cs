using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Makes samples of tasks: the prompt that a model is asked, what its answer is compared with, and a response that scores 1.</summary>
/// <remarks>
/// Nothing is run and nothing is written; of the model only the tokenizer and the chat template are read. The same task, length, seed and model give the same
/// samples as Invoke-SparseAttentionRun asks.
/// </remarks>
/// <example>
/// Reads what a model is asked.
/// <code>(New-SparseAttentionSample VariableTracking -SequenceLength 1024 -ShortInstructions).Prompt</code>
/// </example>
/// <example>
/// Compares the lengths of prompts with what was asked for.
/// <code>New-SparseAttentionSample Niah, VariableTracking -SequenceLength 2kb, 4kb -SampleCount 3 -ShortInstructions | Format-Table Task, SequenceLength, Index, PromptTokens</code>
/// </example>
/// <example>
/// Makes samples with another number of queries, and writes them as JSON lines.
/// <code>New-SparseAttentionSample Niah -TaskParameter @{ Queries = 2 } -SampleCount 2 | ForEach-Object { $_ | ConvertTo-Json -Compress } | Set-Content samples.jsonl</code>
/// </example>
[Cmdlet(VerbsCommon.New, "SparseAttentionSample")]
[OutputType(typeof(SparseAttentionSample))]
public sealed class NewSparseAttentionSampleCommand : SparseFrontierCmdlet
{
    /// <summary>Tasks to make samples of, by name.</summary>
    /// <value>Niah</value>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Tasks; wildcards match.")]
    [Alias("Name")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    public string[] Task { get; set; } = [];

    /// <summary>Lengths of the prompts, in tokens. Samples fill 95 to 100 % of a length.</summary>
    /// <value>2048</value>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true, HelpMessage = "Prompt lengths, in tokens.")]
    [NumberTransformation(typeof(int))]
    [Alias("Length")]
    public int[] SequenceLength { get; set; } = [];

    /// <summary>Checkpoint directories or names of models, whose tokenizer and chat template make the prompts.</summary>
    /// <value>The embedded model</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Checkpoint directories or names of embedded models; without it the default embedded model.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    public string[] Model { get; set; } = [];

    /// <summary>Samples of each task, length and seed.</summary>
    /// <value>1</value>
    [Parameter(HelpMessage = "Samples of each task, length and seed.")]
    [NumberTransformation(typeof(int), IsSingle = true)]
    public int? SampleCount { get; set; }

    /// <summary>Seeds of the samples.</summary>
    /// <value>43</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Seeds of the samples.")]
    [NumberTransformation(typeof(long))]
    public long[] Seed { get; set; } = [];

    /// <summary>Parameters of the tasks: @{ Queries = 4 }, or 'Queries=4'.</summary>
    /// <value>The defaults of the tasks, as Get-SparseAttentionTask shows them</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Parameters of the tasks: @{ Queries = 4 } or 'Queries=4'.")]
    [ParameterTransformation]
    [ArgumentCompleter(typeof(TaskParameterCompleter))]
    [Alias("TaskParameters")]
    public string TaskParameter { get; set; } = "";

    /// <summary>Where the question stands: before the context (First), after it (Last) or in both places (Both).</summary>
    /// <value>Both</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Where the question stands: before the context (First), after it (Last) or Both.")]
    [ValidateSet("Both", "First", "Last")]
    public string QuestionPosition { get; set; } = "Both";

    /// <summary>Makes prompts with the short form of the instructions.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Use the short form of the instructions.")]
    [SwitchTransformation]
    public SwitchParameter ShortInstructions { get; set; }

    /// <summary>Data file or folder of the tasks that read one: Squad, Quality, Toefl.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Data file or folder of the tasks that read one: Squad, Quality, Toefl.")]
    public string? TaskDataPath { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new NewSampleOperation
    {
        Task = Given(Task),
        Model = [.. Given(Model).SelectMany(ResolveModel)],
        SequenceLength = SequenceLength ?? [],
        SampleCount = SampleCount ?? 1,
        Seed = Seed ?? [],
        TaskParameter = TaskParameter,
        QuestionPosition = QuestionPosition.Length > 0 ? QuestionPosition : "Both",
        ShortInstructions = ShortInstructions,
        TaskDataPath = string.IsNullOrEmpty(TaskDataPath) ? null : ResolveOutput(TaskDataPath),
    }.Execute);
}
