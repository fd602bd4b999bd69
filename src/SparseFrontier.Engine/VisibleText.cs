using System.Buffers;
using System.Globalization;
using System.Text;

namespace SparseFrontier;

/// <summary>
/// Text from outside as it may go to a terminal: names and answers come from files, checkpoints and models, and a terminal obeys what it is sent. Control characters (the
/// escape character among them), those that turn the direction of writing, other line ends and halves of characters are shown as <c>\u001B</c> instead.
/// </summary>
public static class VisibleText
{
    private static readonly SearchValues<char> s_refused = SearchValues.Create(
        [.. Enumerable.Range(0, char.MaxValue + 1).Select(c => (char)c).Where(c => char.IsControl(c) || char.IsSurrogate(c)
            || c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\uFEFF')]);

    /// <summary>A message: its own line ends and tabs stay.</summary>
    public static string Message(string text) => Of(text, "\n\t");

    /// <summary>A name, an answer or a cell: one line.</summary>
    public static string Line(string? text) => Of(text ?? "", "");

    private static string Of(string text, string kept)
    {
        if (text.AsSpan().IndexOfAny(s_refused) < 0)
        {
            return text;
        }

        var visible = new StringBuilder(text.Length + 16);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                visible.Append(c).Append(text[++i]);
            }
            else if (c == '\r' && i + 1 < text.Length && text[i + 1] == '\n' && kept.Contains('\n', StringComparison.Ordinal))
            {
                visible.Append(c);
            }
            else if (s_refused.Contains(c) && !kept.Contains(c, StringComparison.Ordinal))
            {
                visible.Append(CultureInfo.InvariantCulture, $@"\u{(int)c:X4}");
            }
            else
            {
                visible.Append(c);
            }
        }

        return visible.ToString();
    }
}
