using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>A task made of a user's own code: the protocol of the prompt is that of the other tasks.</summary>
internal sealed class UserTask(string name, string description, string introduction, string answerFormat, string codeHash, TaskContent content) : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override int Version => 1;

    /// <summary>The code, and the texts that prompts are made of.</summary>
    public override string? CodeHash { get; } = SparseFrontier.CodeHash.Of($"{codeHash}\n{introduction}\n{answerFormat}");

    /// <inheritdoc/>
    public override string Description => description;

    /// <inheritdoc/>
    public override string Category => "User";

    /// <inheritdoc/>
    public override string Dispersion => "";

    /// <inheritdoc/>
    public override string Scope => "";

    /// <inheritdoc/>
    public override string Metric => "User";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } = [];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder) =>
        new Source(this, options, encoder, new PromptWording
        {
            Introduction = introduction,
            AnswerFormat = answerFormat,
            ShortIntroduction = introduction,
            ShortAnswerFormat = answerFormat,
        });

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        string gold = Gold.Read<string>(goldJson, "answer", Name);
        string? answer = AnswerParsing.Answer(response);
        double score = answer is null ? 0 : Guard(() => content.Score(gold, answer.Trim()));
        return score is >= 0 and <= 1
            ? new TaskScore(score, AnswerParsing.FormatFailure(response, answer, 1))
            : throw Invalid(FormattableString.Invariant($"scored {score}; a score is from 0 to 1"));
    }

    private ContentSample Create(int seed, int units)
    {
        ContentSample? sample = Guard(() => content.Create(seed, units));
        return string.IsNullOrWhiteSpace(sample?.Context) || string.IsNullOrWhiteSpace(sample.Question) || string.IsNullOrWhiteSpace(sample.Answer)
            ? throw Invalid("made a sample without Context, Question or Answer")
            : sample;
    }

    private T Guard<T>(Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception e) when (e is not (SparseFrontierException or OperationCanceledException))
        {
            throw new SparseFrontierException(ErrorIds.ScoresInvalid, $"The code of the task {Name} failed: {e.Message}", Name, e);
        }
    }

    private SparseFrontierException Invalid(string what) => new(ErrorIds.ScoresInvalid, $"The code of the task {Name} {what}.", Name);

    private sealed class Source : GeneratedSource
    {
        private readonly UserTask _task;

        public Source(UserTask task, TaskOptions options, PromptEncoder encoder, PromptWording wording)
            : base(task, options, encoder, wording)
        {
            _task = task;
            Measure(margin: 0.06);
        }

        protected override SampleDraft Draw(RandomSource random) => new Draft(_task, random.Next(0, int.MaxValue));
    }

    private sealed class Draft(UserTask task, int seed) : SampleDraft
    {
        public override int MinimumUnits => 1;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            ContentSample sample = task.Create(seed, units);
            return (sample.Question, filler.Length > 0 ? $"{sample.Context}\n{filler}" : sample.Context);
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            string answer = task.Create(seed, units).Answer;
            return (Gold.Write(("answer", answer)), PromptProtocol.Response("The context says so.", answer));
        }
    }
}
