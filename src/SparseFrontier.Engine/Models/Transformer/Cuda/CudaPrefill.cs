using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Selection and attention of a layer's prompt rows on the device, output over the queries: by prefill_hopper.cu where the card and the shape allow, else by prefill.cu.
/// BlockSparse and its controls, VerticalSlash and FlexPrefill with uniform budgets are selected for on the device, everything else on the processor, from copies.
/// </summary>
internal static class CudaPrefill
{
    // Lists by row block of a query head; where they take more, which takes 128K tokens and nearly all columns, the kernel that reads ranges and columns is used.
    private const long HopperListBytes = 1L << 30;
    private const int TileRows = 64;

    /// <summary>Causal attention of all heads, in a window or not; returns the pairs that were computed.</summary>
    public static long Dense(CudaVectors queries, CudaVectors keys, CudaVectors values, float scale, int window)
    {
        int length = keys.Rows;
        if (HopperConfiguration.Find(queries.Device.Properties.Major, queries.Dimension, 128, columns: false) is { } hopper)
        {
            CudaHopper.Prefill(hopper, queries, keys, values, scale, null, window, queries, null);
            long tiles = 0;
            for (long row = 0; row < length; row += hopper.Rows)
            {
                tiles += (Math.Min(length, row + hopper.Rows) + hopper.Keys - 1) / hopper.Keys;
            }

            return tiles * hopper.Rows * hopper.Keys * queries.Heads;
        }

        AttentionPlan plan = window > 0 ? WindowPlan(length, window) : AttentionPlan.Dense(length, TileRows);
        using CudaPlans plans = CudaPlans.From(queries.Device, [plan]);
        CudaAttention.Prefill(queries, keys, values, scale, plans, window, queries, null);
        return CudaPlans.CountExecutedPairs(plan, window) * queries.Heads;
    }

    /// <summary>Pairs of a head whose rows see so many latest keys.</summary>
    public static long DensePairs(int length, int window) => WindowPlan(length, window).CountPairs(window);

    /// <summary>Attention to what a method selects; the lists of heads that are selected for together take <paramref name="listBytes"/>, those by row block that are made of them as much again.</summary>
    public static void Sparse(PrefillMethod method, MethodParameters parameters, CudaPromptLayer layer, long listBytes, PrefillCounters counters, CudaClock clock)
    {
        bool uniform = parameters.Schedule.IsUniform;
        if (uniform && method is BlockMethod blocks && CanScore(blocks, layer.Queries, parameters.Integer("BlockSize")))
        {
            int size = parameters.Integer("BlockSize");
            HopperConfiguration? hopper = HopperConfiguration.Find(layer.Queries.Device.Properties.Major, layer.Queries.Dimension, size, columns: false);
            if (hopper is not null || size < 128)
            {
                method.RequireFeasible(layer.Shape, parameters);
                AttendBlocks(blocks, parameters, layer, hopper, listBytes, counters, clock);
                return;
            }
        }

        if (uniform && method is VerticalSlash { IsControl: false } or FlexPrefill)
        {
            method.RequireFeasible(layer.Shape, parameters);
            AttendVerticalSlash((VerticalSlashMethod)method, parameters, layer, listBytes, counters, clock);
            return;
        }

        OnHost(method, parameters, layer, counters, clock);
    }

    /// <summary>What scores a method's blocks on the device: see <see cref="CanScore"/>.</summary>
    /// <param name="method">The method.</param>
    /// <param name="queries">[query heads, length, dimension].</param>
    /// <param name="keys">[KV heads, length, dimension].</param>
    /// <param name="size">Rows and keys of a block.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="seed">The sample's.</param>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="firstHead">Index of the first query head in the layer.</param>
    internal static CudaBlockScorer CreateScorer(BlockMethod method, CudaVectors queries, CudaVectors keys, int size, float scale, long seed, int layer, int firstHead) => method switch
    {
        BlockSparse => CudaBlockScorer.Means(queries, keys, size),
        RandomPrefill => CudaBlockScorer.Drawn(queries, size, [.. Enumerable.Range(firstHead, queries.Heads).Select(head => RandomPrefill.Numbers(seed, layer, head).State)]),
        WindowSinkPrefill => CudaBlockScorer.Latest(queries, size),
        OracleTopKPrefill => CudaBlockScorer.Mass(queries, keys, size, scale),
        _ => throw new ArgumentException($"{method.Name} is not scored on the device.", nameof(method)),
    };

    // Of the sizes that the kernels over lists take.
    private static bool CanScore(BlockMethod method, CudaVectors queries, int size) =>
        size is 2 or 4 or 8 or 16 or 32 or 64 or 128
        && method is BlockSparse or RandomPrefill or WindowSinkPrefill or OracleTopKPrefill
        && (method is not OracleTopKPrefill || CudaBlockScorer.CanSumMass(queries.Device.Properties, queries.Dimension, size));

    private static void AttendBlocks(
        BlockMethod method, MethodParameters parameters, CudaPromptLayer layer, HopperConfiguration? hopper, long listBytes, PrefillCounters counters, CudaClock clock)
    {
        int size = parameters.Integer("BlockSize");
        int top = parameters.Integer("TopBlocks");
        int first = parameters.Integer("ForcedFirstBlocks");
        int local = parameters.Integer("ForcedLocalBlocks");
        long blocks = (layer.Length + size - 1) / size;
        int head = 0;
        foreach ((CudaVectors queries, CudaVectors keys, CudaVectors values) in Groups(layer.Queries, layer.Keys, layer.Values, blocks * Math.Min(top, blocks) * 8, listBytes))
        {
            int firstHead = head;
            head += queries.Heads;
            if (hopper is not null)
            {
                HopperLists? lists = null;
                clock.Time(counters.AddIndexSeconds, () =>
                {
                    using CudaBlockScorer scorer = Scorer();
                    lists = CudaSelection.BlockLists(queries, scorer, size, top, first, local);
                });
                clock.Time(counters.AddAttentionSeconds, () => CudaHopper.Prefill(hopper, queries, keys, values, layer.Scale, lists, 0, queries, null));
                lists!.Dispose();
            }
            else
            {
                CudaPlans? plans = null;
                clock.Time(counters.AddIndexSeconds, () =>
                {
                    using CudaBlockScorer scorer = Scorer();
                    plans = CudaSelection.Blocks(queries, scorer, size, top, first, local);
                });
                clock.Time(counters.AddAttentionSeconds, () => CudaAttention.Prefill(queries, keys, values, layer.Scale, plans!, 0, queries, null));
                plans!.Dispose();
            }

            CudaBlockScorer Scorer() => CreateScorer(method, queries, keys, size, layer.Scale, layer.Seed, layer.Layer, firstHead);
        }

        long heads = layer.Queries.Heads;
        (long attended, long forced) = method.CountHead(layer.Length, parameters);
        long executed = ExecutedBlockPairs(layer.Length, size, top, hopper, layer.Queries.Dimension);
        counters.Add(layer.Shape.CausalPairs * heads, attended * heads, forced * heads, executed * heads, []);
    }

    /// <summary>Query-key pairs that the kernel computes for a head of a block method.</summary>
    internal static long ExecutedBlockPairs(int length, int size, int top, HopperConfiguration? hopper, int dimension)
    {
        int rows = CudaPlans.BlockRows(size);
        int keys = CudaPlans.StepKeys(rows, CudaAttention.RoundUp(dimension, 16));
        long pairs = 0;
        for (int block = 0; block * (long)size < length; block++)
        {
            int count = Math.Min(block + 1, top);
            int ownKeys = Math.Min(size, length - (block * size));
            int groups = ((count - 1) * Math.Max(1, size / 16)) + ((ownKeys + 15) / 16);
            pairs += hopper is not null ? (long)count * size * size : (((groups * 16L) + keys - 1) / keys) * keys * rows;
        }

        return pairs;
    }

    private static void AttendVerticalSlash(
        VerticalSlashMethod method, MethodParameters parameters, CudaPromptLayer layer, long listBytes, PrefillCounters counters, CudaClock clock)
    {
        CudaDevice device = layer.Queries.Device;
        int length = layer.Length;
        int window = Math.Min(length, parameters.Integer("Window"));

        // Without a coverage the floor is what is kept.
        double? coverage = method is FlexPrefill && parameters["Alpha"] > 0 ? parameters["Alpha"] : null;
        int verticals = parameters.Integer(method is FlexPrefill ? "MinimumBudget" : "VerticalSize");
        int slashes = parameters.Integer(method is FlexPrefill ? "MinimumBudget" : "SlashSize");
        int forcedVerticals = parameters.Integer("ForcedVerticals");
        int forcedSlashes = parameters.Integer("ForcedSlashes");
        int tiles = (length + TileRows - 1) / TileRows;
        int mostSlashes = Math.Min(length, coverage is null ? Math.Max(slashes, forcedSlashes) : length);
        long forced = VerticalSlashMethod.CountForced(length, parameters);
        long rangeBytes = (long)tiles * Math.Min(mostSlashes, tiles) * 8;
        HopperConfiguration? configuration = HopperConfiguration.Find(device.Properties.Major, layer.Queries.Dimension, TileRows, columns: true);
        int stepKeys = CudaPlans.StepKeys(TileRows, CudaAttention.RoundUp(layer.Queries.Dimension, 16));
        foreach ((CudaVectors queries, CudaVectors keys, CudaVectors values) in Groups(layer.Queries, layer.Keys, layer.Values, rangeBytes, listBytes))
        {
            CudaVerticalSlash? chosen = null;
            HopperConfiguration? hopper = null;
            long hopperBytes = 0;
            clock.Time(counters.AddIndexSeconds, () =>
            {
                chosen = CudaSelection.VerticalSlash(queries, keys, layer.Scale, window, verticals, slashes, forcedVerticals, forcedSlashes, coverage);

                // Lists by row block take room for every vertical: only where these are few.
                hopperBytes = (long)tiles * (((Math.Min(chosen.SlashWidth, tiles) + (long)chosen.VerticalWidth) * 4) + 32);
                hopper = hopperBytes > HopperListBytes ? null : configuration;

                // Where there are such lists, the plans are for the counts alone.
                _ = hopper is null ? chosen.Plans : null;
            });
            if (hopper is null)
            {
                clock.Time(counters.AddAttentionSeconds, () => CudaAttention.Prefill(queries, keys, values, layer.Scale, chosen!.Plans, 0, queries, null));
            }
            else
            {
                // All heads are chosen for at once, but lists by row block are large: as many heads at a time as these find room for.
                int head = 0;
                foreach ((CudaVectors some, CudaVectors theirKeys, CudaVectors theirValues) in Groups(queries, keys, values, hopperBytes, listBytes))
                {
                    HopperLists? lists = null;
                    clock.Time(counters.AddIndexSeconds, () => lists = Lists(chosen!, head, some.Heads, tiles, length));
                    clock.Time(counters.AddAttentionSeconds, () => CudaHopper.Prefill(hopper, some, theirKeys, theirValues, layer.Scale, lists, 0, some, null));
                    lists!.Dispose();
                    head += some.Heads;
                }
            }

            Count(chosen!.Plans, queries.Heads, length, stepKeys, hopper is not null, forced, counters, clock);
            chosen.Dispose();
        }
    }

    // Of so many heads from one on.
    private static HopperLists Lists(CudaVerticalSlash chosen, int firstHead, int heads, int tiles, int length)
    {
        CudaDevice device = chosen.VerticalLists.Device;
        int verticals = chosen.VerticalWidth;
        int slashes = chosen.SlashWidth;
        int room = Math.Min(slashes, tiles);
        var lists = new HopperLists(
            CudaMemory.Allocate(device, (long)heads * tiles * 32),
            CudaMemory.Allocate(device, (long)heads * tiles * room * sizeof(int)),
            CudaMemory.Allocate(device, (long)heads * tiles * verticals * sizeof(int)));

        // A byte for each 64 keys: of very long prompts not for four warps.
        int sharedBytes = ((tiles * TileRows) + 1023) / 1024 * 16;
        int warps = sharedBytes <= 8 << 10 ? 4 : 1;
        device.Function("vertical_slash_lists.cu", "vertical_slash_lists").Launch(
            (((heads * tiles) + warps - 1) / warps, 1, 1),
            32 * warps,
            sharedBytes * warps,
            chosen.VerticalLists.Address + (ulong)((long)firstHead * verticals * sizeof(int)),
            chosen.SlashLists.Address + (ulong)((long)firstHead * slashes * sizeof(int)),
            lists.RowLists,
            lists.BlockStarts,
            lists.Columns,
            heads,
            verticals,
            slashes,
            tiles,
            0,
            length,
            room);
        return lists;
    }

    // Element-exact pairs, by a kernel over the lists; counted when the clock is read.
    private static void Count(CudaPlans plans, int heads, int length, int stepKeys, bool wholeBlocks, long forced, PrefillCounters counters, CudaClock clock)
    {
        CudaDevice device = plans.Tiles.Device;
        CudaMemory sums = CudaMemory.Allocate(device, heads * 4L * sizeof(long));
        sums.Fill(0);
        device.Function("lists.cu", "countPairs", ("TYPE", 0)).Launch(
            ((plans.TileCount + 3) / 4, heads, 1),
            128,
            0,
            plans.Tiles,
            plans.Ranges,
            plans.ColumnOffsets,
            plans.ColumnCounts,
            plans.Columns,
            plans.TileCount,
            length,
            stepKeys,
            sums);
        clock.Count(sums, counts =>
        {
            long causal = (long)length * (length + 1) / 2;
            for (int head = 0; head < heads; head++)
            {
                ReadOnlySpan<long> count = counts.AsSpan(head * 4, 4);
                long executed = wholeBlocks ? ((count[2] * TileRows) + count[3]) * TileRows : count[1];
                double nominal = 1 - (((TileRows * TileRows * (double)count[2]) + (TileRows * (double)count[3])) / causal);
                counters.Add(causal, count[0], forced, executed, [nominal]);
            }
        });
    }

    private static void OnHost(PrefillMethod method, MethodParameters parameters, CudaPromptLayer layer, PrefillCounters counters, CudaClock clock)
    {
        counters.SelectedOnProcessor = true;
        PromptLayer host = counters.TimeIndex(layer.OnHost);
        int group = layer.Queries.Heads / layer.Keys.Heads;
        for (int kvHead = 0; kvHead < layer.Keys.Heads; kvHead++)
        {
            int first = kvHead * group;
            PrefillSelection selection = counters.TimeIndex(() => method.Select(host, parameters, first, group));
            using CudaPlans plans = counters.TimeIndex(() => CudaPlans.From(layer.Keys.Device, selection.Plans));
            CudaVectors queries = layer.Queries.Slice(first, group);
            CudaVectors keys = layer.Keys.Slice(kvHead, 1);
            CudaVectors values = layer.Values.Slice(kvHead, 1);
            clock.Time(counters.AddAttentionSeconds, () => CudaAttention.Prefill(queries, keys, values, layer.Scale, plans, 0, queries, null));
            long executed = selection.Plans.Sum(p => CudaPlans.CountExecutedPairs(p, 0)) * (selection.Plans.Count == 1 ? group : 1);
            counters.Add(layer.Shape.CausalPairs * group, selection.CountPairs(group), selection.ForcedPairs, executed, selection.NominalSparsity);
        }
    }

    // As many KV heads at a time as their lists find room, or of one so many of its query heads.
    private static IEnumerable<(CudaVectors Queries, CudaVectors Keys, CudaVectors Values)> Groups(
        CudaVectors queries, CudaVectors keys, CudaVectors values, long bytesOfHead, long listBytes)
    {
        int group = queries.Heads / keys.Heads;
        int most = (int)Math.Clamp(listBytes / Math.Max(1, bytesOfHead), 1, queries.Heads);
        if (most < group)
        {
            for (int head = 0, count; head < queries.Heads; head += count)
            {
                int kvHead = head / group;
                count = Math.Min(most, ((kvHead + 1) * group) - head);
                yield return (queries.Slice(head, count), keys.Slice(kvHead, 1), values.Slice(kvHead, 1));
            }

            yield break;
        }

        int heads = most / group;
        for (int first = 0; first < keys.Heads; first += heads)
        {
            int count = Math.Min(heads, keys.Heads - first);
            yield return (queries.Slice(first * group, count * group), keys.Slice(first, count), values.Slice(first, count));
        }
    }

    // Each tile's keys from its first row's window on, so that the kernel skips what no row of the tile sees.
    private static AttentionPlan WindowPlan(int length, int window)
    {
        int tiles = (length + TileRows - 1) / TileRows;
        var ranges = new KeyRange[tiles];
        for (int tile = 0; tile < tiles; tile++)
        {
            ranges[tile] = new KeyRange(Math.Max(0, (tile * TileRows) - window + 1), Math.Min(length, (tile + 1) * TileRows));
        }

        return new AttentionPlan(length, TileRows, [.. Enumerable.Range(0, tiles + 1)], ranges, []);
    }
}
