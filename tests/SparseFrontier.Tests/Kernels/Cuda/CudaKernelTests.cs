using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tensors;
using SparseFrontier.Tests.Attention;
using Xunit;

namespace SparseFrontier.Tests.Kernels.Cuda;

/// <summary>On the first GPU; skipped, with the reason, where there is none.</summary>
[Collection(CudaCollection.Name)]
public sealed unsafe class CudaKernelTests
{
    // Errors of a score in parts of its size: what KernelCorrectness allows sums of a window's weights on a GPU, of sums that are then rounded to bfloat16 (which may come out as the number
    // beside), and of sums of products in float32.
    private const double OfWeights = 1.0 / (1 << 13);
    private const double OfRounded = 1.0 / (1 << 7);
    private const double OfSums = 1.0 / (1 << 19);

    public static TheoryData<string, DataType> KernelsAndTypes()
    {
        var data = new TheoryData<string, DataType>();
        string[] names = ["PrefillAttention", "DecodeAttention", "LastWindowAttention", "SumBlocks", "MatMulTransposed", "ExtendBounds", "PageScores"];
        foreach (string name in names)
        {
            data.Add(name, DataType.BF16);
            data.Add(name, DataType.F16);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(KernelsAndTypes))]
    public void Gpu_kernels_agree_with_the_reference(string kernel, DataType type)
    {
        var kernels = new CudaKernels(Device(), type);
        IEnumerable<KernelCorrectnessResult> results = KernelCorrectness.Cases.Where(c => c.Kernel == kernel).Select(c => KernelCorrectness.Run(kernels, c));
        Assert.Empty(results.Where(r => !r.Passed).Select(r => r.ToString()));
    }

    [Fact]
    public void Repeats_are_bit_equal()
    {
        var kernels = new CudaKernels(Device());
        Assert.All(KernelCorrectness.Cases.Where((c, i) => i % 7 == 0 && kernels.RunsOnDevice(c.Kernel)), test =>
        {
            float[][] first = test.Execute(kernels, new RandomSource("repeat", 1));
            Assert.Equal(first, test.Execute(kernels, new RandomSource("repeat", 1)));
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(30)]
    public void A_sequence_decodes_to_the_same_bits_in_any_batch(int batch)
    {
        CudaDevice device = Device();
        const int Heads = 14, KvHeads = 2, Dimension = 128;
        int[] lengths = [.. Enumerable.Range(0, batch).Select(i => 1 + (i * 977 % 5000))];
        using CudaVectors queries = Random(device, batch * Heads, 1, Dimension, 1);
        using CudaVectors keys = Random(device, batch * KvHeads, lengths.Max(), Dimension, 2);
        using CudaVectors values = Random(device, batch * KvHeads, lengths.Max(), Dimension, 3);
        ushort[] together = Decode(queries, keys, values, [.. lengths.SelectMany(l => Enumerable.Repeat(l, KvHeads))]);
        for (int i = 0; i < batch; i++)
        {
            using CudaVectors q = Part(queries, i * Heads, Heads);
            using CudaVectors k = Part(keys, i * KvHeads, KvHeads);
            using CudaVectors v = Part(values, i * KvHeads, KvHeads);
            Assert.Equal(together[(i * Heads * Dimension)..((i + 1) * Heads * Dimension)], Decode(q, k, v, [.. Enumerable.Repeat(lengths[i], KvHeads)]));
        }
    }

    // The last row lies more than 2^31 elements after the first.
    [Fact]
    public void Rows_may_lie_far_apart()
    {
        CudaDevice device = Device();
        Assert.SkipUnless(device.FreeBytes > 20L << 30, "20 GiB of the GPU's memory are not free");
        const int Rows = 70, Dimension = 128, Beside = 250_000;
        using CudaVectors queries = Random(device, 4, Rows, Dimension, 1);
        using CudaVectors keys = Random(device, 2, Rows, Dimension, 2);
        using CudaVectors values = Random(device, 2, Rows, Dimension, 3);
        using CudaVectors last = Random(device, 4, 1, Dimension, 4);
        using CudaMemory queryMemory = Spread(queries), keyMemory = Spread(keys), valueMemory = Spread(values);
        float[][] far = Run(View(queryMemory, 4), View(keyMemory, 2), View(valueMemory, 2));
        Assert.Equal(Run(queries, keys, values), far);

        CudaMemory Spread(CudaVectors vectors)
        {
            CudaMemory memory = CudaMemory.Allocate(device, (long)Rows * Beside * Dimension * 2);
            for (int i = 0; i < vectors.Heads * Rows; i++)
            {
                memory.CopyFrom(vectors.Address + (ulong)(i * Dimension * 2), Dimension * 2, ((i % Rows * (long)Beside) + (i / Rows)) * Dimension * 2);
            }

            return memory;
        }

        static CudaVectors View(CudaMemory memory, int heads) => CudaVectors.RowMajor(DataType.BF16, memory, Beside, Rows, Dimension).Slice(0, heads);

        float[][] Run(CudaVectors q, CudaVectors k, CudaVectors v)
        {
            using CudaVectors output = CudaVectors.Allocate(device, DataType.BF16, 4, Rows, Dimension);
            using CudaVectors step = CudaVectors.Allocate(device, DataType.BF16, 4, 1, Dimension);
            using CudaPlans plans = CudaPlans.From(device, [AttentionPlan.Dense(Rows)]);
            using CudaTokenLists tokens = CudaTokenLists.All(device, [Rows, Rows]);
            CudaAttention.Prefill(q, k, v, 0.1f, plans, 0, output, null);
            CudaAttention.Decode(last, k, v, 0.1f, tokens, step, null);
            using var window = CudaWindow.Compute(q, k, 33, 0.1f);
            using CudaMemory sums = CudaBlocks.Sum(v, 16);
            using CudaVectors bounds = CudaPages.Bounds(k, 16);
            return
            [
                Widen(output), Widen(step), Widen(bounds), window.ColumnSums.ToArray<float>(), window.DiagonalSums.ToArray<float>(), window.ColumnMaxima.ToArray<float>(), sums.ToArray<float>(),
            ];
        }

        static float[] Widen(CudaVectors vectors) => Array.ConvertAll(vectors.Memory.ToArray<ushort>(), BFloat16.Widen);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(7, 15, 4)]
    [InlineData(7, 17, 16)]
    [InlineData(7, 600, 5)]
    [InlineData(7, 600, 600)]
    [InlineData(7, 1025, 102)]
    [InlineData(7, 5000, 700)]
    [InlineData(7, 8192, 1)]
    [InlineData(7, 8193, 400)]
    [InlineData(7, 20001, 3000)]
    [InlineData(1030, 16, 1)]
    [InlineData(1030, 1023, 100)]
    [InlineData(1030, 1024, 1023)]
    [InlineData(1030, 1025, 50)]
    [InlineData(1030, 2049, 204)]
    [InlineData(1030, 4097, 409)]
    public void The_largest_are_the_processors_choice(int rows, int count, int wanted)
    {
        CudaDevice device = Device();
        var random = new RandomSource("largest", count);
        float[] scores = new float[rows * count];
        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = (i / count % 6) switch
            {
                // Few distinct values, so that there are ties; zeros of both signs; some that are infinite or no number.
                0 => random.Next(20) switch { 0 => -0f, 1 => float.PositiveInfinity, 2 => float.NaN, _ => (random.Next(50) - 25) / 8f },
                1 => 0.5f,
                2 => random.Next(8) == 0 ? random.Next(3) : float.NegativeInfinity,
                3 => BFloat16.Widen(BFloat16.Round((float)random.NextNormal())),
                4 => random.Next(8) == 0 ? -1 : float.NaN,
                _ => (float)random.NextNormal(),
            };
        }

        using var memory = CudaMemory.From<float>(device, scores);
        using CudaMemory indices = CudaSelection.Largest(device, memory, rows, count, wanted);
        Assert.Equal(Enumerable.Range(0, rows).SelectMany(r => TopK.Select(scores.AsSpan(r * count, count), wanted)), indices.ToArray<int>());
    }

    [Theory]
    [InlineData(1, 128)]
    [InlineData(16, 128)]
    [InlineData(2085, 128)]
    [InlineData(2100, 64)]
    [InlineData(1500, 80)]
    [InlineData(1500, 256)]
    public void Block_scores_are_the_same_in_any_strip_and_beside_any_heads(int length, int dimension)
    {
        CudaDevice device = Device();
        const int Heads = 6, Group = 3, Size = 8, Strip = 32;
        using CudaVectors queries = Random(device, Heads, length, dimension, 1);
        using CudaVectors keys = Random(device, Heads / Group, length, dimension, 2);
        int blocks = (length + Size - 1) / Size;
        float[] whole = Scores(queries, keys, blocks);
        Assert.Equal(whole, Scores(queries, keys, Strip));
        int perHead = whole.Length / Heads;
        for (int head = 0; head < Heads; head++)
        {
            using CudaVectors query = Part(queries, head, 1);
            using CudaVectors key = Part(keys, head / Group, 1);
            Assert.Equal(whole.AsSpan(head * perHead, perHead).ToArray(), Scores(query, key, blocks));
        }

        // The number beside is right as well where float32's sums lie between two.
        float[] queryMeans = Means(queries), keyMeans = Means(keys);
        int width = queries.Width;
        int i = 0;
        for (int head = 0; head < Heads; head++)
        {
            for (int row = 0; row < blocks; row++)
            {
                for (int column = 0; column <= row; column++, i++)
                {
                    double expected = 0, size = 0;
                    for (int d = 0; d < dimension; d++)
                    {
                        double product = (double)queryMeans[(((head * blocks) + row) * width) + d] * keyMeans[(((head / Group * blocks) + column) * width) + d];
                        expected += product;
                        size += Math.Abs(product);
                    }

                    Assert.Equal(0u, BitConverter.SingleToUInt32Bits(whole[i]) & 0xFFFF);
                    Assert.InRange(Math.Abs(whole[i] - expected), 0, (Math.Abs(expected) / 256) + (size * 1e-5));
                }
            }
        }

        float[] Means(CudaVectors vectors)
        {
            using CudaMemory means = CudaBlocks.Means(vectors, Size);
            return Array.ConvertAll(means.ToArray<ushort>(), BFloat16.Widen);
        }

        // Of all heads, of each block row those that it has.
        float[] Scores(CudaVectors q, CudaVectors k, int strip)
        {
            using CudaBlockScorer scorer = CudaBlockScorer.Means(q, k, Size);
            float[][] rows = new float[q.Heads * blocks][];
            for (int first = 0; first < blocks; first += strip)
            {
                int count = Math.Min(strip, blocks - first);
                using var scores = CudaMemory.Allocate(device, (long)q.Heads * count * blocks * sizeof(float));
                scorer.Score(first, count, scores);
                float[] all = scores.ToArray<float>();
                for (int r = 0; r < q.Heads * count; r++)
                {
                    int row = first + (r % count);
                    rows[(r / count * blocks) + row] = all.AsSpan(r * blocks, row + 1).ToArray();
                }
            }

            return [.. rows.SelectMany(r => r)];
        }
    }

    [Theory]
    [InlineData(1024)]
    [InlineData(2085)]
    public void Selections_on_the_gpu_are_the_processors(int length)
    {
        CudaDevice device = Device();
        Assert.SkipUnless(Fixtures.Shared($"methods-dev-{length}.safetensors") is not null, $"methods-dev-{length}.safetensors is not beside the checkout");
        using SafetensorsFile file = SafetensorsFile.Open(Fixtures.Shared($"methods-dev-{length}.safetensors")!);
        using LayerData data = LayerData.Read(file);
        PromptLayer layer = data.Layer;
        using var queries = CudaVectors.From(device, DataType.BF16, layer.Queries);
        using var keys = CudaVectors.From(device, DataType.BF16, layer.Keys);

        foreach (string parameters in (string[])["VerticalSize=128;SlashSize=256;Window=128", "VerticalSize=64;SlashSize=96;Window=64"])
        {
            MethodParameters p = MethodRegistry.FindPrefill("VerticalSlash").CreateParameters(parameters);
            IReadOnlyDictionary<string, int[][]> expected = MethodRegistry.FindPrefill("VerticalSlash").Select(layer, p).CreateLists();
            using CudaVerticalSlash chosen = CudaSelection.VerticalSlash(
                queries, keys, layer.Scale, p.Integer("Window"), p.Integer("VerticalSize"), p.Integer("SlashSize"), p.Integer("ForcedVerticals"), p.Integer("ForcedSlashes"));
            AssertNear(layer, p, "verticals", expected["verticals"], chosen.Verticals());
            AssertNear(layer, p, "slashes", expected["slashes"], chosen.Slashes());
            AssertPlans(chosen.Slashes().Zip(chosen.Verticals()).Select(c => VerticalSlashPlan.Build(length, c.Second, c.First).Plan), chosen.Plans);
        }

        MethodParameters flex = MethodRegistry.FindPrefill("FlexPrefill").CreateParameters("Alpha=0.65;Window=128;MinimumBudget=64");
        IReadOnlyDictionary<string, int[][]> covering = MethodRegistry.FindPrefill("FlexPrefill").Select(layer, flex).CreateLists();
        using CudaVerticalSlash covered = CudaSelection.VerticalSlash(queries, keys, layer.Scale, 128, 64, 64, 4, 64, 0.65);
        AssertNear(layer, flex, "verticals", covering["verticals"], covered.Verticals(), countsMayDiffer: true);
        AssertNear(layer, flex, "slashes", covering["slashes"], covered.Slashes(), countsMayDiffer: true);

        var block = (BlockMethod)MethodRegistry.FindPrefill("BlockSparse");
        MethodParameters blockParameters = block.CreateParameters("BlockSize=16;TopBlocks=16");
        using CudaBlockScorer scorer = CudaBlockScorer.Means(queries, keys, 16);
        using CudaPlans blocks = CudaSelection.Blocks(queries, scorer, 16, 16, 1, 2);
        AssertNear(block, layer, blockParameters, [.. block.Select(layer, blockParameters).Plans.SelectMany(Blocks)], Blocks(blocks, 16));
    }

    [Theory]
    [InlineData("BlockSparse", 2)]
    [InlineData("BlockSparse", 8)]
    [InlineData("BlockSparse", 16)]
    [InlineData("Random", 2)]
    [InlineData("Random", 16)]
    [InlineData("WindowSink", 4)]
    [InlineData("OracleTopK", 2)]
    [InlineData("OracleTopK", 16)]
    [InlineData("OracleTopK", 64)]
    public void Blocks_chosen_on_the_gpu_are_the_processors(string name, int size)
    {
        CudaDevice device = Device();
        using SafetensorsFile file = SafetensorsFile.Open(Fixtures.Golden("methods-1024.safetensors"));
        using LayerData data = LayerData.Read(file);
        PromptLayer layer = data.Layer with { Seed = 11 };
        using var queries = CudaVectors.From(device, DataType.BF16, layer.Queries);
        using var keys = CudaVectors.From(device, DataType.BF16, layer.Keys);
        var method = (BlockMethod)MethodRegistry.FindPrefill(name);
        MethodParameters parameters = method.CreateParameters($"BlockSize={size};TopBlocks={256 / size}");
        int[][] expected = [.. method.Select(layer, parameters).Plans.SelectMany(Blocks)];

        using CudaBlockScorer scorer = CudaPrefill.CreateScorer(method, queries, keys, size, layer.Scale, layer.Seed, layer.Layer, 0);
        using CudaPlans plans = CudaSelection.Blocks(queries, scorer, size, 256 / size, 1, 2);
        int[][] actual = Blocks(plans, size);
        if (name is "Random" or "WindowSink")
        {
            Assert.Equal(Enumerable.Repeat(expected, actual.Length / expected.Length).SelectMany(e => e), actual);
        }
        else
        {
            AssertNear(method, layer, parameters, expected, actual);
        }
    }

    public static TheoryData<string, string> Methods() => new()
    {
        { "Dense", "" },
        { "VerticalSlash", "VerticalSize=64;SlashSize=96;Window=64" },
        { "BlockSparse", "BlockSize=16;TopBlocks=16" },
        { "FlexPrefill", "Alpha=0.65;Window=128;MinimumBudget=64" },
        { "SnapKV", "Capacity=256;Window=64;KernelSize=7;LocalWindow=32;PrefixTokens=4" },
        { "AdaSnapKV", "Capacity=256;Window=64;KernelSize=7;LocalWindow=32;PrefixTokens=4" },
        { "Quest", "PageSize=16;TokenBudget=256;SharePages=1" },
        { "Quest", "PageSize=16;TokenBudget=256;SharePages=0" },
    };

    [Theory]
    [MemberData(nameof(Methods))]
    public void Methods_give_the_processors_selection_and_output(string name, string parameters) => CompareMethod(name, parameters, new CudaKernels(Device()), 2e-2);

    // The same comparison where there is no GPU, of the processor's narrowest vectors with its widest.
    [Theory]
    [MemberData(nameof(Methods))]
    public void Vectors_of_other_widths_give_the_same_selection_and_output(string name, string parameters) => CompareMethod(name, parameters, KernelWidths.Get(128), 1e-5);

    [Fact]
    public void Another_choice_is_accepted_only_between_near_ties()
    {
        float[] scores = [9, 1, 1.0001f, 0.9f, 2];
        AssertNear([0, 2, 4], [0, 1, 4], scores, 1e-4, 0, 0);
        AssertNear([0, 2, 4], [0, 1, 2, 4], scores, 1e-4, 0, 0, countsMayDiffer: true);
        foreach (int[] other in (int[][])[[0, 3, 4], [0, 1, 2], [1, 2, 4], [0, 1, 2, 4], [0, 4]])
        {
            Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => AssertNear([0, 2, 4], other, scores, 1e-4, 0, 0));
        }
    }

    // Keys at -∞ weigh nothing, and queries that see no others attend to nothing, in the sums of a window and of blocks.
    [Theory]
    [InlineData(1)]
    [InlineData(70)]
    [InlineData(200)]
    public void Scores_of_minus_infinity_have_no_weight(int infinite)
    {
        CudaDevice device = Device();
        const int Rows = 200, Dimension = 16, Size = 8;
        using var queries = new NativeArray<float>(Rows * Dimension);
        using var keys = new NativeArray<float>(Rows * Dimension);
        for (int row = 0; row < Rows; row++)
        {
            queries.Pointer[row * Dimension] = 1;
            keys.Pointer[row * Dimension] = row < infinite ? float.NegativeInfinity : row / 64f;
        }

        HeadTensor q = HeadTensor.HeadMajor(queries.Pointer, 1, Rows, Dimension);
        HeadTensor k = HeadTensor.HeadMajor(keys.Pointer, 1, Rows, Dimension);
        float[][] expected = Run(new ReferenceKernels());
        foreach ((float[] first, float[] second) in expected.Zip(Run(new CudaKernels(device))))
        {
            Assert.All(first.Zip(second), pair => Assert.Equal(pair.First, pair.Second, 1e-3f));
        }

        using CudaVectors deviceQueries = CudaVectors.From(device, DataType.BF16, q);
        using CudaVectors deviceKeys = CudaVectors.From(device, DataType.BF16, k);
        using CudaBlockScorer scorer = CudaBlockScorer.Mass(deviceQueries, deviceKeys, Size, 1);
        const int Blocks = Rows / Size;
        using var scores = CudaMemory.Allocate(device, Blocks * Blocks * sizeof(float));
        scorer.Score(0, Blocks, scores);
        float[] mass = scores.ToArray<float>();
        for (int block = 0; block < Blocks; block++)
        {
            int attending = Enumerable.Range(block * Size, Size).Count(row => row >= infinite);
            Assert.Equal(attending, mass.AsSpan(block * Blocks, block + 1).ToArray().Sum(), 1e-3f);
        }

        float[][] Run(KernelSet kernels)
        {
            float[][] sums = [new float[Rows], new float[Rows], new float[Rows]];
            kernels.LastWindowAttention(q, k, 0, Rows, 1, sums[0], sums[1], sums[2]);
            return sums;
        }
    }

    private static void CompareMethod(string name, string parameters, KernelSet kernels, double tolerance)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Fixtures.Shared("methods-dev-2085.safetensors") ?? Fixtures.Golden("methods-1024.safetensors"));
        using LayerData data = LayerData.Read(file);
        AttentionMethod method = MethodRegistry.All.First(m => m.Name == name);
        MethodParameters p = method.CreateParameters(parameters);
        AttendResult expected = Attend.Run(method, data.Layer, p);
        AttendResult actual = Attend.Run(method, data.Layer with { Kernels = kernels }, p);
        foreach ((SelectionTensor first, SelectionTensor second) in expected.Selection.Zip(actual.Selection))
        {
            Assert.Equal(first.Name, second.Name);
            int[][] lists = [.. first.Values.Chunk(first.Shape[^1]).Select(Chosen)];
            int[][] others = [.. second.Values.Chunk(second.Shape[^1]).Select(Chosen)];
            if (method is BlockMethod blocks)
            {
                AssertNear(blocks, data.Layer, p, lists, others);
            }
            else
            {
                // A coverage may end, and heads that share a budget may divide it, one choice further.
                AssertNear(data.Layer, p, first.Name, lists, others, name is "FlexPrefill" or "AdaSnapKV", method);
            }

            // Flags into indices; lists without what fills them up.
            int[] Chosen(int[] values) => first.DataType == DataType.U8
                ? [.. Enumerable.Range(0, values.Length).Where(i => values[i] != 0)]
                : [.. values.Where(i => i >= 0)];
        }

        double error = Math.Sqrt(expected.Output.Zip(actual.Output).Sum(p => Math.Pow(p.First - p.Second, 2)) / expected.Output.Sum(g => (double)g * g));
        Assert.True(error <= tolerance, $"relative error {error:E2}");
    }

    private static CudaDevice Device()
    {
        Assert.SkipUnless(CudaStatus.Missing(0) is null, CudaStatus.Missing(0)?.Message ?? "");
        return CudaDevice.Get(0);
    }

    private static CudaVectors Random(CudaDevice device, int heads, int rows, int dimension, long seed)
    {
        var random = new RandomSource("cuda", seed);
        using var data = new NativeArray<float>((long)heads * rows * dimension);
        for (long i = 0; i < data.Length; i++)
        {
            data.Pointer[i] = (float)random.NextNormal();
        }

        return CudaVectors.From(device, DataType.BF16, HeadTensor.HeadMajor(data.Pointer, heads, rows, dimension));
    }

    private static CudaVectors Part(CudaVectors vectors, int first, int heads)
    {
        CudaVectors part = CudaVectors.Allocate(vectors.Device, vectors.Type, heads, vectors.Rows, vectors.Dimension);
        ushort[] all = vectors.Memory.ToArray<ushort>();
        fixed (ushort* source = all)
        {
            part.Memory.Upload(source + (first * vectors.HeadStride), part.Memory.SizeInBytes);
        }

        return part;
    }

    private static ushort[] Decode(CudaVectors queries, CudaVectors keys, CudaVectors values, int[] lengths)
    {
        using CudaVectors output = CudaVectors.Allocate(queries.Device, queries.Type, queries.Heads, 1, queries.Dimension);
        using CudaTokenLists lists = CudaTokenLists.All(queries.Device, lengths);
        CudaAttention.Decode(queries, keys, values, 0.1f, lists, output, null);
        return output.Memory.ToArray<ushort>();
    }

    // Lists of a head each, chosen by the processor's scores of it.
    private static void AssertNear(
        PromptLayer layer, MethodParameters p, string list, int[][] expected, int[][] actual, bool countsMayDiffer = false, AttentionMethod? method = null)
    {
        Assert.Equal(expected.Length, actual.Length);
        float[][]? tokens = (method as EvictionMethod)?.ScoreTokens(layer, p);
        for (int head = 0; head < expected.Length; head++)
        {
            int forced = 0, last = 0;
            double error = OfWeights;
            float[] scores = new float[layer.Length];
            if (list == "kept")
            {
                (scores, error, forced, last) = (tokens![head], OfRounded, p.Integer("PrefixTokens"), p.Integer("LocalWindow"));
            }
            else if (list == "pages")
            {
                // The current page is none of them.
                (scores, error) = (PageScores(layer, p.Integer("PageSize"), head, layer.Queries.Heads / expected.Length), OfSums);
            }
            else
            {
                bool columns = list == "verticals";
                forced = p.Integer(columns ? "ForcedVerticals" : "ForcedSlashes");
                layer.Kernels.LastWindowAttention(layer.Queries, layer.Keys, head, p.Integer("Window"), layer.Scale, columns ? scores : default, columns ? default : scores, default);
            }

            AssertNear(expected[head], actual[head], scores, error, forced, last, countsMayDiffer);
        }
    }

    // Lists of a block of rows each, of all heads.
    private static void AssertNear(BlockMethod method, PromptLayer layer, MethodParameters p, int[][] expected, int[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        int rows = expected.Length / layer.Queries.Heads;
        for (int head = 0; head < layer.Queries.Heads; head++)
        {
            using BlockScorer scorer = method.CreateScorer(layer, head, p);
            for (int row = 0; row < rows; row++)
            {
                float[] scores = new float[row + 1];
                scorer.Score(row, scores);
                int i = (head * rows) + row;
                AssertNear(expected[i], actual[i], scores, method is BlockSparse ? OfRounded : OfWeights, 1, 2);
            }
        }
    }

    // What one side alone chose is a near-tie: by the processor's scores it lies within the error of two scores of the last choice and of the first refusal, those of the first and last
    // indices apart, which are forced. Where counts may differ, lists may end there.
    private static void AssertNear(int[] expected, int[] actual, float[] scores, double error, int first, int last, bool countsMayDiffer = false)
    {
        int[] free = [.. Enumerable.Range(first, Math.Max(0, scores.Length - first - last))];
        double least = expected.Intersect(free).Select(i => (double)scores[i]).DefaultIfEmpty(double.NaN).Min();
        double refused = free.Except(expected).Select(i => (double)scores[i]).DefaultIfEmpty(double.NaN).Max();
        double near = 2 * error * Math.Max(Math.Abs(least), Math.Sqrt(free.Select(i => (double)scores[i] * scores[i]).DefaultIfEmpty(0).Average()));
        Assert.True(countsMayDiffer || expected.Length == actual.Length, $"{expected.Length} and {actual.Length} are chosen");
        Assert.All(
            expected.Except(actual).Concat(actual.Except(expected)),
            i => Assert.InRange(scores[i], (countsMayDiffer ? refused : least) - near, (countsMayDiffer ? least : refused) + near));
    }

    // Of the whole pages before the last token's; the heads share them.
    private static float[] PageScores(PromptLayer layer, int size, int list, int heads)
    {
        int dimension = layer.Keys.Dimension;
        float[] scores = new float[(layer.Length - 1) / size];
        using var queries = new NativeArray<float>(heads * dimension);
        using var bounds = new NativeArray<float>(2L * scores.Length * dimension);
        for (int head = 0; head < heads; head++)
        {
            layer.Queries.RowSpan((list * heads) + head, layer.Length - 1).CopyTo(queries.Slice(head * dimension, dimension));
        }

        for (int page = 0; page < scores.Length; page++)
        {
            float* own = bounds.Pointer + (2L * page * dimension);
            new Span<float>(own, dimension).Fill(float.PositiveInfinity);
            new Span<float>(own + dimension, dimension).Fill(float.NegativeInfinity);
            int kvHead = list * heads / layer.GroupSize;
            layer.Kernels.ExtendBounds((byte*)layer.Keys.Row(kvHead, page * size), DataType.F32, size, dimension, (byte*)own);
        }

        fixed (float* target = scores)
        {
            layer.Kernels.PageScores(queries.Pointer, heads, (byte*)bounds.Pointer, DataType.F32, scores.Length, dimension, target);
        }

        return scores;
    }

    private static void AssertPlans(IEnumerable<AttentionPlan> expected, CudaPlans actual)
    {
        int[] tiles = actual.Tiles.ToArray<int>();
        int[] ranges = actual.Ranges.ToArray<int>();
        int i = 0;
        foreach (AttentionPlan plan in expected)
        {
            for (int tile = 0; tile < plan.TileCount; tile++, i += 4)
            {
                Assert.Equal(
                    plan.Ranges[plan.RangeOffsets[tile]..plan.RangeOffsets[tile + 1]],
                    Enumerable.Range(tiles[i + 2], tiles[i + 3] - tiles[i + 2]).Select(r => new KeyRange(ranges[2 * r], ranges[(2 * r) + 1])));
            }
        }
    }

    private static IEnumerable<int[]> Blocks(AttentionPlan plan) => Enumerable.Range(0, plan.TileCount).Select(t => plan.Ranges[plan.RangeOffsets[t]..plan.RangeOffsets[t + 1]]
        .SelectMany(r => Enumerable.Range(r.Start / plan.TileRows, (r.Length + plan.TileRows - 1) / plan.TileRows)).ToArray());

    private static int[][] Blocks(CudaPlans plans, int size)
    {
        int[] tiles = plans.Tiles.ToArray<int>();
        int[] ranges = plans.Ranges.ToArray<int>();
        return [.. Enumerable.Range(0, plans.Count * plans.TileCount).Select(t => Enumerable.Range(tiles[(4 * t) + 2], tiles[(4 * t) + 3] - tiles[(4 * t) + 2])
            .SelectMany(r => Enumerable.Range(ranges[2 * r] / size, (ranges[(2 * r) + 1] - ranges[2 * r] + size - 1) / size)).ToArray())];
    }
}
