namespace SparseFrontier.Models.Tokenizers;

/// <summary>A text and its pieces in order; pre-tokenizers replace either.</summary>
internal sealed class TextPieces
{
    /// <summary>One piece: the whole text.</summary>
    public TextPieces(string text, bool startsInput)
    {
        Text = text;
        StartsInput = startsInput;
        Ranges = [];
        if (text.Length > 0)
        {
            Ranges.Add((0, text.Length));
        }
    }

    /// <summary>The text the ranges point into.</summary>
    public string Text { get; set; }

    /// <summary>Start (inclusive) and end (exclusive) of each piece; none is empty.</summary>
    public List<(int Start, int End)> Ranges { get; set; }

    /// <summary>Whether the first piece starts where the tokenizer's input starts (Metaspace's scheme "first").</summary>
    public bool StartsInput { get; }
}
