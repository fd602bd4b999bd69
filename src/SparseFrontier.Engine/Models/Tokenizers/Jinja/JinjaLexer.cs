using System.Text;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>
/// Cuts a template into tokens. Whitespace around tags goes as in Transformers, which sets trim_blocks (the newline after a statement goes)
/// and lstrip_blocks (blanks before a statement at the start of a line go); one newline at the template's end is dropped, as Jinja does.
/// </summary>
internal sealed class JinjaLexer
{
    private static readonly string[] s_operators =
        ["//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "|", ".", ",", ":", "(", ")", "[", "]", "{", "}"];

    private readonly string _source;
    private readonly List<JinjaToken> _tokens = [];
    private int _position;
    private int _line = 1;

    private JinjaLexer(string source)
    {
        _source = source;
    }

    /// <summary>The tokens of a template, the last of them <see cref="JinjaTokenKind.End"/>.</summary>
    public static List<JinjaToken> Read(string template)
    {
        string source = template.ReplaceLineEndings("\n");
        var lexer = new JinjaLexer(source.EndsWith('\n') ? source[..^1] : source);
        lexer.ReadTemplate();
        return lexer._tokens;
    }

    private void ReadTemplate()
    {
        bool lineStarts = true;
        bool stripLeft = false;
        while (_position < _source.Length)
        {
            int tag = NextTag();
            string text = _source[_position..tag];
            bool atEnd = tag == _source.Length;
            char kind = atEnd ? '\0' : _source[tag + 1];
            char sign = !atEnd && tag + 2 < _source.Length ? _source[tag + 2] : '\0';
            if (stripLeft)
            {
                text = text.TrimStart();
            }

            if (!atEnd && sign == '-')
            {
                text = text.TrimEnd();
            }
            else if (!atEnd && kind != '{' && sign != '+')
            {
                int lineStart = text.LastIndexOf('\n') + 1;
                if ((lineStart > 0 || lineStarts) && string.IsNullOrWhiteSpace(text[lineStart..]))
                {
                    text = text[..lineStart];
                }
            }

            if (text.Length > 0)
            {
                Add(JinjaTokenKind.Text, text);
            }

            Advance(tag);
            if (atEnd)
            {
                break;
            }

            Advance(tag + (sign is '-' or '+' ? 3 : 2));
            switch (kind)
            {
                case '#':
                    stripLeft = SkipComment();
                    break;
                case '{':
                    Add(JinjaTokenKind.OutputBegin, "{{");
                    stripLeft = ReadExpression("}}", JinjaTokenKind.OutputEnd);
                    break;
                default:
                    Add(JinjaTokenKind.BlockBegin, "{%");
                    stripLeft = ReadExpression("%}", JinjaTokenKind.BlockEnd);
                    break;
            }

            // A tag's end that took its newline leaves the next text at the start of a line.
            lineStarts = kind != '{' && _position > 0 && _source[_position - 1] == '\n';
        }

        Add(JinjaTokenKind.End, "the end of the template");
    }

    private int NextTag()
    {
        for (int i = _position; i + 1 < _source.Length; i++)
        {
            if (_source[i] == '{' && _source[i + 1] is '{' or '%' or '#')
            {
                return i;
            }
        }

        return _source.Length;
    }

    private bool SkipComment()
    {
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0)
        {
            throw JinjaErrors.Unsupported("a comment without an end", _line);
        }

        char sign = end > _position ? _source[end - 1] : '\0';
        Advance(end + 2);
        TrimNewline(sign);
        return sign == '-';
    }

    /// <summary>Reads tokens up to a tag's end; gives whether the end asks for the whitespace after it to go.</summary>
    private bool ReadExpression(string close, JinjaTokenKind endKind)
    {
        int braces = 0;
        while (true)
        {
            while (_position < _source.Length && char.IsWhiteSpace(_source[_position]))
            {
                Advance(_position + 1);
            }

            if (_position >= _source.Length)
            {
                throw JinjaErrors.Unsupported($"a tag without its '{close}'", _line);
            }

            char sign = _source[_position];
            int offset = sign is '-' or '+' ? 1 : 0;
            if (braces == 0 && string.CompareOrdinal(_source, _position + offset, close, 0, 2) == 0)
            {
                Add(endKind, close);
                Advance(_position + offset + 2);
                if (endKind == JinjaTokenKind.BlockEnd)
                {
                    TrimNewline(sign);
                }

                return sign == '-';
            }

            ReadToken(ref braces);
        }
    }

    private void TrimNewline(char sign)
    {
        if (sign is not ('+' or '-') && _position < _source.Length && _source[_position] == '\n')
        {
            Advance(_position + 1);
        }
    }

    private void ReadToken(ref int braces)
    {
        char c = _source[_position];
        if (char.IsAsciiLetter(c) || c == '_')
        {
            int end = _position;
            while (end < _source.Length && (char.IsAsciiLetterOrDigit(_source[end]) || _source[end] == '_'))
            {
                end++;
            }

            Add(JinjaTokenKind.Name, _source[_position..end]);
            Advance(end);
        }
        else if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (c is '"' or '\'')
        {
            ReadString(c);
        }
        else
        {
            string? found = Array.Find(s_operators, text => string.CompareOrdinal(_source, _position, text, 0, text.Length) == 0);
            if (found is null)
            {
                throw JinjaErrors.Unsupported($"the character '{c}'", _line);
            }

            braces += found switch { "{" => 1, "}" => -1, _ => 0 };
            Add(JinjaTokenKind.Operator, found);
            Advance(_position + found.Length);
        }
    }

    private void ReadNumber()
    {
        int end = _position;
        bool isFloat = false;
        while (end < _source.Length
            && (char.IsAsciiDigit(_source[end])
                || (!isFloat && _source[end] == '.' && end + 1 < _source.Length && char.IsAsciiDigit(_source[end + 1]))))
        {
            isFloat |= _source[end] == '.';
            end++;
        }

        Add(isFloat ? JinjaTokenKind.Float : JinjaTokenKind.Integer, _source[_position..end]);
        Advance(end);
    }

    private void ReadString(char quote)
    {
        var builder = new StringBuilder();
        int position = _position + 1;
        while (position < _source.Length && _source[position] != quote)
        {
            char c = _source[position++];
            if (c != '\\' || position >= _source.Length)
            {
                builder.Append(c);
                continue;
            }

            char escaped = _source[position++];
            builder.Append(escaped switch
            {
                'n' => "\n",
                't' => "\t",
                'r' => "\r",
                '\\' or '\'' or '"' => escaped.ToString(),
                '\n' => "",
                _ when char.IsAsciiLetterOrDigit(escaped) => throw JinjaErrors.Unsupported($@"the string escape '\{escaped}'", _line),
                _ => "\\" + escaped,
            });
        }

        if (position >= _source.Length)
        {
            throw JinjaErrors.Unsupported("a string without an end", _line);
        }

        Add(JinjaTokenKind.String, builder.ToString());
        Advance(position + 1);
    }

    private void Advance(int position)
    {
        for (; _position < position; _position++)
        {
            if (_source[_position] == '\n')
            {
                _line++;
            }
        }
    }

    private void Add(JinjaTokenKind kind, string text) => _tokens.Add(new JinjaToken(kind, text, _line));
}
