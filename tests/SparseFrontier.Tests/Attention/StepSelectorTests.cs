using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cpu;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using SparseFrontier.Tests.Kernels;
using Xunit;

namespace SparseFrontier.Tests.Attention;

/// <summary>Selection at every step: Quest, its controls and the oracle.</summary>
public unsafe class StepSelectorTests
{
    private const int Dimension = 16;

    [Theory]
    [InlineData(96, true)]
    [InlineData(96, false)]
    [InlineData(101, true)]
    [InlineData(101, false)]
    public void Quest_pages_equal_brute_force_at_every_step(int length, bool share)
    {
        using var data = LayerData.Random(4, 2, length, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector selector = Create("Quest", $"PageSize=8;TokenBudget=24;SharePages={(share ? 1 : 0)}", cache, data);
        var random = new RandomSource("test/quest", length);
        for (int step = 0; step < 40; step++)
        {
            Append(cache, random);
            float[] queries = Normal(random, 4);
            DecodeSelection selection = Select(selector, cache, queries)!;
            Assert.Equal(share ? 2 : 4, selection.Lists.Length);
            for (int head = 0; head < 4; head++)
            {
                Assert.Equal(BruteForce(cache, queries, head, share), Tokens(selection.ForQueryHead(head, 4)));
            }
        }
    }

    [Fact]
    public void Truncation_forgets_what_was_generated_after_it()
    {
        using var data = LayerData.Random(4, 2, 101, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector selector = Create("Quest", "PageSize=8;TokenBudget=24", cache, data);
        var random = new RandomSource("test/quest/truncate", 1);
        foreach (int keep in new[] { 30, 11, 3, 0 })
        {
            while (cache.GeneratedLength < 35)
            {
                Append(cache, random);
                Select(selector, cache, Normal(random, 4));
            }

            cache.Truncate(keep);
            selector.Truncate(keep);
            Append(cache, random);
            float[] queries = Normal(random, 4);
            Assert.Equal(BruteForce(cache, queries, 0, share: true), Tokens(Select(selector, cache, queries)!.Lists[0]));
        }
    }

    [Theory]
    [InlineData(1, "SharePages=1")]
    [InlineData(2, "SharePages=1")]
    [InlineData(2, "SharePages=0")]
    [InlineData(3, "SharePages=0")]
    [InlineData(4, "SharePages=0")]
    [InlineData(2, "Schedule=head:1 x2")]
    public void Choosing_and_attending_head_by_head_gives_the_bits_of_one_after_the_other(int threads, string more)
    {
        using var data = LayerData.Random(4, 2, 2100, Dimension);
        foreach (KernelSet kernels in CpuKernels.CreateAllWidths().Append(new ReferenceKernels()))
        {
            using LayerCache cache = data.CreateCache();
            using StepSelector apart = Create("Quest", $"PageSize=8;TokenBudget=1000;{more}", cache, kernels);
            using StepSelector together = Create("Quest", $"PageSize=8;TokenBudget=1000;{more}", cache, kernels);
            var random = new RandomSource("test/quest/attend");
            for (int step = 0; step < 3; step++)
            {
                Append(cache, random);
                float[] queries = Normal(random, 4);
                float[] expected = new float[queries.Length];
                DecodeSelection selection = Select(apart, cache, queries)!;
                DecodeSelection? attended;
                fixed (float* q = queries, o = expected)
                {
                    kernels.DecodeAttention(q, 4, cache, selection, 0.25f, o);
                    using var scope = new ThreadCountScope(threads);
                    attended = together.Attend(0, cache, q, 4, 0.25f, kernels, q, out TimeSpan choosing);
                    Assert.True(choosing > TimeSpan.Zero);
                }

                Assert.Equal(expected, queries);
                Assert.Equal(selection.Lists, attended!.Lists);
                Assert.Equal((apart.ForcedCount, apart.IndexBytesRead), (together.ForcedCount, together.IndexBytesRead));
            }
        }
    }

    [Fact]
    public void Bounds_of_a_prompt_are_computed_once_for_all_that_decode_from_it()
    {
        using var data = LayerData.Random(4, 2, 100, Dimension);
        using LayerCache cache = data.CreateCache();
        using var other = new LayerCache(cache.Prompt, ownsPrompt: false);
        PageBounds bounds = PageBounds.Of(cache.Prompt, 8, data.Layer.Kernels);
        Assert.Same(bounds, PageBounds.Of(other.Prompt, 8, data.Layer.Kernels));
        Assert.NotSame(bounds, PageBounds.Of(cache.Prompt, 16, data.Layer.Kernels));
        Assert.Equal([12, 12], bounds.Pages);

        // Two sequences of one prompt do not see each other's tokens.
        using StepSelector first = Create("Quest", "PageSize=8;TokenBudget=24", cache, data);
        using StepSelector second = Create("Quest", "PageSize=8;TokenBudget=40", other, data);
        var random = new RandomSource("test/quest/shared", 1);
        for (int step = 0; step < 20; step++)
        {
            Append(cache, random);
            Append(other, random);
            float[] queries = Normal(random, 4);
            Assert.Equal(BruteForce(cache, queries, 0, share: true), Tokens(Select(first, cache, queries)!.Lists[0]));
            Assert.Equal(BruteForce(other, queries, 0, share: true, pages: 5), Tokens(Select(second, other, queries)!.Lists[0]));
        }
    }

    [Fact]
    public void A_budget_that_the_cache_does_not_exceed_is_dense_until_it_does()
    {
        using var data = LayerData.Random(2, 1, 60, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector selector = Create("Quest", "PageSize=8;TokenBudget=64", cache, data);
        var random = new RandomSource("test/quest/short", 1);
        for (int length = 61; length <= 80; length++)
        {
            Append(cache, random);
            DecodeSelection? selection = Select(selector, cache, Normal(random, 2));

            // Eight pages and the current one hold 72 tokens.
            Assert.Equal(length > 72, selection is not null);
            Assert.Equal(length > 72, selector.IndexBytesRead > 0);
        }
    }

    [Fact]
    public void Counters_hold_forced_tokens_of_query_heads_and_bytes_of_bounds()
    {
        using var data = LayerData.Random(4, 2, 96, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector selector = Create("Quest", "PageSize=8;TokenBudget=24", cache, data);
        var random = new RandomSource("test/quest/counters", 1);
        Append(cache, random);
        Append(cache, random);
        Select(selector, cache, Normal(random, 4));
        Assert.Equal(2 * 4, selector.ForcedCount);
        Assert.Equal(2 * 12 * 2 * Dimension * sizeof(float), selector.IndexBytesRead);
    }

    [Fact]
    public void Schedule_changes_the_budget_with_step_and_head()
    {
        using var data = LayerData.Random(4, 2, 200, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector selector = Create("Quest", "PageSize=8;TokenBudget=24;Schedule=step:0 dense | head:1 x2", cache, data);
        var random = new RandomSource("test/quest/schedule", 1);
        Append(cache, random);
        Assert.Null(Select(selector, cache, Normal(random, 4)));
        Append(cache, random);
        DecodeSelection selection = Select(selector, cache, Normal(random, 4))!;
        Assert.Equal(24 + 2, selection.Lists[0].Sum(r => r.Length));
        Assert.Equal(48 + 2, selection.Lists[1].Sum(r => r.Length));
    }

    [Fact]
    public void Oracle_keeps_the_tokens_with_most_exact_attention_and_the_own_one()
    {
        using var data = LayerData.Random(4, 2, 70, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector selector = Create("OracleTopK", "TokenBudget=12", cache, data);
        var random = new RandomSource("test/oracle", 1);
        for (int step = 0; step < 10; step++)
        {
            Append(cache, random);
            float[] queries = Normal(random, 4);
            DecodeSelection selection = Select(selector, cache, queries)!;
            for (int head = 0; head < 2; head++)
            {
                int own = cache.Length(head) - 1;
                double[] mass = Mass(cache, queries, head, [head * 2, (head * 2) + 1]);
                int[] expected = [.. Enumerable.Range(0, own).OrderByDescending(t => mass[t]).Take(11).Append(own).Order()];
                Assert.Equal(expected, Tokens(selection.Lists[head]));
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Page_controls_keep_as_many_pages_as_Quest_and_the_current_one(bool share)
    {
        using var data = LayerData.Random(4, 2, 101, Dimension);
        using LayerCache cache = data.CreateCache();
        string parameters = $"PageSize=8;TokenBudget=24;SharePages={(share ? 1 : 0)}";
        using StepSelector quest = Create("Quest", parameters, cache, data);
        using StepSelector window = Create("WindowSinkPages", parameters, cache, data);
        using StepSelector drawn = Create("RandomPages", parameters, cache, data);
        using StepSelector oracle = Create("OraclePages", parameters, cache, data);
        var random = new RandomSource("test/page controls", 1);
        for (int step = 0; step < 20; step++)
        {
            Append(cache, random);
            float[] queries = Normal(random, 4);
            int length = cache.Length(0);
            int current = (length - 1) / 8;
            int[] own = [.. Enumerable.Range(current * 8, length - (current * 8))];
            int[] expected = [.. Enumerable.Range(0, 8), .. Enumerable.Range((current - 2) * 8, 16), .. own];
            DecodeSelection[] selections = [.. new[] { quest, window, drawn, oracle }.Select(s => Select(s, cache, queries)!)];
            for (int head = 0; head < 4; head++)
            {
                double[] mass = Mass(cache, queries, head / 2, share ? [head / 2 * 2, (head / 2 * 2) + 1] : [head]);
                double[] kept = [.. selections.Select(s => Tokens(s.ForQueryHead(head, 4)).Sum(t => mass[t]))];
                Assert.All(selections, s => Assert.Equal(24 + own.Length, Tokens(s.ForQueryHead(head, 4)).Distinct().Count()));
                Assert.All(selections, s => Assert.Superset(own.ToHashSet(), Tokens(s.ForQueryHead(head, 4)).ToHashSet()));
                Assert.Equal(expected, Tokens(selections[1].ForQueryHead(head, 4)));
                Assert.Equal(kept.Max(), kept[3], 1e-6);

                // By definition: the pages with the largest sums.
                int[] best = [.. Enumerable.Range(0, current).OrderByDescending(p => mass[(p * 8)..((p + 1) * 8)].Sum()).Take(3).Order()];
                Assert.Equal([.. best.SelectMany(p => Enumerable.Range(p * 8, 8)), .. own], Tokens(selections[3].ForQueryHead(head, 4)));
            }
        }

        Assert.Equal(quest.ForcedCount, drawn.ForcedCount);
        Assert.Equal(quest.ForcedCount, oracle.ForcedCount);
        Assert.Equal(quest.ForcedCount + (20 * 4 * 24), window.ForcedCount);
        Assert.Equal(0, drawn.IndexBytesRead + window.IndexBytesRead);
        Assert.Equal(20 * 2 * (101 + 10.5) * Dimension * sizeof(float), oracle.IndexBytesRead);
    }

    [Fact]
    public void Random_pages_depend_on_seed_layer_head_and_step_and_on_nothing_else()
    {
        using var data = LayerData.Random(4, 2, 400, Dimension);
        using LayerCache cache = data.CreateCache();
        using StepSelector first = Create("RandomPages", "PageSize=8;TokenBudget=80", cache, data);
        using StepSelector other = Create("RandomPages", "PageSize=8;TokenBudget=80", cache, data, seed: 44);
        var random = new RandomSource("test/random pages", 1);
        var seen = new List<int[]>();
        for (int step = 0; step < 5; step++)
        {
            Append(cache, random);
            DecodeSelection selection = Select(first, cache, Normal(random, 4))!;
            seen.Add(Tokens(selection.Lists[0]));
            Assert.NotEqual(seen[^1], Tokens(selection.Lists[1]));
            Assert.NotEqual(seen[^1], Tokens(Select(other, cache, Normal(random, 4))!.Lists[0]));
        }

        Assert.Equal(5, seen.Select(s => string.Join(',', s[..80])).Distinct().Count());
        cache.Truncate(2);
        first.Truncate(2);
        Append(cache, random);
        Assert.Equal(seen[2], Tokens(Select(first, cache, Normal(random, 4))!.Lists[0]));
    }

    private static StepSelector Create(string method, string parameters, LayerCache cache, LayerData data, long seed = 43) =>
        Create(method, parameters, cache, data.Layer.Kernels, seed);

    private static StepSelector Create(string method, string parameters, LayerCache cache, KernelSet kernels, long seed = 43)
    {
        DecodeMethod found = MethodRegistry.FindDecode(method);
        return found.CreateStepSelector(found.CreateParameters(parameters), [cache], kernels, seed)!;
    }

    private static DecodeSelection? Select(StepSelector selector, LayerCache cache, float[] queries)
    {
        fixed (float* q = queries)
        {
            return selector.Select(0, cache, q, queries.Length / Dimension, 0.25f);
        }
    }

    private static void Append(LayerCache cache, RandomSource random)
    {
        float[] keys = Normal(random, cache.Prompt.Heads);
        fixed (float* k = keys)
        {
            cache.Append(k, k);
        }
    }

    private static float[] Normal(RandomSource random, int heads) => [.. Enumerable.Range(0, heads * Dimension).Select(_ => (float)random.NextNormal())];

    private static int[] Tokens(KeyRange[] ranges) => [.. ranges.SelectMany(r => Enumerable.Range(r.Start, r.Length))];

    // By definition: the bound of a page, from its tokens.
    private static int[] BruteForce(LayerCache cache, float[] queries, int queryHead, bool share, int pages = 3)
    {
        int kvHead = queryHead / 2;
        int length = cache.Length(kvHead);
        int current = (length - 1) / 8;
        int[] heads = share ? [kvHead * 2, (kvHead * 2) + 1] : [queryHead];
        double[] scores = new double[current];
        for (int page = 0; page < current; page++)
        {
            foreach (int head in heads)
            {
                for (int d = 0; d < Dimension; d++)
                {
                    double query = queries[(head * Dimension) + d];
                    double largest = double.NegativeInfinity;
                    for (int token = page * 8; token < (page + 1) * 8; token++)
                    {
                        largest = Math.Max(largest, query * cache.ReadKey(kvHead, token)[d]);
                    }

                    scores[page] += largest;
                }
            }
        }

        return [.. Enumerable.Range(0, current).OrderByDescending(p => scores[p]).Take(pages).Order().SelectMany(p => Enumerable.Range(p * 8, 8)),
            .. Enumerable.Range(current * 8, length - (current * 8))];
    }

    private static double[] Mass(LayerCache cache, float[] queries, int kvHead, int[] queryHeads)
    {
        double[] mass = new double[cache.Length(kvHead)];
        foreach (int head in queryHeads)
        {
            double[] weights = new double[mass.Length];
            for (int token = 0; token < weights.Length; token++)
            {
                for (int d = 0; d < Dimension; d++)
                {
                    weights[token] += 0.25 * queries[(head * Dimension) + d] * cache.ReadKey(kvHead, token)[d];
                }

                weights[token] = Math.Exp(weights[token]);
            }

            double sum = weights.Sum();
            for (int token = 0; token < mass.Length; token++)
            {
                mass[token] += weights[token] / sum;
            }
        }

        return mass;
    }
}
