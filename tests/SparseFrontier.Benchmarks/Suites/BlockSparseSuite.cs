using System.Diagnostics;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Attention over random key blocks, the own block among them. Operations are those of the attended pairs, element by element: the share of
/// the dense kernel's rate is the share of the speed-up 1/(1 - sparsity) that is reached. Further rows show what memory takes of it and what does not shrink with the pairs.
/// </summary>
internal static class BlockSparseSuite
{
    public static void Run(BenchmarkReport report)
    {
        foreach ((int length, int dimension, int rounds) in new[] { (8192, 64, 11), (16384, 128, 4) })
        {
            using var inputs = new AttentionInputs(length, dimension);
            foreach (int blockSize in new[] { 64, 128 })
            {
                var contenders = new List<Contender> { inputs.Dense("dense") };
                foreach (double sparsity in new[] { 0.5, 0.8, 0.9, 0.95 })
                {
                    var random = new RandomSource("benchmark/blocks");
                    AttentionPlan[] plans = [.. Enumerable.Range(0, AttentionInputs.QueryHeads).Select(_ => RandomBlocks(random, length, blockSize, sparsity))];
                    long pairs = plans.Sum(p => p.CountPairs());
                    double measured = 1 - ((double)pairs / (AttentionInputs.QueryHeads * inputs.Layer.Shape.CausalPairs));
                    contenders.Add(inputs.Attend(FormattableString.Invariant($"sparsity {measured:0.000}"), plans, pairs));
                }

                // As many pairs, of keys that all heads attend to and that stay in the caches.
                var earliest = RandomBlocks(null, length, blockSize, 0.95);
                contenders.Add(inputs.Attend("sparsity 0.95, earliest blocks", [.. Enumerable.Repeat(earliest, AttentionInputs.QueryHeads)], AttentionInputs.QueryHeads * earliest.CountPairs()));

                // What does not shrink with the pairs: reading the queries and writing the outputs, transposing the queries, and all of it with one key for each row.
                contenders.Add(inputs.CopyQueries("copying the queries to the outputs"));
                contenders.Add(inputs.TransposeQueries("transposing the queries"));
                contenders.Add(inputs.Attend("one key a row", [.. Enumerable.Repeat(OneKey(length, blockSize), AttentionInputs.QueryHeads)], (long)AttentionInputs.QueryHeads * length));

                report.Measure($"{length} tokens, dimension {dimension}, blocks of {blockSize}", new InterleavedTimer { Rounds = rounds }, contenders, "dense", "dense");
            }
        }
    }

    /// <summary>Attends over and over on one thread (8192 tokens, dimension 64, blocks of 64; sparsity 0 is the dense plan), for a program that samples where it is.</summary>
    public static void Loop(double sparsity, double seconds)
    {
        WorkerPool.ThreadCount = 1;
        using var inputs = new AttentionInputs(8192, 64);
        var random = new RandomSource("benchmark/blocks");
        Contender contender = sparsity == 0 ? inputs.Dense("dense") : inputs.Attend("sparse", [.. Enumerable.Range(0, AttentionInputs.QueryHeads).Select(_ => RandomBlocks(random, 8192, 64, sparsity))], 1);
        int calls = 0;
        long start = Stopwatch.GetTimestamp();
        for (; Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; calls++)
        {
            contender.Sample(1);
        }

        Console.WriteLine(FormattableString.Invariant($"{Stopwatch.GetElapsedTime(start).TotalMilliseconds / calls:0.000} ms a call"));
    }

    // Each row attends to the first key of its own block.
    private static AttentionPlan OneKey(int length, int blockSize)
    {
        KeyRange[] ranges = [.. Enumerable.Range(0, length / blockSize).Select(b => new KeyRange(b * blockSize, (b * blockSize) + 1))];
        return new AttentionPlan(length, blockSize, [.. Enumerable.Range(0, ranges.Length + 1)], ranges, []);
    }

    // With nothing random the earliest blocks.
    private static AttentionPlan RandomBlocks(RandomSource? random, int length, int blockSize, double sparsity)
    {
        int blocks = length / blockSize;
        int[] offsets = new int[blocks + 1];
        var ranges = new List<KeyRange>();

        // Half the own block counts, so that a row of blocks keeps what remains of its share among the earlier ones; fractions carry over.
        double owed = 0;
        for (int row = 0; row < blocks; row++)
        {
            owed += ((1 - sparsity) * (row + 0.5)) - 0.5;
            int count = Math.Clamp((int)Math.Round(owed), 0, row);
            owed -= count;
            int[] others = [.. Enumerable.Range(0, row)];
            random?.Shuffle(others.AsSpan());
            foreach (int block in others.Take(count).Append(row).Order())
            {
                ranges.Add(new KeyRange(block * blockSize, (block + 1) * blockSize));
            }

            offsets[row + 1] = ranges.Count;
        }

        return new AttentionPlan(length, blockSize, offsets, [.. ranges], []);
    }
}
