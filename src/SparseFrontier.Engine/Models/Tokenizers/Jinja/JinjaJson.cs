using System.Globalization;
using System.Text;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>The <c>tojson</c> filter as Transformers defines it: Python's <c>json.dumps</c> with ensure_ascii off.</summary>
internal static class JinjaJson
{
    /// <summary>The JSON text of a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="indent">Spaces of one level; negative for a single line.</param>
    /// <param name="line">For errors.</param>
    public static string Write(object? value, int indent, int line)
    {
        var builder = new StringBuilder();
        Write(value, indent, 0, builder, line);
        return builder.ToString();
    }

    private static void Write(object? value, int indent, int depth, StringBuilder builder, int line)
    {
        JinjaWork.RequireStack(line);
        JinjaWork.Spend((value is string { Length: var length } ? length : 1) + (Math.Max(0L, indent) * depth), line);
        switch (value)
        {
            case null:
                builder.Append("null");
                break;
            case bool flag:
                builder.Append(flag ? "true" : "false");
                break;
            case string text:
                WriteString(text, builder);
                break;
            case long or double:
                builder.Append(JinjaValues.Text(value, line));
                break;
            case List<object?> list:
                WriteItems('[', ']', list, item => Write(item, indent, depth + 1, builder, line), indent, depth, builder);
                break;
            case Dictionary<string, object?> mapping:
                WriteItems(
                    '{',
                    '}',
                    mapping,
                    entry =>
                    {
                        WriteString(entry.Key, builder);
                        builder.Append(": ");
                        Write(entry.Value, indent, depth + 1, builder, line);
                    },
                    indent,
                    depth,
                    builder);
                break;
            default:
                throw JinjaErrors.Unsupported($"the JSON of {JinjaValues.TypeName(value)}", line);
        }
    }

    private static void WriteItems<T>(
        char open, char close, IReadOnlyCollection<T> items, Action<T> write, int indent, int depth, StringBuilder builder)
    {
        builder.Append(open);
        bool first = true;
        foreach (T item in items)
        {
            builder.Append(first ? "" : indent < 0 ? ", " : ",");
            NewLine(depth + 1);
            write(item);
            first = false;
        }

        if (!first)
        {
            NewLine(depth);
        }

        builder.Append(close);

        void NewLine(int level)
        {
            if (indent >= 0)
            {
                builder.Append('\n').Append(' ', indent * level);
            }
        }
    }

    private static void WriteString(string text, StringBuilder builder)
    {
        builder.Append('"');
        foreach (char c in text)
        {
            switch (c)
            {
                case '"' or '\\':
                    builder.Append('\\').Append(c);
                    break;
                case '\n':
                    builder.Append(@"\n");
                    break;
                case '\r':
                    builder.Append(@"\r");
                    break;
                case '\t':
                    builder.Append(@"\t");
                    break;
                case '\b':
                    builder.Append(@"\b");
                    break;
                case '\f':
                    builder.Append(@"\f");
                    break;
                case < ' ':
                    builder.Append(CultureInfo.InvariantCulture, $@"\u{(int)c:x4}");
                    break;
                default:
                    builder.Append(c);
                    break;
            }
        }

        builder.Append('"');
    }
}
