using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary>The options that describe a grid of runs.</summary>
internal sealed class SweepOptions
{
    private readonly Option<string[]> _model = Options.Texts("--model", "Checkpoint directories or names of embedded models.", "M");
    private readonly Option<string[]> _method = Options.Texts("--method", "Prefill methods, or decode methods to run with a dense prefill; * for all but controls; Quest;PageSize=32 sets parameters.", "A,B");
    private readonly Option<string[]> _decodeMethod = Options.Texts("--decode-method", "Decode methods to combine with every prefill method.", "A,B");
    private readonly Option<string[]> _task = Options.Texts("--task", "Tasks; without it Niah, and StoryFiltering where no methods are named.", "T");
    private readonly Option<int[]> _length = Options.Integers("--length", "Prompt lengths, in tokens.", "N");
    private readonly Option<double[]> _sparsity = Options.Numbers("--sparsity", "Sparsities of the prefill method, 0 to 1; of the decode method where that is the only sparse one.", "s,...");
    private readonly Option<double[]> _decodeSparsity = Options.Numbers("--decode-sparsity", "Sparsities of the decode method, 0 to 1.", "s,...");
    private readonly Option<string[]> _parameter = Options.Assignments("--parameter", "Parameters of the methods; Method.Name=value for one method.");
    private readonly Option<string[]> _taskParameter = Options.Assignments("--task-parameter", "Parameters of the tasks.");
    private readonly Option<int?> _samples = new("--samples") { Description = "Samples of each run.", HelpName = "n" };
    private readonly Option<int?> _maximumOutput = new("--max-output") { Description = "Output tokens of a sample at most.", HelpName = "n" };
    private readonly Option<long[]> _seed = Options.Longs("--seed", "Seeds of the samples.", "n");
    private readonly Option<string> _device = Options.Text("--device", "Device to compute on: cpu or cuda:0; samples are spread over several GPUs (cuda:0,cuda:1 or cuda:all).", "D", "cpu");
    private readonly Option<string> _questionPosition = Options.Text("--question-position", "Where the question stands: Both, First or Last; without it Both, or Last under --compress-before Question.", "P", "");
    private readonly Option<string> _compressBefore = Options.Text("--compress-before", "None, or Question: the cache is compressed before the question is known.", "P", "None");
    private readonly Option<int[]> _denseLayer = Options.Integers("--dense-layer", "Layers left dense, counted from 0.", "i,...");
    private readonly Option<string> _budgetSchedule = Options.Text("--budget-schedule", "How budgets vary with layer, KV head, length and step, such as 'layer:0-1 dense | head:3 x0.5'; stands instead of --dense-layer.", "RULES");
    private readonly Option<bool> _allowDenseFallback = new("--allow-dense-fallback") { Description = "Run a length too short for a budget dense instead of calling it infeasible." };
    private readonly Option<bool> _referenceScoring = new("--reference-scoring") { Description = "Score as the paper's code does, its defects included." };
    private readonly Option<bool> _shortInstructions = new("--short-instructions") { Description = "Use the short form of the instructions in prompts." };
    private readonly Option<string?> _taskData = new("--task-data") { Description = "Data file or folder of the tasks that read one: Squad, Quality, Toefl.", HelpName = "PATH" };
    private readonly Option<string?> _preset = new("--preset") { Description = "The paper's own grid (paper), its ablations (ablation), or the grid of docs/findings.md on the embedded models, for a GPU (findings) or two cores (findings-small), restricted to what other options name.", HelpName = string.Join('|', Options.Words<SweepPreset>()) };

    /// <summary>Runs that are written down, instead of a grid.</summary>
    public Option<string?> Input { get; } = new("--input")
    {
        Description = "File of runs, one as JSON a line, as run --what-if --json writes them and spec.json holds them under Specification, or - for standard input; instead of a grid. --device moves them to another device.",
        HelpName = "FILE",
    };

    private Option[] All =>
    [
        _model, _method, _decodeMethod, _task, _length, _sparsity, _decodeSparsity, _parameter, _taskParameter, _samples, _maximumOutput,
        _seed, _device, _preset, _questionPosition, _compressBefore, _denseLayer, _budgetSchedule, _allowDenseFallback, _referenceScoring,
        _shortInstructions, _taskData,
    ];

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in All)
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Adds the options and <see cref="Input"/> to a command.</summary>
    public void AddWithInputTo(Command command)
    {
        AddTo(command);
        command.Options.Add(Input);
    }

    /// <summary>The runs of a file where one is named, else of the grid.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: a file and a grid; whatever is wrong with either.</exception>
    public List<RunSpecification> Runs(ParseResult parsed, ConsoleSink sink, CancellationToken token)
    {
        string? file = parsed.GetValue(Input);
        if (file is null)
        {
            return Specifications(parsed, sink, token);
        }

        if (All.FirstOrDefault(o => o != _device && parsed.GetResult(o) is { Implicit: false }) is { } given)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"{Input.Name} and {given.Name} both say what to run. Give one of them.", given.Name);
        }

        var specifications = new List<RunSpecification>();
        sink.Receiver = item => specifications.Add((RunSpecification)item);
        new ReadRunsOperation
        {
            Path = file == "-" ? "standard input" : file,
            Content = file == "-" ? StandardStreams.ReadInput(token) : null,
            Device = parsed.GetResult(_device) is { Implicit: false } ? parsed.GetValue(_device)! : "",
        }.Execute(sink, token);
        sink.Receiver = null;
        return specifications;
    }

    /// <summary>The runs of the grid.</summary>
    public List<RunSpecification> Specifications(ParseResult parsed, ConsoleSink sink, CancellationToken token, string? defaultMethod = null)
    {
        var specifications = new List<RunSpecification>();
        sink.Receiver = item => specifications.Add((RunSpecification)item);
        SweepDefinition grid = Read(parsed);
        bool named = grid.Method.Count + grid.DecodeMethod.Count > 0 || grid.Preset is not null || defaultMethod is null;
        new NewSweepOperation { Sweep = named ? grid : grid with { Method = [defaultMethod!] } }.Execute(sink, token);
        sink.Receiver = null;
        return specifications;
    }

    /// <summary>The grid.</summary>
    public SweepDefinition Read(ParseResult parsed) => new()
    {
        Model = parsed.GetValue(_model)!,
        Method = parsed.GetValue(_method)!,
        DecodeMethod = parsed.GetValue(_decodeMethod)!,
        Task = parsed.GetValue(_task)!,
        SequenceLength = parsed.GetValue(_length)!,
        Sparsity = parsed.GetValue(_sparsity)!,
        DecodeSparsity = parsed.GetValue(_decodeSparsity)!,
        Parameter = string.Join(';', parsed.GetValue(_parameter)!),
        TaskParameter = string.Join(';', parsed.GetValue(_taskParameter)!),
        SampleCount = parsed.GetValue(_samples),
        MaximumOutputTokens = parsed.GetValue(_maximumOutput),
        Seed = parsed.GetValue(_seed)!,
        Device = parsed.GetValue(_device)!,
        QuestionPosition = parsed.GetValue(_questionPosition)!,
        CompressBefore = parsed.GetValue(_compressBefore)!,
        DenseLayer = parsed.GetValue(_denseLayer)!,
        BudgetSchedule = parsed.GetValue(_budgetSchedule)!,
        AllowDenseFallback = parsed.GetValue(_allowDenseFallback),
        ReferenceScoring = parsed.GetValue(_referenceScoring),
        ShortInstructions = parsed.GetValue(_shortInstructions),
        TaskDataPath = parsed.GetValue(_taskData),
        Preset = parsed.GetValue(_preset) is { } preset ? Options.Enumeration<SweepPreset>(preset, "--preset") : null,
    };
}
