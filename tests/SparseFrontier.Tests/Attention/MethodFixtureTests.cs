using System.Globalization;
using System.Text.Json;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using Xunit;

namespace SparseFrontier.Tests.Attention;

/// <summary>
/// Selections and outputs against the paper's own code, which scored in bfloat16: selections agree in 99 % of the indices pooled over heads,
/// outputs within 2e-2 relative error.
/// </summary>
public class MethodFixtureTests
{
    private const double Agreement = 0.99;

    public static TheoryData<int> Lengths => [1024, 2085];

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Dense_output_agrees(int length)
    {
        using var fixture = Fixture.Open(length, needsOutputs: true);
        AssertOutput(fixture, "dense.out", fixture.Run("Dense", ""));
    }

    [Theory]
    [InlineData(1024, "64_96_64")]
    [InlineData(1024, "128_256_128")]
    [InlineData(2085, "64_96_64")]
    [InlineData(2085, "128_256_128")]
    public void VerticalSlash_selections_agree(int length, string key)
    {
        using var fixture = Fixture.Open(length);
        string[] p = key.Split('_');
        PrefillSelection selection = fixture.Select("VerticalSlash", $"VerticalSize={p[0]};SlashSize={p[1]};Window={p[2]}");
        string name = "vertical_slash." + key;
        AssertAgreement(fixture.Lists(name + ".verticals"), selection.CreateLists()["verticals"]);
        AssertAgreement(fixture.Lists(name + ".slashes"), selection.CreateLists()["slashes"]);
        double[] golden = fixture.Numbers(name + ".sparsity");
        Assert.All(golden.Zip(selection.NominalSparsity), pair => Assert.Equal(pair.First, pair.Second, 0.01));
    }

    [Theory]
    [InlineData(1024, "64_96_64")]
    [InlineData(1024, "128_256_128")]
    [InlineData(2085, "64_96_64")]
    [InlineData(2085, "128_256_128")]
    public void VerticalSlash_execution_of_the_golden_selection_gives_its_nominal_sparsity(int length, string key)
    {
        using var fixture = Fixture.Open(length);
        int[][] verticals = fixture.Lists($"vertical_slash.{key}.verticals");
        int[][] slashes = fixture.Lists($"vertical_slash.{key}.slashes");
        double[] golden = fixture.Numbers($"vertical_slash.{key}.sparsity");
        for (int head = 0; head < golden.Length; head++)
        {
            Assert.Equal(golden[head], VerticalSlashPlan.Build(length, verticals[head], slashes[head]).NominalSparsity, 1e-6);
        }
    }

    [Theory]
    [InlineData(1024, "64_96_64")]
    [InlineData(1024, "128_256_128")]
    [InlineData(2085, "64_96_64")]
    [InlineData(2085, "128_256_128")]
    public void VerticalSlash_outputs_agree(int length, string key)
    {
        using var fixture = Fixture.Open(length, needsOutputs: true);
        string[] p = key.Split('_');
        AssertOutput(fixture, $"vertical_slash.{key}.out", fixture.Run("VerticalSlash", $"VerticalSize={p[0]};SlashSize={p[1]};Window={p[2]}"));
    }

    [Theory]
    [InlineData(1024, "0.65_128_64")]
    [InlineData(1024, "0.9_128_64")]
    [InlineData(2085, "0.65_128_64")]
    [InlineData(2085, "0.9_128_64")]
    public void FlexPrefill_counts_and_selections_agree(int length, string key)
    {
        using var fixture = Fixture.Open(length);
        string[] p = key.Split('_');
        PrefillSelection selection = fixture.Select("FlexPrefill", $"Alpha={p[0]};Window={p[1]};MinimumBudget={p[2]}");
        IReadOnlyDictionary<string, int[][]> lists = selection.CreateLists();
        string name = "flexprefill." + key;
        foreach ((string kind, string count) in new[] { ("verticals", ".vertical_count"), ("slashes", ".slash_count") })
        {
            int[][] golden = [.. Enumerable.Range(0, 4).Select(head => fixture.Lists($"{name}.{kind}.{head}")[0])];
            AssertAgreement(golden, lists[kind]);
            Assert.All(fixture.Numbers(name + count).Zip(lists[kind]), pair => Assert.InRange(pair.Second.Length, 0.985 * pair.First, 1.015 * pair.First));
        }

        Assert.All(fixture.Numbers(name + ".sparsity").Zip(selection.NominalSparsity), pair => Assert.Equal(pair.First, pair.Second, 0.01));
    }

    [Theory]
    [InlineData("16_16")]
    [InlineData("64_6")]
    public void BlockSparse_selections_agree(string key)
    {
        using var fixture = Fixture.Open(1024);
        string[] p = key.Split('_');
        string parameters = $"BlockSize={p[0]};TopBlocks={p[1]}";
        AssertAgreement(fixture.Lists($"block_sparse.{key}.blocks"), fixture.Select("BlockSparse", parameters).CreateLists()["blocks"], int.Parse(p[1], CultureInfo.InvariantCulture));
        Assert.Equal(fixture.Number($"block_sparse.{key}.sparsity"), fixture.Nominal("BlockSparse", AttentionPhase.Prefill, parameters), 1e-9);
    }

    [Theory]
    [InlineData("16_16")]
    [InlineData("64_6")]
    public void BlockSparse_outputs_agree(string key)
    {
        using var fixture = Fixture.Open(1024, needsOutputs: true);
        string[] p = key.Split('_');
        AssertOutput(fixture, $"block_sparse.{key}.out", fixture.Run("BlockSparse", $"BlockSize={p[0]};TopBlocks={p[1]}"));
    }

    [Theory]
    [InlineData(1024, "SnapKV", "snapkv.256_64_7_32_4")]
    [InlineData(1024, "SnapKV", "snapkv.512_128_21_64_4")]
    [InlineData(1024, "AdaSnapKV", "ada_snapkv.256_64_7_32_4")]
    [InlineData(1024, "AdaSnapKV", "ada_snapkv.512_128_21_64_4")]
    [InlineData(2085, "SnapKV", "snapkv.256_64_7_32_4")]
    [InlineData(2085, "SnapKV", "snapkv.512_128_21_64_4")]
    [InlineData(2085, "AdaSnapKV", "ada_snapkv.256_64_7_32_4")]
    [InlineData(2085, "AdaSnapKV", "ada_snapkv.512_128_21_64_4")]
    public void Kept_tokens_agree(int length, string method, string key)
    {
        using var fixture = Fixture.Open(length);
        string[] p = key.Split('.')[1].Split('_');
        string parameters = $"Capacity={p[0]};Window={p[1]};KernelSize={p[2]};LocalWindow={p[3]};PrefixTokens={p[4]}";
        KeptTokens kept = fixture.Compress(method, parameters);
        int[][] golden = [.. fixture.Lists(key + ".kept").Select(flags => Enumerable.Range(0, length).Where(i => flags[i] != 0).ToArray())];
        AssertAgreement(golden, kept.ByHead);
        Assert.Equal(golden.Sum(g => g.Length), kept.ByHead.Sum(k => k.Length));
        Assert.Equal(2 * (int.Parse(p[3], CultureInfo.InvariantCulture) + 4), kept.ForcedCount);
        Assert.Equal(fixture.Number(key + ".sparsity"), fixture.Nominal(method, AttentionPhase.Decode, parameters), 1e-9);
        float[] importance = fixture.File.Tensor(key + ".importance").ToSingles();
        float[][] scores = ((EvictionMethod)MethodRegistry.FindDecode(method)).ScoreTokens(fixture.Data.Layer, MethodRegistry.FindDecode(method).CreateParameters(parameters));
        Assert.All(importance.Zip(scores.SelectMany(s => s)), pair => Assert.Equal(pair.First, pair.Second, 0.02 * Math.Max(pair.First, 1e-3)));
    }

    [Theory]
    [InlineData(1024, 16, 256, "shared")]
    [InlineData(1024, 16, 256, "perhead")]
    [InlineData(1024, 32, 512, "shared")]
    [InlineData(2085, 16, 256, "shared")]
    [InlineData(2085, 16, 256, "perhead")]
    [InlineData(2085, 32, 512, "shared")]
    public void Quest_pages_and_outputs_agree(int length, int page, int budget, string sharing)
    {
        using var fixture = Fixture.Open(length);
        string key = $"quest.{page}_{budget}_{sharing}";
        string parameters = $"PageSize={page};TokenBudget={budget};SharePages={(sharing == "shared" ? 1 : 0)}";
        AttendResult result = fixture.Run("Quest", parameters);
        SelectionTensor pages = Assert.Single(result.Selection);
        Assert.Equal("pages", pages.Name);
        Assert.Equal([4, (budget / page) + 1], pages.Shape);
        int[][] golden = fixture.Lists(key + ".pages");
        int[][] chosen = [.. pages.Values.Chunk(pages.Shape[1])];
        for (int head = 0; head < 4; head++)
        {
            float[] scores = PageScores(fixture.Data.Layer, head, page, sharing == "shared");
            Assert.Equal(golden[head], TopPages(scores, budget / page).Append(scores.Length));
            AssertTies(scores, golden[head], chosen[head]);
        }

        // The pages that a list has in the place of a tied one hold other values; with the golden lists the outputs are the golden ones.
        AssertOutput(fixture, key + ".out", result with { Output = fixture.Data.Decode(Array.ConvertAll(golden, g => Ranges(g, page, length))) });
        Assert.Equal(fixture.Data.Decode(Array.ConvertAll(chosen, c => Ranges(c, page, length))), result.Output);
        Assert.Equal(fixture.Number(key + ".sparsity_prefill_based"), fixture.Nominal("Quest", AttentionPhase.Decode, parameters), 1e-9);
        Assert.Equal(MethodRegistry.FindDecode("Quest").ExpectedSparsity(fixture.Data.Layer.Shape, MethodRegistry.FindDecode("Quest").CreateParameters(parameters))!.Value, result.Sparsity, 1e-12);
    }

    // Share of the golden indices that were chosen too, pooled over lists.
    private static void AssertAgreement(int[][] golden, int[][] actual, int chunk = 0)
    {
        if (chunk > 0)
        {
            actual = [.. actual.SelectMany(head => head.Chunk(chunk))];
        }

        Assert.Equal(golden.Length, actual.Length);
        int common = golden.Zip(actual).Sum(pair => pair.First.Intersect(pair.Second).Count());
        int total = golden.Zip(actual).Sum(pair => Math.Max(pair.First.Length, pair.Second.Length));
        Assert.True(common >= Agreement * total, $"{common} of {total} indices agree");
    }

    // What one list has and the other has not are as many pages, all of one score: that of the last page within the budget.
    private static void AssertTies(float[] scores, int[] golden, int[] chosen)
    {
        Assert.Equal(golden.Length, chosen.Length);
        float cut = golden[..^1].Min(page => scores[page]);
        Assert.All(golden.Except(chosen), page => Assert.Equal(cut, scores[page]));
        Assert.All(chosen.Except(golden), page => Assert.Equal(cut, scores[page]));
    }

    // Upper bounds of the pages before the current one in the fixture's precision: products and their sum over channels and heads in bfloat16.
    private static float[] PageScores(PromptLayer layer, int head, int size, bool shared)
    {
        int kvHead = head / layer.GroupSize;
        int[] queryHeads = shared ? [.. Enumerable.Range(kvHead * layer.GroupSize, layer.GroupSize)] : [head];
        return [.. Enumerable.Range(0, (layer.Length - 1) / size).Select(page => ScoreRounding.ToBFloat16((float)queryHeads.Sum(h => Enumerable.Range(0, layer.Keys.Dimension).Sum(d =>
        {
            float query = layer.Queries.RowSpan(h, layer.Length - 1)[d];
            return (double)Enumerable.Range(page * size, size).Max(row => ScoreRounding.ToBFloat16(query * layer.Keys.RowSpan(kvHead, row)[d]));
        }))))];
    }

    // The paper's code takes count + 1 pages with torch.topk and overwrites the last with the current page. On a GPU, topk writes what is above
    // the smallest chosen score, then the first of those that equal it, each in the order of their indices, and sorts at most 32 entries with a
    // bitonic network (BitonicSort.cuh). That is not stable: which of the tied pages comes last, and is lost, is up to the network.
    private static int[] TopPages(float[] scores, int count)
    {
        const int Size = 32;
        Assert.InRange(count + 1, 1, Size);
        float smallest = scores.OrderDescending().ElementAt(count);
        int[] pages = [.. Enumerable.Range(0, scores.Length)];
        int[] entries = [.. pages.Where(page => scores[page] > smallest).Concat(pages.Where(page => scores[page] == smallest)).Take(count + 1), .. Enumerable.Repeat(-1, Size - count - 1)];
        for (int run = 2; run <= Size; run *= 2)
        {
            for (int stride = run / 2; stride > 0; stride /= 2)
            {
                for (int pair = 0; pair < Size / 2; pair++)
                {
                    int first = (2 * pair) - (pair & (stride - 1));
                    ref int a = ref entries[first];
                    ref int b = ref entries[first + stride];
                    bool inOrder = b < 0 || (a >= 0 && scores[a] > scores[b]);
                    bool ascending = run < Size && (pair & (run / 2)) != 0;
                    if (inOrder == ascending)
                    {
                        (a, b) = (b, a);
                    }
                }
            }
        }

        return entries[..count];
    }

    private static KeyRange[] Ranges(int[] pages, int size, int length) =>
        [.. pages.Order().Select(page => new KeyRange(page * size, Math.Min(length, (page + 1) * size)))];

    private static void AssertOutput(Fixture fixture, string name, AttendResult result)
    {
        float[] golden = fixture.File.Tensor(name).ToSingles();
        Assert.Equal(golden.Length, result.Output.Length);
        double error = Math.Sqrt(golden.Zip(result.Output).Sum(p => Math.Pow(p.First - p.Second, 2)) / golden.Sum(g => (double)g * g));
        Assert.True(error <= 2e-2, $"{name}: relative error {error:E2}");
    }

    private sealed class Fixture : IDisposable
    {
        private readonly JsonDocument _numbers;

        private Fixture(string path, string json)
        {
            File = SafetensorsFile.Open(path);
            Data = LayerData.Read(File);
            _numbers = JsonDocument.Parse(System.IO.File.ReadAllText(json));
        }

        public SafetensorsFile File { get; }

        public LayerData Data { get; }

        /// <summary>The whole file where it is present; else, at 1024 and without outputs, the committed part of it.</summary>
        public static Fixture Open(int length, bool needsOutputs = false)
        {
            if (Fixtures.Shared($"methods-dev-{length}.safetensors") is string path)
            {
                return new Fixture(path, Path.ChangeExtension(path, ".json"));
            }

            Assert.SkipUnless(length == 1024 && !needsOutputs, $"methods-dev-{length}.safetensors is not beside the checkout");
            return new Fixture(Fixtures.Golden("methods-1024.safetensors"), Fixtures.Golden("methods-1024.json"));
        }

        public PrefillSelection Select(string method, string parameters)
        {
            PrefillMethod found = MethodRegistry.FindPrefill(method);
            return found.Select(Data.Layer, found.CreateParameters(parameters));
        }

        public KeptTokens Compress(string method, string parameters)
        {
            DecodeMethod found = MethodRegistry.FindDecode(method);
            return found.Compress(Data.Layer, found.CreateParameters(parameters))!;
        }

        public AttendResult Run(string method, string parameters)
        {
            AttentionMethod found = MethodRegistry.All.First(m => m.Name == method);
            return Attend.Run(found, Data.Layer, found.CreateParameters(parameters));
        }

        public double Nominal(string method, AttentionPhase phase, string parameters)
        {
            AttentionMethod found = MethodRegistry.Find(method, phase);
            return found.NominalSparsity(Data.Layer.Shape, found.CreateParameters(parameters))!.Value;
        }

        public int[][] Lists(string name)
        {
            SafetensorsTensor tensor = File.Tensor(name);
            int width = (int)tensor.Shape[^1];
            return [.. Array.ConvertAll(tensor.ToIntegers(), i => (int)i).Chunk(width)];
        }

        public double Number(string name) => _numbers.RootElement.GetProperty(name).GetDouble();

        public double[] Numbers(string name) => [.. _numbers.RootElement.GetProperty(name).EnumerateArray().Select(e => e.GetDouble())];

        public void Dispose()
        {
            Data.Dispose();
            File.Dispose();
            _numbers.Dispose();
        }
    }
}
