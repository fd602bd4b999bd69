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
    [InlineData(2)]
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

    [Theory]
    [InlineData(1, 1)]
    [InlineData(600, 5)]
    [InlineData(600, 600)]
    [InlineData(5000, 700)]
    [InlineData(20001, 3000)]
    public void The_largest_are_the_processors_choice(int count, int wanted)
    {
        CudaDevice device = Device();
        var random = new RandomSource("largest", count);
        const int Rows = 5;
        float[] scores = new float[Rows * count];
        for (int i = 0; i < scores.Length; i++)
        {
            // Few distinct values, so that there are ties; zeros of both signs; some that are infinite or no number.
            scores[i] = random.Next(20) switch { 0 => -0f, 1 => float.PositiveInfinity, 2 => float.NaN, _ => (random.Next(50) - 25) / 8f };
        }

        using var memory = CudaMemory.From<float>(device, scores);
        using CudaMemory indices = CudaSelection.Largest(device, memory, Rows, count, wanted);
        Assert.Equal(Enumerable.Range(0, Rows).SelectMany(r => TopK.Select(scores.AsSpan(r * count, count), wanted)), indices.ToArray<int>());
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
            AssertSame(expected["verticals"], chosen.Verticals());
            AssertSame(expected["slashes"], chosen.Slashes());
            AssertPlans(chosen.Slashes().Zip(chosen.Verticals()).Select(c => VerticalSlashPlan.Build(length, c.Second, c.First).Plan), chosen.Plans);
        }

        MethodParameters flex = MethodRegistry.FindPrefill("FlexPrefill").CreateParameters("Alpha=0.65;Window=128;MinimumBudget=64");
        IReadOnlyDictionary<string, int[][]> covering = MethodRegistry.FindPrefill("FlexPrefill").Select(layer, flex).CreateLists();
        using CudaVerticalSlash covered = CudaSelection.VerticalSlash(queries, keys, layer.Scale, 128, 64, 64, 4, 64, 0.65);
        AssertSame(covering["verticals"], covered.Verticals());
        AssertSame(covering["slashes"], covered.Slashes());

        MethodParameters block = MethodRegistry.FindPrefill("BlockSparse").CreateParameters("BlockSize=16;TopBlocks=16");
        using CudaBlockScorer scorer = CudaBlockScorer.Means(queries, keys, 16);
        using CudaPlans blocks = CudaSelection.Blocks(queries, scorer, 16, 16, 1, 2);
        AssertSame([.. MethodRegistry.FindPrefill("BlockSparse").Select(layer, block).Plans.Select(Keys)], Keys(blocks));
    }

    [Theory]
    [InlineData("BlockSparse", 2)]
    [InlineData("BlockSparse", 8)]
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
        int[][] expected = [.. method.Select(layer, parameters).Plans.Select(Keys)];

        using CudaBlockScorer scorer = CudaPrefill.CreateScorer(method, queries, keys, size, layer.Scale, layer.Seed, layer.Layer, 0);
        using CudaPlans plans = CudaSelection.Blocks(queries, scorer, size, 256 / size, 1, 2);
        int[][] actual = Keys(plans);
        if (name is "Random" or "WindowSink")
        {
            Assert.Equal(expected.Length == 1 ? [.. Enumerable.Repeat(expected[0], actual.Length)] : expected, actual);
        }
        else
        {
            AssertSame(expected, actual);
        }
    }

    [Theory]
    [InlineData("Dense", "")]
    [InlineData("VerticalSlash", "VerticalSize=64;SlashSize=96;Window=64")]
    [InlineData("BlockSparse", "BlockSize=16;TopBlocks=16")]
    [InlineData("FlexPrefill", "Alpha=0.65;Window=128;MinimumBudget=64")]
    [InlineData("SnapKV", "Capacity=256;Window=64;KernelSize=7;LocalWindow=32;PrefixTokens=4")]
    [InlineData("AdaSnapKV", "Capacity=256;Window=64;KernelSize=7;LocalWindow=32;PrefixTokens=4")]
    [InlineData("Quest", "PageSize=16;TokenBudget=256;SharePages=1")]
    [InlineData("Quest", "PageSize=16;TokenBudget=256;SharePages=0")]
    public void Methods_give_the_processors_selection_and_output(string name, string parameters)
    {
        var kernels = new CudaKernels(Device());
        using SafetensorsFile file = SafetensorsFile.Open(Fixtures.Shared("methods-dev-2085.safetensors") ?? Fixtures.Golden("methods-1024.safetensors"));
        using LayerData data = LayerData.Read(file);
        AttentionMethod method = MethodRegistry.All.First(m => m.Name == name);
        AttendResult expected = Attend.Run(method, data.Layer, method.CreateParameters(parameters));
        AttendResult actual = Attend.Run(method, data.Layer with { Kernels = kernels }, method.CreateParameters(parameters));
        foreach ((SelectionTensor first, SelectionTensor second) in expected.Selection.Zip(actual.Selection))
        {
            Assert.Equal(first.Name, second.Name);
            AssertSame([.. first.Values.Chunk(first.Shape[^1]).Select(Chosen)], [.. second.Values.Chunk(second.Shape[^1]).Select(Chosen)]);

            // Flags into indices; lists without what fills them up.
            int[] Chosen(int[] values) => first.DataType == DataType.U8
                ? [.. Enumerable.Range(0, values.Length).Where(i => values[i] != 0)]
                : [.. values.Where(i => i >= 0)];
        }

        double error = Math.Sqrt(expected.Output.Zip(actual.Output).Sum(p => Math.Pow(p.First - p.Second, 2)) / expected.Output.Sum(g => (double)g * g));
        Assert.True(error <= 2e-2, $"relative error {error:E2}");
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

    // Sums that differ in the last bits may swap near-ties: 99 in 100 must be the same.
    private static void AssertSame(int[][] expected, int[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        int common = expected.Zip(actual).Sum(pair => pair.First.Intersect(pair.Second).Count());
        int total = expected.Zip(actual).Sum(pair => Math.Max(pair.First.Length, pair.Second.Length));
        Assert.True(common >= 0.99 * total, $"{common} of {total} agree");
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

    private static int[] Keys(AttentionPlan plan) =>
        [.. Enumerable.Range(0, plan.TileCount).SelectMany(t => plan.Ranges[plan.RangeOffsets[t]..plan.RangeOffsets[t + 1]]
            .SelectMany(r => Enumerable.Range(r.Start, r.Length)).Select(key => (t * plan.RowCount) + key))];

    private static int[][] Keys(CudaPlans plans)
    {
        int[] tiles = plans.Tiles.ToArray<int>();
        int[] ranges = plans.Ranges.ToArray<int>();
        int rows = Enumerable.Range(0, plans.TileCount).Sum(t => tiles[(4 * t) + 1]);
        return [.. Enumerable.Range(0, plans.Count).Select(p => Enumerable.Range(0, plans.TileCount).SelectMany(t =>
        {
            int i = 4 * ((p * plans.TileCount) + t);
            return Enumerable.Range(tiles[i + 2], tiles[i + 3] - tiles[i + 2])
                .SelectMany(r => Enumerable.Range(ranges[2 * r], ranges[(2 * r) + 1] - ranges[2 * r])).Select(key => (t * rows) + key);
        }).ToArray())];
    }
}
