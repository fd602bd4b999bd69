using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Attention;

/// <summary>What holds for every decode method, and for evictions.</summary>
public class DecodeMethodTests
{
    private static readonly int[] s_lengths = [1, 2, 3, 15, 16, 17, 64, 100];

    public static TheoryData<string> Methods => [.. MethodRegistry.DecodeMethods.Select(m => m.Name)];

    public static TheoryData<string> SparseMethods => [.. MethodRegistry.DecodeMethods.Where(m => m.BudgetParameter is not null).Select(m => m.Name)];

    public static TheoryData<string> Evictions => [.. MethodRegistry.DecodeMethods.OfType<EvictionMethod>().Select(m => m.Name)];

    // The random ones draw by the head's index.
    public static TheoryData<string> HeadSymmetricMethods => [.. MethodRegistry.DecodeMethods.OfType<EvictionMethod>().Select(m => m.Name).Where(n => !n.StartsWith("Random", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Full_budget_equals_dense(string name)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        foreach ((int queryHeads, int kvHeads) in new[] { (2, 2), (4, 1), (7, 1) })
        {
            foreach (int length in s_lengths)
            {
                using var data = LayerData.Random(queryHeads, kvHeads, length, 16);
                MethodParameters parameters = method.CreateParameters();
                if (method.BudgetParameter is not null)
                {
                    int unit = method.BudgetUnit(parameters);
                    parameters = method.WithBudget(parameters, (length + unit - 1) / unit * unit);
                }

                AttendResult dense = Attend.Run(MethodRegistry.FindDecode("Dense"), data.Layer, MethodRegistry.FindDecode("Dense").CreateParameters());
                AttendResult result = Attend.Run(method, data.Layer, parameters);
                Assert.Equal(0, result.Sparsity, 1e-12);
                float[] expected = result.OutputShape.Length == 3 ? dense.Output : data.Decode(Enumerable.Repeat<KeyRange[]>([new KeyRange(0, length)], kvHeads).ToArray());
                Assert.All(expected.Zip(result.Output), pair => Assert.Equal(pair.First, pair.Second, 1e-5f * (1 + Math.Abs(pair.First))));
            }
        }
    }

    [Theory]
    [MemberData(nameof(SparseMethods))]
    public void Solved_budgets_give_the_sparsity_they_promise(string name)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        foreach (int length in new[] { 660, 704 })
        {
            using var data = LayerData.Random(2, 1, length, 8);
            foreach (double sparsity in new[] { 0, 0.33, 0.5, 0.79 })
            {
                BudgetSolution solution = method.SolveBudget(sparsity, data.Layer.Shape, method.CreateParameters());
                Assert.Equal(solution.Sparsity, Attend.Run(method, data.Layer, solution.Parameters).Sparsity, 1e-12);

                // Half a page is the nearest that pages come.
                double reachable = Math.Max(AttentionMethod.SparsityTolerance, 0.5 * method.BudgetUnit(solution.Parameters) / length);
                Assert.InRange(solution.Sparsity, sparsity - reachable, sparsity + reachable);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Evictions))]
    public void Evictions_keep_exactly_their_capacity_and_the_forced_tokens(string name)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        using var data = LayerData.Random(6, 3, 150, 16);
        KeptTokens kept = method.Compress(data.Layer, method.CreateParameters("Capacity=40;LocalWindow=10;PrefixTokens=3"))!;
        Assert.Equal(120, kept.ByHead.Sum(k => k.Length));
        foreach (int[] tokens in kept.ByHead)
        {
            Assert.Equal(tokens.Order().Distinct(), tokens);
            Assert.Superset(Enumerable.Range(0, 3).Concat(Enumerable.Range(140, 10)).ToHashSet(), tokens.ToHashSet());
            if (!name.EndsWith("AdaSnapKV", StringComparison.Ordinal))
            {
                Assert.Equal(40, tokens.Length);
            }
        }

        Assert.Equal(name == "WindowSink" ? 120 : 39, kept.ForcedCount);
    }

    [Theory]
    [MemberData(nameof(HeadSymmetricMethods))]
    public void Permuting_heads_commutes(string name)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        using var data = LayerData.Random(6, 3, 150, 16);
        using LayerData permuted = data.Permute([2, 0, 1]);
        MethodParameters parameters = method.CreateParameters("Capacity=40;LocalWindow=10;PrefixTokens=3");
        int[][] original = method.Compress(data.Layer, parameters)!.ByHead;
        Assert.Equal([original[2], original[0], original[1]], method.Compress(permuted.Layer, parameters)!.ByHead);
    }

    [Theory]
    [MemberData(nameof(Evictions))]
    public void A_prompt_shorter_than_windows_and_forced_sets_is_kept_whole(string name)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        foreach (int length in s_lengths)
        {
            using var data = LayerData.Random(2, 1, length, 8);
            Assert.Null(method.Compress(data.Layer, method.CreateParameters()));
        }
    }

    [Fact]
    public void AdaSnapKV_gives_more_to_the_head_that_needs_more_but_never_less_than_the_floor()
    {
        // The second head's queries and keys are all alike: its attention is spread evenly and its largest weights are small.
        using var data = LayerData.Random(2, 2, 200, 16, spread: 3);
        for (int row = 0; row < 200; row++)
        {
            Flatten(data.Layer.Keys, row);
        }

        DecodeMethod method = MethodRegistry.FindDecode("AdaSnapKV");
        KeptTokens kept = method.Compress(data.Layer, method.CreateParameters("Capacity=60;Window=64;KernelSize=1;LocalWindow=6;PrefixTokens=2;MinimumHeadRatio=0.5"))!;
        Assert.Equal([90, 30], kept.ByHead.Select(k => k.Length));

        static unsafe void Flatten(HeadTensor keys, int row) => new Span<float>(keys.Row(1, row), keys.Dimension).Clear();
    }

    [Fact]
    public void RandomAdaSnapKV_spreads_the_budget_as_AdaSnapKV_and_draws_the_tokens()
    {
        using var data = LayerData.Random(6, 3, 600, 16, spread: 3);
        const string Parameters = "Capacity=120;Window=64;KernelSize=3;LocalWindow=10;PrefixTokens=2;MinimumHeadRatio=0.1";
        DecodeMethod adaptive = MethodRegistry.FindDecode("AdaSnapKV");
        DecodeMethod random = MethodRegistry.FindDecode("RandomAdaSnapKV");
        Assert.Equal(adaptive.CreateParameters().ToString(), random.CreateParameters().ToString());
        int[][] chosen = adaptive.Compress(data.Layer, adaptive.CreateParameters(Parameters))!.ByHead;
        int[][] drawn = Draw(data.Layer);
        int[] sizes = Array.ConvertAll(chosen, tokens => tokens.Length);
        Assert.True(sizes.Distinct().Count() > 1, "heads get different shares");
        Assert.Equal(sizes, drawn.Select(tokens => tokens.Length));

        // By the seed alone, and what is drawn is spread evenly: as many in each half of the candidates, within four standard deviations.
        Assert.Equal(drawn, Draw(data.Layer with { }));
        int[][] other = Draw(data.Layer with { Seed = data.Layer.Seed + 1 });
        Assert.Equal(sizes, other.Select(tokens => tokens.Length));
        Assert.All(drawn.Zip(other), pair => Assert.NotEqual(pair.First, pair.Second));
        Assert.All(drawn, tokens =>
        {
            int free = tokens.Length - 12;
            Assert.InRange(tokens.Count(t => t is >= 2 and < 296), (0.5 * free) - (2 * Math.Sqrt(free)), (0.5 * free) + (2 * Math.Sqrt(free)));
        });

        int[][] Draw(PromptLayer layer) => random.Compress(layer, random.CreateParameters(Parameters))!.ByHead;
    }

    [Fact]
    public void Observed_attention_is_computed_once_for_all_that_share_a_prefill()
    {
        using var data = LayerData.Random(4, 2, 200, 8);
        ObservationWindow[] observed = ObservationWindow.Of(data.Layer, 32);
        DecodeMethod method = MethodRegistry.FindDecode("SnapKV");
        KeptTokens first = method.Compress(data.Layer, method.CreateParameters("Capacity=40;LocalWindow=10;Window=32"))!;
        MethodRegistry.FindDecode("AdaSnapKV").Compress(data.Layer, MethodRegistry.FindDecode("AdaSnapKV").CreateParameters("Capacity=60;LocalWindow=10;Window=32"));
        Assert.Same(observed, ObservationWindow.Of(data.Layer, 32));
        Assert.Equal(first.ByHead, method.Compress(data.Layer with { }, method.CreateParameters("Capacity=40;LocalWindow=10;Window=32"))!.ByHead);
        Assert.All(observed, o => Assert.Equal(32, o.Sums.Sum(), 1e-3));
        Assert.NotSame(observed, ObservationWindow.Of(data.Layer, 16));
    }

    [Fact]
    public void A_schedule_gives_heads_their_own_capacities()
    {
        using var data = LayerData.Random(4, 2, 200, 8);
        DecodeMethod method = MethodRegistry.FindDecode("SnapKV");
        MethodParameters parameters = method.CreateParameters("Capacity=40;LocalWindow=10;Schedule=head:1 x0.5");
        Assert.Equal([40, 20], method.Compress(data.Layer, parameters)!.ByHead.Select(k => k.Length));
        Assert.Equal(1 - (30.0 / 200), method.ExpectedSparsity(data.Layer.Shape, parameters)!.Value, 1e-12);

        // A budget scaled below the forced set keeps the forced set.
        Assert.Equal([40, 14], method.Compress(data.Layer, parameters.With(BudgetSchedule.Parse("head:1 x0.1")))!.ByHead.Select(k => k.Length));
    }

    [Fact]
    public void A_dense_head_leaves_the_shared_budget_to_the_others()
    {
        using var data = LayerData.Random(6, 3, 200, 8);
        DecodeMethod method = MethodRegistry.FindDecode("AdaSnapKV");
        MethodParameters parameters = method.CreateParameters("Capacity=60;LocalWindow=10;Window=32;Schedule=head:1 dense");
        int[] kept = [.. method.Compress(data.Layer, parameters)!.ByHead.Select(k => k.Length)];
        Assert.Equal(200, kept[1]);
        Assert.Equal(120, kept[0] + kept[2]);
        Assert.Equal(1 - (320.0 / 600), method.ExpectedSparsity(data.Layer.Shape, parameters)!.Value, 1e-12);
    }

    [Theory]
    [InlineData("SnapKV", 0.5, 200, 1 - (132.0 / 200))]
    [InlineData("AdaSnapKV", 0.9, 1000, 1 - (132.0 / 1000))]
    [InlineData("WindowSink", 0.99, 400, 1 - (132.0 / 400))]
    [InlineData("Random", 0.99, 400, 1 - (132.0 / 400))]
    public void A_length_that_cannot_hold_the_forced_set_is_infeasible_and_names_the_most_it_can(string name, double sparsity, int length, double most)
    {
        DecodeMethod method = MethodRegistry.FindDecode(name);
        var shape = new PromptShape(length, 2, 1);
        var error = Assert.Throws<BudgetInfeasibleException>(() => method.SolveBudget(sparsity, shape, method.CreateParameters()));
        Assert.Equal(ErrorIds.BudgetInfeasible, error.ErrorId);
        Assert.Equal(most, error.MaximumFeasibleSparsity, 1e-12);
        Assert.Contains(most.ToString("F4", System.Globalization.CultureInfo.InvariantCulture), error.Message, StringComparison.Ordinal);
        Assert.Equal(most, method.SolveBudget(most, shape, method.CreateParameters()).Sparsity, 1e-12);

        using var data = LayerData.Random(2, 1, length, 8);
        error = Assert.Throws<BudgetInfeasibleException>(() => method.Compress(data.Layer, method.CreateParameters("Capacity=50")));
        Assert.Equal(most, error.MaximumFeasibleSparsity, 1e-12);
    }

    [Fact]
    public void Dense_layers_are_made_up_for_by_the_others()
    {
        DecodeMethod method = MethodRegistry.FindDecode("SnapKV");
        PromptShape shape = new(4000, 4, 2) { Layers = [0, 1, 2, 3] };
        MethodParameters parameters = method.CreateParameters().With(BudgetSchedule.DenseLayers([0, 1]));
        BudgetSolution solution = method.SolveBudget(0.4, shape, parameters);
        Assert.Equal(0.4, solution.Sparsity, 1e-9);
        Assert.Equal(800, solution.Parameters.Integer("Capacity"));
        Assert.Throws<BudgetInfeasibleException>(() => method.SolveBudget(0.6, shape, parameters));
    }

    [Theory]
    [InlineData(16384, 819, 0.05)]
    [InlineData(65536, 45875, 0.7)]
    public void Paper_capacities_are_the_densities_they_stand_for(int length, int capacity, double density)
    {
        DecodeMethod method = MethodRegistry.FindDecode("SnapKV");
        Assert.Equal(1 - density, method.NominalSparsity(new PromptShape(length, 1, 1), method.CreateParameters($"Capacity={capacity}"))!.Value, 1e-4);
    }
}
