using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Softmax attention of every row over the keys of its head's plan, without materialising the scores (flash attention; Dao et al. 2022).
/// Cost: 2 · dimension multiply-adds and one exponential a pair.
/// </summary>
/// <remarks>
/// A task is at most 64 rows of a plan's tile for the query heads of a KV head; where one plan serves them all, they read keys and values from
/// memory once. Its keys, ranges and the columns between them, are taken in ascending order, 128 at a time: see
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

        TaskPlace[] tasks = ListTasks(queries, keys.Heads, plans, slidingWindow);
        WorkerPool.For(
            tasks.Length,
            i =>
            {
                // Heads that share a plan go together, others one after another: their rows lie side by side.
                TaskPlace place = tasks[i];
                int heads = plans.Count == 1 ? place.Heads : 1;
                for (int head = place.FirstHead; head < place.FirstHead + place.Heads; head += heads)
                {
                    AttentionPlan plan = plans[plans.Count == 1 ? 0 : head];
                    var task = new PrefillTask<TSimd, TVector>(queries, keys, values, scale, plan.FirstPosition, slidingWindow, head, heads, place.FirstRow, place.Rows);
                    AddKeys(ref task, plan, place, slidingWindow);
                    task.Finish(output, logSumExp);
                }
            },
            cancellationToken);
    }

    /// <summary>Pairs that <see cref="Run"/> computes for a plan.</summary>
    public static long CountPairs(AttentionPlan plan, int slidingWindow)
    {
        int block = PrefillTiles<TSimd, TVector>.LaneBlock;
        const int Group = PrefillTiles<TSimd, TVector>.KeyGroup;
        long pairs = 0;
        for (int tile = 0; tile < plan.TileCount; tile++)
        {
            int end = Math.Min(plan.RowCount, (tile + 1) * plan.TileRows);
            for (int first = tile * plan.TileRows; first < end; first += TaskRows)
            {
                // A block of lanes is not scored with the keys after its last row.
                int rows = Math.Min(TaskRows, end - first);
                for (int lane = 0; lane < rows; lane += block)
                {
                    int lanes = Math.Min(block, rows - lane);
                    pairs += (long)PrefillTask<TSimd, TVector>.RoundUp(lanes, TSimd.Width)
                        * PrefillTask<TSimd, TVector>.RoundUp(CountKeys(plan, tile, first, lane + lanes, slidingWindow), Group);
                }
            }
        }

        return pairs;
    }

    // All tasks, the longest first. A task has the query heads of a KV head, or fewer where there would be too few tasks, the queries are too
    // large or the tiles differ.
    private static TaskPlace[] ListTasks(HeadTensor queries, int kvHeads, IReadOnlyList<AttentionPlan> plans, int slidingWindow)
    {
        int group = queries.Heads / kvHeads;
        int together = plans.Count > 1 ? group : Math.Clamp(TaskBytes / (2 * TaskRows * sizeof(float) * queries.Dimension), 1, group);
        long tasksOfGroups = (long)kvHeads * ((queries.Rows + TaskRows - 1) / TaskRows);
        if (tasksOfGroups < TasksPerThread * WorkerPool.ThreadCount || plans.Any(p => p.TileRows != plans[0].TileRows))
        {
            together = 1;
        }

        var tasks = new List<TaskPlace>();
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
                    long cost = 0;
                    for (int h = 0; h < (plans.Count == 1 ? 1 : heads); h++)
                    {
                        cost += (long)rows * CountKeys(plans.Count == 1 ? plan : plans[head + h], tile, first, rows, slidingWindow);
                    }

                    tasks.Add(new TaskPlace(head, heads, tile, first, rows, plans.Count == 1 ? cost * heads : cost));
                }
            }

            head += heads;
        }

        tasks.Sort(static (a, b) => b.Cost.CompareTo(a.Cost));
        return [.. tasks];
    }

    // Keys of a tile that any of the task's rows may see: those of the ranges, and the columns between them.
    private static int CountKeys(AttentionPlan plan, int tile, int firstRow, int rows, int slidingWindow)
    {
        (int from, int to) = VisibleKeys(plan.FirstPosition + firstRow, rows, slidingWindow);
        int count = 0;
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

    // The same keys in ascending order.
    private static void AddKeys(ref PrefillTask<TSimd, TVector> state, AttentionPlan plan, TaskPlace task, int slidingWindow)
    {
        (int from, int to) = VisibleKeys(plan.FirstPosition + task.FirstRow, task.Rows, slidingWindow);
        int[] columns = plan.Columns;
        int column = plan.FindColumn(from);
        for (int i = plan.RangeOffsets[task.Tile]; i < plan.RangeOffsets[task.Tile + 1]; i++)
        {
            int start = Math.Clamp(plan.Ranges[i].Start, from, to);
            int end = Math.Clamp(plan.Ranges[i].End, from, to);
            for (; column < columns.Length && columns[column] < start; column++)
            {
                state.AddKey(columns[column]);
            }

            state.AddKeys(start, end);
            column = plan.FindColumn(end, column);
        }

        for (; column < columns.Length && columns[column] < to; column++)
        {
            state.AddKey(columns[column]);
        }
    }

    private static (int From, int To) VisibleKeys(int firstPosition, int rows, int slidingWindow) =>
        (slidingWindow > 0 ? Math.Max(0, firstPosition - slidingWindow + 1) : 0, firstPosition + rows);

    private readonly record struct TaskPlace(int FirstHead, int Heads, int Tile, int FirstRow, int Rows, long Cost);
}
