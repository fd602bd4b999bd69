using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Softmax attention of every row over the keys of its head's plan, without materialising the scores (flash attention; Dao et al. 2022).
/// Cost: 2 · dimension multiply-adds and one exponential a pair.
/// </summary>
/// <remarks>
/// A task is at most 64 rows of a plan's tile for the query heads of a KV head; what several of them attend to, they read from memory once.
/// Each plan's keys, ranges and the columns between them, are taken in ascending order, 128 at a time: see
/// <see cref="PrefillTask{TSimd, TVector}"/>. What a row computes depends on its plan alone, so results are the same on any number of threads.
/// </remarks>
internal static unsafe class PrefillAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int TaskRows = PrefillTiles<TSimd, TVector>.TaskRows;

    // What a task's queries and outputs may take of the second-level cache, which keys and values pass through.
    private const int TaskBytes = 512 << 10;

    // Fewer tasks would leave threads idle in the end.
    private const int TasksPerThread = 8;

    public static void Run(
        HeadTensor queries,
        HeadTensor keys,
        HeadTensor values,
        float scale,
        IReadOnlyList<AttentionPlan> plans,
        int slidingWindow,
        HeadTensor output,
        float* logSumExp,
        CancellationToken cancellationToken)
    {
        foreach (AttentionPlan plan in plans)
        {
            plan.RequireShape(queries, keys);
        }

        PrefillPlace[] places = ListPlaces(queries, keys.Heads, plans, slidingWindow);

        // While a thread takes a task, each of the others takes one.
        int ahead = WorkerPool.ThreadCount;
        WorkerPool.For(
            places.Length,
            i =>
            {
                PrefillPlace? upcoming = i + ahead < places.Length ? places[i + ahead] : null;
                new PrefillTask<TSimd, TVector>(queries, keys, values, scale, plans, slidingWindow, places[i], upcoming, output, logSumExp).Run();
            },
            cancellationToken);
    }

    /// <summary>Pairs that <see cref="Run"/> computes for a plan.</summary>
    public static long CountPairs(AttentionPlan plan, int slidingWindow)
    {
        const int Group = PrefillTiles<TSimd, TVector>.KeyGroup;
        long pairs = 0;
        for (int tile = 0; tile < plan.TileCount; tile++)
        {
            int end = Math.Min(plan.RowCount, (tile + 1) * plan.TileRows);
            for (int first = tile * plan.TileRows; first < end; first += TaskRows)
            {
                // A vector of rows is not scored with the keys after its last row.
                int rows = Math.Min(TaskRows, end - first);
                for (int lane = 0; lane < rows; lane += TSimd.Width)
                {
                    int lanes = Math.Min(TSimd.Width, rows - lane);
                    pairs += (long)TSimd.Width
                        * PrefillTask<TSimd, TVector>.RoundUp(CountKeys(plan, tile, first, lane + lanes, slidingWindow), Group);
                }
            }
        }

        return pairs;
    }

    // All tasks, the longest of a KV head first. A task has the query heads of a KV head, or fewer where there would be too few tasks, the queries are too
    // large or the tiles differ.
    private static PrefillPlace[] ListPlaces(HeadTensor queries, int kvHeads, IReadOnlyList<AttentionPlan> plans, int slidingWindow)
    {
        int group = queries.Heads / kvHeads;
        int together = Math.Clamp(TaskBytes / (2 * TaskRows * sizeof(float) * queries.Dimension), 1, group);
        long tasksOfGroups = (long)kvHeads * ((queries.Rows + TaskRows - 1) / TaskRows);
        if (tasksOfGroups < TasksPerThread * WorkerPool.ThreadCount || plans.Any(p => p.TileRows != plans[0].TileRows))
        {
            together = 1;
        }

        var places = new List<PrefillPlace>();
        for (int head = 0; head < queries.Heads;)
        {
            int heads = Math.Min(together, group - (head % group));
            AttentionPlan plan = plans[plans.Count == 1 ? 0 : head];
            for (int tile = 0; tile < plan.TileCount; tile++)
            {
                int end = Math.Min(plan.RowCount, (tile + 1) * plan.TileRows);
                for (int first = tile * plan.TileRows; first < end; first += TaskRows)
                {
                    int rows = Math.Min(TaskRows, end - first);
                    long keys = 0;
                    for (int h = 0; h < (plans.Count == 1 ? 1 : heads); h++)
                    {
                        keys += CountKeys(plans.Count == 1 ? plan : plans[head + h], tile, first, rows, slidingWindow);
                    }

                    places.Add(new PrefillPlace(head, heads, tile, first, rows, rows * keys * (plans.Count == 1 ? heads : 1)));
                }
            }

            head += heads;
        }

        // One KV head after another: the keys and values of one may fit into the last-level cache where those of all do not.
        const long MostPairs = 1L << 48;
        PrefillPlace[] sorted = [.. places];
        long[] order = Array.ConvertAll(sorted, p => (p.FirstHead / group * MostPairs) - p.Pairs);
        Array.Sort(order, sorted);
        return sorted;
    }

    // Keys of a tile that any of the task's rows may see: those of the ranges, and the columns between them.
    private static int CountKeys(AttentionPlan plan, int tile, int firstRow, int rows, int slidingWindow)
    {
        (int from, int to) = PrefillTask<TSimd, TVector>.VisibleKeys(plan.FirstPosition + firstRow, rows, slidingWindow);
        int count = 0;
        if (plan.Columns.Length == 0)
        {
            // Looking for columns would take longer than all else that comes before the first task.
            foreach (KeyRange range in plan.Ranges.AsSpan(plan.RangeOffsets[tile]..plan.RangeOffsets[tile + 1]))
            {
                count += Math.Clamp(range.End, from, to) - Math.Clamp(range.Start, from, to);
            }

            return count;
        }

        int column = plan.FindColumn(from);
        for (int i = plan.RangeOffsets[tile]; i < plan.RangeOffsets[tile + 1]; i++)
        {
            int start = Math.Clamp(plan.Ranges[i].Start, from, to);
            int end = Math.Clamp(plan.Ranges[i].End, from, to);
            int first = plan.FindColumn(start, column);
            count += first - column + end - start;
            column = plan.FindColumn(end, first);
        }

        return count + plan.FindColumn(to, column) - column;
    }
}
