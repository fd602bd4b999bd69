using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Attention of one decode step over one layer's cache. Caches rotate, so many that what a call reads has left the caches of the processor
/// before it is read again. Quest's time holds scoring of all pages, choice and attention; pages have 16 tokens, and bounds take as many bytes
/// as one token's key and value, so its bytes allow a speed-up of length / (length / 16 + budget + 16). What memory does not bound shows in the
/// same kernel on a cache that stays in L2 and L3, and in the operations beside the peak of multiply-adds.
/// </summary>
internal static unsafe class DecodeSuite
{
    private const int PageSize = 16;

    // Twice the L3 of most processors, and more than it of all but the largest.
    private const long ResidentBytes = 96L << 20;

    // Small enough for L2 and L3 in any type here.
    private const int CachedLength = 2048;

    private static readonly int[] s_budgets = [1024, 2048, 4096];

    public static void Run(BenchmarkReport report)
    {
        foreach (int length in (int[])[16384, 65536])
        {
            Measure(report, length, DataType.BF16, 8, 2, 128);
            Measure(report, length, DataType.F32, 8, 2, 128);
        }

        Measure(report, 16384, DataType.BF16, 14, 2, 64);
        Measure(report, 16384, DataType.BF16, 2, 2, 128);
    }

    private static void Measure(BenchmarkReport report, int length, DataType type, int queryHeads, int kvHeads, int dimension)
    {
        KernelSet kernels = KernelSets.Default;
        long bytes = 2L * length * kvHeads * dimension * type.SizeInBytes();
        long least = bytes * ((length / PageSize) + s_budgets[0]) / length;
        LayerCache[] caches = [.. Enumerable.Range(0, (int)(ResidentBytes / least) + 1).Select(_ => Create(length, type, kvHeads, dimension))];
        using LayerCache cached = Create(CachedLength, type, kvHeads, dimension);
        using NativeArray<float> queries = RandomMatrix.Singles(queryHeads * dimension);
        using var output = new NativeArray<float>(queryHeads * dimension);
        float scale = 1 / MathF.Sqrt(dimension);
        int next = 0;
        double operations = 4.0 * queryHeads * dimension;
        List<Contender> contenders =
        [
            MachineRoofs.MultiplyAdd("multiply-adds"),
            MachineRoofs.Read("read", NextHalf, bytes / 2),
            new Contender("dense", () => kernels.DecodeAttention(queries.Pointer, queryHeads, Next(), null, scale, output.Pointer))
            {
                Bytes = bytes,
                Operations = operations * length,
            },
            new Contender("dense in cache", () => kernels.DecodeAttention(queries.Pointer, queryHeads, cached, null, scale, output.Pointer))
            {
                Bytes = (double)bytes * CachedLength / length,
                Operations = operations * CachedLength,
            },
        ];
        var quest = new Quest();
        var open = new List<StepSelector>();
        foreach (int budget in s_budgets)
        {
            MethodParameters parameters = quest.CreateParameters(string.Create(CultureInfo.InvariantCulture, $"PageSize={PageSize};TokenBudget={budget}"));
            Dictionary<LayerCache, StepSelector> selectors = caches.ToDictionary(c => c, c => quest.CreateStepSelector(parameters, [c], kernels, seed: 0)!);
            open.AddRange(selectors.Values);

            // A cache's first step computes the bounds of its pages, for milliseconds that are not a step's.
            foreach (LayerCache cache in caches)
            {
                selectors[cache].Attend(0, cache, queries.Pointer, queryHeads, scale, kernels, output.Pointer, out _);
            }

            contenders.Add(new Contender($"Quest {budget}", () =>
            {
                LayerCache cache = Next();
                selectors[cache].Attend(0, cache, queries.Pointer, queryHeads, scale, kernels, output.Pointer, out _);
            })
            {
                Bytes = bytes / Bound(length, budget),
            });
        }

        IReadOnlyDictionary<string, TimingResult> results = report.Measure(
            $"{length} tokens, {type}, {queryHeads} query heads, {kvHeads} KV heads, dimension {dimension}, {caches.Length} caches of {bytes >> 20} MiB",
            new InterleavedTimer { Rounds = 15 },
            contenders,
            "dense",
            "read");
        foreach (int budget in s_budgets)
        {
            double ratio = results[$"Quest {budget}"].Ratio!.Value;
            report.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"Quest {budget}: {ratio:0.00} of {Bound(length, budget):0.00} times that its bytes allow: {ratio / Bound(length, budget):0.00}"));
        }

        open.ForEach(s => s.Dispose());
        foreach (LayerCache cache in caches)
        {
            cache.Dispose();
        }

        LayerCache Next() => caches[next++ % caches.Length];

        // Keys of a cache in one call, its values in the next.
        nint NextHalf()
        {
            KeyValueBlock block = caches[next / 2 % caches.Length].Prompt;
            return (nint)(next++ % 2 == 0 ? block.Key(0, 0) : block.Value(0, 0));
        }
    }

    private static double Bound(int length, int budget) => length / (((double)length / PageSize) + budget + PageSize);

    // Rows are drawn from a pool, because millions of random numbers would take longer than the measurement.
    private static LayerCache Create(int length, DataType type, int kvHeads, int dimension)
    {
        const int Pool = 1024;
        using NativeArray<float> rows = RandomMatrix.Singles(2L * Pool * dimension);
        var random = new RandomSource("benchmark/decode");
        var block = new KeyValueBlock(kvHeads, length, dimension, type);
        for (int head = 0; head < kvHeads; head++)
        {
            for (int token = 0; token < length; token++)
            {
                block.Write(head, token, rows.Pointer + ((long)random.Next(Pool) * dimension), rows.Pointer + ((long)(Pool + random.Next(Pool)) * dimension));
            }
        }

        return new LayerCache(block, ownsPrompt: true);
    }
}
