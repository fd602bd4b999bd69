using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments;

namespace SparseFrontier.Shell;

/// <summary>The parameters that describe a grid of runs. Each also binds by property name, so that the rows of a table are runs.</summary>
public abstract class SweepCmdlet : SparseFrontierCmdlet
{
    /// <summary>Methods.</summary>
    [Parameter(
        Position = 0,
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Prefill methods, or decode methods to run with a dense prefill: 'Quest' or @{ Name = 'Quest'; PageSize = 32 }; wildcards match all but controls.")]
    [MethodTransformation]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    public string[] Method { get; set; } = [];

    /// <summary>Tasks.</summary>
    [Parameter(
        Position = 1,
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Tasks; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    public string[] Task { get; set; } = [];

    /// <summary>Models.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Checkpoint directories or names of embedded models; without it the default embedded model.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    public string[] Model { get; set; } = [];

    /// <summary>Decode methods.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Decode methods to combine with every prefill method; wildcards match all but controls.")]
    [MethodTransformation]
    [ArgumentCompleter(typeof(DecodeMethodCompleter))]
    [SupportsWildcards]
    public string[] DecodeMethod { get; set; } = [];

    /// <summary>Prompt lengths, in tokens.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Prompt lengths, in tokens.")]
    [NumberTransformation]
    [Alias("Length")]
    public int[] SequenceLength { get; set; } = [];

    /// <summary>Sparsities asked for, 0 to 1.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Sparsities of the prefill method, 0 to 1; of the decode method where that is the only sparse one.")]
    [NumberTransformation]
    public double[] Sparsity { get; set; } = [];

    /// <summary>Sparsities asked of the decode method, 0 to 1.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Sparsities of the decode method, 0 to 1.")]
    [NumberTransformation]
    public double[] DecodeSparsity { get; set; } = [];

    /// <summary>Parameters of the methods.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Parameters of the methods: @{ PageSize = 32 }, @{ Quest = @{ PageSize = 32 } } or 'PageSize=32'.")]
    [ParameterTransformation]
    [ArgumentCompleter(typeof(MethodParameterCompleter))]
    [Alias("Parameters")]
    public string Parameter { get; set; } = "";

    /// <summary>Parameters of the tasks.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Parameters of the tasks: @{ Queries = 4 } or 'Queries=4'.")]
    [ParameterTransformation]
    [ArgumentCompleter(typeof(TaskParameterCompleter))]
    [Alias("TaskParameters")]
    public string TaskParameter { get; set; } = "";

    /// <summary>Samples of each run.</summary>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Samples of each run.")]
    public int? SampleCount { get; set; }

    /// <summary>Output tokens at most.</summary>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Output tokens of a sample at most.")]
    public int? MaximumOutputTokens { get; set; }

    /// <summary>Seeds of the samples.</summary>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Seeds of the samples.")]
    [NumberTransformation]
    public long[] Seed { get; set; } = [];

    /// <summary>Where the question stands.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Where the question stands: before the context (First), after it (Last) or Both.")]
    [ValidateSet("Both", "First", "Last")]
    public string QuestionPosition { get; set; } = "";

    /// <summary>What the cache is compressed before.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Question: the cache is compressed on the context alone and the question goes through the decode path.")]
    [ValidateSet("None", "Question")]
    public string CompressBefore { get; set; } = "None";

    /// <summary>Layers left dense.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Layers left dense, counted from 0.")]
    [NumberTransformation]
    [Alias("DenseLayers")]
    public int[] DenseLayer { get; set; } = [];

    /// <summary>How budgets vary with layer, KV head, length and step.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "How budgets vary with layer, KV head, length and step, such as 'layer:0-1 dense | head:3 x0.5'; stands instead of -DenseLayer.")]
    public string BudgetSchedule { get; set; } = "";

    /// <summary>Whether a length too short for a budget runs dense.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Run a length too short for a budget dense instead of calling it infeasible; such rows are marked.")]
    [SwitchTransformation]
    public SwitchParameter AllowDenseFallback { get; set; }

    /// <summary>Whether scores follow the paper's code.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Score as the paper's code does, its defects included.")]
    [SwitchTransformation]
    public SwitchParameter ReferenceScoring { get; set; }

    /// <summary>Whether prompts carry the short instructions.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Use the short form of the instructions in prompts.")]
    [SwitchTransformation]
    public SwitchParameter ShortInstructions { get; set; }

    /// <summary>Device to compute on.</summary>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Device to compute on: cpu or cuda:0.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    public string Device { get; set; } = "cpu";

    /// <summary>Data file of the tasks that read one.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Data file or folder of the tasks that read one: Squad, Quality, Toefl.")]
    public string? TaskDataPath { get; set; }

    /// <summary>The paper's own grid.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        HelpMessage = "The paper's own grid (Paper) or its ablations (Ablation), restricted to what other parameters name.")]
    [ValidateSet("Paper", "Ablation")]
    public string? Preset { get; set; }

    /// <summary>The grid that the parameters describe.</summary>
    private protected SweepDefinition Sweep() => new()
    {
        Method = Given(Method),
        DecodeMethod = Given(DecodeMethod),
        Model = [.. Given(Model).SelectMany(ResolveModel)],
        Task = Given(Task),
        SequenceLength = SequenceLength ?? [],
        Sparsity = Sparsity ?? [],
        DecodeSparsity = DecodeSparsity ?? [],
        Parameter = Parameter,
        TaskParameter = TaskParameter,
        SampleCount = SampleCount,
        MaximumOutputTokens = MaximumOutputTokens,
        Seed = Seed ?? [],
        QuestionPosition = QuestionPosition,
        CompressBefore = CompressBefore,
        DenseLayer = DenseLayer ?? [],
        BudgetSchedule = BudgetSchedule,
        AllowDenseFallback = AllowDenseFallback,
        ReferenceScoring = ReferenceScoring,
        ShortInstructions = ShortInstructions,
        Device = Device,
        TaskDataPath = string.IsNullOrEmpty(TaskDataPath) ? null : ResolveOutput(TaskDataPath),
        Preset = Preset,
    };

    // An empty cell of a table is nothing given; PowerShell makes null of an empty array that a transformation returns.
    private static string[] Given(string[]? values) => [.. (values ?? []).Where(v => !string.IsNullOrEmpty(v))];
}
