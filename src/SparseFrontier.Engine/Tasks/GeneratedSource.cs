using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>A sample being made: everything that does not depend on how much of the length its context fills.</summary>
internal abstract class SampleDraft
{
    /// <summary>Fewest units that hold the sample.</summary>
    public abstract int MinimumUnits { get; }

    /// <summary>Most units that the task allows.</summary>
    public virtual int MaximumUnits => int.MaxValue;

    /// <summary>Whether filler words can go into the context where a whole unit is too large.</summary>
    public virtual bool TakesFiller => true;

    /// <summary>The question and context of a number of units.</summary>
    /// <param name="units">Units of the context.</param>
    /// <param name="filler">Filler words that the context takes in besides; empty: none.</param>
    public abstract (string Question, string Context) Compose(int units, string filler);

    /// <summary>Gold fields and target response when the context has a number of units.</summary>
    public abstract (string GoldJson, string Target) Finish(int units);

    /// <summary>
    /// Up to <paramref name="count"/> other questions on the same context, each with its target response; fewer or none where the task has no
    /// more. For training only: many questions on one context teach more per token than one.
    /// </summary>
    public virtual IEnumerable<(string Question, string Target)> Further(int units, int count) => [];
}

/// <summary>
/// Samples of the generated tasks: a draft is drawn from the sample's own stream of random numbers, then its context is filled to the
/// length.
/// </summary>
internal abstract class GeneratedSource : TaskSource
{
    private const int Probes = 8;
    private readonly EvaluationTask _task;
    private readonly TaskOptions _options;
    private readonly PromptEncoder _encoder;
    private readonly PromptProtocol _protocol;
    private readonly Lazy<double> _unitTokens;
    private double _fixedTokens;
    private double _firstUnitTokens;
    private double _fillerTokens;
    private int _minimumLength;

    protected GeneratedSource(EvaluationTask task, TaskOptions options, PromptEncoder encoder, PromptWording wording)
    {
        _task = task;
        _options = options;
        _encoder = encoder;
        _protocol = new PromptProtocol(wording, options);
        _unitTokens = new Lazy<double>(MeasureUnits);
    }

    /// <inheritdoc/>
    public override int MinimumLength => _minimumLength;

    /// <summary>Options of the stream.</summary>
    protected TaskOptions Options => _options;

    /// <summary>Draws a sample's content.</summary>
    /// <param name="random">The sample's own random numbers.</param>
    protected abstract SampleDraft Draw(RandomSource random);

    /// <summary>Measures the template, the instructions and a unit with the tokenizer; call at the end of the constructor.</summary>
    /// <exception cref="SparseFrontierException">SequenceLengthInvalid.</exception>
    /// <param name="margin">By what share the smallest prompt of a sample may exceed that of the few samples measured.</param>
    protected void Measure(double margin)
    {
        int largest = 0;
        double fixedTokens = 0;
        double unitTokens = 0;
        for (int probe = 0; probe < Probes; probe++)
        {
            SampleDraft draft = Draw(new RandomSource($"task/{_task.Name}/measure", probe));
            int few = draft.MinimumUnits;
            int many = Math.Min(few + 8, draft.MaximumUnits);
            int fewTokens = CountUnits(draft, few);
            largest = Math.Max(largest, fewTokens);
            double unit = many == few ? 1 : Math.Max(1, (CountUnits(draft, many) - fewTokens) / (double)(many - few));
            unitTokens += unit / Probes;
            fixedTokens += (fewTokens - (few * unit)) / Probes;
        }

        _firstUnitTokens = unitTokens;
        _fixedTokens = fixedTokens;
        _fillerTokens = Math.Max(0.5, _encoder.Count(FillerText.Words(100)) / 100.0);

        _minimumLength = (int)Math.Ceiling(largest * (1 + margin));
        if (_options.SequenceLength < _minimumLength)
        {
            throw TooShort(_options.SequenceLength, _minimumLength);
        }
    }

    // Units may cost more the more there are of them (line numbers grow): the mean cost is taken at the stream's own length, once a sample is asked for.
    private double MeasureUnits()
    {
        SampleDraft full = Draw(new RandomSource($"task/{_task.Name}/measure", 0));
        return Fit(full, _options.SequenceLength, _firstUnitTokens) is { Units: > 0 } fitted
            ? Math.Max(1, (fitted.Ids.Length - _fixedTokens) / fitted.Units)
            : _firstUnitTokens;
    }

    /// <inheritdoc/>
    public override TaskSample Generate(int index) => Generate(index, _options.SequenceLength);

    /// <inheritdoc/>
    public override TaskSample Generate(int index, int sequenceLength) => Generate(index, sequenceLength, 1).Sample;

    /// <inheritdoc/>
    public override (TaskSample Sample, IReadOnlyList<(string Prompt, string Target)> Further) Generate(int index, int sequenceLength, int turns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfLessThan(turns, 1);
        SampleDraft draft = Draw(new RandomSource($"task/{_task.Name}/{_options.Split}", _options.Seed, index));
        FittedPrompt fitted = Fit(draft, sequenceLength, _unitTokens.Value) ?? throw TooShort(sequenceLength, CountUnits(draft, draft.MinimumUnits));
        if (draft.TakesFiller && !LengthFitter.Fills(fitted.Ids.Length, sequenceLength))
        {
            double words = (LengthFitter.Target(sequenceLength) - fitted.Ids.Length) / _fillerTokens;
            int units = fitted.Units;
            fitted = LengthFitter.Fit(
                _encoder, sequenceLength, 1, int.MaxValue, words, _fillerTokens, count => Compose(draft, units, FillerText.Words(count)))
                is { } filled ? filled with { Units = units } : fitted;
        }

        if (fitted.Units == draft.MaximumUnits && !LengthFitter.Fills(fitted.Ids.Length, sequenceLength))
        {
            throw new SparseFrontierException(
                ErrorIds.SequenceLengthInvalid,
                $"{_task.Name} with these parameters has material for {fitted.Ids.Length} tokens of this model's tokenizer, which is less than 95 % of "
                + $"{sequenceLength}. Ask for a shorter sequence or other task parameters.",
                sequenceLength);
        }

        (string gold, string target) = draft.Finish(fitted.Units);
        var sample = new TaskSample
        {
            Index = index,
            Prompt = fitted.Prompt.Text,
            ContextEnd = fitted.Prompt.ContextEnd,
            GoldJson = gold,
            TargetResponse = target,
            PromptTokens = fitted.Ids.Length,
            PromptIds = fitted.Ids,
        };
        return (sample, [.. draft.Further(fitted.Units, turns - 1).Select(f => (_protocol.Ask(f.Question), f.Target))]);
    }

    private FittedPrompt? Fit(SampleDraft draft, int sequenceLength, double unitTokens) => LengthFitter.Fit(
        _encoder,
        sequenceLength,
        draft.MinimumUnits,
        draft.MaximumUnits,
        (LengthFitter.Target(sequenceLength) - _fixedTokens) / unitTokens,
        unitTokens,
        units => Compose(draft, units, ""));

    private int CountUnits(SampleDraft draft, int units) => _encoder.Count(_encoder.Template(Compose(draft, units, "").Text));

    private ComposedPrompt Compose(SampleDraft draft, int units, string filler)
    {
        (string question, string context) = draft.Compose(units, filler);
        return _protocol.Compose(question, context);
    }

    private SparseFrontierException TooShort(int length, int needed) => new(
        ErrorIds.SequenceLengthInvalid,
        $"{_task.Name} with these parameters and this model's tokenizer and chat template needs at least {needed} tokens, not {length}. "
        + (_options.ShortInstructions ? "Ask for a longer sequence or for smaller task parameters." : "Ask for a longer sequence, for smaller task parameters or for short instructions."),
        length);
}
