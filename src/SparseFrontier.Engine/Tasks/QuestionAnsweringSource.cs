using System.Text;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>
/// Samples of a question-answering task: the document asked about, other documents in random order until the length is full, the last of them
/// cut after a word; all shuffled and numbered.
/// </summary>
internal sealed class QuestionAnsweringSource : TaskSource
{
    // As in the reference, which keeps 64 of 8172 tokens for the chat template: every length from here on asks the same questions.
    private const int PoolPromptTokens = 8172;
    private const int SplitParts = 10;
    private readonly EvaluationTask _task;
    private readonly TaskOptions _options;
    private readonly PromptEncoder _encoder;
    private readonly PromptProtocol _protocol;
    private readonly Func<QuestionEntry, string> _gold;
    private readonly string[] _contexts;
    private readonly int[][] _wordEnds;
    private readonly int[] _contextTokens;
    private readonly QuestionEntry[] _pool;
    private readonly double _tokensPerWord;
    private readonly int _headerTokens;
    private readonly int _minimumLength;

    public QuestionAnsweringSource(
        EvaluationTask task,
        TaskOptions options,
        PromptEncoder encoder,
        QuestionAnsweringData data,
        PromptWording wording,
        Func<QuestionEntry, string> gold)
    {
        _task = task;
        _options = options;
        _encoder = encoder;
        _protocol = new PromptProtocol(wording, options);
        _gold = gold;
        _contexts = data.Contexts;
        _wordEnds = new int[_contexts.Length][];
        _contextTokens = new int[_contexts.Length];
        WorkerPool.For(_contexts.Length, i =>
        {
            _wordEnds[i] = WordEnds(_contexts[i]);
            _contextTokens[i] = encoder.Count(_contexts[i]);
        });
        _headerTokens = encoder.Count("Document 100:\n\n\n");
        _tokensPerWord = Math.Max(0.5, _contextTokens.Sum(t => (double)t) / Math.Max(1, _wordEnds.Sum(w => (double)w.Length)));

        QuestionEntry[] questions = [.. InSplit(data.Questions)];
        int[] needed = new int[questions.Length];
        WorkerPool.For(questions.Length, i => needed[i] = PromptTokens(questions[i]));
        int limit = Math.Min(PoolPromptTokens, options.SequenceLength);
        QuestionEntry[] pool = [.. questions.Where((_, i) => needed[i] <= limit)];
        _minimumLength = needed.DefaultIfEmpty(0).Min();
        if (pool.Length == 0)
        {
            throw questions.Length == 0
                ? new SparseFrontierException(
                    ErrorIds.TaskDataInvalid,
                    $"The data of {task.Name} hold {Counted.Of(data.Questions.Count, "question")}, too few for a {options.Split} split: give a larger file.",
                    options.Split)
                : new SparseFrontierException(
                    ErrorIds.SequenceLengthInvalid,
                    $"No question of {task.Name} fits with its document: the shortest needs {_minimumLength} tokens of this model's tokenizer, "
                    + $"and {limit} are allowed. Ask for a longer sequence{(options.ShortInstructions ? "" : ", or for short instructions")}.",
                    options.SequenceLength);
        }

        double available = _contextTokens.Sum(t => (double)t + _headerTokens);
        if (available + _minimumLength < LengthFitter.MinimumFill * options.SequenceLength)
        {
            throw Exhausted(options.SequenceLength, (int)(available + _minimumLength));
        }

        new RandomSource($"task/{task.Name}/{options.Split}/pool", options.Seed).Shuffle<QuestionEntry>(pool);
        _pool = pool;
    }

    /// <inheritdoc/>
    public override int MinimumLength => _minimumLength;

    /// <inheritdoc/>
    public override int? Count => _pool.Length;

    /// <inheritdoc/>
    public override TaskSample Generate(int index) => Generate(index, _options.SequenceLength);

    /// <inheritdoc/>
    public override TaskSample Generate(int index, int sequenceLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (index >= _pool.Length)
        {
            throw new SparseFrontierException(
                ErrorIds.TaskDataMissing,
                $"The data of {_task.Name} have {Counted.Of(_pool.Length, "question")} in the {_options.Split} split that fit; sample {index} was asked for. "
                + "Ask for fewer samples or give a larger file.",
                index);
        }

        QuestionEntry question = _pool[index];
        var random = new RandomSource($"task/{_task.Name}/{_options.Split}", _options.Seed, index);
        int[] others = [.. Enumerable.Range(0, _contexts.Length).Where(c => c != question.Context)];
        random.Shuffle<int>(others);
        long orderKey = (long)random.NextUInt64();
        int words = others.Sum(c => _wordEnds[c].Length);
        FittedPrompt fitted = LengthFitter.Fit(
            _encoder, sequenceLength, 0, words, Guess(question, others, sequenceLength), _tokensPerWord, w => Compose(question, others, orderKey, w))
            ?? throw new SparseFrontierException(
                ErrorIds.SequenceLengthInvalid,
                $"Sample {index} of {_task.Name} needs {PromptTokens(question)} tokens with its own document alone, more than {sequenceLength}.",
                sequenceLength);
        if (fitted.Units == words && !LengthFitter.Fills(fitted.Ids.Length, sequenceLength))
        {
            throw Exhausted(sequenceLength, fitted.Ids.Length);
        }

        return new TaskSample
        {
            Index = index,
            Prompt = fitted.Prompt.Text,
            ContextEnd = fitted.Prompt.ContextEnd,
            GoldJson = _gold(question),
            TargetResponse = PromptProtocol.Response(
                $"Document {Target(Documents(others, fitted.Units), orderKey)} tells it.", question.Answers[0]),
            PromptTokens = fitted.Ids.Length,
            PromptIds = fitted.Ids,
        };
    }

    private static int[] WordEnds(string text)
    {
        var ends = new List<int>();
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsWhiteSpace(text[i]) && (i + 1 == text.Length || char.IsWhiteSpace(text[i + 1])))
            {
                ends.Add(i + 1);
            }
        }

        return [.. ends];
    }

    // The same partition for every seed: one tenth of the questions calibrates, one tenth trains, the rest evaluates.
    private IEnumerable<QuestionEntry> InSplit(IReadOnlyList<QuestionEntry> questions)
    {
        int[] order = [.. Enumerable.Range(0, questions.Count)];
        new RandomSource($"task/{_task.Name}/splits").Shuffle<int>(order);
        for (int i = 0; i < order.Length; i++)
        {
            string split = (i % SplitParts) switch
            {
                SplitParts - 1 => "calibration",
                SplitParts - 2 => "training",
                _ => "evaluation",
            };
            if (split == _options.Split)
            {
                yield return questions[order[i]];
            }
        }
    }

    private int PromptTokens(QuestionEntry question) =>
        _encoder.Count(_encoder.Template(Compose(question, [], 0, 0).Text));

    // How many documents besides the one asked about: whole ones, and one that is cut.
    private int Documents(int[] others, int words)
    {
        int documents = 0;
        for (; words > 0; documents++)
        {
            words -= _wordEnds[others[documents]].Length;
        }

        return documents;
    }

    private static int[] Order(int documents, long orderKey)
    {
        int[] order = [.. Enumerable.Range(0, documents + 1)];
        new RandomSource("task/order", orderKey).Shuffle<int>(order);
        return order;
    }

    private static int Target(int documents, long orderKey) => Array.IndexOf(Order(documents, orderKey), 0) + 1;

    private ComposedPrompt Compose(QuestionEntry question, int[] others, long orderKey, int words)
    {
        int documents = Documents(others, words);
        int whole = others.Take(Math.Max(0, documents - 1)).Sum(c => _wordEnds[c].Length);
        var context = new StringBuilder();
        int[] order = Order(documents, orderKey);
        for (int i = 0; i < order.Length; i++)
        {
            context.Append(i == 0 ? "" : "\n\n").Append("Document ").Append(i + 1).Append(":\n");
            if (order[i] == 0)
            {
                context.Append(_contexts[question.Context]);
            }
            else
            {
                int other = others[order[i] - 1];
                int[] ends = _wordEnds[other];
                int kept = order[i] == documents ? words - whole : ends.Length;
                context.Append(_contexts[other].AsSpan(0, ends[kept - 1]));
            }
        }

        return _protocol.Compose($"The question is on document {Array.IndexOf(order, 0) + 1}.\n{question.Question}", context.ToString());
    }

    private double Guess(QuestionEntry question, int[] others, int sequenceLength)
    {
        double room = LengthFitter.Target(sequenceLength) - PromptTokens(question);
        double words = 0;
        foreach (int other in others)
        {
            double tokens = _contextTokens[other] + _headerTokens;
            if (tokens > room)
            {
                return words + (Math.Max(0, room - _headerTokens) * _wordEnds[other].Length / Math.Max(1, _contextTokens[other]));
            }

            words += _wordEnds[other].Length;
            room -= tokens;
        }

        return words;
    }

    private SparseFrontierException Exhausted(int length, int available) => new(
        ErrorIds.SequenceLengthInvalid,
        $"The documents in the data of {_task.Name} make about {available} tokens of this model's tokenizer, less than 95 % of {length}. "
        + "Ask for a shorter sequence or give a larger file.",
        length);
}
