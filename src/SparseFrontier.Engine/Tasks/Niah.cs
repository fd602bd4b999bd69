using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>
/// Needles in a haystack of needles: random keys with random values, a few of which are asked for (paper, section 4.2; after RULER, Hsieh et
/// al. 2024).
/// </summary>
public sealed partial class Niah : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => "Niah";

    /// <inheritdoc/>
    public override int Version => 1;

    /// <inheritdoc/>
    public override string Description => "Give the values of some of the many random keys listed in the context.";

    /// <inheritdoc/>
    public override string Category => "Retrieval";

    /// <inheritdoc/>
    public override string Dispersion => "Low";

    /// <inheritdoc/>
    public override string Scope => "Low";

    /// <inheritdoc/>
    public override string Metric => "ExactMatchShare";

    /// <inheritdoc/>
    public override int ApproximationWindow => 512;

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } =
    [
        new("Queries", 4, 1, 64, "Keys that are asked for."),
        new("KeyGroups", 4, 1, 16, "Groups of eight characters in a key and in a value.", HeldOutFrom: 5),
        HeldOutMaterial,
    ];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder) =>
        new Source(this, options, encoder, parameters["Queries"], parameters["KeyGroups"], (HeldOut)parameters[nameof(HeldOut)]);

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        string[][] gold = Gold.Read<string[][]>(goldJson, "answers", Name);
        if (Array.Exists(gold, g => g is not [not null, not null, ..]))
        {
            throw Gold.Invalid(goldJson, "answers", Name, null);
        }

        string? answer = AnswerParsing.Answer(response);
        var given = new Dictionary<BigInteger, (string Key, string Value)>();
        foreach (Match match in Statement().Matches(answer ?? response))
        {
            given.TryAdd(
                AnswerParsing.Number(match.Groups[1].Value),
                (match.Groups[2].Value, AnswerParsing.Simplify(match.Groups[3].Value)));
        }

        int hits = 0;
        for (int i = 0; i < gold.Length; i++)
        {
            if (given.TryGetValue(i + 1, out (string Key, string Value) pair)
                && pair.Key == gold[i][0]
                && pair.Value == AnswerParsing.Simplify(gold[i][1]))
            {
                hits++;
            }
        }

        return new TaskScore(gold.Length == 0 ? 0 : (double)hits / gold.Length, AnswerParsing.FormatFailure(response, answer, given.Count));
    }

    // A numbered statement; the value ends at the first full stop or at the end of the line.
    [GeneratedRegex(
        @"(?<!\d)(\d+)\.\s*The answer for\s+([\w-]+)\s+is:?\s+(.+?)(?:\.|$)",
        RegexOptions.IgnoreCase | RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Statement();

    private sealed class Source : GeneratedSource
    {
        private readonly int _queries;
        private readonly int _keyGroups;
        private readonly HeldOut _heldOut;

        public Source(Niah task, TaskOptions options, PromptEncoder encoder, int queries, int keyGroups, HeldOut heldOut)
            : base(task, options, encoder, Wording(queries))
        {
            _queries = queries;
            _keyGroups = keyGroups;
            _heldOut = heldOut;
            Measure(margin: 0.06);
        }

        protected override SampleDraft Draw(RandomSource random) => new Draft(random, _queries, _keyGroups, _heldOut, Options.ShortInstructions);

        private static PromptWording Wording(int queries)
        {
            string lines = string.Join('\n', Enumerable.Range(1, Math.Min(queries, 2)).Select(i => $"{i}. The answer for <key {i}> is <value {i}>."));
            return new PromptWording
            {
                Plural = true,
                Introduction = "The context lists many keys, each with the answer that belongs to it. Find the answers for the keys in the questions.",
                AnswerFormat = lines + (queries > 2 ? "\nand so on: one numbered line for each question, in the order of the questions." : ""),
                Important =
                [
                    "Copy keys and answers character by character, hyphens included.",
                    "Answer every question, with its own number.",
                ],
                ShortIntroduction = "Find the answer for each key.",
                ShortAnswerFormat = "1. The answer for <key> is <value>.",
            };
        }
    }

    private sealed class Draft(RandomSource random, int queries, int keyGroups, HeldOut heldOut, bool shortForm) : SampleDraft
    {
        private readonly string _alphabet =
            heldOut.HasFlag(HeldOut.Words) ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" : "abcdefghijklmnopqrstuvwxyz0123456789";

        private readonly List<(string Key, string Value)> _pairs = [];
        private readonly HashSet<string> _used = [];
        private readonly long _orderKey = (long)random.NextUInt64();

        public override int MinimumUnits => queries;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            Draw(units);
            int[] order = new int[units];
            for (int i = 0; i < units; i++)
            {
                order[i] = i;
            }

            new RandomSource("task/order", _orderKey).Shuffle<int>(order);
            var context = new StringBuilder(units * (20 + (18 * keyGroups)));
            foreach (int pair in order)
            {
                context.Append(heldOut.HasFlag(HeldOut.Template) ? $"For {_pairs[pair].Key} the answer is {_pairs[pair].Value}." : Sentence(_pairs[pair]))
                    .Append(' ');
            }

            context.Append(filler);
            return (Question(), context.ToString().TrimEnd());
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            (string Key, string Value)[] asked = [.. _pairs.Take(queries)];
            string gold = Gold.Write(("answers", asked.Select(p => new[] { p.Key, p.Value }).ToArray()));
            string answer = string.Join('\n', asked.Select((p, i) => $"{i + 1}. {Sentence(p)}"));
            string explanation = shortForm
                ? "I find each key in the context and copy its answer."
                : "I looked up each key of the questions in the context and copied the answer that its sentence gives.";
            return (gold, PromptProtocol.Response(explanation, answer));
        }

        private static string Sentence((string Key, string Value) pair) => $"The answer for {pair.Key} is {pair.Value}.";

        private string Question()
        {
            var text = new StringBuilder(shortForm ? "" : "What are the answers for these keys?\n");
            for (int i = 0; i < queries; i++)
            {
                text.Append(i == 0 ? "" : "\n").Append(i + 1).Append(". ").Append(_pairs[i].Key);
            }

            return text.ToString();
        }

        private void Draw(int count)
        {
            while (_pairs.Count < count)
            {
                _pairs.Add((DrawCode(), DrawCode()));
            }
        }

        private string DrawCode()
        {
            Span<char> code = stackalloc char[(9 * keyGroups) - 1];
            while (true)
            {
                for (int i = 0; i < code.Length; i++)
                {
                    code[i] = i % 9 == 8 ? '-' : _alphabet[random.Next(_alphabet.Length)];
                }

                string text = code.ToString();
                if (_used.Add(text))
                {
                    return text;
                }
            }
        }
    }
}
