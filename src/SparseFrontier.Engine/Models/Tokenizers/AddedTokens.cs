using System.Buffers;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>A part of a text: an added token (its id), or plain text (id -1).</summary>
internal readonly record struct TextSection(int Start, int Length, int TokenId);

/// <summary>One entry of <c>added_tokens</c>.</summary>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool LeftStrip, bool RightStrip, bool Normalized, bool Special);

/// <summary>Finds added tokens in a text: leftmost, then longest; the whitespace and word conditions are applied to what was found.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken> _tokens = new(StringComparer.Ordinal);
    private readonly Dictionary<char, int[]> _lengths = [];
    private readonly SearchValues<char> _firstCharacters;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        foreach (AddedToken token in tokens)
        {
            if (token.Content.Length > 0)
            {
                _tokens[token.Content] = token;
            }
        }

        foreach (IGrouping<char, string> group in _tokens.Keys.GroupBy(static content => content[0]))
        {
            _lengths[group.Key] = group.Select(static content => content.Length).Distinct().OrderDescending().ToArray();
        }

        _firstCharacters = SearchValues.Create(_lengths.Keys.ToArray());
    }

    /// <summary>Cuts a text at its added tokens; empty parts are left out.</summary>
    public List<TextSection> Split(string text)
    {
        var sections = new List<TextSection>();
        Dictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> lookup = _tokens.GetAlternateLookup<ReadOnlySpan<char>>();
        int done = 0;
        int position = 0;
        while (position < text.Length)
        {
            int offset = text.AsSpan(position).IndexOfAny(_firstCharacters);
            if (offset < 0)
            {
                break;
            }

            position += offset;
            AddedToken? token = null;
            foreach (int length in _lengths[text[position]])
            {
                if (length <= text.Length - position && lookup.TryGetValue(text.AsSpan(position, length), out token))
                {
                    break;
                }
            }

            if (token is null)
            {
                position++;
                continue;
            }

            int start = position;
            int end = position + token.Content.Length;
            position = end;
            if (token.SingleWord && (CodePoints.IsWordBefore(text, start) || CodePoints.IsWordAt(text, end)))
            {
                continue;
            }

            if (token.LeftStrip)
            {
                while (start > done && char.IsWhiteSpace(text[start - 1]))
                {
                    start--;
                }
            }

            if (token.RightStrip)
            {
                while (end < text.Length && char.IsWhiteSpace(text[end]))
                {
                    end++;
                }
            }

            if (done < start)
            {
                sections.Add(new TextSection(done, start - done, -1));
            }

            sections.Add(new TextSection(start, end - start, token.Id));
            done = end;
        }

        if (done < text.Length)
        {
            sections.Add(new TextSection(done, text.Length - done, -1));
        }

        return sections;
    }
}
