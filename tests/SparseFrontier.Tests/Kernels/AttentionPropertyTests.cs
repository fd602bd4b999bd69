using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public unsafe class AttentionPropertyTests
{
    private const int QueryHeads = 4;
    private const int KvHeads = 2;
    private const int Dimension = 24;

    public static TheoryData<int> Widths() => [.. KernelWidths.All];

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_plan_that_lists_every_key_equals_dense(int width)
    {
        const int Rows = 150;
        using var data = new Prompt(Rows);
        KernelSet kernels = KernelWidths.Get(width);
        float[] dense = data.Attend(kernels, [AttentionPlan.Dense(Rows)], 0);
        foreach (int tileRows in (int[])[1, 16, 32, 64, 200])
        {
            // Every key is a column, many lie in ranges too.
            AttentionPlan plan = KernelCorrectness.RandomPlan(new RandomSource("full"), Rows, tileRows, 0.4);
            var full = new AttentionPlan(Rows, tileRows, plan.RangeOffsets, plan.Ranges, [.. Enumerable.Range(0, Rows)]);
            Assert.Equal(Rows * (Rows + 1) / 2, full.CountPairs());
            AssertClose(dense, data.Attend(kernels, [full], 0), 2e-6f);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_sliding_window_equals_the_plan_that_lists_it(int width)
    {
        const int Rows = 140;
        const int Window = 37;
        using var data = new Prompt(Rows);
        KernelSet kernels = KernelWidths.Get(width);
        var ranges = new KeyRange[Rows];
        for (int row = 0; row < Rows; row++)
        {
            ranges[row] = new KeyRange(Math.Max(0, row - Window + 1), row + 1);
        }

        var plan = new AttentionPlan(Rows, 1, [.. Enumerable.Range(0, Rows + 1)], ranges, []);
        AssertClose(data.Attend(kernels, [plan], 0), data.Attend(kernels, [AttentionPlan.Dense(Rows)], Window), 2e-6f);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Repeats_and_any_number_of_threads_give_the_same_bits(int width)
    {
        const int Rows = 333;
        using var data = new Prompt(Rows);
        KernelSet kernels = KernelWidths.Get(width);
        var random = new RandomSource("threads");
        AttentionPlan[] plans = [.. Enumerable.Range(0, QueryHeads).Select(_ => KernelCorrectness.RandomPlan(random, Rows, 32, 0.3))];
        float[] first = data.Attend(kernels, plans, 0);
        Assert.Equal(first, data.Attend(kernels, plans, 0));
        foreach (int threads in (int[])[1, 3, 8])
        {
            using var scope = new ThreadCountScope(threads);
            Assert.Equal(first, data.Attend(kernels, plans, 0));
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void The_last_rows_of_a_prompt_are_what_they_are_in_the_whole_prompt(int width)
    {
        const int Rows = 333;
        using var data = new Prompt(Rows);
        KernelSet kernels = KernelWidths.Get(width);
        float[] whole = data.Attend(kernels, [AttentionPlan.Dense(Rows)], 0);
        foreach (int rows in (int[])[1, 13, 64, 77, 256, 333])
        {
            AttentionPlan plan = AttentionPlan.Dense(rows, 64, Rows - rows);
            Assert.Equal(whole[((Rows - rows) * QueryHeads * Dimension)..], data.Attend(kernels, [plan], 0, rows, null));
        }

        Assert.Throws<ArgumentException>(() => data.Attend(kernels, [AttentionPlan.Dense(64)], 0, 64, null));
        Assert.Throws<ArgumentException>(() => data.Attend(kernels, [AttentionPlan.Dense(64)], 0));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_row_without_keys_gives_zero(int width)
    {
        using var data = new Prompt(5);
        var plan = new AttentionPlan(5, 2, [0, 0, 1, 1], [new KeyRange(3, 4)], []);
        float[] logSumExp = new float[QueryHeads * 5];
        float[] output = data.Attend(KernelWidths.Get(width), [plan], 0, 5, logSumExp);
        Assert.Equal([true, true, true, false, true], logSumExp[..5].Select(float.IsNegativeInfinity));
        int stride = QueryHeads * Dimension;
        Assert.All(output[..(3 * stride)], x => Assert.Equal(0, x));
        Assert.Contains(output[(3 * stride)..(4 * stride)], x => x != 0);
        Assert.All(output[(4 * stride)..], x => Assert.Equal(0, x));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_cancelled_prompt_throws(int width)
    {
        using var data = new Prompt(200);
        Assert.Throws<OperationCanceledException>(() => data.Attend(KernelWidths.Get(width), [AttentionPlan.Dense(200)], 0, new CancellationToken(true)));
    }

    // The scores of the first 16384 keys are kept between the passes, those of later keys are computed again.
    [Theory]
    [MemberData(nameof(Widths))]
    public void The_last_window_of_a_long_prompt_equals_the_reference(int width)
    {
        const int Window = 70;

        // To the last key that is kept, some keys beyond for the last queries alone, and for all.
        foreach (int rows in (int[])[16384, 16386, 16400, 16700])
        {
            using var data = new Prompt(rows);
            (float[] columns, float[] diagonals, float[] maxima) = data.LastWindow(KernelWidths.Get(width), Window);
            (float[] expectedColumns, float[] expectedDiagonals, float[] expectedMaxima) = data.LastWindow(new ReferenceKernels(), Window);
            AssertClose(expectedColumns, columns, 2e-6f);
            AssertClose(expectedDiagonals, diagonals, 2e-6f);
            AssertClose(expectedMaxima, maxima, 2e-6f);
        }
    }

    // Keys at -∞ weigh nothing, and queries that see no others attend to nothing; key 0 of the second list is one that all others are compared with.
    [Theory]
    [MemberData(nameof(Widths))]
    public void The_last_window_gives_scores_of_minus_infinity_no_weight(int width)
    {
        const int Rows = 200;
        const int Window = 150;
        foreach (Func<int, bool> infinite in (Func<int, bool>[])[key => key < 120, key => key > 0, key => key % 7 < 3, _ => true])
        {
            using var queries = new NativeArray<float>(Rows * Dimension);
            using var keys = new NativeArray<float>(Rows * Dimension);
            for (int row = 0; row < Rows; row++)
            {
                queries.Pointer[row * Dimension] = 1;
                keys.Pointer[row * Dimension] = infinite(row) ? float.NegativeInfinity : row * 0.01f;
            }

            (float[] columns, float[] diagonals, float[] maxima) = Run(KernelWidths.Get(width));
            (float[] expectedColumns, float[] expectedDiagonals, float[] expectedMaxima) = Run(new ReferenceKernels());
            AssertClose(expectedColumns, columns, 2e-6f);
            AssertClose(expectedDiagonals, diagonals, 2e-6f);
            AssertClose(expectedMaxima, maxima, 2e-6f);
            Assert.All(Enumerable.Range(0, Rows).Where(infinite), key => Assert.Equal((0, 0), (columns[key], maxima[key])));
            int attending = Enumerable.Range(Rows - Window, Window).Count(row => Enumerable.Range(0, row + 1).Any(key => !infinite(key)));
            Assert.Equal(attending, columns.Sum(), 1e-3f);

            (float[] Columns, float[] Diagonals, float[] Maxima) Run(KernelSet kernels)
            {
                (float[] byKey, float[] byOffset, float[] largest) = (new float[Rows], new float[Rows], new float[Rows]);
                kernels.LastWindowAttention(
                    HeadTensor.HeadMajor(queries.Pointer, 1, Rows, Dimension), HeadTensor.HeadMajor(keys.Pointer, 1, Rows, Dimension), 0, Window, 1, byKey, byOffset, largest);
                return (byKey, byOffset, largest);
            }
        }
    }

    // What an eviction keeps may be copied, or listed where it lies: the same bits, with generated tokens behind it and parts of it alone.
    [Theory]
    [MemberData(nameof(Widths))]
    public void Tokens_that_are_listed_attend_as_copies_of_them(int width)
    {
        const int Tokens = 1500;
        KernelSet kernels = KernelWidths.Get(width);
        foreach ((int dimension, DataType type) in ((int, DataType)[])[(Dimension, DataType.F32), (64, DataType.BF16), (24, DataType.BF16)])
        {
            var random = new RandomSource("listed", dimension);
            using var queries = new NativeArray<float>(QueryHeads * dimension);
            using var rows = new NativeArray<float>(2 * KvHeads * dimension);
            using var whole = new KeyValueBlock(KvHeads, Tokens, dimension, type);
            Fill(random, queries.Span);
            for (int t = 0; t < Tokens; t++)
            {
                Fill(random, rows.Span);
                for (int head = 0; head < KvHeads; head++)
                {
                    whole.Write(head, t, rows.Pointer + (head * dimension), rows.Pointer + ((KvHeads + head) * dimension));
                }
            }

            int[][] kept = [.. Enumerable.Range(0, KvHeads).Select(head => Enumerable.Range(0, Tokens).Where(_ => random.Next(3 + head) == 0).ToArray())];
            using var listed = new LayerCache(whole.List(kept), ownsPrompt: true);
            using var copied = new LayerCache(whole.Copy(type, kept), ownsPrompt: true);
            Assert.True(listed.Prompt.IsList);
            Assert.Equal(copied.Prompt.Lengths, listed.Prompt.Lengths);
            Assert.Equal(copied.SizeInBytes, listed.SizeInBytes);
            for (int t = 0; t < 70; t++)
            {
                Fill(random, rows.Span);
                listed.Append(rows.Pointer, rows.Pointer + (KvHeads * dimension));
                copied.Append(rows.Pointer, rows.Pointer + (KvHeads * dimension));
            }

            int shortest = Enumerable.Range(0, KvHeads).Min(copied.Length);
            KeyRange[] some = [new KeyRange(3, 50), new KeyRange(60, 61), new KeyRange(100, shortest - 80), new KeyRange(shortest - 75, shortest - 2)];
            foreach (DecodeSelection? selection in (DecodeSelection?[])[null, new DecodeSelection([.. Enumerable.Repeat(some, KvHeads)])])
            {
                Assert.Equal(Attend(copied, selection), Attend(listed, selection));
            }

            // Keys and values are read as they are listed, and remain the whole block's.
            float[] read = new float[2 * dimension];
            fixed (float* target = read)
            {
                listed.Prompt.ReadValues(1, 4, 2, target);
            }

            Assert.Equal([.. copied.ReadValue(1, 4), .. copied.ReadValue(1, 5)], read);
            Assert.Throws<InvalidOperationException>(() => listed.Prompt.Write(0, 0, rows.Pointer, rows.Pointer));
            Assert.Throws<InvalidOperationException>(() => listed.Prompt.List(kept));
            Assert.Throws<InvalidOperationException>(() => listed.Prompt.Keys);

            float[] Attend(LayerCache cache, DecodeSelection? selection)
            {
                float[] output = new float[QueryHeads * dimension];
                fixed (float* target = output)
                {
                    kernels.DecodeAttention(queries.Pointer, QueryHeads, cache, selection, 0.3f, target);
                }

                return output;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_step_does_not_depend_on_where_the_prompt_ends_or_on_threads(int width)
    {
        // Enough for tasks of several runs on one thread.
        const int Tokens = 8500;
        KernelSet kernels = KernelWidths.Get(width);

        // Rows that are copied, but for the narrowest vectors, and rows that are read where they are, in long and in short blocks.
        foreach ((int dimension, DataType type) in ((int, DataType)[])[(Dimension, DataType.F32), (64, DataType.BF16), (128, DataType.F32)])
        {
            float[] expected = Step(Tokens, 0, null);
            AssertClose(Decode(new ReferenceKernels(), Tokens, 0, null, dimension, type), expected, 1e-5f);
            Assert.Equal(expected, Step(Tokens - 1, 1, null));
            Assert.Equal(expected, Step(Tokens - 777, 777, null));
            KeyRange[] all = [new KeyRange(0, 17), new KeyRange(17, 1040), new KeyRange(1040, Tokens)];
            Assert.Equal(expected, Step(Tokens - 3, 3, new DecodeSelection([all, all])));
            Assert.Equal(expected, Step(Tokens - 3, 3, new DecodeSelection([all, all, all, all])));
            foreach (int threads in (int[])[1, 8])
            {
                using var scope = new ThreadCountScope(threads);
                Assert.Equal(expected, Step(Tokens, 0, null));
            }

            float[] Step(int prompt, int generated, DecodeSelection? selection) => Decode(kernels, prompt, generated, selection, dimension, type);
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void A_step_without_tokens_gives_zero(int width) =>
        Assert.All(Decode(KernelWidths.Get(width), 4, 0, new DecodeSelection([[], []])), x => Assert.Equal(0, x));

    // Of 485 tokens the last five are a run of their own, whose block is filled up.
    [Theory]
    [MemberData(nameof(Widths))]
    public void A_step_weighs_scores_at_the_ends_of_the_range_as_the_reference(int width)
    {
        const float Infinite = float.PositiveInfinity;
        foreach (int tokens in (int[])[3, 48, 485])
        {
            AssertReference(tokens, t => -1e30f - (1e29f * t));
            AssertReference(tokens, t => -1e37f * (t % 7 == 1 ? 10 : 20));
            AssertReference(tokens, t => t == 1 ? 1e37f : -1e38f);
            AssertReference(tokens, t => t == 1 ? -2 : -Infinite);
            AssertReference(tokens, t => t < tokens - 5 || tokens == 3 ? t : -Infinite);
            AssertReference(tokens, _ => -Infinite);
            AssertReference(tokens, t => t == 1 ? Infinite : t);
            AssertReference(tokens, t => t == 1 ? float.NaN : t);
        }

        void AssertReference(int tokens, Func<int, float> score)
        {
            using var queries = new NativeArray<float>(QueryHeads * Dimension);
            using var output = new NativeArray<float>(QueryHeads * Dimension);
            using var expected = new NativeArray<float>(QueryHeads * Dimension);
            using var cache = new LayerCache(new KeyValueBlock(KvHeads, tokens, Dimension), ownsPrompt: true);
            float* key = stackalloc float[2 * Dimension];
            float* value = key + Dimension;
            new Span<float>(key, Dimension).Clear();
            for (int h = 0; h < QueryHeads; h++)
            {
                queries.Pointer[h * Dimension] = 1;
            }

            for (int t = 0; t < tokens; t++)
            {
                key[0] = score(t);
                new Span<float>(value, Dimension).Fill(t);
                for (int h = 0; h < KvHeads; h++)
                {
                    cache.Prompt.Write(h, t, key, value);
                }
            }

            KernelWidths.Get(width).DecodeAttention(queries.Pointer, QueryHeads, cache, null, 0.5f, output.Pointer);
            new ReferenceKernels().DecodeAttention(queries.Pointer, QueryHeads, cache, null, 0.5f, expected.Pointer);
            AssertClose(expected.Span.ToArray(), output.Span.ToArray(), 1e-3f);
        }
    }

    // Chunks of a list are scored on different threads, and the first pages behind the prompt's apart from them.
    [Theory]
    [MemberData(nameof(Widths))]
    public void The_score_of_a_page_does_not_depend_on_the_pages_beside_it(int width)
    {
        const int Pages = 11;
        KernelSet kernels = KernelWidths.Get(width);
        foreach (DataType type in (DataType[])[DataType.F32, DataType.BF16])
        {
            foreach (int dimension in (int[])[5, 24, 72, 128])
            {
                var random = new RandomSource("pages");
                using var queries = new NativeArray<float>(2 * dimension);
                using var keys = new KeyValueBlock(1, 2 * Pages, dimension, type);
                float[] row = new float[dimension];
                Fill(random, queries.Span);
                for (int t = 0; t < 2 * Pages; t++)
                {
                    Fill(random, row);
                    fixed (float* key = row)
                    {
                        keys.Write(0, t, key, key);
                    }
                }

                float[] whole = Score(0, Pages);
                for (int first = 0; first < Pages; first++)
                {
                    for (int end = first + 1; end <= Pages; end++)
                    {
                        Assert.Equal(whole[first..end], Score(first, end));
                    }
                }

                float[] Score(int first, int end)
                {
                    float[] scores = new float[end - first];
                    fixed (float* target = scores)
                    {
                        kernels.PageScores(queries.Pointer, 2, keys.Key(0, 2 * first), type, scores.Length, dimension, target);
                    }

                    return scores;
                }
            }
        }
    }

    private static float[] Decode(
        KernelSet kernels, int prompt, int generated, DecodeSelection? selection, int dimension = Dimension, DataType type = DataType.F32)
    {
        var random = new RandomSource("decode");
        using var queries = new NativeArray<float>(QueryHeads * dimension);
        using var output = new NativeArray<float>(QueryHeads * dimension);
        using var token = new NativeArray<float>(2 * KvHeads * dimension);
        using var cache = new LayerCache(new KeyValueBlock(KvHeads, prompt, dimension, type), ownsPrompt: true);
        Fill(random, queries.Span);
        float* keys = token.Pointer;
        float* values = keys + (KvHeads * dimension);
        for (int t = 0; t < prompt + generated; t++)
        {
            Fill(random, token.Span);
            if (t >= prompt)
            {
                cache.Append(keys, values);
                continue;
            }

            for (int h = 0; h < KvHeads; h++)
            {
                cache.Prompt.Write(h, t, keys + (h * dimension), values + (h * dimension));
            }
        }

        kernels.DecodeAttention(queries.Pointer, QueryHeads, cache, selection, 0.3f, output.Pointer);
        return output.Span.ToArray();
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.InRange(actual[i], expected[i] - tolerance, expected[i] + tolerance);
        }
    }

    private static void Fill(RandomSource random, Span<float> values)
    {
        foreach (ref float value in values)
        {
            value = (float)random.NextNormal();
        }
    }

    private sealed class Prompt : IDisposable
    {
        private readonly int _rows;
        private readonly NativeArray<float> _queries;
        private readonly NativeArray<float> _keys;
        private readonly NativeArray<float> _values;

        public Prompt(int rows)
        {
            var random = new RandomSource("prompt");
            _rows = rows;
            _queries = new NativeArray<float>((long)QueryHeads * rows * Dimension);
            _keys = new NativeArray<float>((long)KvHeads * rows * Dimension);
            _values = new NativeArray<float>((long)KvHeads * rows * Dimension);
            Fill(random, _queries.Span);
            Fill(random, _keys.Span);
            Fill(random, _values.Span);
        }

        /// <summary>[rows, heads, dimension].</summary>
        public float[] Attend(KernelSet kernels, AttentionPlan[] plans, int window, CancellationToken cancellationToken = default) =>
            Attend(kernels, plans, window, _rows, null, cancellationToken);

        /// <summary>The last <paramref name="rows"/> rows.</summary>
        public float[] Attend(KernelSet kernels, AttentionPlan[] plans, int window, int rows, float[]? logSumExp, CancellationToken cancellationToken = default)
        {
            using var output = new NativeArray<float>((long)rows * QueryHeads * Dimension);
            output.Span.Fill(float.NaN);
            fixed (float* logarithms = logSumExp)
            {
                kernels.PrefillAttention(
                    new HeadTensor(_queries.Pointer + ((_rows - rows) * Dimension), QueryHeads, rows, Dimension, (long)_rows * Dimension, Dimension),
                    HeadTensor.HeadMajor(_keys.Pointer, KvHeads, _rows, Dimension),
                    HeadTensor.HeadMajor(_values.Pointer, KvHeads, _rows, Dimension),
                    0.3f,
                    plans,
                    window,
                    HeadTensor.RowMajor(output.Pointer, QueryHeads, rows, Dimension),
                    logarithms,
                    cancellationToken);
            }

            return output.Span.ToArray();
        }

        /// <summary>Sums by key and by offset and maxima by key of the last queries of the last head.</summary>
        public (float[] Columns, float[] Diagonals, float[] Maxima) LastWindow(KernelSet kernels, int window)
        {
            (float[] columns, float[] diagonals, float[] maxima) = (new float[_rows], new float[_rows], new float[_rows]);
            kernels.LastWindowAttention(
                HeadTensor.HeadMajor(_queries.Pointer, QueryHeads, _rows, Dimension),
                HeadTensor.HeadMajor(_keys.Pointer, KvHeads, _rows, Dimension),
                QueryHeads - 1,
                window,
                0.3f,
                columns,
                diagonals,
                maxima);
            return (columns, diagonals, maxima);
        }

        public void Dispose()
        {
            _queries.Dispose();
            _keys.Dispose();
            _values.Dispose();
        }
    }
}
