using System.Globalization;
using SparseFrontier.Models.Tokenizers;

namespace SparseFrontier.Tasks;

/// <summary>Where the question stands relative to the context.</summary>
public enum QuestionPosition
{
    /// <summary>Before and after, as the paper's protocol has it.</summary>
    Both,

    /// <summary>Before the context only.</summary>
    First,

    /// <summary>After the context only.</summary>
    Last,
}

/// <summary>How a task's samples are made; every field is part of a run's identity.</summary>
public sealed record TaskOptions
{
    /// <summary>Tokens of the templated prompt at most; samples fill 95 to 100 % of it.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>Seed of the run.</summary>
    public long Seed { get; init; } = 43;

    /// <summary>Disjoint streams of samples: "evaluation", "calibration", "training".</summary>
    public string Split { get; init; } = "evaluation";

    /// <summary>Where the question stands.</summary>
    public QuestionPosition QuestionPosition { get; init; } = QuestionPosition.Both;

    /// <summary>Task parameters by name (queries, chains, hops); the paper's values where absent.</summary>
    public IReadOnlyDictionary<string, double> Parameters { get; init; } = new Dictionary<string, double>();

    /// <summary>Path of the data file or directory of the tasks that read one (Squad, Quality, Toefl).</summary>
    public string? DataPath { get; init; }

    /// <summary>
    /// Whether the instructions take a few dozen tokens rather than some three hundred: the same sections in the same order, the same tags and
    /// answer format. For small models with short contexts.
    /// </summary>
    public bool ShortInstructions { get; init; }
}

/// <summary>One generated sample.</summary>
public sealed record TaskSample
{
    /// <summary>Index in the run.</summary>
    public required int Index { get; init; }

    /// <summary>The prompt before the chat template.</summary>
    public required string Prompt { get; init; }

    /// <summary>
    /// Where the part that may be compressed before the question is known ends in <see cref="Prompt"/> (a character index): everything up to
    /// the end of the context.
    /// </summary>
    public required int ContextEnd { get; init; }

    /// <summary>The gold fields that the scorer needs, as JSON.</summary>
    public required string GoldJson { get; init; }

    /// <summary>
    /// A response that scores 1, in the task's own response format (explanation, then answer): what the log-likelihood of the gold answer is
    /// measured on, and what training targets.
    /// </summary>
    public required string TargetResponse { get; init; }

    /// <summary>Templated prompt tokens.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Token ids of the templated prompt, without special tokens beyond the template's own.</summary>
    public int[] PromptIds { get; init; } = [];
}

/// <summary>What a scorer says of a response.</summary>
/// <param name="Score">0 to 1; null only under reference scoring, where the reference leaves the sample out.</param>
/// <param name="FormatFailure">null, or the kind: "Empty", "NoAnswerTag", "Unparsable".</param>
public sealed record TaskScore(double? Score, string? FormatFailure);

/// <summary>A long-context task: generates samples of a length and scores responses. One file each, registered in <see cref="TaskRegistry"/>.</summary>
public abstract class EvaluationTask
{
    private static readonly string[] s_splits = ["evaluation", "calibration", "training"];

    /// <summary>Name on the command line, in cmdlets and in result rows.</summary>
    public abstract string Name { get; }

    /// <summary>Changes whenever a sample's bytes or a score may change; part of a run's identity.</summary>
    public abstract int Version { get; }

    /// <summary>Names the code of a user's own task by its content; part of a run's identity. Null for the tasks of this project.</summary>
    public virtual string? CodeHash => null;

    /// <summary>What it asks of a model, in one sentence.</summary>
    public abstract string Description { get; }

    /// <summary>"Retrieval", "MultiHop", "Aggregation" or "QuestionAnswering".</summary>
    public abstract string Category { get; }

    /// <summary>"Low" or "High" (paper, section 3).</summary>
    public abstract string Dispersion { get; }

    /// <summary>"Low" or "High" (paper, section 3).</summary>
    public abstract string Scope { get; }

    /// <summary>Name of the metric.</summary>
    public abstract string Metric { get; }

    /// <summary>
    /// The mean score of answers that are chosen without reading the context: 0 where an answer is free text, the share of one option where there is a choice.
    /// Losses from dense attention that scores hardly more cannot be seen.
    /// </summary>
    public virtual double ChanceScore => 0;

    /// <summary>The parameter that takes a sample's words, its template or both from lists that no training sample draws on.</summary>
    private protected static TaskParameter HeldOutMaterial { get; } = new(
        nameof(HeldOut), 0, 0, 3, "Material that no training sample has: 0 none of it, 1 words, 2 the template, 3 both.", HeldOutFrom: 1);

    /// <summary>Approximation window of VerticalSlash and FlexPrefill that the paper uses for the task: 512 or 256 queries.</summary>
    public virtual int ApproximationWindow => 256;

    /// <summary>Parameters with the paper's defaults.</summary>
    public abstract IReadOnlyList<TaskParameter> Parameters { get; }

    /// <summary>Opens the stream of samples of some options; sample i of it is the same whatever was drawn before.</summary>
    /// <param name="options">Length, seed, split, parameters.</param>
    /// <param name="tokenizer">The model's tokenizer: lengths are counted with it.</param>
    /// <param name="template">The model's chat template, if it has one.</param>
    /// <exception cref="SparseFrontierException">SequenceLengthInvalid: the length cannot hold one sample, the message says what would; ParameterInvalid, TaskDataMissing, TaskDataInvalid.</exception>
    public TaskSource Open(TaskOptions options, Tokenizer tokenizer, ChatTemplate? template) =>
        Open(options, PromptEncoder.For(tokenizer, template));

    /// <summary>Opens the stream of samples of some options for any way of templating and tokenising a prompt.</summary>
    /// <exception cref="SparseFrontierException">As the other overload.</exception>
    public TaskSource Open(TaskOptions options, PromptEncoder encoder)
    {
        if (!s_splits.Contains(options.Split))
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"There is no split '{options.Split}'. {NameMatcher.Suggestion(options.Split, s_splits)}", options.Split);
        }

        if (options.SequenceLength < 1)
        {
            throw new SparseFrontierException(
                ErrorIds.SequenceLengthInvalid, $"A sequence length is at least 1 token, not {options.SequenceLength}.", options.SequenceLength);
        }

        IReadOnlyDictionary<string, int> parameters = ResolveParameters(options.Parameters);
        if (options.Split == "training" && Parameters.FirstOrDefault(p => parameters[p.Name] >= p.HeldOutFrom) is { } heldOut)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{heldOut.Name} of {Name} from {heldOut.HeldOutFrom} on is held out of the training split, so that it can show what was not trained on. "
                    + $"Ask for less than {heldOut.HeldOutFrom} or for another split."),
                parameters[heldOut.Name]);
        }

        return Open(options, parameters, encoder);
    }

    /// <summary>Every parameter of the task with its value: the given ones checked, the paper's elsewhere.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: unknown name (the nearest are listed), not a whole number, or out of range.</exception>
    public IReadOnlyDictionary<string, int> ResolveParameters(IReadOnlyDictionary<string, double> given)
    {
        Dictionary<string, int> values = Parameters.ToDictionary(p => p.Name, p => (int)p.Default, StringComparer.OrdinalIgnoreCase);
        foreach ((string name, double value) in given)
        {
            TaskParameter parameter = Parameters.FirstOrDefault(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                ?? throw new SparseFrontierException(
                    ErrorIds.ParameterInvalid,
                    Parameters.Count == 0
                        ? $"{Name} has no parameters, so '{name}' cannot be set."
                        : $"{Name} has no parameter '{name}'. {NameMatcher.Suggestion(name, [.. Parameters.Select(p => p.Name)])}",
                    name);
            if (!(value >= parameter.Minimum && value <= parameter.Maximum && value == Math.Floor(value)))
            {
                throw new SparseFrontierException(
                    ErrorIds.ParameterInvalid,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{parameter.Name} of {Name} is a whole number from {parameter.Minimum} to {parameter.Maximum}, not {value}."),
                    value);
            }

            values[parameter.Name] = (int)value;
        }

        return values;
    }

    /// <summary>Opens the stream once the options are known to be in range.</summary>
    /// <param name="options">Length, seed, split, data path.</param>
    /// <param name="parameters">Every parameter by name.</param>
    /// <param name="encoder">Template and tokenizer.</param>
    protected abstract TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder);

    /// <summary>Whether samples come from a data file (<see cref="TaskOptions.DataPath"/>) rather than from a generator.</summary>
    public virtual bool ReadsData => false;

    /// <summary>The data file that the options name, whose content is part of a run's identity; null where the task reads none.</summary>
    /// <exception cref="SparseFrontierException">TaskDataMissing; the message says where to get it.</exception>
    public virtual string? DataFile(TaskOptions options) => null;

    /// <summary>Scores a response.</summary>
    /// <param name="goldJson">The gold fields.</param>
    /// <param name="response">The model's output.</param>
    /// <param name="referenceScoring">Whether to score as the paper's code does, defects included.</param>
    public abstract TaskScore Score(string goldJson, string response, bool referenceScoring = false);
}

/// <summary>A task's parameter.</summary>
/// <param name="Name">Name.</param>
/// <param name="Default">The paper's value.</param>
/// <param name="Minimum">Smallest value allowed.</param>
/// <param name="Maximum">Largest value allowed.</param>
/// <param name="Description">What it does.</param>
/// <param name="HeldOutFrom">The value from which on samples are held out: the training split refuses them. Null: none are.</param>
public sealed record TaskParameter(string Name, double Default, double Minimum, double Maximum, string Description, double? HeldOutFrom = null);

/// <summary>An opened stream of samples.</summary>
public abstract class TaskSource
{
    /// <summary>The sample at an index; deterministic, any order, thread-safe.</summary>
    /// <exception cref="SparseFrontierException">SequenceLengthInvalid: this sample alone does not fit, the message says what would.</exception>
    public abstract TaskSample Generate(int index);

    /// <summary>The sample at an index, filled to another length than the stream's.</summary>
    /// <exception cref="SparseFrontierException">As the other overload.</exception>
    public abstract TaskSample Generate(int index, int sequenceLength);

    /// <summary>
    /// The sample at an index, filled to another length than the stream's, and further questions on its context, each with a target response:
    /// what a trainer gives as later turns of the same conversation.
    /// </summary>
    /// <param name="index">Index of the sample.</param>
    /// <param name="sequenceLength">Tokens of the templated prompt at most; further turns come on top.</param>
    /// <param name="turns">Questions in all at most, 1 or more. A task that has no more questions on a context gives none.</param>
    /// <exception cref="SparseFrontierException">As the other overloads.</exception>
    public virtual (TaskSample Sample, IReadOnlyList<(string Prompt, string Target)> Further) Generate(int index, int sequenceLength, int turns) =>
        (Generate(index, sequenceLength), []);

    /// <summary>The shortest sequence that holds a sample.</summary>
    public abstract int MinimumLength { get; }

    /// <summary>How many samples there are; null if without end.</summary>
    public virtual int? Count => null;
}

/// <summary>All tasks by name. A new task is one file and one line here. Users' own tasks are registered at run time, for the process.</summary>
public static class TaskRegistry
{
    private static readonly Lock s_registering = new();
    private static EvaluationTask[] s_user = [];

    private static readonly EvaluationTask[] s_tasks =
    [
        new Niah(),
        new VariableTracking(),
        new CommonWords(),
        new StoryRetrieval(),
        new StoryMultiHop(),
        new StoryFiltering(),
        new Squad(),
        new Quality(),
        new Toefl(),
    ];

    /// <summary>The tasks in the paper's order, then users' own.</summary>
    public static IReadOnlyList<EvaluationTask> Tasks => [.. s_tasks, .. s_user];

    /// <summary>Finds a task.</summary>
    /// <exception cref="SparseFrontierException">TaskNotFound; the message lists the nearest names.</exception>
    public static EvaluationTask Find(string name) =>
        Tasks.FirstOrDefault(t => t.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new SparseFrontierException(
            ErrorIds.TaskNotFound, $"There is no task '{name}'. {NameMatcher.Suggestion(name, [.. Tasks.Select(t => t.Name)])}", name);

    /// <summary>The tasks that names and wildcards stand for, each once.</summary>
    /// <exception cref="SparseFrontierException">TaskNotFound: a name without wildcards that no task has.</exception>
    public static IEnumerable<EvaluationTask> FindAll(IEnumerable<string> names) => names
        .SelectMany(name => NameMatcher.IsPattern(name) ? Tasks.Where(t => NameMatcher.Matches(t.Name, name)) : [Find(name)])
        .Distinct();

    /// <summary>Adds a user's own task; one of the same name that a user registered before is replaced.</summary>
    /// <exception cref="SparseFrontierException">NameTaken: a task of this project has the name.</exception>
    internal static void Register(EvaluationTask task)
    {
        if (s_tasks.Any(t => t.Name.Equals(task.Name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new SparseFrontierException(ErrorIds.NameTaken, $"'{task.Name}' is a task of this project. Give yours another name.", task.Name);
        }

        Remove(task.Name);
        lock (s_registering)
        {
            s_user = [.. s_user, task];
        }
    }

    /// <summary>Takes a user's own task away.</summary>
    internal static void Remove(string name)
    {
        lock (s_registering)
        {
            s_user = [.. s_user.Where(t => !t.Name.Equals(name, StringComparison.OrdinalIgnoreCase))];
        }
    }
}
