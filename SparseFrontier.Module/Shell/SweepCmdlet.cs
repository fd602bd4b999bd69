using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments;

namespace SparseFrontier.Shell;

/// <summary>The parameters that describe a grid of runs. Each also binds by property name, so that the rows of a table are runs.</summary>
public abstract class SweepCmdlet : SparseFrontierCmdlet
{
    /// <summary>
    /// Prefill methods, or decode methods to run with a dense prefill. A method is a name (Quest), a table with a name and parameters (@{ Name =
    /// 'Quest'; PageSize = 32 }), or what Get-SparseAttentionMethod emits.
    /// </summary>
    /// <remarks>Wildcards match all methods but controls, which have to be named.</remarks>
    /// <value>The methods of the default comparison: Dense, VerticalSlash, BlockSparse, FlexPrefill, SnapKV, AdaSnapKV and Quest.</value>
    [Parameter(
        Position = 0,
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Prefill methods, or decode methods to run with a dense prefill: 'Quest' or @{ Name = 'Quest'; PageSize = 32 }; wildcards match all but controls.")]
    [MethodTransformation]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    public string[] Method { get; set; } = [];

    /// <summary>Tasks to evaluate on, by name.</summary>
    /// <value>Niah; in the default comparison StoryFiltering</value>
    [Parameter(
        Position = 1,
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Tasks; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    public string[] Task { get; set; } = [];

    /// <summary>Checkpoint directories, or names of models that Get-SparseAttentionModel lists.</summary>
    /// <value>The embedded model</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Checkpoint directories or names of embedded models; without it the default embedded model.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    public string[] Model { get; set; } = [];

    /// <summary>Decode methods to combine with every prefill method of -Method. They are given as in -Method.</summary>
    /// <remarks>Wildcards match all decode methods but controls, which have to be named.</remarks>
    /// <value>Dense</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Decode methods to combine with every prefill method; wildcards match all but controls.")]
    [MethodTransformation]
    [ArgumentCompleter(typeof(DecodeMethodCompleter))]
    [SupportsWildcards]
    public string[] DecodeMethod { get; set; } = [];

    /// <summary>Lengths of the prompts, in tokens. Samples fill 95 to 100 % of a length; 4kb is PowerShell's way to write 4096.</summary>
    /// <value>2048</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Prompt lengths, in tokens.")]
    [NumberTransformation(typeof(int))]
    [Alias("Length")]
    public int[] SequenceLength { get; set; } = [];

    /// <summary>
    /// Sparsities asked of the prefill method, from 0 to below 1: 0.9 leaves out nine tenths of the query-key pairs. Where only the decode method
    /// is sparse they are asked of that.
    /// </summary>
    /// <remarks>
    /// Each is solved into the method's own budget at each prompt's length. Without it methods run with the budget that their parameters set.
    /// </remarks>
    /// <value>None; in the default comparison 0.5 and 0.85</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Sparsities of the prefill method, 0 to 1; of the decode method where that is the only sparse one.")]
    [NumberTransformation(typeof(double))]
    public double[] Sparsity { get; set; } = [];

    /// <summary>Sparsities asked of the decode method, from 0 to below 1: 0.9 leaves out nine tenths of the cached tokens.</summary>
    /// <remarks>Needed only where both phases are sparse.</remarks>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Sparsities of the decode method, 0 to 1.")]
    [NumberTransformation(typeof(double))]
    public double[] DecodeSparsity { get; set; } = [];

    /// <summary>
    /// Parameters of the methods: @{ PageSize = 32 }, or 'PageSize=32'. A nested table, @{ Quest = @{ PageSize = 32 } }, is for one method only.
    /// </summary>
    /// <remarks>Every parameter must belong to at least one of the methods. Tab completes the names with their defaults as text, not within a table.</remarks>
    /// <value>The defaults of the methods, as Get-SparseAttentionMethod shows them</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Parameters of the methods: @{ PageSize = 32 }, @{ Quest = @{ PageSize = 32 } } or 'PageSize=32'.")]
    [ParameterTransformation]
    [ArgumentCompleter(typeof(MethodParameterCompleter))]
    [Alias("Parameters")]
    public string Parameter { get; set; } = "";

    /// <summary>Parameters of the tasks: @{ Queries = 4 }, or 'Queries=4'.</summary>
    /// <remarks>Tab completes the names with their defaults as text, not within a table.</remarks>
    /// <value>The defaults of the tasks, as Get-SparseAttentionTask shows them</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Parameters of the tasks: @{ Queries = 4 } or 'Queries=4'.")]
    [ParameterTransformation]
    [ArgumentCompleter(typeof(TaskParameterCompleter))]
    [Alias("TaskParameters")]
    public string TaskParameter { get; set; } = "";

    /// <summary>Samples of each run. It is not part of a run's identity: 500 after 100 computes the other 400.</summary>
    /// <value>20; in the default comparison 16</value>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Samples of each run.")]
    [NumberTransformation(typeof(int), IsSingle = true)]
    public int? SampleCount { get; set; }

    /// <summary>Tokens that the answer to a sample may have at most.</summary>
    /// <value>1024; in the default comparison 512</value>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Output tokens of a sample at most.")]
    [NumberTransformation(typeof(int), IsSingle = true)]
    public int? MaximumOutputTokens { get; set; }

    /// <summary>Seeds of the samples: each seed is a run of its own, with samples unrelated to another seed's.</summary>
    /// <value>43</value>
    [Parameter(ParameterSetName = ParameterSets.Parameters, ValueFromPipelineByPropertyName = true, HelpMessage = "Seeds of the samples.")]
    [NumberTransformation(typeof(long))]
    public long[] Seed { get; set; } = [];

    /// <summary>Where the question stands: before the context (First), after it (Last) or in both places (Both).</summary>
    /// <value>Both; Last where -CompressBefore is Question</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Where the question stands: before the context (First), after it (Last) or Both.")]
    [ValidateSet("Both", "First", "Last")]
    public string QuestionPosition { get; set; } = "";

    /// <summary>
    /// What the cache is compressed before. With Question the compressor sees the context alone, and the question goes through the decode path,
    /// as when one context serves many questions.
    /// </summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Question: the cache is compressed on the context alone and the question goes through the decode path.")]
    [ValidateSet("None", "Question")]
    public string CompressBefore { get; set; } = "None";

    /// <summary>Layers left dense, counted from 0.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Layers left dense, counted from 0.")]
    [NumberTransformation(typeof(int))]
    [Alias("DenseLayers")]
    public int[] DenseLayer { get; set; } = [];

    /// <summary>
    /// How budgets vary with layer, KV head, length and step, such as 'layer:0-1 dense | head:3 x0.5': the first rule that matches multiplies the
    /// budget or makes attention dense. It stands instead of -DenseLayer.
    /// </summary>
    /// <value>Uniform</value>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "How budgets vary with layer, KV head, length and step, such as 'layer:0-1 dense | head:3 x0.5'; stands instead of -DenseLayer.")]
    [ArgumentCompleter(typeof(BudgetScheduleCompleter))]
    public string BudgetSchedule { get; set; } = "";

    /// <summary>
    /// Runs a sample dense where its length cannot hold the method's forced set, instead of calling the run infeasible. Such samples are counted
    /// in FallbackCount, and such rows stay out of frontiers.
    /// </summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Run a length too short for a budget dense instead of calling it infeasible; such rows are marked.")]
    [SwitchTransformation]
    public SwitchParameter AllowDenseFallback { get; set; }

    /// <summary>Scores answers as the paper's code does, its defects included.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Score as the paper's code does, its defects included.")]
    [SwitchTransformation]
    public SwitchParameter ReferenceScoring { get; set; }

    /// <summary>Uses the short form of the instructions in prompts, for small models with short contexts.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Use the short form of the instructions in prompts.")]
    [SwitchTransformation]
    public SwitchParameter ShortInstructions { get; set; }

    /// <summary>
    /// Device to compute on, as Get-SparseAttentionDevice lists it. Samples are spread over several GPUs, each with a worker process: cuda:0, cuda:1, or cuda:all. A model
    /// that does not fit one of them has its layers spread over as few as hold it. The device is no part of what a run is: a cmdlet that takes specifications uses it instead of theirs.
    /// </summary>
    /// <value>cpu; where a cmdlet takes specifications, that of each</value>
    [Parameter(
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Device to compute on: cpu or cuda:0; samples are spread over several GPUs (cuda:0, cuda:1 or cuda:all).")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    public string[] Device { get; set; } = ["cpu"];

    /// <summary>Data file or folder of the tasks that read one: Squad, Quality, Toefl.</summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "Data file or folder of the tasks that read one: Squad, Quality, Toefl.")]
    public string? TaskDataPath { get; set; }

    /// <summary>
    /// The paper's own grid (Paper), its ablations (Ablation), or the grid of docs/findings.md on the embedded models, for a GPU (Findings) or two cores (FindingsSmall),
    /// restricted to what other parameters name.
    /// </summary>
    [Parameter(
        ParameterSetName = ParameterSets.Parameters,
        HelpMessage = "The paper's own grid (Paper), its ablations (Ablation), or the grid of docs/findings.md for a GPU (Findings) or two cores (FindingsSmall).")]
    public SweepPreset? Preset { get; set; }

    /// <summary>Bound by results and points alone, which say what was measured.</summary>
    [Parameter(
        DontShow = true,
        ParameterSetName = ParameterSets.Parameters,
        ValueFromPipelineByPropertyName = true,
        HelpMessage = "What results carry; they are refused, because their sparsities were measured, not asked for.")]
    public object? PrefillSparsity { get; set; }

    /// <summary>The grid that the parameters describe.</summary>
    /// <exception cref="SparseFrontierException">RunSpecificationInvalid: a record of a pipeline that names no method, or is a result. ParameterInvalid: a parameter of the command line without a value.</exception>
    private protected SweepDefinition Sweep()
    {
        RequireValues();
        if (MyInvocation.BoundParameters.ContainsKey(nameof(PrefillSparsity)))
        {
            throw new SparseFrontierException(
                ErrorIds.RunSpecificationInvalid,
                "What came through the pipeline is a result: its sparsities were measured, and running them is another run. For more samples of a run give the same command with a larger -SampleCount, finished ones are kept; "
                + "for the same run its specification: $rows | ForEach-Object { Get-Content (Join-Path $_.Path spec.json) -Raw | ConvertFrom-Json } | Invoke-SparseAttentionRun.");
        }

        if (MyInvocation.ExpectingInput && Given(Method).Length == 0 && Given(DecodeMethod).Length == 0 && Preset is null)
        {
            throw new SparseFrontierException(
                ErrorIds.RunSpecificationInvalid,
                "What came through the pipeline names no method, so that the default comparison would be run and not what it says. Its columns are matched by name: "
                + "Method or DecodeMethod, Task, SequenceLength, Sparsity, ...; or name methods with -Method.");
        }

        return new SweepDefinition
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
            BudgetSchedule = BudgetSchedule ?? "",
            AllowDenseFallback = AllowDenseFallback,
            ReferenceScoring = ReferenceScoring,
            ShortInstructions = ShortInstructions,
            Device = Given(Device) is { Length: > 0 } devices ? string.Join(',', devices) : "cpu",
            TaskDataPath = string.IsNullOrEmpty(TaskDataPath) ? null : ResolveOutput(TaskDataPath),
            Preset = Preset,
        };
    }

    // On the command line nothing is what a variable holds that was never set: the default in its place would be another experiment than the one that was written.
    // An empty model is the default's name in specifications and plans.
    private void RequireValues()
    {
        foreach ((string name, string[]? values) in new (string, string[]?)[] { (nameof(Method), Method), (nameof(DecodeMethod), DecodeMethod), (nameof(Task), Task), (nameof(Model), Model is null ? null : [ModelCatalog.DefaultName]) })
        {
            if (MyInvocation.BoundParameters.ContainsKey(name) && !MyInvocation.ExpectingInput && Given(values).Length == 0)
            {
                throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"-{name} was given, but no value: null or an empty text, as a variable holds that was not set. Leave -{name} out for its default.", name);
            }
        }
    }
}
