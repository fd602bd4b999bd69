using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>What the host decides about work on a GPU; needs none.</summary>
public sealed unsafe class CudaStepTests
{
    [Fact]
    public void Rows_of_one_kind_lie_side_by_side_in_their_order()
    {
        const PageChoice Bounds = PageChoice.Bounds, Drawn = PageChoice.Drawn, None = PageChoice.None;
        (PageChoice Choice, int PageSize, bool SharesPages)[] kinds =
            [(Drawn, 16, true), (Bounds, 16, true), (None, 0, true), (Bounds, 16, false), (None, 0, true), (Bounds, 32, true), (Bounds, 16, true)];
        Assert.Equal([2, 4, 3, 1, 6, 5, 0], CudaStep.Arrange(kinds));
    }

    [Fact]
    public void Questions_name_rows_where_these_lie()
    {
        // Rows 1 and 3 were given between those of another kind; the last of each kind is repeated.
        int[] places = [0, 2, 4, CudaStepEntry.Repetition, 1, 3, CudaStepEntry.Repetition];
        CudaStepEntry[] rows = Array.ConvertAll(places, place => new CudaStepEntry(null!, 0, place, 1));
        LogitQuestion[] questions = [new(10, -1), new(11, 0), new(12, -1), new(13, 2), new(14, 3)];
        Assert.Equal([new(10, -1), new(12, -1), new(14, 5), new(-1, -1), new(11, 0), new(13, 1), new(-1, -1)], CudaStep.Arrange(rows, questions));
    }

    [Fact]
    public void A_shape_lasts_for_many_steps_and_holds_every_list()
    {
        var shapes = new HashSet<CudaStepShape>();
        for (int tokens = 32_768; tokens < 33_768; tokens++)
        {
            CudaStepShape shape = CudaStepShape.Of([new CudaStepRow(PageChoice.None, 0, true, 300, 0, int.MaxValue), new CudaStepRow(PageChoice.Bounds, 16, true, tokens, 0, 128)], StepResult.Logits);
            shapes.Add(shape);
            Assert.Equal(0, shape.Sliding);
            Assert.Equal(new CudaStepGroup(0, 1, 512, PageChoice.None, 0, true, 0, 0), shape.Groups[0]);
            Assert.Equal((1, 2, 129 * 16, 129), (shape.Groups[1].First, shape.Groups[1].End, shape.Groups[1].Longest, shape.Groups[1].Width));
            Assert.True(shape.Groups[1].MostPages * 16 >= tokens);
        }

        Assert.InRange(shapes.Count, 1, 2);
    }

    [Fact]
    public void Rows_that_choose_by_different_means_are_groups_of_their_own_and_exact_attention_has_room_for_every_product()
    {
        CudaStepGroup[] groups = CudaStepShape.Of(
            [new CudaStepRow(PageChoice.Bounds, 16, true, 1000, 0, 4), new CudaStepRow(PageChoice.Attention, 16, true, 1000, 0, 4), new CudaStepRow(PageChoice.Attention, 1, true, 1000, 0, 99)],
            StepResult.Logits).Groups;
        Assert.Equal([(PageChoice.Bounds, 16), (PageChoice.Attention, 16), (PageChoice.Attention, 1)], groups.Select(g => (g.Choice, g.PageSize)));
        Assert.Equal((1024, 100, 100), (groups[2].MostPages, groups[2].Width, groups[2].Longest));
        Assert.InRange(CudaStepPages.ScratchBytes(groups[1], 2, 7) - CudaStepPages.ScratchBytes(groups[0], 2, 7), (4 * 7 * 2 * 1024) - 256, (4 * 7 * 2 * 1024) + 256);
    }

    [Fact]
    public void A_step_with_several_rows_of_a_sequence_is_another_shape_than_one_of_as_many_sequences()
    {
        // Later rows choose from pages that earlier ones complete, whose bounds must be there before.
        CudaStepRow row = new(PageChoice.Bounds, 16, true, 1000, 0, 4);
        CudaStepShape one = CudaStepShape.Of([row, row with { Follows = true }], StepResult.Logits);
        Assert.True(one.Groups[0].Follows);
        Assert.NotEqual(one, CudaStepShape.Of([row, row], StepResult.Logits));
    }

    [Fact]
    public void A_list_without_a_budget_has_room_for_all_pages()
    {
        CudaStepGroup group = CudaStepShape.Of([new CudaStepRow(PageChoice.Bounds, 32, false, 1000, 600, int.MaxValue)], StepResult.Choices).Groups[0];
        Assert.Equal(new CudaStepGroup(0, 1, 1024, PageChoice.Bounds, 32, false, 32, 33), group);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2047)]
    [InlineData(2048)]
    [InlineData(131_073)]
    public void Lengths_are_rounded_up_by_little(int length) =>
        Assert.InRange(CudaStepShape.RoundUp(length), length, Math.Max(256, length + (length / 8)));

    [Fact]
    public void Few_numbers_of_rows_come_and_their_repetitions_have_room()
    {
        Assert.Equal([1, 2, 15, 16, 18, 60, 64, 72, 512], ((int[])[1, 2, 15, 16, 17, 57, 64, 65, 512]).Select(CudaStepShape.RoundUpRows));
        var random = new RandomSource("rows");
        for (int i = 0; i < 1000; i++)
        {
            // However the rows of a step fall into kinds.
            var kinds = new List<int>();
            while (kinds.Sum() < 512)
            {
                kinds.Add(random.Next(1, 513 - kinds.Sum()));
            }

            Assert.InRange(kinds.Sum(CudaStepShape.RoundUpRows), 512, CudaStep.RepeatedRows(512));
        }

        Assert.InRange(Enumerable.Range(1, 512).Select(CudaStepShape.RoundUpRows).Distinct().Count(), 1, 64);
    }

    [Theory]
    [InlineData(4096, 512)]
    [InlineData(32_000, 512)]
    [InlineData(128_256, 128)]
    [InlineData(262_208, 64)]
    public void A_step_has_as_many_rows_as_their_logits_are_small(int vocabulary, int rows) =>
        Assert.Equal(rows, CudaStep.MostRows(Configuration() with { VocabularySize = vocabulary }));

    [Fact]
    public void Structures_are_laid_out_as_the_kernels_read_them()
    {
        Assert.Equal((56, 40, 48, 88), (sizeof(CacheHead), sizeof(StepRowState), sizeof(PagedHead), StepPlaces.BytesOfHead));
        Assert.Equal((8, 16), (sizeof(LogitQuestion), sizeof(LogitAnswer)));
        var places = new StepPlaces(1 << 20, 280, 20);
        Assert.Equal((1UL << 20) + ((20 + 3) * 8), places.CachesFrom(3).Keys);
        Assert.Equal((1UL << 20) + (280 * 24) + (20 * 8), places.Caches.TailValues);
        Assert.Equal((1UL << 20) + (280 * 32) + (20 * 48), places.Paged);
        Assert.Equal((1UL << 20) + (280 * 80) + (20 * 4), places.Caches.Splits);
        Assert.Equal((1UL << 20) + (280 * 84) + (20 * 4), places.Counts);
    }

    [Fact]
    public void The_memory_that_a_prompt_is_said_to_need_is_what_was_measured()
    {
        // Qwen2.5-7B at 131,072 tokens took 24.7 GiB at its peak on a GPU (docs/kernels.md), of which 14.2 are weights.
        ModelConfiguration c = Configuration();
        int chunk = CudaPromptReader.ChunkRows(c, 131_072, null);
        Assert.Equal(0, chunk % CudaProducts.RowsUnit);
        Assert.InRange(CudaPromptReader.NeededBytes(c, 131_072, chunk, 1, 28) / 1073741824.0, 9.9, 11.0);

        // A cache of 7 GiB for each further configuration that keeps everything apart, and half of it where half of the layers are elsewhere.
        Assert.Equal(7.0, (CudaPromptReader.NeededBytes(c, 131_072, chunk, 2, 28) - CudaPromptReader.NeededBytes(c, 131_072, chunk, 1, 28)) / 1073741824.0, 1e-9);
        Assert.Equal(3.5, (CudaPromptReader.NeededBytes(c, 131_072, chunk, 1, 28) - CudaPromptReader.NeededBytes(c, 131_072, chunk, 1, 14)) / 1073741824.0, 1e-9);

        // Where half of the chunk's branches find no room, half of its rows are read at a time.
        long free = CudaPromptReader.NeededBytes(c, 131_072, chunk, 1, 28);
        Assert.Equal(chunk, CudaPromptReader.FitChunks(chunk, free, Needed));
        Assert.Equal(CudaProducts.WrittenRows(chunk / 2), CudaPromptReader.FitChunks(chunk, free - 1, Needed));
        int fitting = CudaPromptReader.FitChunks(chunk, free - (400L << 20), Needed);
        Assert.InRange(fitting, CudaProducts.RowsUnit, chunk / 2);
        Assert.True(Needed(fitting) <= free - (400L << 20) && Needed(2 * fitting) > free - (400L << 20));
        Assert.Equal(CudaProducts.RowsUnit, CudaPromptReader.FitChunks(chunk, 1, Needed));

        // After a failed allocation rows and lists are halved until neither can be.
        int halvings = 0;
        var request = new PrefillRequest();
        while (CudaPromptReader.Smaller(c, 131_072, request) is { } smaller)
        {
            Assert.InRange(smaller.ChunkRows!.Value, CudaProducts.RowsUnit, Math.Max(CudaProducts.RowsUnit, chunk >> halvings));
            halvings++;
            Assert.Equal(Math.Max(16L << 20, (512L << 20) >> halvings), smaller.ListBytes);
            request = smaller;
        }

        Assert.Equal(5, halvings);

        long Needed(int rows) => CudaPromptReader.NeededBytes(c, 131_072, rows, 1, 28);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(300)]
    [InlineData(32_768)]
    [InlineData(32_769)]
    [InlineData(40_000)]
    [InlineData(200_000)]
    public void Attention_has_room_for_the_pieces_of_every_shorter_list(int longest)
    {
        int room = CudaAttention.Pieces(longest);
        for (int tokens = 1; tokens <= longest; tokens += 1 + (longest / 5000))
        {
            int size = Math.Max(128, (tokens + 2047) / 2048 * 64);
            Assert.True((tokens + size - 1) / size <= room, $"{tokens} tokens in {room} pieces");
        }
    }

    [Theory]
    [InlineData(9, 128, 128, false, "128")]
    [InlineData(9, 128, 64, true, "64")]
    [InlineData(9, 128, 16, false, null)]
    [InlineData(9, 96, 128, false, "128")]
    [InlineData(8, 128, 128, false, null)]
    [InlineData(10, 128, 128, false, null)]
    public void Kernels_for_Hopper_are_taken_where_card_and_block_allow(int major, int dimension, int block, bool columns, string? rows) =>
        Assert.Equal(rows, HopperConfiguration.Find(major, dimension, block, columns)?.Rows.ToString(System.Globalization.CultureInfo.InvariantCulture));

    // Qwen2.5-7B.
    private static ModelConfiguration Configuration() => new()
    {
        Family = "qwen2",
        LayerCount = 28,
        HiddenSize = 3584,
        IntermediateSize = 18_944,
        QueryHeads = 28,
        KvHeads = 4,
        HeadDimension = 128,
        VocabularySize = 152_064,
        ContextLength = 131_072,
        NativeContextLength = 32_768,
        StopTokens = [],
        SlidingWindows = new int[28],
        Rotary = new RotaryConfiguration { Base = 1e6 },
        SlidingRotary = new RotaryConfiguration { Base = 1e6 },
        NormEpsilon = 1e-6f,
        AttentionScale = 1 / MathF.Sqrt(128),
        Activation = default,
        ExtendsByYarn = true,
    };
}
