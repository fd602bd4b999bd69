using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Attention;

/// <summary>What holds for every prefill method.</summary>
public unsafe class PrefillMethodTests
{
    private static readonly int[] s_lengths = [1, 2, 5, 63, 64, 65, 100, 129, 200];

    public static TheoryData<string> Methods => [.. MethodRegistry.PrefillMethods.Select(m => m.Name)];

    public static TheoryData<string> SparseMethods => [.. MethodRegistry.PrefillMethods.Where(m => m.BudgetParameter is not null).Select(m => m.Name)];

    public static TheoryData<string> SolvedMethods =>
        [.. MethodRegistry.PrefillMethods.Where(m => m.BudgetParameter is not null && !m.NeedsCalibration).Select(m => m.Name)];

    // Random draws by the head's index.
    public static TheoryData<string> HeadSymmetricMethods => [.. MethodRegistry.PrefillMethods.Select(m => m.Name).Where(n => !n.StartsWith("Random", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Full_budget_equals_dense(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        foreach ((int queryHeads, int kvHeads) in new[] { (2, 2), (4, 1), (7, 1) })
        {
            foreach (int length in s_lengths)
            {
                using var data = LayerData.Random(queryHeads, kvHeads, length, 16);
                MethodParameters parameters = Small(method, length);
                if (method.BudgetParameter is not null)
                {
                    parameters = method.WithBudget(parameters, method.BudgetRange(data.Layer.Shape, parameters).Maximum);
                }

                PrefillSelection selection = method.Select(data.Layer, parameters);
                Assert.Equal(data.Layer.Shape.CausalPairs * queryHeads, selection.CountPairs(queryHeads));
                float[] expected = Attend(data.Layer, [AttentionPlan.Dense(length)]);
                Assert.All(expected.Zip(Attend(data.Layer, selection.Plans)), pair => Assert.Equal(pair.First, pair.Second, 2e-5f * (1 + Math.Abs(pair.First))));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Defaults_keep_short_prompts_whole(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        foreach (int length in s_lengths)
        {
            using var data = LayerData.Random(2, 1, length, 8);
            Assert.Equal(2 * data.Layer.Shape.CausalPairs, method.Select(data.Layer, method.CreateParameters()).CountPairs(2));
        }
    }

    [Fact]
    public void A_length_that_cannot_hold_the_forced_blocks_is_infeasible_and_names_the_most_it_can()
    {
        PrefillMethod method = MethodRegistry.FindPrefill("BlockSparse");
        var shape = new PromptShape(160, 2, 1);
        var error = Assert.Throws<BudgetInfeasibleException>(() => method.SolveBudget(0.9, shape, method.CreateParameters()));
        Assert.Equal(method.ExpectedSparsity(shape, method.CreateParameters("TopBlocks=3"))!.Value, error.MaximumFeasibleSparsity);
        Assert.Equal(3, method.SolveBudget(error.MaximumFeasibleSparsity, shape, method.CreateParameters()).Parameters.Integer("TopBlocks"));
        Assert.Equal(0, method.SolveBudget(0, new PromptShape(20, 2, 1), method.CreateParameters()).Sparsity);

        using var data = LayerData.Random(2, 1, 160, 8);
        Assert.Throws<BudgetInfeasibleException>(() => method.Select(data.Layer, method.CreateParameters("TopBlocks=2")));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Counted_pairs_equal_the_mask_that_the_kernels_attend_to(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        foreach (int length in s_lengths.Where(l => l <= 129))
        {
            using var data = LayerData.Random(2, 1, length, 16);
            MethodParameters parameters = Small(method, length);
            PrefillSelection selection = method.Select(data.Layer, parameters);
            long attended = 0;
            for (int head = 0; head < 2; head++)
            {
                AttentionPlan plan = selection.Plans[Math.Min(head, selection.Plans.Count - 1)];
                bool[,] mask = ReferenceMask.Create(plan);
                attended += mask.Cast<bool>().Count(b => b);
                Assert.Equal(mask.Cast<bool>(), KernelMask(data.Layer.Kernels, plan).Cast<bool>());
                Assert.All(Enumerable.Range(0, length), row => Assert.True(mask[row, row], $"row {row} does not see itself"));
            }

            Assert.Equal(attended, selection.CountPairs(2));
            Assert.InRange(selection.ForcedPairs, 0, attended);
        }
    }

    [Theory]
    [MemberData(nameof(SparseMethods))]
    public void Forced_pairs_are_what_the_smallest_budget_keeps_at_least(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        using var data = LayerData.Random(2, 1, 400, 16);
        MethodParameters parameters = method.CreateParameters(method is BlockMethod ? "BlockSize=16" : "ForcedVerticals=2;ForcedSlashes=16");
        PrefillSelection smallest = method.Select(data.Layer, method.WithBudget(parameters, method.BudgetRange(data.Layer.Shape, parameters).Minimum));
        Assert.InRange(smallest.ForcedPairs, 1, smallest.CountPairs(2));
        if (method is BlockMethod)
        {
            Assert.Equal(smallest.CountPairs(2), smallest.ForcedPairs);
        }
    }

    [Theory]
    [MemberData(nameof(HeadSymmetricMethods))]
    public void Permuting_heads_commutes(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        using var data = LayerData.Random(6, 3, 150, 16);
        using LayerData permuted = data.Permute([2, 0, 1]);
        MethodParameters parameters = Small(method, 150);
        PrefillSelection original = method.Select(data.Layer, parameters);
        PrefillSelection other = method.Select(permuted.Layer, parameters);
        int[] queryOrder = [4, 5, 0, 1, 2, 3];
        for (int head = 0; head < other.Plans.Count; head++)
        {
            AttentionPlan expected = original.Plans[original.Plans.Count == 1 ? 0 : queryOrder[head]];
            Assert.Equal(expected.Ranges, other.Plans[head].Ranges);
            Assert.Equal(expected.Columns, other.Plans[head].Columns);
        }
    }

    [Theory]
    [MemberData(nameof(SparseMethods))]
    public void A_larger_budget_keeps_more(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        using var data = LayerData.Random(2, 1, 350, 16);
        MethodParameters parameters = Small(method, 350);
        (double minimum, double maximum) = method.BudgetRange(data.Layer.Shape, parameters);
        double[] budgets = [.. Enumerable.Range(0, 12).Select(i => Math.Round(minimum + ((maximum - minimum) * i / 11)))];
        double[] measured = method.MeasureSparsity(data.Layer, parameters, budgets);
        Assert.Equal(measured.OrderDescending(), measured);
        Assert.Equal(0, measured[^1], 1e-12);
        for (int i = 0; i < budgets.Length; i++)
        {
            long pairs = method.Select(data.Layer, method.WithBudget(parameters, budgets[i])).CountPairs(2);
            Assert.Equal(1 - ((double)pairs / (2 * data.Layer.Shape.CausalPairs)), measured[i], 1e-12);
        }
    }

    [Theory]
    [MemberData(nameof(SolvedMethods))]
    public void Solved_budgets_give_the_sparsity_they_promise(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        foreach (int length in new[] { 500, 1000, 1024 })
        {
            using var data = LayerData.Random(1, 1, length, 8);
            foreach (double sparsity in new[] { 0, 0.3, 0.5, 0.8 })
            {
                BudgetSolution solution = method.SolveBudget(sparsity, data.Layer.Shape, method.CreateParameters("BlockSize=8"));
                double measured = 1 - ((double)method.Select(data.Layer, solution.Parameters).CountPairs(1) / data.Layer.Shape.CausalPairs);
                Assert.Equal(solution.Sparsity, measured, 1e-12);
                Assert.InRange(measured, sparsity - AttentionMethod.SparsityTolerance, sparsity + AttentionMethod.SparsityTolerance);
            }
        }
    }

    [Theory]
    [InlineData(16384, 26, 0.0501)]
    [InlineData(16384, 35, 0.0672)]
    [InlineData(16384, 53, 0.1008)]
    [InlineData(16384, 71, 0.1338)]
    [InlineData(16384, 108, 0.1997)]
    [InlineData(16384, 188, 0.3333)]
    [InlineData(16384, 300, 0.4999)]
    [InlineData(65536, 1200, 0.4999)]
    public void Nominal_densities_of_the_papers_block_budgets(int length, int top, double density)
    {
        PrefillMethod method = MethodRegistry.FindPrefill("BlockSparse");
        var shape = new PromptShape(length, 1, 1);
        MethodParameters parameters = method.CreateParameters($"TopBlocks={top}");
        Assert.Equal(density, 1 - method.NominalSparsity(shape, parameters)!.Value, 0.001);

        // Element by element the own blocks count half.
        Assert.InRange(1 - method.ExpectedSparsity(shape, parameters)!.Value, density - 0.002, density + 0.0001);
    }

    [Fact]
    public void Unaligned_last_block_changes_nothing_before_it()
    {
        PrefillMethod method = MethodRegistry.FindPrefill("BlockSparse");
        using var data = LayerData.Random(1, 1, 203, 16);
        PromptLayer layer = data.Layer;
        PromptLayer aligned = layer with { Queries = First(layer.Queries, 192), Keys = First(layer.Keys, 192), Values = First(layer.Values, 192) };
        MethodParameters parameters = method.CreateParameters("BlockSize=16;TopBlocks=5");
        AttentionPlan whole = method.Select(layer, parameters).Plans[0];
        AttentionPlan part = method.Select(aligned, parameters).Plans[0];
        Assert.Equal(part.Ranges, whole.Ranges[..part.Ranges.Length]);
        Assert.Equal(203, whole.Ranges[^1].End);
    }

    [Fact]
    public void Oracle_holds_at_least_as_much_attention_as_any_other_block_method()
    {
        using var data = LayerData.Random(1, 1, 320, 16);
        Dictionary<string, double> recall = MethodRegistry.PrefillMethods.OfType<BlockMethod>().ToDictionary(
            m => m.Name,
            m => Recall(data.Layer, m.Select(data.Layer, m.CreateParameters("BlockSize=8;TopBlocks=8")).Plans));
        Assert.Equal(recall["OracleTopK"], recall.Values.Max());
        Assert.True(recall["OracleTopK"] > recall["BlockSparse"]);
        Assert.True(recall["BlockSparse"] > recall["Random"]);
    }

    [Fact]
    public void Random_columns_and_diagonals_are_drawn_by_the_seed_around_the_forced_ones()
    {
        PrefillMethod method = MethodRegistry.FindPrefill("RandomVerticalSlash");
        using var data = LayerData.Random(2, 1, 400, 8);
        MethodParameters parameters = method.CreateParameters("VerticalSize=20;SlashSize=30;ForcedVerticals=4;ForcedSlashes=8");
        Assert.DoesNotContain(method.Parameters, p => p.Name == "Window");
        IReadOnlyDictionary<string, int[][]> first = method.Select(data.Layer, parameters).CreateLists();
        Assert.Equal(first["verticals"], method.Select(data.Layer, parameters).CreateLists()["verticals"]);
        Assert.NotEqual(first["verticals"], method.Select(data.Layer with { Seed = data.Layer.Seed + 1 }, parameters).CreateLists()["verticals"]);
        Assert.All(first["verticals"], v => Assert.Equal([0, 1, 2, 3], v[..4]));
        Assert.All(first["slashes"], s => Assert.Equal(Enumerable.Range(0, 8), s[..8]));
        Assert.All(first["verticals"], v => Assert.Equal(20, v.Distinct().Count()));
        Assert.All(first["slashes"], s => Assert.Equal(30, s.Distinct().Count()));
        Assert.NotEqual(first["verticals"][0], first["verticals"][1]);
    }

    [Fact]
    public void Random_is_drawn_by_the_seed_around_the_forced_blocks()
    {
        PrefillMethod method = MethodRegistry.FindPrefill("Random");
        using var data = LayerData.Random(1, 1, 400, 8);
        MethodParameters parameters = method.CreateParameters("BlockSize=16;TopBlocks=6");
        int[] Blocks(long seed) => method.Select(data.Layer with { Seed = seed }, parameters).CreateLists()["blocks"][0];
        Assert.Equal(Blocks(1), Blocks(1));
        Assert.NotEqual(Blocks(1), Blocks(2));
        int[][] rows = [.. Blocks(1).Chunk(6)];
        for (int row = 6; row < rows.Length; row++)
        {
            Assert.Superset(new HashSet<int> { 0, row - 1, row }, rows[row].ToHashSet());
        }
    }

    [Fact]
    public void WindowSink_keeps_first_and_latest_blocks()
    {
        PrefillMethod method = MethodRegistry.FindPrefill("WindowSink");
        using var data = LayerData.Random(1, 1, 320, 8);
        PrefillSelection selection = method.Select(data.Layer, method.CreateParameters("BlockSize=16;TopBlocks=5"));
        Assert.Equal([0, 12, 13, 14, 15], selection.CreateLists()["blocks"][0].AsSpan(15 * 5, 5));
        Assert.Equal(selection.CountPairs(1), selection.ForcedPairs);
    }

    [Theory]
    [MemberData(nameof(SparseMethods))]
    public void Dense_layers_and_heads_of_a_schedule_are_dense(string name)
    {
        PrefillMethod method = MethodRegistry.FindPrefill(name);
        using var data = LayerData.Random(4, 2, 300, 8);
        MethodParameters parameters = Small(method, 300).With(BudgetSchedule.Parse("layer:0 dense | head:1 dense | x2"));
        Assert.Equal(0, method.Select(data.Layer, parameters).ForcedPairs);
        Assert.Equal(4 * data.Layer.Shape.CausalPairs, method.Select(data.Layer, parameters).CountPairs(4));
        PrefillSelection other = method.Select(data.Layer with { Layer = 1 }, parameters);
        PrefillSelection uniform = method.Select(data.Layer with { Layer = 1 }, parameters.With(BudgetSchedule.Uniform));
        Assert.Equal(data.Layer.Shape.CausalPairs, other.Plans[2].CountPairs());
        Assert.True(other.Plans[0].CountPairs() > uniform.Plans[0].CountPairs(), "twice the budget keeps more");
    }

    /// <summary>Forced sets and budgets that leave something to choose at a few hundred tokens; at lengths too short for them, clamped ones.</summary>
    private static MethodParameters Small(PrefillMethod method, int length) => method.Name switch
    {
        "Dense" => method.CreateParameters(),
        "VerticalSlash" => method.CreateParameters("VerticalSize=8;SlashSize=12;Window=32;ForcedVerticals=2;ForcedSlashes=8"),
        "RandomVerticalSlash" => method.CreateParameters("VerticalSize=8;SlashSize=12;ForcedVerticals=2;ForcedSlashes=8"),
        "FlexPrefill" => method.CreateParameters("Alpha=0.3;MinimumBudget=8;Window=32;ForcedVerticals=2;ForcedSlashes=8"),
        _ => method.CreateParameters(length % 2 == 0 ? "BlockSize=16;TopBlocks=4" : "BlockSize=7;TopBlocks=3"),
    };

    private static HeadTensor First(HeadTensor tensor, int rows) =>
        new(tensor.Data, tensor.Heads, rows, tensor.Dimension, tensor.HeadStride, tensor.RowStride);

    private static float[] Attend(PromptLayer layer, IReadOnlyList<AttentionPlan> plans)
    {
        float[] output = new float[layer.Queries.Heads * layer.Length * layer.Queries.Dimension];
        fixed (float* data = output)
        {
            layer.Kernels.PrefillAttention(
                layer.Queries, layer.Keys, layer.Values, layer.Scale, plans, 0,
                HeadTensor.HeadMajor(data, layer.Queries.Heads, layer.Length, layer.Queries.Dimension), null, default);
        }

        return output;
    }

    // Which values reach which rows: with zero queries all weights are equal, and value k is the k-th unit vector.
    private static bool[,] KernelMask(KernelSet kernels, AttentionPlan plan)
    {
        int length = plan.RowCount;
        int dimension = (length + 15) / 16 * 16;
        bool[,] mask = new bool[length, length];
        using var zeros = new NativeArray<float>((long)length * dimension);
        using var units = new NativeArray<float>((long)length * dimension);
        using var output = new NativeArray<float>((long)length * dimension);
        for (int key = 0; key < length; key++)
        {
            units.Pointer[(key * dimension) + key] = 1;
        }

        HeadTensor Tensor(NativeArray<float> array) => HeadTensor.HeadMajor(array.Pointer, 1, length, dimension);
        kernels.PrefillAttention(Tensor(zeros), Tensor(zeros), Tensor(units), 1, [plan], 0, Tensor(output), null, default);
        for (int row = 0; row < length; row++)
        {
            for (int key = 0; key < length; key++)
            {
                mask[row, key] = output.Pointer[(row * dimension) + key] > 0;
            }
        }

        return mask;
    }

    // Mean share of the exact attention that a selection covers.
    private static double Recall(PromptLayer layer, IReadOnlyList<AttentionPlan> plans)
    {
        double sum = 0;
        for (int head = 0; head < layer.Queries.Heads; head++)
        {
            bool[,] mask = ReferenceMask.Create(plans[head]);
            for (int row = 0; row < layer.Length; row++)
            {
                double[] weights = [.. Enumerable.Range(0, row + 1).Select(key =>
                {
                    double dot = 0;
                    for (int d = 0; d < layer.Keys.Dimension; d++)
                    {
                        dot += layer.Queries.Row(head, row)[d] * layer.Keys.Row(head / layer.GroupSize, key)[d];
                    }

                    return Math.Exp(layer.Scale * dot);
                })];
                sum += weights.Where((_, key) => mask[row, key]).Sum() / weights.Sum();
            }
        }

        return sum / (layer.Queries.Heads * layer.Length);
    }
}
