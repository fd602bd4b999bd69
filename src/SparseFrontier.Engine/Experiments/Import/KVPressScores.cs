namespace SparseFrontier.Experiments.Import;

/// <summary>Scores of single predictions by kvpress's rules, where these are simple; null where the gold answer cannot be read.</summary>
internal static class KVPressScores
{
    private const string Answer = "answer";

    private const string Prediction = "predicted_answer";

    /// <summary>RULER: the share of the gold strings that the prediction holds in any case, or for questions whether it holds one.</summary>
    public static double? StringMatch(IReadOnlyDictionary<string, string> row, bool anyOf)
    {
        if (PythonText.Strings(row.GetValueOrDefault(Answer, "")) is not { Count: > 0 } gold)
        {
            return null;
        }

        string given = string.Concat(row.GetValueOrDefault(Prediction, "").Trim().Where(c => c >= ' ')).ToLowerInvariant();
        int found = gold.Count(g => given.Contains(g.ToLowerInvariant(), StringComparison.Ordinal));
        return anyOf ? Math.Min(found, 1) : found / (double)gold.Count;
    }

    /// <summary>LongBench v2: whether the prediction names the right choice in the asked form.</summary>
    public static double? LongBenchV2(IReadOnlyDictionary<string, string> row)
    {
        string given = row.GetValueOrDefault(Prediction, "").Replace("*", "", StringComparison.Ordinal);
        string gold = row.GetValueOrDefault(Answer, "");
        return gold.Length == 0 ? null : given.Contains($"The correct answer is ({gold})", StringComparison.Ordinal) || given.Contains($"The correct answer is {gold}", StringComparison.Ordinal) ? 1 : 0;
    }

    /// <summary>AIME: whether what the last box holds is the answer; without a box, the prediction up to a closing brace.</summary>
    public static double? LastBoxed(IReadOnlyDictionary<string, string> row) => Boxed(row, last: true);

    /// <summary>MATH: whether what the first box holds is the answer.</summary>
    public static double? FirstBoxed(IReadOnlyDictionary<string, string> row) => Boxed(row, last: false);

    private static double? Boxed(IReadOnlyDictionary<string, string> row, bool last)
    {
        string[] parts = row.GetValueOrDefault(Prediction, "").Split("boxed{");
        string gold = row.GetValueOrDefault(Answer, "");
        string? given = last ? parts[^1] : parts.Length > 1 ? parts[1] : null;
        return gold.Length == 0 ? null : given?.Split('}')[0] == gold ? 1 : 0;
    }
}
