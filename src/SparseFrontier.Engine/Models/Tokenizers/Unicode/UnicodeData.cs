using System.Globalization;
using System.IO.Compression;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>Decompositions, compositions and combining classes, read once from the embedded table.</summary>
internal sealed class UnicodeData
{
    private static readonly Lazy<UnicodeData> s_instance = new(static () => new UnicodeData());

    private UnicodeData()
    {
        using Stream stream = typeof(UnicodeData).Assembly.GetManifestResourceStream("SparseFrontier.unicode_decompositions.txt.br")!;
        using var reader = new StreamReader(new BrotliStream(stream, CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            if (fields[0] == "#")
            {
                continue;
            }

            int[] values = fields[1..].Select((field, index) => Parse(field, fields[0] == "C" && index == 2)).ToArray();
            switch (fields[0])
            {
                case "C":
                    for (int codePoint = values[0]; codePoint <= values[1]; codePoint++)
                    {
                        Classes[codePoint] = (byte)values[2];
                    }

                    break;
                case "K":
                    Compatibility[values[0]] = values[1..];
                    break;
                default:
                    Canonical[values[0]] = values[1..];
                    if (fields[0] == "D")
                    {
                        Compositions[(values[1], values[2])] = values[0];
                    }

                    break;
            }
        }
    }

    /// <summary>The table.</summary>
    public static UnicodeData Instance => s_instance.Value;

    /// <summary>Combining class where it is not 0.</summary>
    public Dictionary<int, byte> Classes { get; } = [];

    /// <summary>Canonical decompositions, one level.</summary>
    public Dictionary<int, int[]> Canonical { get; } = [];

    /// <summary>Compatibility decompositions, one level.</summary>
    public Dictionary<int, int[]> Compatibility { get; } = [];

    /// <summary>Primary composites by their two parts.</summary>
    public Dictionary<(int First, int Second), int> Compositions { get; } = [];

    private static int Parse(string field, bool isDecimal) =>
        int.Parse(field, isDecimal ? NumberStyles.Integer : NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
