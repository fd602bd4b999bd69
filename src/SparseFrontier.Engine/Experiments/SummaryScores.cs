using System.Buffers;

namespace SparseFrontier.Experiments;

/// <summary>
/// The questions of runs that share them, and how their scores are written: most tasks give few different scores, so a score is the number of its value, in digits of base 62.
/// </summary>
/// <param name="Golds"><see cref="GoldDigits"/> characters of each question, <see cref="NoSample"/> where no run has it.</param>
/// <param name="Values">The scores that occur, ascending.</param>
internal sealed record SummaryScores(string Golds, List<double> Values)
{
    /// <summary>Hexadecimal digits of a gold's SHA-256 that are kept: two questions of one index are taken for one in one of 16 million cases.</summary>
    public const int GoldDigits = 6;

    public const char NoSample = '-';
    private const char NoScore = '_';
    private const string Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private static readonly SearchValues<char> s_goldCharacters = SearchValues.Create("0123456789abcdef-");

    /// <summary>Characters of a score.</summary>
    private int Width { get; } = WidthOf(Values.Count);

    public string Gold(int sample) => Golds.Substring(sample * GoldDigits, GoldDigits);

    /// <summary>The codes of a run's samples, by index.</summary>
    public string Encode(IReadOnlyList<SampleResult> samples)
    {
        char[] codes = [.. Enumerable.Repeat(NoSample, Width * (samples.Count == 0 ? 0 : samples.Max(s => s.Index) + 1))];
        foreach (SampleResult sample in samples)
        {
            Span<char> code = codes.AsSpan(sample.Index * Width, Width);
            if (sample.Score is not { } score)
            {
                code.Fill(NoScore);
                continue;
            }

            int number = Values.BinarySearch(score);
            for (int i = Width - 1; i >= 0; i--)
            {
                code[i] = Digits[number % Digits.Length];
                number /= Digits.Length;
            }
        }

        return new string(codes);
    }

    /// <summary>Whether the questions are whole hashes.</summary>
    public bool HasHashes => Golds.Length % GoldDigits == 0 && !Golds.AsSpan().ContainsAnyExcept(s_goldCharacters);

    /// <summary>Whether codes are of questions and values that there are.</summary>
    public bool Holds(string codes)
    {
        if (codes.Length % Width != 0 || codes.Length / Width > Golds.Length / GoldDigits)
        {
            return false;
        }

        for (int sample = 0; sample < codes.Length / Width; sample++)
        {
            ReadOnlySpan<char> code = codes.AsSpan(sample * Width, Width);
            bool scored = Number(code) is var number && number >= 0 && number < Values.Count;
            if (!IsAll(code, NoSample) && (Golds[sample * GoldDigits] == NoSample || !(scored || IsAll(code, NoScore))))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The codes of the samples before one.</summary>
    public string Before(string codes, int sample) => codes[..(sample * Width)];

    /// <summary>The samples that codes have, ascending.</summary>
    public int[] Indices(string codes) => [.. Enumerable.Range(0, codes.Length / Width).Where(i => codes[i * Width] != NoSample)];

    public double? Score(string codes, int sample) => codes[sample * Width] == NoScore ? null : Values[Number(codes.AsSpan(sample * Width, Width))];

    private static int WidthOf(int count)
    {
        int width = 1;
        for (long codes = Digits.Length; codes < count; codes *= Digits.Length)
        {
            width++;
        }

        return width;
    }

    private static bool IsAll(ReadOnlySpan<char> code, char one) => code.IndexOfAnyExcept(one) < 0;

    // Below 0 where a character is no digit.
    private static int Number(ReadOnlySpan<char> code)
    {
        int number = 0;
        foreach (char c in code)
        {
            int digit = Digits.IndexOf(c, StringComparison.Ordinal);
            if (digit < 0)
            {
                return -1;
            }

            number = (number * Digits.Length) + digit;
        }

        return number;
    }
}
