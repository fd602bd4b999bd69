using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>
/// A pattern of <c>tokenizer.json</c>: a literal string or an Oniguruma regex, matched by .NET's engine. Code points beyond the basic plane
/// are matched through a stand-in of the same general category, because .NET sees two surrogates where Oniguruma sees one character.
/// </summary>
internal sealed class TextPattern
{
    // A search that takes so long, and as long again, backtracks without end: a pattern comes with a checkpoint and so from anybody.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(400);

    private readonly string? _literal;
    private readonly Regex? _regex;
    private readonly char[]? _standIns;

    private TextPattern(string? literal, Regex? regex, char[]? standIns)
    {
        _literal = literal;
        _regex = regex;
        _standIns = standIns;
    }

    /// <summary>A pattern that matches a string.</summary>
    public static TextPattern Literal(string literal) => new(literal, null, null);

    /// <summary>A pattern that matches a regex.</summary>
    /// <param name="pattern">Oniguruma's syntax.</param>
    /// <exception cref="SparseFrontierException">TokenizerUnsupported: a construct without an exact .NET equivalent, named.</exception>
    public static TextPattern Regular(string pattern)
    {
        var translation = new PatternTranslator(pattern);
        try
        {
            // ^ and $ are line anchors in Oniguruma; capture groups serve no purpose here.
            var regex = new Regex(
                translation.Translate(),
                RegexOptions.CultureInvariant | RegexOptions.Compiled | RegexOptions.Multiline | RegexOptions.ExplicitCapture,
                s_patience);
            return new TextPattern(null, regex, StandIns(translation));
        }
        catch (RegexParseException exception)
        {
            throw new SparseFrontierException(
                ErrorIds.TokenizerUnsupported,
                $"The tokenizer's regex '{pattern}' uses a construct that is not supported: {exception.Message}",
                pattern,
                exception);
        }
    }

    /// <summary>Appends all matches in a text, in order; neighbouring stretches without a match lie between them.</summary>
    public void FindMatches(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (_literal is not null)
        {
            if (_literal.Length == 0)
            {
                return;
            }

            int position = 0;
            while (text[position..].IndexOf(_literal, StringComparison.Ordinal) is >= 0 and int offset)
            {
                matches.Add((position + offset, position + offset + _literal.Length));
                position += offset + _literal.Length;
            }

            return;
        }

        int firstSurrogate = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (firstSurrogate < 0)
        {
            Search(text, matches);
            return;
        }

        char[] mapped = new char[text.Length];
        int[] origin = new int[text.Length + 1];
        int length = 0;
        for (int i = 0; i < text.Length;)
        {
            origin[length] = i;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length)
            {
                mapped[length++] = _standIns![(int)CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1]))];
                i += 2;
            }
            else
            {
                mapped[length++] = text[i++];
            }
        }

        origin[length] = text.Length;
        int first = matches.Count;
        Search(mapped.AsSpan(0, length), matches);
        for (int i = first; i < matches.Count; i++)
        {
            matches[i] = (origin[matches[i].Start], origin[matches[i].End]);
        }
    }

    /// <summary>How many times longer a text can become where every match is replaced.</summary>
    public double Growth(string replacement) => _literal is null ? 1 + replacement.Length : Math.Max(1, replacement.Length / Math.Max(1.0, _literal.Length));

    private void Search(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        Regex regex = _regex!;
        int before = matches.Count;
        for (bool again = false; ; again = true)
        {
            try
            {
                foreach (ValueMatch match in regex.EnumerateMatches(text))
                {
                    matches.Add((match.Index, match.Index + match.Length));
                }

                return;
            }
            catch (RegexMatchTimeoutException) when (!again)
            {
                // The machine may have been asleep.
                matches.RemoveRange(before, matches.Count - before);
            }
            catch (RegexMatchTimeoutException e)
            {
                throw new SparseFrontierException(
                    ErrorIds.TokenizerUnsupported,
                    FormattableString.Invariant($"The tokenizer's regex '{regex}' takes too long on a text of {text.Length} characters: it tries more ways to match than there is time for. Replace it in tokenizer.json by one that does not."),
                    regex.ToString(),
                    e);
            }
        }
    }

    /// <summary>Replaces every match by a text.</summary>
    public string Replace(string text, string replacement)
    {
        if (_literal is not null)
        {
            return _literal.Length == 0 ? text : text.Replace(_literal, replacement, StringComparison.Ordinal);
        }

        var matches = new List<(int Start, int End)>();
        FindMatches(text, matches);
        if (matches.Count == 0)
        {
            return text;
        }

        var builder = new StringBuilder(text.Length);
        int done = 0;
        foreach ((int start, int end) in matches)
        {
            builder.Append(text, done, start - done).Append(replacement);
            done = end;
        }

        return builder.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>For each general category a character of it that the pattern does not name by itself.</summary>
    private static char[] StandIns(PatternTranslator translation)
    {
        char[] standIns = new char[30];
        Array.Fill(standIns, '\uFFFF');
        for (int c = 0xFFFE; c >= 0x80; c--)
        {
            int category = (int)CharUnicodeInfo.GetUnicodeCategory((char)c);
            if (standIns[category] == '\uFFFF' && !translation.Names((char)c))
            {
                standIns[category] = (char)c;
            }
        }

        return standIns;
    }
}
