using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>
/// Methods that keep, for every block of query rows, the same number of key blocks: BlockSparse and its controls. They differ in how they
/// score a pair of blocks.
/// </summary>
public abstract class BlockMethod : PrefillMethod
{
    private protected const string BlockSize = "BlockSize";
    private const string TopBlocks = "TopBlocks";
    private const string ForcedFirstBlocks = "ForcedFirstBlocks";
    private const string ForcedLocalBlocks = "ForcedLocalBlocks";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        new(BlockSize, 16, 1, 4096, true, "Rows and keys of a block."),
        new(TopBlocks, 64, 1, 1 << 20, true, "Key blocks kept by each block of rows, forced ones included."),
        new(ForcedFirstBlocks, 1, 0, 1 << 20, true, "First key blocks that are always kept."),
        new(ForcedLocalBlocks, 2, 1, 1 << 20, true, "Latest key blocks that are always kept; the own one is the first of them."),
    ];

    /// <inheritdoc/>
    public override string? BudgetParameter => TopBlocks;

    /// <inheritdoc/>
    public override (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        int blocks = BlockCount(shape.Length, parameters);
        return (Math.Min(blocks, Forced(parameters)), blocks);
    }

    /// <inheritdoc/>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return 1 - ((double)CountPairs(shape.Length, parameters.Integer(BlockSize), parameters.Integer(TopBlocks)) / shape.CausalPairs);
    }

    /// <summary>Pairs of one head under a uniform budget, and how many of them count as forced: what the selection's scores do not change.</summary>
    internal (long Attended, long Forced) CountHead(int length, MethodParameters parameters) =>
        (CountPairs(length, parameters.Integer(BlockSize), parameters.Integer(TopBlocks)), ForcedPairs(length, parameters));

    /// <summary>Creates what scores the block pairs of one query head.</summary>
    internal abstract BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters);

    /// <summary>Pairs of the selection that count as forced.</summary>
    private protected virtual long ForcedPairs(int length, MethodParameters parameters) =>
        CountPairs(length, parameters.Integer(BlockSize), Math.Min(parameters.Integer(TopBlocks), Forced(parameters)));

    /// <inheritdoc/>
    private protected override HeadSelection ChooseHead(PromptLayer layer, int queryHead, MethodParameters parameters)
    {
        int size = parameters.Integer(BlockSize);
        int top = parameters.Integer(TopBlocks);
        int first = parameters.Integer(ForcedFirstBlocks);
        int local = parameters.Integer(ForcedLocalBlocks);
        int blocks = BlockCount(layer.Length, parameters);
        int[] offsets = new int[blocks + 1];
        var ranges = new RangeCollector();
        float[] scores = new float[blocks];
        int[] kept = new int[Math.Min(top, blocks)];
        using BlockScorer scorer = CreateScorer(layer, queryHead, parameters);
        for (int row = 0; row < blocks; row++)
        {
            layer.CancellationToken.ThrowIfCancellationRequested();
            if (row < kept.Length)
            {
                ranges.Add(new KeyRange(0, Math.Min(layer.Length, (row + 1) * size)));
            }
            else
            {
                Span<float> candidates = scores.AsSpan(0, row + 1);
                scorer.Score(row, candidates);
                candidates[..Math.Min(first, row + 1)].Fill(float.PositiveInfinity);
                candidates[Math.Max(0, row + 1 - local)..].Fill(float.PositiveInfinity);
                TopK.Select(candidates, kept);
                AddRanges(ranges, kept, size, layer.Length);
            }

            offsets[row + 1] = ranges.Count;
        }

        var plan = new AttentionPlan(layer.Length, size, offsets, ranges.ToArray(), []);
        return new HeadSelection(plan, ForcedPairs(layer.Length, parameters), () => new Dictionary<string, int[]> { ["blocks"] = Blocks(plan, top) });
    }

    /// <summary>Pairs of one head in which each block of rows keeps <paramref name="top"/> key blocks, its own among them.</summary>
    private protected static long CountPairs(int length, int blockSize, int top)
    {
        long pairs = 0;
        for (int row = 0; row * (long)blockSize < length; row++)
        {
            long rows = Math.Min(blockSize, length - (row * blockSize));
            long others = Math.Min(row + 1, top) - 1;
            pairs += (others * blockSize * rows) + (rows * (rows + 1) / 2);
        }

        return pairs;
    }

    private static int BlockCount(int length, MethodParameters parameters) =>
        (length + parameters.Integer(BlockSize) - 1) / parameters.Integer(BlockSize);

    private static int Forced(MethodParameters parameters) => parameters.Integer(ForcedFirstBlocks) + parameters.Integer(ForcedLocalBlocks);

    private static void AddRanges(RangeCollector ranges, int[] blocks, int size, int length)
    {
        for (int i = 0; i < blocks.Length;)
        {
            int next = i + 1;
            while (next < blocks.Length && blocks[next] == blocks[next - 1] + 1)
            {
                next++;
            }

            ranges.Add(new KeyRange(blocks[i] * size, Math.Min(length, (blocks[next - 1] + 1) * size)));
            i = next;
        }
    }

    // [rows, top] ascending, as the reference lists them: a row that has not top blocks before it lists those after it too, which the causal
    // mask hides; -1 where there are fewer than top blocks at all.
    private static int[] Blocks(AttentionPlan plan, int top)
    {
        int[] blocks = new int[plan.TileCount * top];
        Array.Fill(blocks, -1);
        for (int row = 0; row < plan.TileCount; row++)
        {
            Span<int> list = blocks.AsSpan(row * top, Math.Min(top, plan.TileCount));
            int filled = 0;
            for (int i = plan.RangeOffsets[row]; i < plan.RangeOffsets[row + 1]; i++)
            {
                for (int key = plan.Ranges[i].Start; key < plan.Ranges[i].End; key += plan.TileRows)
                {
                    list[filled++] = key / plan.TileRows;
                }
            }

            for (; filled < list.Length; filled++)
            {
                list[filled] = filled;
            }
        }

        return blocks;
    }
}

/// <summary>Scores the key blocks of one block of query rows after another.</summary>
internal abstract class BlockScorer : IDisposable
{
    /// <summary>Writes the scores of key blocks 0 to <paramref name="row"/> for a block of query rows; rows come in ascending order.</summary>
    public abstract void Score(int row, Span<float> scores);

    public virtual void Dispose()
    {
    }
}
