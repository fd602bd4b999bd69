using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using SparseFrontier.Tests.Kernels;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>What must not change a result: chunks, sharing, batches, interruptions; and what is counted.</summary>
public sealed class TransformerModelTests
{
    public static TheoryData<string> Names => [.. Checkpoints.Committed];

    [Theory]
    [MemberData(nameof(Names))]
    public void Results_do_not_depend_on_the_chunk_size(string name)
    {
        using var model = Load(name);
        int[] prompt = Tokens(model, 150);
        var whole = Observe(model, prompt, null);
        foreach (int rows in (int[])[1, 64, 149])
        {
            Assert.Equal(whole, Observe(model, prompt, rows));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Results_do_not_depend_on_whether_heads_are_run_in_groups(string name)
    {
        using var model = Load(name);
        int[] prompt = Tokens(model, 230);
        foreach (string? method in (string?[])[null, "VerticalSlash", "BlockSparse"])
        {
            PrefillMethod? prefill = method is null ? null : MethodRegistry.FindPrefill(method);
            var request = new PrefillRequest
            {
                Method = prefill,
                Parameters = method switch
                {
                    "VerticalSlash" => prefill!.CreateParameters("VerticalSize=12;SlashSize=70;Window=32"),
                    "BlockSparse" => prefill!.CreateParameters("BlockSize=16;TopBlocks=4"),
                    _ => null,
                },
                DecodeConfigurations = [Dense(), SnapKV(48), AdaSnapKV(48), Quest()],
                ChunkRows = 100,
            };
            using PromptState together = model.Prefill(prompt, request with { QueryBytes = long.MaxValue }, Cancel);
            using PromptState groups = model.Prefill(prompt, request with { QueryBytes = 0, WidenedBytes = 0, SlidingBytes = 0, RotaryBytes = 0 }, Cancel);
            Assert.Equal(together.LastLogits, groups.LastLogits);
            // Groups make the queries of the observation window once more.
            PrefillStatistics Counts(PromptState prompt) => prompt.Statistics with { Operations = null, IndexSeconds = 0, GlobalAttentionSeconds = 0, AttentionSeconds = 0, TotalSeconds = 0 };
            Assert.Equal(Counts(together), Counts(groups));
            for (int i = 0; i < request.DecodeConfigurations.Count; i++)
            {
                using DecodeSequence expected = together.StartSequence(i);
                using DecodeSequence actual = groups.StartSequence(i);
                Assert.Equal(Run(model, expected, Tokens(model, 20, 1)), Run(model, actual, Tokens(model, 20, 1)));
            }
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(100)]
    [InlineData(1000)]
    public void A_sliding_window_layer_gives_the_same_bits_chunk_by_chunk_and_at_once(int window)
    {
        using EditedCheckpoint checkpoint = new EditedCheckpoint(Checkpoints.Find("gemma3-v5config-bfloat16")!).Configure(c => c["sliding_window"] = window);
        using var model = TransformerModel.Load(checkpoint.Directory);
        int[] prompt = Tokens(model, 300);
        var request = new PrefillRequest { DecodeConfigurations = [Dense(), SnapKV(48)] };
        List<float[]> whole = Outcome(request with { SlidingBytes = 0 });
        Assert.Equal(whole, Outcome(request));
        Assert.Equal(whole, Outcome(request with { ChunkRows = 1 }));
        Assert.Equal(whole, Outcome(request with { ChunkRows = 128 }));

        List<float[]> Outcome(PrefillRequest how)
        {
            using PromptState state = model.Prefill(prompt, how, Cancel);
            using DecodeSequence dense = state.StartSequence(0);
            using DecodeSequence evicted = state.StartSequence(1);
            PrefillStatistics s = state.Statistics;
            return [state.LastLogits, Run(model, dense, Tokens(model, 5, 1)), Run(model, evicted, Tokens(model, 5, 1)), [s.AttendedPairsAllLayers, s.CausalPairsAllLayers, state.CacheBytes]];
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Results_do_not_depend_on_whether_the_prefill_was_shared(string name)
    {
        using var model = Load(name);
        int[] prompt = Tokens(model, 180);
        DecodeConfiguration[] all = [Dense(), SnapKV(48), SnapKV(90), Quest()];
        using PromptState shared = model.Prefill(prompt, new PrefillRequest { DecodeConfigurations = all }, Cancel);
        for (int i = 0; i < all.Length; i++)
        {
            using PromptState alone = model.Prefill(prompt, new PrefillRequest { DecodeConfigurations = [all[i]] }, Cancel);
            using DecodeSequence expected = alone.StartSequence(0);
            using DecodeSequence actual = shared.StartSequence(i);
            Assert.Equal(alone.LastLogits, shared.LastLogits);
            Assert.Equal(Run(model, expected, Tokens(model, 20, 1)), Run(model, actual, Tokens(model, 20, 1)));
            Assert.Equal(Untimed(expected.Statistics), Untimed(actual.Statistics));
        }
    }

    [Theory]
    [InlineData("qwen3-hub-float16", 2)]
    [InlineData("qwen3-hub-float16", 7)]
    [InlineData("qwen3-hub-float16", 30)]
    [InlineData("gemma3-v5config-bfloat16", 2)]
    [InlineData("gemma3-v5config-bfloat16", 7)]
    public void A_row_is_the_same_whatever_rows_are_beside_it(string name, int batch)
    {
        using var model = Load(name);
        DecodeConfiguration[] configurations = [Dense(), SnapKV(48), Quest()];
        int vocabulary = model.Configuration.VocabularySize;
        List<PromptState> prompts = [.. Enumerable.Range(0, batch).Select(i => model.Prefill(Tokens(model, 100 + i, i), new PrefillRequest { DecodeConfigurations = configurations }, Cancel))];
        List<DecodeSequence> alone = [.. prompts.Select((p, i) => p.StartSequence(i % 3))];
        List<DecodeSequence> together = [.. prompts.Select((p, i) => p.StartSequence(i % 3))];
        for (int step = 0; step < 4; step++)
        {
            int[] tokens = Tokens(model, batch, 50 + step);
            float[] logits = new float[batch * vocabulary];
            model.Step([.. together.Select((s, i) => new StepRow(s, tokens[i]))], logits, Cancel);
            for (int i = 0; i < batch; i++)
            {
                float[] expected = new float[vocabulary];
                model.Step([new StepRow(alone[i], tokens[i])], expected, Cancel);
                Assert.Equal(expected, logits[(i * vocabulary)..((i + 1) * vocabulary)]);
            }
        }

        Assert.Equal(alone.Select(s => Untimed(s.Statistics)), together.Select(s => Untimed(s.Statistics)));
        alone.ForEach(s => s.Dispose());
        together.ForEach(s => s.Dispose());
        prompts.ForEach(p => p.Dispose());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rows_of_one_sequence_see_those_before_them(string name)
    {
        using var model = Load(name);
        DecodeConfiguration[] configurations = [Dense(), SnapKV(48), Quest()];
        using PromptState prompt = model.Prefill(Tokens(model, 90), new PrefillRequest { DecodeConfigurations = configurations }, Cancel);
        int vocabulary = model.Configuration.VocabularySize;
        for (int i = 0; i < configurations.Length; i++)
        {
            // More rows than one pass takes.
            int[] tokens = Tokens(model, 100, 3);
            using DecodeSequence oneByOne = prompt.StartSequence(i);
            using DecodeSequence atOnce = prompt.StartSequence(i);
            float[] logits = new float[tokens.Length * vocabulary];
            model.Step([.. tokens.Select(t => new StepRow(atOnce, t))], logits, Cancel);
            Assert.Equal(Run(model, oneByOne, tokens), logits);
            Assert.Equal(Untimed(oneByOne.Statistics), Untimed(atOnce.Statistics));
            Assert.Equal(100, atOnce.GeneratedLength);
        }
    }

    [Theory]
    [InlineData("gemma3-v5config-bfloat16", 1)]
    [InlineData("gemma3-v5config-bfloat16", 9)]
    [InlineData("gemma3-v5config-bfloat16", 60)]
    [InlineData("qwen25-hub-bfloat16", 33)]
    [InlineData("qwen3-hub-float16", 1)]
    public void Decoding_agrees_with_one_forward_over_all_tokens(string name, int promptLength)
    {
        // The forward reads keys and values as computed, so the cache must not round them.
        using var model = TransformerModel.Load(Checkpoints.Find(name)!, null, roundFrequencies: false, DataType.F32);
        int[] tokens = Tokens(model, promptLength + 70);
        float[] expected = model.ForwardLogits(tokens, cancellationToken: Cancel);
        using PromptState prompt = model.Prefill(tokens.AsSpan(0, promptLength), new PrefillRequest { DecodeConfigurations = [Dense()] }, Cancel);
        using DecodeSequence sequence = prompt.StartSequence(0);
        int vocabulary = model.Configuration.VocabularySize;
        float[] logits = [.. prompt.LastLogits, .. Run(model, sequence, tokens[promptLength..])];
        for (int i = 0; i < logits.Length; i++)
        {
            Assert.InRange(Math.Abs(logits[i] - expected[((promptLength - 1) * vocabulary) + i]), 0, 2e-5);
        }
    }

    [Fact]
    public void Truncating_forgets_and_goes_on_as_if_nothing_had_been()
    {
        using var model = Load("qwen3-hub-float16");
        DecodeConfiguration[] configurations = [Dense(), SnapKV(48), Quest()];
        using PromptState prompt = model.Prefill(Tokens(model, 120), new PrefillRequest { DecodeConfigurations = configurations }, Cancel);
        for (int i = 0; i < configurations.Length; i++)
        {
            using DecodeSequence straight = prompt.StartSequence(i);
            using DecodeSequence turned = prompt.StartSequence(i);
            Run(model, straight, Tokens(model, 10, 1));
            Run(model, turned, Tokens(model, 10, 1));
            Run(model, turned, Tokens(model, 80, 2));
            long attended = turned.Statistics.AttendedTokens;
            turned.Truncate(10);
            Assert.Equal(attended, turned.Statistics.AttendedTokens);
            Assert.Equal(10, turned.GeneratedLength);
            Assert.Equal(Run(model, straight, Tokens(model, 40, 3)), Run(model, turned, Tokens(model, 40, 3)));
            Assert.Throws<ArgumentOutOfRangeException>(() => turned.Truncate(51));
        }
    }

    [Fact]
    public void Counts_of_dense_attention_follow_from_the_lengths()
    {
        using var model = Load("gemma3-v5config-bfloat16");
        ModelConfiguration c = model.Configuration;
        Assert.Equal([16, 16, 0], c.SlidingWindows);
        const int Length = 100;
        using PromptState prompt = model.Prefill(Tokens(model, Length), new PrefillRequest { DecodeConfigurations = [Dense()] }, Cancel);
        long causal = 4L * Length * (Length + 1) / 2;
        long sliding = 2 * 4L * Enumerable.Range(1, Length).Sum(r => Math.Min(r, 16));
        Assert.Equal(causal, prompt.Statistics.CausalPairs);
        Assert.Equal(causal, prompt.Statistics.AttendedPairs);
        Assert.Equal(causal + sliding, prompt.Statistics.CausalPairsAllLayers);
        Assert.Equal(causal + sliding, prompt.Statistics.AttendedPairsAllLayers);
        Assert.Equal(0, prompt.Statistics.ForcedPairs);
        Assert.True(prompt.Statistics.ExecutedPairs >= causal);

        using DecodeSequence sequence = prompt.StartSequence(0);
        Run(model, sequence, Tokens(model, 5, 1));
        DecodeStatistics statistics = sequence.Statistics;
        long steps = 101 + 102 + 103 + 104 + 105;
        Assert.Equal(4 * steps, statistics.AttendedTokens);
        Assert.Equal(4 * steps, statistics.DenseTokens);
        Assert.Equal(0, statistics.ForcedTokens);
        Assert.Equal(2 * steps * 32 * 4, statistics.BytesRead);
        Assert.Equal(2 * Length, statistics.PromptTokens);
        Assert.Equal(2 * Length, statistics.KeptPromptTokens);
        Assert.Equal(5, statistics.Steps);
        Assert.Equal((5 * DecodeOperations.OfToken(c)) + DecodeOperations.OfAttention(c, (4 * steps) + (2 * 4 * 5 * 16)), statistics.Operations);

        // Sliding layers keep the window's tokens before the next one and what was generated; the global layer keeps all.
        Assert.Equal(2L * 32 * 4 * (Length + 5 + (2 * (15 + 5))), statistics.CacheBytes);
    }

    [Fact]
    public void Counts_of_an_eviction_follow_from_what_is_kept()
    {
        using var model = Load("qwen3-hub-float16");
        using PromptState prompt = model.Prefill(Tokens(model, 150), new PrefillRequest { DecodeConfigurations = [SnapKV(48)] }, Cancel);
        using DecodeSequence sequence = prompt.StartSequence(0);
        Run(model, sequence, Tokens(model, 2, 1));
        DecodeStatistics statistics = sequence.Statistics;
        Assert.Equal(3 * 2 * 150, statistics.PromptTokens);
        Assert.Equal(3 * 2 * 48, statistics.KeptPromptTokens);
        Assert.Equal(3 * 4 * (49 + 50), statistics.AttendedTokens);
        Assert.Equal(3 * 4 * (151 + 152), statistics.DenseTokens);
        Assert.InRange(statistics.ForcedTokens, 3 * 4 * (1 + 2), statistics.AttendedTokens - 1);
        Assert.Equal(3 * 2 * (49 + 50) * 32 * 8, statistics.BytesRead);
        Assert.Equal(3 * 2 * (48 + 2) * 32 * 8, statistics.CacheBytes);
        Assert.Equal(3 * 2 * 48 * 32 * 8, prompt.CacheBytes);
        Assert.Equal((2 * DecodeOperations.OfToken(model.Configuration)) + DecodeOperations.OfAttention(model.Configuration, statistics.AttendedTokens), statistics.Operations);
    }

    [Fact]
    public void Operations_of_choosing_pages_are_counted_at_every_step()
    {
        // 150 tokens are 9 pages of 16 and 6 tokens, whose bounds are first kept when a step needs them; 3 layers, 4 query heads, 2 KV heads.
        using var model = Load("qwen3-hub-float16");
        ModelConfiguration c = model.Configuration;
        DecodeMethod quest = MethodRegistry.FindDecode("Quest");
        using PromptState prompt = model.Prefill(Tokens(model, 150), new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(quest, quest.CreateParameters("PageSize=16;TokenBudget=64"))] }, Cancel);
        using DecodeSequence sequence = prompt.StartSequence(0);
        Run(model, sequence, Tokens(model, 2, 1));
        DecodeStatistics statistics = sequence.Statistics;
        Assert.True(statistics.AttendedTokens < statistics.DenseTokens);
        double expected = (2 * DecodeOperations.OfToken(c)) + DecodeOperations.OfAttention(c, statistics.AttendedTokens) + DecodeOperations.OfPageScores(c, 3 * 4 * 2 * 9);
        Assert.Equal(expected + (3 * (2 + 6) * DecodeOperations.OfBounds(c)), statistics.Operations);

        // Sequences that run together count as much as alone.
        using DecodeSequence together = prompt.StartSequence(0);
        using DecodeSequence beside = prompt.StartSequence(0);
        int[] tokens = Tokens(model, 2, 1);
        foreach (int token in tokens)
        {
            model.Step([new StepRow(together, token), new StepRow(beside, token)], new float[2 * c.VocabularySize], Cancel);
        }

        Assert.Equal(statistics.Operations, together.Statistics.Operations);
        Assert.Equal(statistics.Operations, beside.Statistics.Operations);
    }

    [Fact]
    public void Only_what_a_configuration_needs_is_kept_in_memory()
    {
        using var model = Load("qwen3-hub-float16");
        int[] tokens = Tokens(model, 150);
        long full = 3 * 2 * 150 * 32 * 8;
        using PromptState nothing = model.Prefill(tokens, new PrefillRequest(), Cancel);
        Assert.Equal(0, nothing.CacheBytes);
        using PromptState dense = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = [Dense(), Quest(), Dense()] }, Cancel);
        Assert.Equal(full, dense.CacheBytes);
        using PromptState mixed = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = [Dense(), SnapKV(48)] }, Cancel);
        Assert.Equal(full + (3 * 2 * 48 * 32 * 8), mixed.CacheBytes);
        using PromptState evicted = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = [DenseIn([1], SnapKV(48))] }, Cancel);
        Assert.Equal((full / 3) + (2 * 2 * 48 * 32 * 8), evicted.CacheBytes);
    }

    [Fact]
    public void Sparse_prefill_attends_what_it_counts()
    {
        using var model = Load("qwen3-hub-float16");
        PrefillMethod method = MethodRegistry.PrefillMethods.First(m => m.Name == "BlockSparse");
        MethodParameters parameters = method.CreateParameters([new("BlockSize", 16), new("TopBlocks", 3)]);
        int[] tokens = Tokens(model, 160);
        long observed = 0;
        using PromptState prompt = model.Prefill(
            tokens,
            new PrefillRequest
            {
                Method = method,
                Parameters = parameters,
                LayerObserver = layer => observed += method.Select(layer, parameters).CountPairs(4),
            },
            Cancel);
        Assert.Equal(observed, prompt.Statistics.AttendedPairs);
        Assert.InRange(prompt.Statistics.AttendedPairs, 1, prompt.Statistics.CausalPairs - 1);
        Assert.True(prompt.Statistics.ExecutedPairs >= prompt.Statistics.AttendedPairs);
        Assert.Equal(3L * 4 * 160 * 161 / 2, prompt.Statistics.CausalPairs);
        using PromptState dense = model.Prefill(tokens, new PrefillRequest(), Cancel);
        Assert.NotEqual(dense.LastLogits, prompt.LastLogits);
    }

    // With one thread heads are selected and attended to group by group, with many all at once.
    [Theory]
    [InlineData("VerticalSlash")]
    [InlineData("BlockSparse")]
    [InlineData("Random")]
    public void Results_do_not_depend_on_how_many_heads_are_selected_at_once(string name)
    {
        using var model = Load("qwen3-hub-float16");
        PrefillMethod method = MethodRegistry.PrefillMethods.First(m => m.Name == name);
        var request = new PrefillRequest
        {
            Method = method,
            Parameters = method.WithBudget(method.CreateParameters(), name == "VerticalSlash" ? 70 : 4),
            DecodeConfigurations = [SnapKV(48)],
        };
        int[] tokens = Tokens(model, 300);
        using PromptState groups = Read(1);
        using PromptState all = Read(8);
        Assert.Equal(all.LastLogits, groups.LastLogits);
        Assert.InRange(all.Statistics.AttendedPairs, 1, all.Statistics.CausalPairs - 1);
        Assert.Equal(Counts(all.Statistics), Counts(groups.Statistics));

        PromptState Read(int threads)
        {
            using var scope = new ThreadCountScope(threads);
            return model.Prefill(tokens, request, Cancel);
        }

        static PrefillStatistics Counts(PrefillStatistics statistics) => statistics with { IndexSeconds = 0, GlobalAttentionSeconds = 0, AttentionSeconds = 0, TotalSeconds = 0 };
    }

    [Fact]
    public void Methods_leave_named_layers_dense()
    {
        using var model = Load("qwen3-hub-float16");
        PrefillMethod method = MethodRegistry.PrefillMethods.First(m => m.Name == "BlockSparse");
        int[] tokens = Tokens(model, 160);
        var request = new PrefillRequest
        {
            Method = method,
            Parameters = method.CreateParameters([new("BlockSize", 16), new("TopBlocks", 3)]),
            DecodeConfigurations = [SnapKV(48), Quest()],
        };
        using PromptState dense = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = [Dense()] }, Cancel);
        using PromptState all = model.Prefill(tokens, LeaveDense([0, 1, 2]), Cancel);
        using PromptState two = model.Prefill(tokens, LeaveDense([0, 2]), Cancel);
        using PromptState none = model.Prefill(tokens, request, Cancel);
        Assert.Equal(dense.LastLogits, all.LastLogits);
        Assert.Equal(all.Statistics.CausalPairs, all.Statistics.AttendedPairs);
        long left = none.Statistics.CausalPairs - none.Statistics.AttendedPairs;
        Assert.InRange(two.Statistics.CausalPairs - two.Statistics.AttendedPairs, 1, left - 1);
        using DecodeSequence reference = dense.StartSequence(0);
        float[] expected = Run(model, reference, Tokens(model, 30, 1));
        for (int i = 0; i < 2; i++)
        {
            using DecodeSequence sequence = all.StartSequence(i);
            Assert.Equal(expected, Run(model, sequence, Tokens(model, 30, 1)));
            Assert.Equal(Untimed(reference.Statistics), Untimed(sequence.Statistics));
        }

        PrefillRequest LeaveDense(int[] layers) => request with
        {
            Parameters = request.Parameters.With(BudgetSchedule.DenseLayers(layers)),
            DecodeConfigurations = [.. request.DecodeConfigurations.Select(c => DenseIn(layers, c))],
        };
    }

    [Fact]
    public void Observers_see_every_global_layer_and_only_those()
    {
        using var model = Load("gemma3-v5config-bfloat16");
        var layers = new List<int>();
        var done = new List<int>();
        using PromptState prompt = model.Prefill(
            Tokens(model, 30),
            new PrefillRequest
            {
                LayerObserver = layer =>
                {
                    layers.Add(layer.Layer);
                    Assert.Equal((4, 30, 32), (layer.Queries.Heads, layer.Queries.Rows, layer.Queries.Dimension));
                    Assert.Equal((2, 30, 32), (layer.Keys.Heads, layer.Keys.Rows, layer.Keys.Dimension));
                    Assert.Equal(1 / Math.Sqrt(24), layer.Scale, 6);
                },
                LayerDone = done.Add,
            },
            Cancel);
        Assert.Equal([2], layers);
        Assert.Equal([1, 2, 3], done);
    }

    [Fact]
    public void An_interrupted_step_leaves_the_sequence_as_it_was()
    {
        using var model = Load("qwen3-hub-float16");
        using PromptState prompt = model.Prefill(Tokens(model, 60), new PrefillRequest { DecodeConfigurations = [Dense()] }, Cancel);
        using DecodeSequence sequence = prompt.StartSequence(0);
        using DecodeSequence other = prompt.StartSequence(0);
        Run(model, sequence, Tokens(model, 3, 1));
        Run(model, other, Tokens(model, 3, 1));
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => model.Step([new StepRow(sequence, 1)], [], source.Token));
        Assert.Equal(3, sequence.GeneratedLength);
        Assert.Equal(Run(model, other, Tokens(model, 3, 2)), Run(model, sequence, Tokens(model, 3, 2)));
        Assert.Equal(Untimed(other.Statistics), Untimed(sequence.Statistics));
    }

    [Fact]
    public void A_prefill_stops_when_it_is_cancelled()
    {
        using var model = Load("qwen3-hub-float16");
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            model.Prefill(Tokens(model, 60), new PrefillRequest { LayerDone = _ => source.Cancel() }, source.Token));
    }

    [Fact]
    public void Too_many_tokens_are_refused_before_work_begins()
    {
        using var model = Load("qwen3-hub-float16");
        var request = new PrefillRequest { MaximumOutputTokens = 1000, LayerDone = _ => Assert.Fail("Work began.") };
        Assert.Equal(ErrorIds.SequenceTooLong, Error(() => model.Prefill(Tokens(model, 25), request, Cancel)).ErrorId);
        Assert.Contains("1024", Error(() => model.Prefill(Tokens(model, 1025), new PrefillRequest(), Cancel)).Message, StringComparison.Ordinal);
        using PromptState prompt = model.Prefill(Tokens(model, 1020), new PrefillRequest { DecodeConfigurations = [Dense()] }, Cancel);
        using DecodeSequence sequence = prompt.StartSequence(0);
        Run(model, sequence, Tokens(model, 3));
        Assert.Equal(ErrorIds.SequenceTooLong, Error(() => model.Step([new StepRow(sequence, 1), new StepRow(sequence, 1)], [], Cancel)).ErrorId);
        Run(model, sequence, Tokens(model, 1));
    }

    [Fact]
    public void Tokens_of_another_vocabulary_are_refused()
    {
        using var model = Load("qwen3-hub-float16");
        Assert.Equal(ErrorIds.TokenizerInvalid, Error(() => model.Prefill([1, 512], new PrefillRequest(), Cancel)).ErrorId);
        Assert.Equal(ErrorIds.TokenizerInvalid, Error(() => model.Prefill([-1], new PrefillRequest(), Cancel)).ErrorId);
        Assert.Equal(ErrorIds.SequenceLengthInvalid, Error(() => model.Prefill([], new PrefillRequest(), Cancel)).ErrorId);
    }

    [Fact]
    public void A_Yarn_factor_of_the_request_is_the_checkpoints_own_scaling()
    {
        string? directory = Checkpoints.Find("qwen25yarn-hub-float32");
        Assert.SkipWhen(directory is null, "The shared fixtures are not beside the checkout.");
        using var scaled = TransformerModel.Load(directory!);
        using var plain = new EditedCheckpoint(directory!).Configure(c =>
        {
            c.Remove("rope_scaling");
            c["max_position_embeddings"] = 64;
        });
        using var model = TransformerModel.Load(plain.Directory);
        int[] tokens = Tokens(model, 200);
        Assert.Equal(ErrorIds.SequenceTooLong, Error(() => model.ForwardLogits(tokens, cancellationToken: Cancel)).ErrorId);
        Assert.Equal(scaled.ForwardLogits(tokens, cancellationToken: Cancel), model.ForwardLogits(tokens, 4, Cancel));

        // The decode path rotates by the same factor.
        var request = new PrefillRequest { DecodeConfigurations = [Dense()] };
        using PromptState expected = scaled.Prefill(tokens, request, Cancel);
        using PromptState actual = model.Prefill(tokens, request with { YarnFactor = 4 }, Cancel);
        using DecodeSequence first = expected.StartSequence(0);
        using DecodeSequence second = actual.StartSequence(0);
        Assert.Equal(Run(scaled, first, Tokens(model, 5)), Run(model, second, Tokens(model, 5)));
        Assert.Equal(ErrorIds.ParameterInvalid, Error(() => model.ForwardLogits(tokens, 0.5, Cancel)).ErrorId);
    }

    [Fact]
    public void The_content_hash_depends_on_content_and_not_on_layout()
    {
        string source = Checkpoints.Find("qwen3-hub-float16")!;
        string expected = Hash(new EditedCheckpoint(source));
        Assert.Matches("^[0-9a-f]{64}$", expected);
        Assert.Equal(expected, Hash(new EditedCheckpoint(source).Shard(3)));
        Assert.NotEqual(expected, Hash(new EditedCheckpoint(source).ChangeWeights(t => t["model.layers.1.mlp.up_proj.weight"].Bytes[77] ^= 1)));
        Assert.NotEqual(expected, Hash(new EditedCheckpoint(source).Configure(c => c["rms_norm_eps"] = 1e-5)));
        Assert.NotEqual(expected, Hash(new EditedCheckpoint(source).Configure(c => c["eos_token_id"] = 7, "generation_config.json")));

        static string Hash(EditedCheckpoint checkpoint)
        {
            using (checkpoint)
            {
                using var model = TransformerModel.Load(checkpoint.Directory);
                return model.ContentHash;
            }
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static TransformerModel Load(string name) => TransformerModel.Load(Checkpoints.Find(name)!);

    private static int[] Tokens(TransformerModel model, int count, int stream = 0)
    {
        var random = new RandomSource("test/tokens", stream);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Configuration.VocabularySize))];
    }

    private static DecodeConfiguration Dense() => Configuration("Dense");

    private static DecodeConfiguration DenseIn(int[] layers, DecodeConfiguration configuration) =>
        configuration with { Parameters = configuration.Parameters.With(BudgetSchedule.DenseLayers(layers)) };

    private static DecodeConfiguration SnapKV(int capacity) => Configuration("SnapKV", ("Capacity", capacity), ("Window", 16), ("KernelSize", 5), ("LocalWindow", 8), ("PrefixTokens", 2));

    private static DecodeConfiguration AdaSnapKV(int capacity) => Configuration("AdaSnapKV", ("Capacity", capacity), ("Window", 16), ("KernelSize", 5), ("LocalWindow", 8), ("PrefixTokens", 2));

    private static DecodeConfiguration Quest() => Configuration("Quest", ("PageSize", 8), ("TokenBudget", 40));

    private static DecodeConfiguration Configuration(string name, params (string Name, double Value)[] parameters)
    {
        DecodeMethod method = MethodRegistry.DecodeMethods.First(m => m.Name == name);
        return new DecodeConfiguration(method, method.CreateParameters(parameters.Select(p => new KeyValuePair<string, double>(p.Name, p.Value))));
    }

    // Logits of a prefill and of a few steps under each kind of decode configuration.
    private static List<float[]> Observe(TransformerModel model, int[] prompt, int? chunkRows)
    {
        var request = new PrefillRequest { ChunkRows = chunkRows, DecodeConfigurations = [Dense(), SnapKV(48), Quest()] };
        using PromptState state = model.Prefill(prompt, request, Cancel);
        var seen = new List<float[]> { state.LastLogits };
        for (int i = 0; i < request.DecodeConfigurations.Count; i++)
        {
            using DecodeSequence sequence = state.StartSequence(i);
            seen.Add(Run(model, sequence, Tokens(model, 5, 1)));
        }

        return seen;
    }

    private static float[] Run(TransformerModel model, DecodeSequence sequence, int[] tokens)
    {
        int vocabulary = model.Configuration.VocabularySize;
        float[] logits = new float[tokens.Length * vocabulary];
        for (int i = 0; i < tokens.Length; i++)
        {
            model.Step([new StepRow(sequence, tokens[i])], logits.AsSpan(i * vocabulary, vocabulary), Cancel);
        }

        return logits;
    }

    private static DecodeStatistics Untimed(DecodeStatistics statistics) => statistics with { IndexSeconds = 0, AttentionSeconds = 0 };

    private static SparseFrontierException Error(Action action) => Assert.Throws<SparseFrontierException>(action);
}
