using System.Globalization;
using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>The steps from tokens to text, as the <c>tokenizers</c> library defines them.</summary>
internal static class Decoders
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Runs of byte tokens (&lt;0x0A&gt;) become text; each byte of a run that is not UTF-8 becomes U+FFFD.</summary>
    public static List<string> ByteFallback(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            if (token.Length == 6
                && token.StartsWith("<0x", StringComparison.Ordinal)
                && token[5] == '>'
                && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                bytes.Add(value);
                continue;
            }

            FlushBytes(bytes, result);
            result.Add(token);
        }

        FlushBytes(bytes, result);
        return result;
    }

    /// <summary>All tokens become one.</summary>
    public static List<string> Fuse(List<string> tokens) => [string.Concat(tokens)];

    /// <summary>Replaces a pattern in each token.</summary>
    public static Func<List<string>, List<string>> Replace(TextPattern pattern, string content) =>
        tokens => tokens.ConvertAll(token => pattern.Replace(token, content));

    /// <summary>Takes up to a number of characters off both ends of each token.</summary>
    public static Func<List<string>, List<string>> Strip(char content, int start, int stop) => tokens => tokens.ConvertAll(token =>
    {
        int from = 0;
        while (from < start && from < token.Length && token[from] == content)
        {
            from++;
        }

        int to = token.Length;
        while (token.Length - to < stop && to > from && token[to - 1] == content)
        {
            to--;
        }

        return token[from..to];
    });

    /// <summary>The visible space becomes a space; in the first token it vanishes, unless it was never put there.</summary>
    public static Func<List<string>, List<string>> Metaspace(char replacement, string prependScheme) => tokens =>
    {
        var result = new List<string>(tokens.Count);
        foreach (string token in tokens)
        {
            bool vanishes = result.Count == 0 && prependScheme != "never";
            result.Add(vanishes
                ? token.Replace(replacement.ToString(), "", StringComparison.Ordinal)
                : token.Replace(replacement, ' '));
        }

        return result;
    };

    private static void FlushBytes(List<byte> bytes, List<string> result)
    {
        if (bytes.Count == 0)
        {
            return;
        }

        try
        {
            result.Add(s_strict.GetString(bytes.ToArray()));
        }
        catch (DecoderFallbackException)
        {
            result.Add(new string('\uFFFD', bytes.Count));
        }

        bytes.Clear();
    }
}
