using System.Globalization;

namespace SparseFrontier.Attention;

/// <summary>Where a budget is asked for.</summary>
/// <param name="Layer">Index of the layer.</param>
/// <param name="KvHead">KV head.</param>
/// <param name="Length">Prompt tokens.</param>
/// <param name="Step">Decode step, from 0; <see cref="Prompt"/> while the prompt is read or its cache evicted.</param>
public readonly record struct BudgetPlace(int Layer, int KvHead, int Length, int Step)
{
    /// <summary>The <see cref="Step"/> of everything that happens before the first decode step.</summary>
    public const int Prompt = -1;
}

/// <summary>
/// How a method's budget varies with layer, KV head, length and step: rules, of which the first that matches a place says by what factor the
/// budget is multiplied there, or that attention is dense there. Without rules the budget is uniform.
/// </summary>
/// <remarks>
/// In text, rules are separated by '|' and hold conditions and one action: <c>layer:0-1,5 dense | head:3 step:0-7 x0.5</c>. A range may be
/// open, as in <c>length:4096-</c>. Confining a method to layers 4 to 9 is <c>layer:4-9 x1 | dense</c>.
/// </remarks>
public sealed class BudgetSchedule
{
    private readonly BudgetRule[] _rules;

    private BudgetSchedule(IEnumerable<BudgetRule> rules) => _rules = [.. rules];

    /// <summary>The same budget everywhere.</summary>
    public static BudgetSchedule Uniform { get; } = new([]);

    /// <summary>Whether the budget is the same everywhere.</summary>
    public bool IsUniform => _rules.Length == 0;

    /// <summary>Dense attention in some layers, the uniform budget in the others.</summary>
    public static BudgetSchedule DenseLayers(IEnumerable<int> layers)
    {
        IndexSet set = IndexSet.Of(layers);
        return set.IsEmpty ? Uniform : new BudgetSchedule([new BudgetRule(set, null, null, null, double.PositiveInfinity)]);
    }

    /// <summary>Reads the text form; an empty text is <see cref="Uniform"/>.</summary>
    /// <exception cref="SparseFrontierException">MethodParameterInvalid.</exception>
    public static BudgetSchedule Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return string.IsNullOrWhiteSpace(text) ? Uniform : new BudgetSchedule(text.Split('|').Select(BudgetRule.Parse));
    }

    /// <summary>The factor on the budget at a place; infinity where attention is dense.</summary>
    public double FactorAt(BudgetPlace place)
    {
        foreach (BudgetRule rule in _rules)
        {
            if (rule.Matches(place))
            {
                return rule.Factor;
            }
        }

        return 1;
    }

    /// <summary>The text form, the same for the same rules.</summary>
    public override string ToString() => string.Join(" | ", _rules.Select(r => r.ToString()));

    private sealed record BudgetRule(IndexSet? Layers, IndexSet? Heads, IndexSet? Lengths, IndexSet? Steps, double Factor)
    {
        public static BudgetRule Parse(string text)
        {
            var rule = new BudgetRule(null, null, null, null, double.NaN);
            foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                string[] parts = word.Split(':');
                rule = (parts.Length, parts[0].ToUpperInvariant()) switch
                {
                    (2, "LAYER") => rule with { Layers = IndexSet.Parse(parts[1]) },
                    (2, "HEAD") => rule with { Heads = IndexSet.Parse(parts[1]) },
                    (2, "LENGTH") => rule with { Lengths = IndexSet.Parse(parts[1]) },
                    (2, "STEP") => rule with { Steps = IndexSet.Parse(parts[1]) },
                    (1, "DENSE") => rule with { Factor = double.PositiveInfinity },
                    (1, ['X', .. string number]) when double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double factor)
                        && factor > 0 && double.IsFinite(factor) => rule with { Factor = factor },
                    _ => throw Invalid(word),
                };
            }

            return double.IsNaN(rule.Factor) ? throw Invalid(text.Trim()) : rule;
        }

        public bool Matches(BudgetPlace place) =>
            (Layers?.Contains(place.Layer) ?? true) && (Heads?.Contains(place.KvHead) ?? true)
            && (Lengths?.Contains(place.Length) ?? true) && (Steps?.Contains(place.Step) ?? true);

        public override string ToString()
        {
            var words = new List<string>();
            Add("layer", Layers);
            Add("head", Heads);
            Add("length", Lengths);
            Add("step", Steps);
            words.Add(double.IsPositiveInfinity(Factor) ? "dense" : string.Create(CultureInfo.InvariantCulture, $"x{Factor:R}"));
            return string.Join(' ', words);

            void Add(string name, IndexSet? set)
            {
                if (set is not null)
                {
                    words.Add($"{name}:{set}");
                }
            }
        }
    }

    private static SparseFrontierException Invalid(string text) => new(
        ErrorIds.MethodParameterInvalid,
        $"The budget schedule cannot be read at '{text}'. Write rules separated by '|', each with conditions layer:, head:, length: or step: "
        + "and ending in dense or a factor above 0: layer:0-1 dense | head:3 x0.5",
        text);

    private sealed class IndexSet
    {
        private readonly (int First, int Last)[] _ranges;

        private IndexSet(IEnumerable<(int First, int Last)> ranges) => _ranges = [.. ranges];

        public bool IsEmpty => _ranges.Length == 0;

        public static IndexSet Of(IEnumerable<int> indices)
        {
            var ranges = new List<(int First, int Last)>();
            foreach (int index in indices.Distinct().Order())
            {
                if (ranges.Count > 0 && ranges[^1].Last == index - 1)
                {
                    ranges[^1] = (ranges[^1].First, index);
                }
                else
                {
                    ranges.Add((index, index));
                }
            }

            return new IndexSet(ranges);
        }

        public static IndexSet Parse(string text) => new(text.Split(',').Select(part =>
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first))
            {
                throw Invalid(text);
            }

            int last = first;
            if (ends.Length == 2)
            {
                last = int.MaxValue;
                if (ends[1].Length > 0 && (!int.TryParse(ends[1], NumberStyles.None, CultureInfo.InvariantCulture, out last) || last < first))
                {
                    throw Invalid(text);
                }
            }

            return (first, last);
        }));

        public bool Contains(int index)
        {
            foreach ((int first, int last) in _ranges)
            {
                if (index >= first && index <= last)
                {
                    return true;
                }
            }

            return false;
        }

        public override string ToString() => string.Join(',', _ranges.Select(r => (r.First, r.Last) switch
        {
            (int first, int.MaxValue) => string.Create(CultureInfo.InvariantCulture, $"{first}-"),
            (int first, int last) when first == last => string.Create(CultureInfo.InvariantCulture, $"{first}"),
            (int first, int last) => string.Create(CultureInfo.InvariantCulture, $"{first}-{last}"),
        }));
    }
}
