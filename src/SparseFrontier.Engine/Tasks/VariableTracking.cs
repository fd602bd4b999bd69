using System.Text;
using System.Text.RegularExpressions;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>
/// Chains of variable assignments scattered in noise: which variables hold a value? (paper, section 4.3; after RULER, Hsieh et al. 2024).
/// </summary>
public sealed partial class VariableTracking : EvaluationTask
{
    /// <inheritdoc/>
    public override string Name => "VariableTracking";

    /// <inheritdoc/>
    public override int Version => 2;

    /// <inheritdoc/>
    public override string Description => "Name all variables that hold a value, which most of them got as copies of copies.";

    /// <inheritdoc/>
    public override string Category => "MultiHop";

    /// <inheritdoc/>
    public override string Dispersion => "High";

    /// <inheritdoc/>
    public override string Scope => "Low";

    /// <inheritdoc/>
    public override string Metric => "IntersectionOverUnion";

    /// <inheritdoc/>
    public override IReadOnlyList<TaskParameter> Parameters { get; } =
    [
        new("Chains", 8, 1, 64, "Values, each assigned to the first variable of a chain."),
        new("Hops", 4, 1, 32, "Copies in a chain.", HeldOutFrom: 5),
        new("Letters", 26, 5, 26, "Letters of the alphabet that names are made of: the fewer, the more alike they are."),
        HeldOutMaterial,
    ];

    /// <inheritdoc/>
    protected override TaskSource Open(TaskOptions options, IReadOnlyDictionary<string, int> parameters, PromptEncoder encoder) =>
        new Source(this, options, encoder, parameters["Chains"], parameters["Hops"], parameters["Letters"], (HeldOut)parameters[nameof(HeldOut)]);

    /// <inheritdoc/>
    public override TaskScore Score(string goldJson, string response, bool referenceScoring = false)
    {
        string? answer = AnswerParsing.Answer(response);
        HashSet<string> given = Names(answer ?? response, referenceScoring);
        HashSet<string> gold = Names(Gold.Read<string>(goldJson, "gold_answer", Name), referenceScoring);
        return new TaskScore(
            AnswerParsing.IntersectionOverUnion(given, gold), AnswerParsing.FormatFailure(response, answer, given.Count));
    }

    private static HashSet<string> Names(string text, bool referenceScoring)
    {
        text = text.ToUpperInvariant();

        // The reference cuts "VAR" and the blanks after it out of the text, which glues a name that ends in VAR to the next one.
        IEnumerable<string> names = WhiteSpace().Split(referenceScoring ? VariableWord().Replace(WhiteSpace().Replace(text.Trim(), " "), "") : text);
        return [.. names.Where(n => n.Length > 0 && (referenceScoring || n != "VAR"))];
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    [GeneratedRegex(@"VAR\s+")]
    private static partial Regex VariableWord();

    private sealed class Source : GeneratedSource
    {
        private readonly int _chains;
        private readonly int _hops;
        private readonly int _letters;
        private readonly HeldOut _heldOut;

        public Source(VariableTracking task, TaskOptions options, PromptEncoder encoder, int chains, int hops, int letters, HeldOut heldOut)
            : base(task, options, encoder, Wording)
        {
            _chains = chains;
            _hops = hops;
            _letters = letters;
            _heldOut = heldOut;
            Measure(margin: 0.04);
        }

        private static PromptWording Wording => new()
        {
            Introduction =
                "The context hides assignments of variables among unrelated sentences, in no particular order. A variable gets either a number or "
                + "the value of another variable. Find every variable that ends up with the value asked for.",
            AnswerFormat = "The names of the variables in one line, separated by single blanks, like this:\n<name 1> <name 2> <name 3>",
            Important =
            [
                "Follow the copies all the way: a variable that copies a variable with the value has the value too.",
                "List names only, without numbers and without the word VAR.",
            ],
            ShortIntroduction = "Find all variables with the value.",
            ShortAnswerFormat = "<name> <name> <name>",
        };

        protected override SampleDraft Draw(RandomSource random) => new Draft(random, _chains, _hops, _letters, _heldOut, Options.ShortInstructions);
    }

    private sealed class Draft : SampleDraft
    {
        private readonly string[] _names;
        private readonly int[] _values;
        private readonly int _hops;
        private readonly HeldOut _heldOut;
        private readonly bool _shortForm;
        private readonly long _orderKey;

        public Draft(RandomSource random, int chains, int hops, int letters, HeldOut heldOut, bool shortForm)
        {
            _hops = hops;
            _heldOut = heldOut;
            _shortForm = shortForm;
            var names = new HashSet<string>();
            _names = new string[chains * (hops + 1)];
            Span<char> name = stackalloc char[heldOut.HasFlag(HeldOut.Words) ? 6 : 5];
            for (int i = 0; i < _names.Length; i++)
            {
                do
                {
                    foreach (ref char letter in name)
                    {
                        letter = (char)('A' + random.Next(letters));
                    }

                    _names[i] = name.ToString();
                }
                while (!names.Add(_names[i]));
            }

            var values = new HashSet<int>();
            while (values.Count < chains)
            {
                values.Add(random.Next(10_000, 99_999));
            }

            _values = [.. values];
            _orderKey = (long)random.NextUInt64();
        }

        public override int MinimumUnits => 0;

        public override (string Question, string Context) Compose(int units, string filler)
        {
            int[] order = new int[_names.Length + units];
            for (int i = 0; i < order.Length; i++)
            {
                order[i] = i;
            }

            new RandomSource("task/order", _orderKey).Shuffle<int>(order);
            var context = new StringBuilder((_names.Length * 26) + ((units + 1) * (FillerText.Block.Length + 1)));
            foreach (int i in order)
            {
                if (i < _names.Length)
                {
                    AppendStatement(context, i);
                }
                else
                {
                    context.Append(FillerText.Block);
                }

                context.Append(' ');
            }

            context.Append(filler);
            return (Question(0), context.ToString().TrimEnd());
        }

        public override (string GoldJson, string Target) Finish(int units)
        {
            return (Gold.Write(("gold_answer", string.Join(' ', Chain(0)))), Response(0));
        }

        public override IEnumerable<(string Question, string Target)> Further(int units, int count) =>
            Enumerable.Range(1, Math.Min(count, _values.Length - 1)).Select(chain => (Question(chain), Response(chain)));

        private string[] Chain(int chain) => _names[(chain * (_hops + 1))..((chain + 1) * (_hops + 1))];

        private string Question(int chain) => $"Which variables have the value {_values[chain]}{(_shortForm ? "" : ", directly or through copies")}?";

        // What is known stands before what it leads to, so that each name is one look-up away from the one before it.
        private string Response(int chain) => PromptProtocol.Response(
            $"Copies: {_values[chain]} to {string.Join(" to ", Chain(chain))}.", string.Join(' ', Chain(chain)));

        private void AppendStatement(StringBuilder text, int variable)
        {
            (int chain, int hop) = Math.DivRem(variable, _hops + 1);
            (string assigns, string copies) = _heldOut.HasFlag(HeldOut.Template) ? (" holds ", " copies VAR ") : (" = ", " = VAR ");
            text.Append("VAR ").Append(_names[variable]);
            if (hop == 0)
            {
                text.Append(assigns).Append(_values[chain]).Append('.');
            }
            else
            {
                text.Append(copies).Append(_names[variable - 1]).Append('.');
            }
        }
    }
}
