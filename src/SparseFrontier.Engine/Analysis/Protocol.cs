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

    /// <summary>"Column=value; ..." of what is not as usual.</summary>
    public static string Describe(SparseAttentionResult row) => string.Join(
        "; ", s_columns.Select(c => (c.Name, Value: Text(c, row))).Where(c => c.Value is not ("" or "Both" or "None" or "False")).Select(c => $"{c.Name}={c.Value}"));

    /// <summary>The text of a column.</summary>
    public static string Text(PropertyInfo column, SparseAttentionResult row) => Convert.ToString(column.GetValue(row), CultureInfo.InvariantCulture) ?? "";
}
