namespace SparseFrontier.Models.Tokenizers;

/// <summary>
/// The three split patterns that most published tokenizers use, scanned by hand: they hold for all of Unicode (a .NET regex sees surrogate
/// halves), take linear time on any input and are several times faster than a regex. Every character belongs to exactly one piece.
/// </summary>
internal static class WordScanner
{
    /// <summary>GPT-2's pattern, which the ByteLevel pre-tokenizer uses by itself.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Qwen's pattern: single digits.</summary>
    public const string QwenPattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3's pattern: up to three digits.</summary>
    public const string Llama3Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Adds the pieces of one text by GPT-2's pattern.</summary>
    /// <param name="text">The text.</param>
    /// <param name="offset">Added to every position.</param>
    /// <param name="ranges">Where the pieces go.</param>
    public static void SplitGpt2(ReadOnlySpan<char> text, int offset, List<(int Start, int End)> ranges)
    {
        int start = 0;
        while (start < text.Length)
        {
            int end = ContractionEnd(text, start, ignoreCase: false);
            if (end < 0)
            {
                byte first = CodePoints.ClassAt(text, start, out _);
                int body = start;
                if (text[start] == ' ' && start + 1 < text.Length)
                {
                    byte second = CodePoints.ClassAt(text, start + 1, out _);
                    if ((second & CodePoints.Space) == 0)
                    {
                        body = start + 1;
                        first = second;
                    }
                }

                end = (first & CodePoints.Space) != 0
                    ? SpaceEnd(text, start)
                    : RunEnd(text, body, KindOf(first));
            }

            ranges.Add((offset + start, offset + end));
            start = end;
        }
    }

    /// <summary>Adds the pieces of one text by the pattern of Qwen and Llama 3.</summary>
    /// <param name="text">The text.</param>
    /// <param name="offset">Added to every position.</param>
    /// <param name="maximumDigits">1 for Qwen, 3 for Llama 3.</param>
    /// <param name="ranges">Where the pieces go.</param>
    public static void SplitWords(ReadOnlySpan<char> text, int offset, int maximumDigits, List<(int Start, int End)> ranges)
    {
        int start = 0;
        while (start < text.Length)
        {
            int end = WordEnd(text, start, maximumDigits);
            ranges.Add((offset + start, offset + end));
            start = end;
        }
    }

    private static int WordEnd(ReadOnlySpan<char> text, int start, int maximumDigits)
    {
        int end = ContractionEnd(text, start, ignoreCase: true);
        if (end > 0)
        {
            return end;
        }

        byte first = CodePoints.ClassAt(text, start, out int length);
        if ((first & CodePoints.Letter) != 0)
        {
            return RunEnd(text, start, CodePoints.Letter);
        }

        if ((first & CodePoints.Number) != 0)
        {
            end = start + length;
            for (int digits = 1; digits < maximumDigits && end < text.Length; digits++)
            {
                if ((CodePoints.ClassAt(text, end, out int next) & CodePoints.Number) == 0)
                {
                    break;
                }

                end += next;
            }

            return end;
        }

        bool lineBreak = text[start] is '\r' or '\n';
        int after = start + length;
        byte second = after < text.Length ? CodePoints.ClassAt(text, after, out _) : CodePoints.Space;
        if (!lineBreak && (second & CodePoints.Letter) != 0)
        {
            return RunEnd(text, after, CodePoints.Letter);
        }

        bool space = (first & CodePoints.Space) != 0;
        if (!space || (text[start] == ' ' && KindOf(second) == 0))
        {
            end = RunEnd(text, space ? after : start, 0);
            while (end < text.Length && text[end] is '\r' or '\n')
            {
                end++;
            }

            return end;
        }

        end = start;
        int lastBreak = -1;
        while (end < text.Length && char.IsWhiteSpace(text[end]))
        {
            if (text[end] is '\r' or '\n')
            {
                lastBreak = end;
            }

            end++;
        }

        return lastBreak >= 0 ? lastBreak + 1 : SpaceEnd(text, start);
    }

    /// <summary>Letter, number or space; 0 for all else.</summary>
    private static byte KindOf(byte bits) => (byte)(bits & (CodePoints.Letter | CodePoints.Number | CodePoints.Space));

    private static int RunEnd(ReadOnlySpan<char> text, int start, byte kind)
    {
        while (start < text.Length && KindOf(CodePoints.ClassAt(text, start, out int length)) == kind)
        {
            start += length;
        }

        return start;
    }

    /// <summary><c>\s+(?!\S)|\s+</c>: a run of spaces without its last one, unless it is the only one or the text ends there.</summary>
    private static int SpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = start;
        while (end < text.Length && char.IsWhiteSpace(text[end]))
        {
            end++;
        }

        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    private static int ContractionEnd(ReadOnlySpan<char> text, int start, bool ignoreCase)
    {
        if (text[start] != '\'' || start + 1 >= text.Length)
        {
            return -1;
        }

        char first = Fold(text[start + 1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return start + 2;
        }

        if (start + 2 < text.Length)
        {
            char second = Fold(text[start + 2], ignoreCase);
            if ((first is 'r' or 'v' && second == 'e') || (first == 'l' && second == 'l'))
            {
                return start + 3;
            }
        }

        return -1;
    }

    // The long s folds to s: Oniguruma's (?i:'s) matches it.
    private static char Fold(char c, bool ignoreCase) =>
        !ignoreCase ? c : c == 'ſ' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;
}
