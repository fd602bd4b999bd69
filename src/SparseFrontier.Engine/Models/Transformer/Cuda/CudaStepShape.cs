using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>What a step makes of the last layer's rows.</summary>
internal enum StepResult
{
    /// <summary>Nothing: the tokens are read alone.</summary>
    None,

    /// <summary>Logits.</summary>
    Logits,

    /// <summary>Logits, and the largest of each row.</summary>
    Choices,

    /// <summary>Logits, and answers to questions on them.</summary>
    Comparisons,
}

/// <summary>What the launches of a step depend on: steps of equal shape differ only in what lies in the device's memory, so that one recording serves them all.</summary>
/// <param name="Rows">Number of rows.</param>
/// <param name="Sliding">Tokens of the longest list in sliding layers, rounded up; 0 without such layers.</param>
/// <param name="Groups">Rows with the same kind of lists, in global layers.</param>
/// <param name="Result">What is made of the last layer's rows.</param>
internal sealed record CudaStepShape(int Rows, int Sliding, CudaStepGroup[] Groups, StepResult Result)
{
    /// <inheritdoc/>
    public bool Equals(CudaStepShape? other) =>
        other is not null && (Rows, Sliding, Result) == (other.Rows, other.Sliding, other.Result) && Groups.AsSpan().SequenceEqual(other.Groups);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rows, Sliding, Groups.Length, Groups[^1], Result);

    /// <summary>A length rounded up by an eighth at most (from 2,048 on), so that shapes last for many steps.</summary>
    public static int RoundUp(int length)
    {
        int unit = 256;
        while (unit * 16 <= length)
        {
            unit *= 2;
        }

        return CudaAttention.RoundUp(length, unit);
    }

    /// <summary>Rows of one kind rounded up by an eighth at most (from 16 on), so that a shape lasts while sequences begin and end.</summary>
    public static int RoundUpRows(int rows)
    {
        int unit = 1;
        while (unit * 16 <= rows)
        {
            unit *= 2;
        }

        return CudaAttention.RoundUp(rows, unit);
    }

    /// <summary>The shape of rows that lie side by side by kind.</summary>
    public static CudaStepShape Of(IReadOnlyList<CudaStepRow> rows, StepResult result)
    {
        var groups = new List<CudaStepGroup>();
        for (int first = 0; first < rows.Count;)
        {
            CudaStepRow any = rows[first];
            int end = first;
            int longest = 1;
            int budget = 0;
            bool follows = false;
            while (end < rows.Count && (rows[end].Choice, rows[end].PageSize, rows[end].SharesPages) == (any.Choice, any.PageSize, any.SharesPages))
            {
                longest = Math.Max(longest, rows[end].Tokens);
                budget = Math.Max(budget, rows[end].Budget);
                follows |= rows[end].Follows;
                end++;
            }

            longest = RoundUp(longest);
            if (any.PageSize == 0)
            {
                groups.Add(new CudaStepGroup(first, end, longest, PageChoice.None, 0, true, 0, 0));
            }
            else
            {
                // The current page is kept beside the budget, and has one token at least.
                int pages = (longest + any.PageSize - 1) / any.PageSize;
                int width = Math.Min(budget, pages) + 1;
                groups.Add(new CudaStepGroup(first, end, (int)Math.Min(longest, (long)width * any.PageSize), any.Choice, any.PageSize, any.SharesPages, pages, width, follows));
            }

            first = end;
        }

        int sliding = rows.Max(r => r.SlidingTokens);
        return new CudaStepShape(rows.Count, sliding == 0 ? 0 : RoundUp(sliding), [.. groups], result);
    }
}

/// <summary>What a step's shape depends on of one row.</summary>
/// <param name="Choice">By what pages are chosen.</param>
/// <param name="PageSize">Tokens of a page; 0: lists are whole caches.</param>
/// <param name="SharesPages">Whether the query heads of a KV head share a list.</param>
/// <param name="Tokens">Tokens that a head of a global layer has at most, the row's own included.</param>
/// <param name="SlidingTokens">Tokens that a head of a sliding layer has at most; 0 without such layers.</param>
/// <param name="Budget">Pages that a list keeps at most beside the current one.</param>
/// <param name="Follows">Whether another row of its sequence comes before it in the step.</param>
internal readonly record struct CudaStepRow(PageChoice Choice, int PageSize, bool SharesPages, int Tokens, int SlidingTokens, int Budget, bool Follows = false);

/// <summary>Rows with one kind of lists.</summary>
/// <param name="First">First row.</param>
/// <param name="End">Row after the last.</param>
/// <param name="Longest">Tokens of the longest list, at least.</param>
/// <param name="Choice">By what pages are chosen.</param>
/// <param name="PageSize">Tokens of a page; 0: lists are whole caches.</param>
/// <param name="SharesPages">Whether the query heads of a KV head share a list.</param>
/// <param name="MostPages">Room for the scores of a list's pages.</param>
/// <param name="Width">Room for a list's pages.</param>
/// <param name="Follows">Whether a sequence has several rows, of which later ones may choose pages that earlier ones complete.</param>
internal readonly record struct CudaStepGroup(int First, int End, int Longest, PageChoice Choice, int PageSize, bool SharesPages, int MostPages, int Width, bool Follows = false);
