using System.Globalization;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>Character classes of the pre-tokenizers, by Unicode general category; a table for the basic plane.</summary>
internal static class CodePoints
{
    /// <summary>\p{L}.</summary>
    public const byte Letter = 1;

    /// <summary>\p{N}.</summary>
    public const byte Number = 2;

    /// <summary>White_Space.</summary>
    public const byte Space = 4;

    /// <summary>\p{P}, and all ASCII punctuation and symbols.</summary>
    public const byte Punctuation = 8;

    /// <summary>A word character (\w of Rust's regex): letters, marks, decimal and letter numbers, connectors, joiners, circled letters.</summary>
    public const byte Word = 16;

    private static readonly byte[] s_basicPlane = BuildBasicPlane();

    /// <summary>Class bits of the code point at an index, and how many UTF-16 units it takes.</summary>
    public static byte ClassAt(ReadOnlySpan<char> text, int index, out int length)
    {
        char unit = text[index];
        if (char.IsHighSurrogate(unit) && index + 1 < text.Length)
        {
            length = 2;
            return Classify(char.ConvertToUtf32(unit, text[index + 1]));
        }

        length = 1;
        return s_basicPlane[unit];
    }

    /// <summary>Whether a word character ends just before an index.</summary>
    public static bool IsWordBefore(ReadOnlySpan<char> text, int index)
    {
        if (index == 0)
        {
            return false;
        }

        int start = index >= 2 && char.IsLowSurrogate(text[index - 1]) ? index - 2 : index - 1;
        return (ClassAt(text, start, out _) & Word) != 0;
    }

    /// <summary>Whether a word character starts at an index.</summary>
    public static bool IsWordAt(ReadOnlySpan<char> text, int index) => index < text.Length && (ClassAt(text, index, out _) & Word) != 0;

    private static byte[] BuildBasicPlane()
    {
        byte[] table = new byte[0x10000];
        for (int c = 0; c < table.Length; c++)
        {
            table[c] = Classify(c);
        }

        return table;
    }

    private static byte Classify(int codePoint)
    {
        if (codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint))
        {
            return Space;
        }

        byte bits = CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter | Word,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber => Number | Word,
            UnicodeCategory.OtherNumber => Number,
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Word,
            UnicodeCategory.ConnectorPunctuation => Punctuation | Word,
            UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation
                or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation
                or UnicodeCategory.OtherPunctuation => Punctuation,
            _ when codePoint is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
                or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189) => Word,
            _ => 0,
        };
        return codePoint < 0x80 && (char.IsPunctuation((char)codePoint) || char.IsSymbol((char)codePoint)) ? (byte)(bits | Punctuation) : bits;
    }
}
