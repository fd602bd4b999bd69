using System.Text;

namespace SparseFrontier.Tasks;

/// <summary>Neutral sentences that say nothing about any task: the noise of variable tracking, and what fills a gap too small for a whole unit.</summary>
internal static class FillerText
{
    /// <summary>The fixed five-sentence block.</summary>
    public const string Block = "The rain is cold. The hill is steep. The road is long. Off we walk. Up and down once more.";

    private static readonly string[] s_words = Block.Split(' ');

    /// <summary>The first <paramref name="count"/> words of the repeated block, closed by a full stop; empty for 0.</summary>
    public static string Words(int count)
    {
        var text = new StringBuilder();
        for (int i = 0; i < count; i++)
        {
            text.Append(i == 0 ? "" : " ").Append(s_words[i % s_words.Length]);
        }

        if (count > 0 && text[^1] != '.')
        {
            text.Append('.');
        }

        return text.ToString();
    }
}
