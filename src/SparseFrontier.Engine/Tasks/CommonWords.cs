using System.Text;
using System.Text.RegularExpressions;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>A long list of words: which ones occur most often? (paper, section 4.4; after RULER, Hsieh et al. 2024).</summary>
public sealed partial class CommonWords : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => "CommonWords";

    /// <inheritdoc/>
    public override int Version => 2;

    /// <inheritdoc/>
    public override string Description => "Name the words that occur most often in a long list.";

    /// <inheritdoc/>
    public override string Category => "Aggregation";

    /// <inheritdoc/>
    public override string Dispersion => "Low";

    /// <inheritdoc/>
    public override string Scope => "High";

    /// <inheritdoc/>
    public override string Metric => "IntersectionOverUnion";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } =
    [
        new("CommonWords", 10, 1, 100, "Words that occur often.", HeldOutFrom: 11),
        new("CommonFrequency", 30, 2, 1000, "How often each of them occurs."),
        new("RareFrequency", 3, 1, 999, "How often every other word occurs at most; below CommonFrequency."),
        HeldOutMaterial,
    ];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder)
    {
        int commonFrequency = parameters["CommonFrequency"];
        int rareFrequency = parameters["RareFrequency"];
        return rareFrequency < commonFrequency
            ? new Source(this, options, encoder, parameters["CommonWords"], commonFrequency, rareFrequency, (HeldOut)parameters[nameof(HeldOut)])
            : throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                $"RareFrequency of CommonWords must be below CommonFrequency, but {rareFrequency} is not below {commonFrequency}.",
                rareFrequency);
    }

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        HashSet<string> gold = [.. Gold.Read<string[]>(goldJson, "common_words", Name)];
        string? answer = AnswerParsing.Answer(response);
        var given = new HashSet<string>();
        foreach (string line in (answer ?? "").Split('\n'))
        {
            Match match = NumberedLine().Match(line.Trim());
            if (match.Success && match.Groups[1].Value.Trim() is { Length: > 0 } word)
            {
                given.Add(word.ToLowerInvariant());
            }
        }

        return new TaskScore(
            answer is null ? 0 : AnswerParsing.IntersectionOverUnion(given, gold), AnswerParsing.FormatFailure(response, answer, given.Count));
    }

    [GeneratedRegex(@"^\d+[.)\-]?\s*(.+)$")]
    private static partial Regex NumberedLine();

    private sealed class Source : GeneratedSource
    {
        private readonly int _commonWords;
        private readonly int _commonFrequency;
        private readonly int _rareFrequency;
        private readonly HeldOut _heldOut;

        public Source(
            CommonWords task, TaskOptions options, PromptEncoder encoder, int commonWords, int commonFrequency, int rareFrequency, HeldOut heldOut)
            : base(task, options, encoder, Wording(commonWords))
        {
            _commonWords = commonWords;
            _commonFrequency = commonFrequency;
            _rareFrequency = rareFrequency;
            _heldOut = heldOut;
            Measure(margin: 0.15);
        }

        protected override SampleDraft Draw(RandomSource random) =>
            new Draft(random, _commonWords, _commonFrequency, _rareFrequency, _heldOut, Options.ShortInstructions);

        private static PromptWording Wording(int commonWords) => new()
        {
            Introduction =
                "The context is a numbered list of words in random order. A few of the words occur much more often than the others; find them. "
                + "Do it by reading: do not write code.",
            AnswerFormat = commonWords == 1 ? "1. <word>" : "One word per line, numbered, in any order, like this:\n1. <word 1>\n2. <word 2>",
            Important =
            [
                $"Give exactly {commonWords} {(commonWords == 1 ? "word" : "different words")}.",
                "Do not write code.",
            ],
            ShortIntroduction = "Find the most common words.",
            ShortAnswerFormat = "1. <word>",
        };
    }

    private sealed class Draft : SampleDraft
    {
        private readonly RandomSource _random;
        private readonly string[] _list;
        private readonly string _line;
        private readonly int[] _words;
        private readonly int _common;
        private readonly int _commonFrequency;
        private readonly int _rareFrequency;
        private readonly bool _shortForm;
        private readonly long _orderKey;
        private int _drawn;

        public Draft(RandomSource random, int common, int commonFrequency, int rareFrequency, HeldOut heldOut, bool shortForm)
        {
            _random = random;
            _common = common;
            _commonFrequency = commonFrequency;
            _rareFrequency = rareFrequency;
            _shortForm = shortForm;
            _orderKey = (long)random.NextUInt64();
            _list = heldOut.HasFlag(HeldOut.Words) ? Vocabulary.HeldOutWords : Vocabulary.Words;
            _line = heldOut.HasFlag(HeldOut.Template) ? ") the word " : ". ";
            _words = [.. Enumerable.Range(0, _list.Length)];
        }

        // As many rare words as common ones, so that there is something to tell apart.
        public override int MinimumUnits => _common * _rareFrequency;

        public override int MaximumUnits => (_words.Length - _common) * _rareFrequency;

        // The list takes nothing but words; one line more or less is fine enough.
        public override bool TakesFiller => false;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            Draw(_common + ((units + _rareFrequency - 1) / _rareFrequency));
            int[] lines = new int[(_common * _commonFrequency) + units];
            int next = 0;
            for (int word = 0; word < _common; word++)
            {
                lines.AsSpan(next, _commonFrequency).Fill(_words[word]);
                next += _commonFrequency;
            }

            for (int unit = 0; unit < units; unit++)
            {
                lines[next + unit] = _words[_common + (unit / _rareFrequency)];
            }

            new RandomSource("task/order", _orderKey).Shuffle<int>(lines);
            var context = new StringBuilder(lines.Length * 14);
            for (int i = 0; i < lines.Length; i++)
            {
                context.Append(i == 0 ? "" : "\n").Append(i + 1).Append(_line).Append(_list[lines[i]]);
            }

            return (Question(), context.ToString());
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            // Alphabetical, because a likelihood needs one answer where any order is right.
            string[] words = [.. _words.Take(_common).Select(w => _list[w]).Order(StringComparer.Ordinal)];
            string answer = string.Join('\n', words.Select((w, i) => $"{i + 1}. {w}"));
            string explanation = _shortForm ? "These words are the most common." : "While reading the list, these words came up again and again, the others hardly ever.";
            return (Gold.Write(("common_words", words)), PromptProtocol.Response(explanation, answer));
        }

        private string Question()
        {
            string which = _common == 1 ? "Which word occurs" : $"Which {_common} words occur";
            return _shortForm
                ? $"{which} most often?"
                : $"{which} most often in the list? {(_common == 1 ? "It occurs" : "Each of them occurs")} {_commonFrequency} times, "
                    + $"every other word at most {_rareFrequency} {(_rareFrequency == 1 ? "time" : "times")}.";
        }

        private void Draw(int count)
        {
            for (; _drawn < count; _drawn++)
            {
                int other = _random.Next(_drawn, _words.Length);
                (_words[_drawn], _words[other]) = (_words[other], _words[_drawn]);
            }
        }
    }
}
