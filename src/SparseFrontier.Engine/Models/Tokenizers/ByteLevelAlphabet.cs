using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>GPT-2's printable character for each byte, and back.</summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] s_characters = BuildCharacters();
    private static readonly short[] s_bytes = BuildBytes();

    /// <summary>The character that stands for a byte.</summary>
    public static char Character(byte value) => s_characters[value];

    /// <summary>Replaces each piece by one character per UTF-8 byte.</summary>
    public static void Apply(TextPieces pieces)
    {
        var builder = new StringBuilder(pieces.Text.Length + 16);
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < pieces.Ranges.Count; i++)
        {
            (int start, int end) = pieces.Ranges[i];
            int first = builder.Length;
            ReadOnlySpan<char> text = pieces.Text.AsSpan(start, end - start);
            foreach (Rune rune in text.EnumerateRunes())
            {
                int count = rune.EncodeToUtf8(bytes);
                for (int b = 0; b < count; b++)
                {
                    builder.Append(s_characters[bytes[b]]);
                }
            }

            pieces.Ranges[i] = (first, builder.Length);
        }

        pieces.Text = builder.ToString();
    }

    /// <summary>The bytes of tokens; a token with a character outside the alphabet stands for its own UTF-8 bytes.</summary>
    public static List<string> Decode(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            int before = bytes.Count;
            foreach (char c in token)
            {
                short value = c < s_bytes.Length ? s_bytes[c] : (short)-1;
                if (value < 0)
                {
                    bytes.RemoveRange(before, bytes.Count - before);
                    bytes.AddRange(Encoding.UTF8.GetBytes(token));
                    break;
                }

                bytes.Add((byte)value);
            }
        }

        return [Encoding.UTF8.GetString(bytes.ToArray())];
    }

    private static char[] BuildCharacters()
    {
        char[] characters = new char[256];
        int extra = 0;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[b] = printable ? (char)b : (char)(0x100 + extra++);
        }

        return characters;
    }

    private static short[] BuildBytes()
    {
        short[] bytes = new short[0x144];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
        {
            bytes[s_characters[b]] = (short)b;
        }

        return bytes;
    }
}
