using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

// Attention of prompts and of single steps: head groups, dimensions, tile edges, plans, windows, empty rows.
public static unsafe partial class KernelCorrectness
{
    private static IEnumerable<KernelCorrectnessCase> Prefill()
    {
        foreach (int dimension in s_dimensions)
        {
            foreach ((int queryHeads, int kvHeads) in s_headGroups)
            {
                yield return Attention(queryHeads, kvHeads, 70, dimension, 64, null, 0);
                yield return Attention(queryHeads, kvHeads, 70, dimension, 16, 0.3, 0);
            }
        }

        foreach (int rows in (int[])[1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 191, 193, 300])
        {
            yield return Attention(2, 1, rows, 32, 64, null, 0);
            yield return Attention(2, 1, rows, 40, 32, 0.2, 0);
            yield return Attention(2, 1, rows, 32, 64, null, 17);
        }

        foreach (int tileRows in (int[])[1, 8, 16, 24, 32, 64, 100, 128])
        {
            foreach (int window in (int[])[0, 1, 7, 64, 100])
            {
                yield return Attention(2, 2, 210, 32, tileRows, 0.15, window);
                yield return Attention(1, 1, 150, 16, tileRows, 0.02, window);
            }
        }

        // Chunks of a longer prompt: the rows are the last of the keys.
        foreach ((int rows, int before) in ((int, int)[])[(1, 1), (1, 200), (63, 65), (64, 64), (65, 130), (100, 33)])
        {
            yield return Attention(2, 1, rows, 32, 64, null, 0, before);
            yield return Attention(4, 2, rows, 48, 16, 0.2, 0, before);
            yield return Attention(2, 1, rows, 32, 64, 0.3, 50, before);
        }

        // Nothing is kept.
        yield return Attention(2, 1, 70, 32, 64, 0, 0);
        yield return Attention(2, 1, 200, 64, 64, null, 0, largeScores: true);
        yield return Attention(2, 1, 200, 64, 16, 0.3, 0, largeScores: true);
    }

    // density null: the dense plan, shared by all heads; else one random plan by query head.
    private static KernelCorrectnessCase Attention(
        int queryHeads, int kvHeads, int rows, int dimension, int tileRows, double? density, int window, int before = 0, bool largeScores = false) => new(
        "PrefillAttention",
        FormattableString.Invariant(
            $"{queryHeads}:{kvHeads} heads, {Counted.Of(rows, "row")}, dimension {dimension}, {(density is null ? "dense" : $"density {density}")}, tiles of {tileRows}{(window > 0 ? $", window {window}" : "")}{(before > 0 ? $", after {before}" : "")}{(largeScores ? ", large scores" : "")}"),
        DataType.F32,
        (kernels, random) =>
        {
            int count = before + rows;
            using var queries = GuardedArray.Normal(random, (long)queryHeads * rows * dimension, largeScores ? 12 : 1);
            using var keys = GuardedArray.Normal(random, (long)kvHeads * count * dimension);
            using var values = GuardedArray.Normal(random, (long)kvHeads * count * dimension);
            using var output = GuardedArray.Poisoned((long)queryHeads * rows * dimension);
            using var logSumExp = GuardedArray.Poisoned((long)queryHeads * rows);
            AttentionPlan[] plans = density is double d
                ? [.. Enumerable.Range(0, queryHeads).Select(_ => RandomPlan(random, rows, tileRows, d, before))]
                : [AttentionPlan.Dense(rows, tileRows, before)];
            var q = HeadTensor.RowMajor(queries.Pointer, queryHeads, rows, dimension);
            var k = HeadTensor.HeadMajor(keys.Pointer, kvHeads, count, dimension);
            var v = HeadTensor.RowMajor(values.Pointer, kvHeads, count, dimension);
            var o = HeadTensor.HeadMajor(output.Pointer, queryHeads, rows, dimension);
            float scale = 1 / MathF.Sqrt(dimension);
            kernels.PrefillAttention(q, k, v, scale, plans, window, o, logSumExp.Pointer, CancellationToken.None);
            kernels.PrefillAttention(q, k, v, scale, plans, window, q, null, CancellationToken.None);

            return [output.Read(), queries.Read(), logSumExp.Read()];
        });

    private static IEnumerable<KernelCorrectnessCase> Decode()
    {
        foreach (DataType type in s_cacheTypes)
        {
            foreach (int dimension in s_dimensions)
            {
                foreach ((int queryHeads, int kvHeads) in s_headGroups)
                {
                    yield return DecodeCase(queryHeads, kvHeads, 70, 5, dimension, "all", type);
                    yield return DecodeCase(queryHeads, kvHeads, 70, 5, dimension, "by query head", type);
                }
            }

            foreach ((int prompt, int generated) in ((int, int)[])[(1, 0), (0, 1), (3, 1), (15, 2), (32, 0), (33, 0), (511, 0), (511, 1), (511, 2), (1024, 0), (1023, 90), (2500, 3)])
            {
                yield return DecodeCase(4, 2, prompt, generated, 64, "all", type);
                yield return DecodeCase(4, 2, prompt, generated, 20, "by KV head", type);
                yield return DecodeCase(8, 2, prompt, generated, 64, "by KV head", type);
                yield return DecodeCase(4, 2, prompt, generated, 64, "by query head", type);
            }

            yield return DecodeCase(4, 2, 20, 1, 64, "none", type);
            yield return DecodeCase(32, 4, 700, 1, 64, "all", type, deviation: 40);
        }
    }

    private static KernelCorrectnessCase DecodeCase(
        int queryHeads, int kvHeads, int prompt, int generated, int dimension, string selected, DataType type, float deviation = 1) => new(
        "DecodeAttention",
        FormattableString.Invariant(
            $"{queryHeads}:{kvHeads} heads, {prompt} + {generated} tokens, dimension {dimension}, {selected}{(deviation > 1 ? ", large scores" : "")}"),
        type,
        (kernels, random) =>
        {
            using var queries = GuardedArray.Normal(random, (long)queryHeads * dimension, deviation);
            using var output = GuardedArray.Poisoned((long)queryHeads * dimension);

            // Heads hold different numbers of tokens, as after an adaptive eviction.
            var block = new KeyValueBlock([.. Enumerable.Range(0, kvHeads).Select(h => prompt + (3 * h))], dimension, type);
            using var cache = new LayerCache(block, ownsPrompt: true);
            using var token = GuardedArray.Normal(random, 2L * kvHeads * dimension);
            for (int h = 0; h < kvHeads; h++)
            {
                for (int t = 0; t < block.Lengths[h]; t++)
                {
                    Fill(random, token.Pointer, 2L * dimension);
                    block.Write(h, t, token.Pointer, token.Pointer + dimension);
                }
            }

            for (int t = 0; t < generated; t++)
            {
                Fill(random, token.Pointer, 2L * kvHeads * dimension);
                cache.Append(token.Pointer, token.Pointer + ((long)kvHeads * dimension));
            }

            int lists = selected == "by query head" ? queryHeads : kvHeads;
            DecodeSelection? selection = selected == "all"
                ? null
                : new DecodeSelection([.. Enumerable.Range(0, lists).Select(i => selected == "none" ? [] : RandomRanges(random, cache.Length(i * kvHeads / lists)))]);
            kernels.DecodeAttention(queries.Pointer, queryHeads, cache, selection, 1 / MathF.Sqrt(dimension), output.Pointer);
            return [output.Read()];
        });

    // Never all of the first list: an empty list gives 0.
    private static KeyRange[] RandomRanges(RandomSource random, int length)
    {
        var ranges = new List<KeyRange>();
        for (int key = random.Next(5); key < length;)
        {
            int end = Math.Min(length, key + 1 + random.Next(40));
            ranges.Add(new KeyRange(key, end));
            key = end + random.Next(10);
        }

        return [.. ranges];
    }
}
