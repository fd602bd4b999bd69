using System.Globalization;
using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>
/// Rewrites an Oniguruma regex so that .NET's engine reads it with the same meaning; refuses what .NET would read differently in silence
/// (nested and intersected character classes, Ruby's (?m), its own escapes).
/// </summary>
internal sealed class PatternTranslator
{
    // Oniguruma's \w, found by comparison over all code points: some superscripts, fractions and circled letters too.
    private const string WordClass = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u00B2\u00B3\u00B9\u00BC-\u00BE\u24B6-\u24E9";

    private readonly string _pattern;
    private readonly StringBuilder _output = new();
    private readonly List<(char First, char Last)> _named = [];
    private int _position;

    public PatternTranslator(string pattern)
    {
        _pattern = pattern;
    }

    /// <summary>Whether the pattern names a character, by itself or in a range.</summary>
    public bool Names(char c)
    {
        foreach ((char first, char last) in _named)
        {
            if (c >= first && c <= last)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The pattern in .NET's syntax.</summary>
    public string Translate()
    {
        var ignoringCase = new Stack<bool>();
        bool ignoreCase = false;
        while (_position < _pattern.Length)
        {
            char c = _pattern[_position];
            switch (c)
            {
                case '\\':
                    Escape(inClass: false);
                    break;
                case '[':
                    CharacterClass();
                    break;
                case '(':
                    ignoringCase.Push(ignoreCase);
                    ignoreCase = OpenGroup(ignoreCase, out bool scopeOnly);
                    if (scopeOnly)
                    {
                        // (?i) holds to the end of the group around it.
                        ignoringCase.Pop();
                    }

                    break;
                case ')':
                    _output.Append(')');
                    _position++;
                    ignoreCase = ignoringCase.Count > 0 && ignoringCase.Pop();
                    break;
                case '{' when _position + 1 < _pattern.Length && _pattern[_position + 1] == ',':
                    _output.Append("{0");
                    _position++;
                    break;
                default:
                    Literal(c);
                    _position++;

                    // Unicode folds the long s to s, .NET does not.
                    _output.Append(ignoreCase && (c is 's' or 'S') ? "[sSſ]" : c.ToString());
                    break;
            }
        }

        return _output.ToString();
    }

    private bool OpenGroup(bool ignoreCase, out bool scopeOnly)
    {
        scopeOnly = false;
        ReadOnlySpan<char> rest = _pattern.AsSpan(_position);
        foreach (string opening in (string[])["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"])
        {
            if (rest.StartsWith(opening, StringComparison.Ordinal))
            {
                _output.Append(opening);
                _position += opening.Length;
                return ignoreCase;
            }
        }

        if (rest.StartsWith("(?i:", StringComparison.Ordinal) || rest.StartsWith("(?i)", StringComparison.Ordinal))
        {
            scopeOnly = rest[3] == ')';
            _output.Append(rest[..4]);
            _position += 4;
            return true;
        }

        if (rest.StartsWith("(?<", StringComparison.Ordinal) && rest.IndexOf('>') is > 0 and int end)
        {
            // Nothing reads a group's name here.
            _output.Append("(?:");
            _position += end + 1;
            return ignoreCase;
        }

        if (rest.StartsWith("(?", StringComparison.Ordinal))
        {
            throw Unsupported($"the group '{rest[..Math.Min(4, rest.Length)]}'");
        }

        _output.Append("(?:");
        _position++;
        return ignoreCase;
    }

    private void CharacterClass()
    {
        _output.Append('[');
        _position++;
        if (_position < _pattern.Length && _pattern[_position] == '^')
        {
            _output.Append('^');
            _position++;
        }

        bool first = true;
        bool range = false;
        char previous = '\0';
        while (true)
        {
            if (_position >= _pattern.Length)
            {
                throw Unsupported("a character class without an end");
            }

            char c = _pattern[_position];
            if (c == ']' && !first)
            {
                _output.Append(']');
                _position++;
                return;
            }

            first = false;
            if (c == '[')
            {
                throw Unsupported("a character class inside a character class");
            }

            if (c == '&' && _position + 1 < _pattern.Length && _pattern[_position + 1] == '&')
            {
                throw Unsupported("the intersection of character classes (&&)");
            }

            if (c == '-' && previous != '\0' && _position + 1 < _pattern.Length && _pattern[_position + 1] != ']')
            {
                _output.Append('-');
                _position++;
                range = true;
                continue;
            }

            char literal;
            if (c == '\\')
            {
                literal = Escape(inClass: true);
            }
            else
            {
                Literal(c);
                _output.Append(c);
                _position++;
                literal = c;
            }

            if (range)
            {
                if (literal == '\0')
                {
                    throw Unsupported("a character range that ends in a class");
                }

                _named.Add((previous, literal));
                range = false;
                literal = '\0';
            }

            previous = literal;
        }
    }

    /// <summary>Copies or rewrites an escape; gives the character it stands for, or NUL where it stands for a class or a position.</summary>
    private char Escape(bool inClass)
    {
        if (_position + 1 >= _pattern.Length)
        {
            throw Unsupported("a backslash at the end");
        }

        char c = _pattern[_position + 1];
        switch (c)
        {
            case 'p' or 'P':
                int end = _pattern.IndexOf('}', _position);
                if (_position + 2 >= _pattern.Length || _pattern[_position + 2] != '{' || end < 0)
                {
                    throw Unsupported($@"\{c} without braces");
                }

                _output.Append(_pattern, _position, end + 1 - _position);
                _position = end + 1;
                return '\0';
            case 'w' or 'W':
                if (c == 'W' && inClass)
                {
                    throw Unsupported(@"\W inside a character class");
                }

                _output.Append(inClass ? WordClass : c == 'w' ? $"[{WordClass}]" : $"[^{WordClass}]");
                _position += 2;
                return '\0';
            case 'b' or 'B' when !inClass:
                _output.Append(c == 'b'
                    ? $"(?:(?<=[{WordClass}])(?![{WordClass}])|(?<![{WordClass}])(?=[{WordClass}]))"
                    : $"(?:(?<=[{WordClass}])(?=[{WordClass}])|(?<![{WordClass}])(?![{WordClass}]))");
                _position += 2;
                return '\0';
            case 'h':
                _output.Append(inClass ? "0-9a-fA-F" : "[0-9a-fA-F]");
                _position += 2;
                return '\0';
            case 'd' or 'D' or 's' or 'S':
            case 'A' or 'z' or 'Z' or 'G' when !inClass:
                _output.Append('\\').Append(c);
                _position += 2;
                return '\0';
            case 'n' or 'r' or 't' or 'f' or 'v' or 'a' or 'e':
                _output.Append('\\').Append(c);
                _position += 2;
                return Named("\n\r\t\f\v\a\u001B"["nrtfvae".IndexOf(c, StringComparison.Ordinal)]);
            case 'x' or 'u':
                return HexadecimalEscape(c);
            default:
                if (char.IsAsciiLetterOrDigit(c))
                {
                    throw Unsupported($@"the escape '\{c}'");
                }

                Literal(c);
                _output.Append('\\').Append(c);
                _position += 2;
                return c;
        }
    }

    private char HexadecimalEscape(char kind)
    {
        int start = _position + 2;
        int end;
        string digits;
        if (start < _pattern.Length && _pattern[start] == '{')
        {
            end = _pattern.IndexOf('}', start);
            digits = end < 0 ? "" : _pattern[(start + 1)..end];
            end++;
        }
        else
        {
            end = Math.Min(_pattern.Length, start + (kind == 'x' ? 2 : 4));
            digits = _pattern[start..end];
        }

        if (!int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            || value > 0xFFFF
            || char.IsSurrogate((char)value))
        {
            throw Unsupported($@"the code point '\{kind}{digits}' beyond the basic plane, or malformed");
        }

        _output.Append(CultureInfo.InvariantCulture, $@"\u{value:X4}");
        _position = end;
        return Named((char)value);
    }

    private void Literal(char c)
    {
        if (char.IsSurrogate(c))
        {
            throw Unsupported("a character beyond the basic plane");
        }

        Named(c);
    }

    private char Named(char c)
    {
        _named.Add((c, c));
        return c;
    }

    private SparseFrontierException Unsupported(string what) => new(
        ErrorIds.TokenizerUnsupported,
        $"The tokenizer's regex '{_pattern}' uses {what}, which is not supported.",
        _pattern);
}
