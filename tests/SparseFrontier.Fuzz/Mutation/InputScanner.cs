using System.Text.Json;

namespace SparseFrontier.Fuzz.Mutation;

/// <summary>Finds the parts of inputs.</summary>
internal static class InputScanner
{
    private static readonly JsonReaderOptions s_options = new() { MaxDepth = 1024, CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>Values and properties of a JSON text, up to where it stops being JSON.</summary>
    public static List<InputSpan> Json(ReadOnlySpan<byte> json, int offset)
    {
        var spans = new List<InputSpan>();
        var open = new Stack<(int Start, int Name)>();
        var reader = new Utf8JsonReader(json, s_options);
        int name = -1;
        try
        {
            while (reader.Read())
            {
                int start = offset + (int)reader.TokenStartIndex;
                int end = offset + (int)reader.BytesConsumed;
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = start;
                        break;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        open.Push((start, name));
                        name = -1;
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        (start, name) = open.Pop();
                        Add(start, end, SpanKind.Value);
                        break;
                    default:
                        Add(start, end, reader.TokenType switch { JsonTokenType.String => SpanKind.Text, JsonTokenType.Number => SpanKind.Number, _ => SpanKind.Value });
                        break;
                }
            }
        }
        catch (JsonException)
        {
            // What was found so far is enough to go on with.
        }

        return spans;

        void Add(int start, int end, SpanKind kind)
        {
            spans.Add(new InputSpan(start, end, kind));
            if (name >= 0)
            {
                spans.Add(new InputSpan(name, end, SpanKind.Property));
                name = -1;
            }
        }
    }

    /// <summary>The values of all lines of a JSON-lines file, and the lines.</summary>
    public static List<InputSpan> JsonLines(ReadOnlySpan<byte> lines)
    {
        var spans = new List<InputSpan>();
        for (int start = 0; start < lines.Length;)
        {
            int length = lines[start..].IndexOf((byte)'\n');
            int end = length < 0 ? lines.Length : start + length + 1;
            spans.AddRange(Json(lines[start..end], start));
            spans.Add(new InputSpan(start, end, SpanKind.Value));
            start = end;
        }

        return spans;
    }

    /// <summary>Words, numbers, quoted texts, marks and lines of any other text.</summary>
    public static List<InputSpan> Text(ReadOnlySpan<byte> text)
    {
        var spans = new List<InputSpan>();
        int line = 0;
        for (int i = 0; i < text.Length;)
        {
            int start = i;
            byte c = text[i++];
            if (c == '\n')
            {
                spans.Add(new InputSpan(line, i, SpanKind.Value));
                line = i;
            }
            else if (IsWord(c))
            {
                while (i < text.Length && IsWord(text[i]))
                {
                    i++;
                }

                spans.Add(new InputSpan(start, i, char.IsAsciiDigit((char)c) ? SpanKind.Number : SpanKind.Value));
            }
            else if (c is (byte)'"' or (byte)'\'')
            {
                int length = text[i..].IndexOf(c);
                if (length >= 0)
                {
                    i += length + 1;
                    spans.Add(new InputSpan(start, i, SpanKind.Text));
                }
            }
            else if (c > ' ')
            {
                spans.Add(new InputSpan(start, i, SpanKind.Value));
            }
        }

        return spans;
    }

    private static bool IsWord(byte c) => char.IsAsciiLetterOrDigit((char)c) || c == '_' || c >= 0x80;
}
