using System.Collections;
using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>
/// The Unicode normalization forms (Unicode Standard Annex 15) from a table of its own. .NET's <see cref="string.Normalize()"/> asks the
/// system's ICU and leaves text as it is where there is none, so the same text would give other tokens on another machine.
/// </summary>
internal sealed class UnicodeNormalizer
{
    // Hangul syllables compose by arithmetic (The Unicode Standard, section 3.12).
    private const int SyllableFirst = 0xAC00;
    private const int SyllableCount = 11172;
    private const int LeadFirst = 0x1100;
    private const int LeadCount = 19;
    private const int VowelFirst = 0x1161;
    private const int VowelCount = 21;
    private const int TrailFirst = 0x11A7;
    private const int TrailCount = 28;

    private static readonly Dictionary<string, Lazy<UnicodeNormalizer>> s_forms = new(StringComparer.Ordinal)
    {
        ["NFC"] = new(static () => new UnicodeNormalizer(compatibility: false, composed: true)),
        ["NFD"] = new(static () => new UnicodeNormalizer(compatibility: false, composed: false)),
        ["NFKC"] = new(static () => new UnicodeNormalizer(compatibility: true, composed: true)),
        ["NFKD"] = new(static () => new UnicodeNormalizer(compatibility: true, composed: false)),
    };

    private readonly bool _composed;
    private readonly UnicodeData _data = UnicodeData.Instance;
    private readonly Dictionary<int, int[]> _decompositions = [];

    // A code point that the form keeps, of combining class 0, that never joins what is before it: a text may be cut before it.
    private readonly BitArray _isBoundary = new(0x110000, true);

    private UnicodeNormalizer(bool compatibility, bool composed)
    {
        _composed = composed;
        IEnumerable<int> decomposable = compatibility ? _data.Canonical.Keys.Concat(_data.Compatibility.Keys) : _data.Canonical.Keys;
        foreach (int codePoint in decomposable)
        {
            var parts = new List<int>();
            Expand(codePoint, compatibility, parts);
            _decompositions[codePoint] = parts.ToArray();
            _isBoundary[codePoint] = false;
        }

        // Precomposed letters are most of what composed text holds beyond ASCII.
        foreach (int composite in composed ? _data.Compositions.Values : Enumerable.Empty<int>())
        {
            var canonical = new List<int>();
            Expand(composite, compatibility: false, canonical);
            _isBoundary[composite] = canonical.SequenceEqual(_decompositions[composite]);
        }

        foreach (int codePoint in _data.Classes.Keys.Concat(_data.Compositions.Keys.Select(static pair => pair.Second)))
        {
            _isBoundary[codePoint] = false;
        }

        for (int jamo = VowelFirst; jamo < TrailFirst + TrailCount; jamo++)
        {
            _isBoundary[jamo] = false;
        }

        for (int syllable = 0; syllable < SyllableCount && !composed; syllable++)
        {
            _isBoundary[SyllableFirst + syllable] = false;
        }
    }

    /// <summary>The normalizer of a form.</summary>
    /// <param name="form">NFC, NFD, NFKC or NFKD.</param>
    public static UnicodeNormalizer For(string form) => s_forms[form].Value;

    /// <summary>The text in this form.</summary>
    public string Normalize(string text)
    {
        int position = text.AsSpan().IndexOfAnyExceptInRange('\0', '\u007F');
        if (position < 0)
        {
            return text;
        }

        StringBuilder? builder = null;
        int copied = 0;
        int boundary = Math.Max(0, position - 1);
        while (position < text.Length)
        {
            int codePoint = CodePointAt(text, position, out int length);
            if (_isBoundary[codePoint])
            {
                boundary = position;
                position += length;
                continue;
            }

            position += length;
            while (position < text.Length && !_isBoundary[CodePointAt(text, position, out length)])
            {
                position += length;
            }

            builder ??= new StringBuilder(text.Length + 16);
            builder.Append(text, copied, boundary - copied);
            AppendNormalized(text.AsSpan(boundary, position - boundary), builder);
            copied = position;
            boundary = position;
        }

        return builder is null ? text : builder.Append(text, copied, text.Length - copied).ToString();
    }

    private static int CodePointAt(string text, int index, out int length)
    {
        char unit = text[index];
        if (char.IsHighSurrogate(unit) && index + 1 < text.Length)
        {
            length = 2;
            return char.ConvertToUtf32(unit, text[index + 1]);
        }

        length = 1;
        return unit;
    }

    private void Expand(int codePoint, bool compatibility, List<int> parts)
    {
        if (_data.Canonical.TryGetValue(codePoint, out int[]? next) || (compatibility && _data.Compatibility.TryGetValue(codePoint, out next)))
        {
            foreach (int part in next)
            {
                Expand(part, compatibility, parts);
            }
        }
        else
        {
            parts.Add(codePoint);
        }
    }

    private void AppendNormalized(ReadOnlySpan<char> segment, StringBuilder builder)
    {
        var codePoints = new List<int>(segment.Length);
        foreach (Rune rune in segment.EnumerateRunes())
        {
            Decompose(rune.Value, codePoints);
        }

        OrderMarks(codePoints);
        if (_composed)
        {
            Compose(codePoints);
        }

        Span<char> units = stackalloc char[2];
        foreach (int codePoint in codePoints)
        {
            builder.Append(units[..new Rune(codePoint).EncodeToUtf16(units)]);
        }
    }

    private void Decompose(int codePoint, List<int> output)
    {
        int syllable = codePoint - SyllableFirst;
        if (syllable is >= 0 and < SyllableCount)
        {
            output.Add(LeadFirst + (syllable / (VowelCount * TrailCount)));
            output.Add(VowelFirst + (syllable / TrailCount % VowelCount));
            if (syllable % TrailCount > 0)
            {
                output.Add(TrailFirst + (syllable % TrailCount));
            }
        }
        else if (_decompositions.TryGetValue(codePoint, out int[]? parts))
        {
            output.AddRange(parts);
        }
        else
        {
            output.Add(codePoint);
        }
    }

    /// <summary>Sorts each run of marks by combining class, keeping the order of equals.</summary>
    private void OrderMarks(List<int> codePoints)
    {
        for (int first = 0; first < codePoints.Count; first++)
        {
            if (ClassOf(codePoints[first]) == 0)
            {
                continue;
            }

            int end = first + 1;
            while (end < codePoints.Count && ClassOf(codePoints[end]) != 0)
            {
                end++;
            }

            if (end - first > 1)
            {
                int[] ordered = codePoints.GetRange(first, end - first).OrderBy(ClassOf).ToArray();
                for (int i = 0; i < ordered.Length; i++)
                {
                    codePoints[first + i] = ordered[i];
                }
            }

            first = end;
        }
    }

    private void Compose(List<int> codePoints)
    {
        int count = 0;
        int starter = -1;

        // Class of the last code point kept after the starter; -1 right after it, so that a neighbouring starter may join.
        int lastClass = -1;
        foreach (int codePoint in codePoints.ToArray())
        {
            int combiningClass = ClassOf(codePoint);
            if (starter >= 0 && lastClass < combiningClass && Composite(codePoints[starter], codePoint) is >= 0 and int composite)
            {
                codePoints[starter] = composite;
                continue;
            }

            if (combiningClass == 0)
            {
                starter = count;
                lastClass = -1;
            }
            else
            {
                lastClass = combiningClass;
            }

            codePoints[count++] = codePoint;
        }

        codePoints.RemoveRange(count, codePoints.Count - count);
    }

    private int Composite(int first, int second)
    {
        int lead = first - LeadFirst;
        int vowel = second - VowelFirst;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            return SyllableFirst + (((lead * VowelCount) + vowel) * TrailCount);
        }

        int syllable = first - SyllableFirst;
        int trail = second - TrailFirst;
        if (syllable is >= 0 and < SyllableCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            return first + trail;
        }

        return _data.Compositions.TryGetValue((first, second), out int composite) ? composite : -1;
    }

    private int ClassOf(int codePoint) => _data.Classes.TryGetValue(codePoint, out byte value) ? value : 0;
}
