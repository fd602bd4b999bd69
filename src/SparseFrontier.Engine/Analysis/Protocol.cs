using System.Globalization;
using System.Reflection;

namespace SparseFrontier.Analysis;

/// <summary>What makes scores of rows comparable: the same questions, asked in the same way.</summary>
internal static class Protocol
{
    private static readonly PropertyInfo[] s_columns =
    [
        .. new[]
        {
            nameof(SparseAttentionResult.TaskParameters), nameof(SparseAttentionResult.QuestionPosition), nameof(SparseAttentionResult.CompressBefore),
            nameof(SparseAttentionResult.ShortInstructions), nameof(SparseAttentionResult.ReferenceScoring), nameof(SparseAttentionResult.MaximumOutputTokens),
        }.Select(name => typeof(SparseAttentionResult).GetProperty(name)!),
    ];

    /// <summary>Equal for rows of one protocol, and only for them.</summary>
    public static string Key(SparseAttentionResult row) => string.Join('\u001f', s_columns.Select(c => Text(c, row)));

    /// <summary>Equal for rows that are asked the same questions in the same words, however long an answer may be and whoever scores it.</summary>
    public static string Questions(SparseAttentionResult row) => string.Join('\u001f', row.TaskParameters, row.QuestionPosition, row.CompressBefore, row.ShortInstructions);

    /// <summary>
    /// Equal for rows that may be put together over tasks, each of which has parameters and an output length of its own. Where a task was run with several, all stays apart by <see cref="Key"/>:
    /// which of them belong together is not known.
    /// </summary>
    /// <param name="rows">All rows that are looked at.</param>
    public static Func<SparseAttentionResult, string> AcrossTasks(IEnumerable<SparseAttentionResult> rows)
    {
        HashSet<string> apart = [.. rows.GroupBy(r => (Shared: Shared(r), r.Task)).Where(g => g.Select(Key).Distinct().Count() > 1).Select(g => g.Key.Shared)];
        return row => apart.Contains(Shared(row)) ? Key(row) : Shared(row);
    }

    /// <summary>What tasks have in common, each with parameters and an output length of its own.</summary>
    public static string Shared(SparseAttentionResult row) => string.Join('\u001f', row.QuestionPosition, row.CompressBefore, row.ShortInstructions, row.ReferenceScoring);

    /// <summary>"Column=value; ..." of what is not as usual.</summary>
    public static string Describe(SparseAttentionResult row) => Describe([row]);

    /// <summary>The same of what all rows have in common.</summary>
    public static string Describe(IReadOnlyCollection<SparseAttentionResult> rows) => string.Join(
        "; ",
        s_columns.Select(c => (c.Name, Values: rows.Select(r => Text(c, r)).Distinct().ToArray()))
            .Where(c => c.Values is [not ("" or "Both" or "None" or "False")]).Select(c => $"{c.Name}={c.Values[0]}"));

    /// <summary>The text of a column.</summary>
    public static string Text(PropertyInfo column, SparseAttentionResult row) => Convert.ToString(column.GetValue(row), CultureInfo.InvariantCulture) ?? "";
}
