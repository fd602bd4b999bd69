using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>The steps that cut a text into pieces before the merges, as the <c>tokenizers</c> library defines them.</summary>
internal static class PreTokenizers
{
    /// <summary>What becomes of a match of a Split.</summary>
    internal enum Behavior
    {
        /// <summary>Left out.</summary>
        Removed,

        /// <summary>A piece of its own.</summary>
        Isolated,

        /// <summary>Joined to the piece before.</summary>
        MergedWithPrevious,

        /// <summary>Joined to the piece after.</summary>
        MergedWithNext,

        /// <summary>A piece together with neighbouring matches.</summary>
        Contiguous,
    }

    /// <summary>Adds ranges of a piece to a list; positions are those of the whole text.</summary>
    internal delegate void PieceSplitter(ReadOnlySpan<char> piece, int offset, List<(int Start, int End)> ranges);

    /// <summary>A step that cuts each piece by itself.</summary>
    public static Action<TextPieces> Each(PieceSplitter splitter) => pieces =>
    {
        var ranges = new List<(int Start, int End)>(Math.Max(pieces.Ranges.Count, pieces.Text.Length / 4));
        foreach ((int start, int end) in pieces.Ranges)
        {
            splitter(pieces.Text.AsSpan(start, end - start), start, ranges);
        }

        pieces.Ranges = ranges;
    };

    /// <summary>Split by a pattern.</summary>
    public static Action<TextPieces> Split(TextPattern pattern, Behavior behavior, bool invert) => Each((piece, offset, ranges) =>
    {
        var matches = new List<(int Start, int End)>();
        pattern.FindMatches(piece, matches);
        AddSplit(matches, piece.Length, offset, behavior, invert, ranges);
    });

    /// <summary>Split at each character of a class.</summary>
    public static Action<TextPieces> SplitAt(byte characterClass, Behavior behavior) => Each((piece, offset, ranges) =>
    {
        var matches = new List<(int Start, int End)>();
        for (int i = 0; i < piece.Length;)
        {
            if ((CodePoints.ClassAt(piece, i, out int length) & characterClass) != 0)
            {
                matches.Add((i, i + length));
            }

            i += length;
        }

        AddSplit(matches, piece.Length, offset, behavior, invert: false, ranges);
    });

    /// <summary><c>\w+|[^\w\s]+</c>, spaces removed.</summary>
    public static Action<TextPieces> Whitespace() => Each((piece, offset, ranges) =>
    {
        for (int i = 0; i < piece.Length;)
        {
            int kind = WhitespaceKind(piece, i, out int length);
            int end = i + length;
            while (end < piece.Length && WhitespaceKind(piece, end, out length) == kind)
            {
                end += length;
            }

            if (kind != CodePoints.Space)
            {
                ranges.Add((offset + i, offset + end));
            }

            i = end;
        }
    });

    /// <summary>ByteLevel: an optional space before, GPT-2's split, and one character per byte.</summary>
    public static IEnumerable<Action<TextPieces>> ByteLevel(bool addPrefixSpace, bool useRegex)
    {
        if (addPrefixSpace)
        {
            yield return static pieces => Rewrite(pieces, static (piece, _, builder) =>
            {
                if (piece[0] != ' ')
                {
                    builder.Append(' ');
                }

                builder.Append(piece);
            });
        }

        if (useRegex)
        {
            yield return Each(WordScanner.SplitGpt2);
        }

        yield return ByteLevelAlphabet.Apply;
    }

    /// <summary>Metaspace: spaces become a visible character, which the first piece (or each, or none) is given too, and words start with it.</summary>
    public static IEnumerable<Action<TextPieces>> Metaspace(char replacement, string prependScheme, bool split)
    {
        yield return pieces => Rewrite(pieces, (piece, first, builder) =>
        {
            bool prepend = prependScheme == "always" || (prependScheme == "first" && first && pieces.StartsInput);
            if (prepend && piece[0] != ' ' && piece[0] != replacement)
            {
                builder.Append(replacement);
            }

            int from = builder.Length;
            builder.Append(piece).Replace(' ', replacement, from, piece.Length);
        });
        if (split)
        {
            yield return Split(TextPattern.Literal(replacement.ToString()), Behavior.MergedWithNext, invert: false);
        }
    }

    private delegate void PieceRewriter(ReadOnlySpan<char> piece, bool first, StringBuilder builder);

    private static void Rewrite(TextPieces pieces, PieceRewriter rewriter)
    {
        var builder = new StringBuilder(pieces.Text.Length + pieces.Ranges.Count);
        for (int i = 0; i < pieces.Ranges.Count; i++)
        {
            (int start, int end) = pieces.Ranges[i];
            int from = builder.Length;
            rewriter(pieces.Text.AsSpan(start, end - start), i == 0 && start == 0, builder);
            pieces.Ranges[i] = (from, builder.Length);
        }

        pieces.Text = builder.ToString();
    }

    private static int WhitespaceKind(ReadOnlySpan<char> piece, int index, out int length) =>
        CodePoints.ClassAt(piece, index, out length) & (CodePoints.Word | CodePoints.Space);

    private static void AddSplit(
        List<(int Start, int End)> matches, int length, int offset, Behavior behavior, bool invert, List<(int Start, int End)> ranges)
    {
        var parts = new List<(int Start, int End, bool IsMatch)>((2 * matches.Count) + 1);
        int done = 0;
        foreach ((int start, int end) in matches)
        {
            if (start != done)
            {
                parts.Add((done, start, invert));
            }

            parts.Add((start, end, !invert));
            done = end;
        }

        if (done != length)
        {
            parts.Add((done, length, invert));
        }

        int firstRange = ranges.Count;
        bool backwards = behavior == Behavior.MergedWithNext;
        bool previousMatch = false;
        for (int i = 0; i < parts.Count; i++)
        {
            (int start, int end, bool isMatch) = parts[backwards ? parts.Count - 1 - i : i];
            bool join = behavior switch
            {
                Behavior.MergedWithPrevious or Behavior.MergedWithNext => isMatch && !previousMatch,
                Behavior.Contiguous => isMatch == previousMatch,
                _ => false,
            };
            previousMatch = isMatch;
            if (join && ranges.Count > firstRange)
            {
                (int lastStart, int lastEnd) = ranges[^1];
                ranges[^1] = backwards ? (offset + start, lastEnd) : (lastStart, offset + end);
            }
            else if (!(behavior == Behavior.Removed && isMatch))
            {
                ranges.Add((offset + start, offset + end));
            }
        }

        if (backwards)
        {
            ranges.Reverse(firstRange, ranges.Count - firstRange);
        }

        // Empty matches leave empty pieces, which count for nothing once all joining is done.
        int kept = firstRange;
        for (int i = firstRange; i < ranges.Count; i++)
        {
            if (ranges[i].Start < ranges[i].End)
            {
                ranges[kept++] = ranges[i];
            }
        }

        ranges.RemoveRange(kept, ranges.Count - kept);
    }
}
