using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

/// <summary>
/// What reading a prompt allocates: the KV cache, twice the prompt's hidden states, and at most 512 MB. Alone, because the whole process is counted.
/// </summary>
[Collection(nameof(PrefillMemoryTests))]
[CollectionDefinition(nameof(PrefillMemoryTests), DisableParallelization = true)]
public sealed class PrefillMemoryTests
{
    private const int Short = 2048;
    private const int Long = 6144;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private const long Megabytes512 = 512_000_000;

    public static TheoryData<string, string> PublishedModels => new()
    {
        { "Qwen2.5-7B", Text("qwen2", 3584, 18944, 28, 28, 4, 128) },
        { "Qwen2.5-72B", Text("qwen2", 8192, 29568, 80, 64, 8, 128) },
        { "Qwen3-0.6B", Text("qwen3", 1024, 3072, 28, 16, 8, 128) },
        { "Qwen3-8B", Text("qwen3", 4096, 12288, 36, 32, 8, 128) },
        { "Llama-3.1-8B", Text("llama", 4096, 14336, 32, 32, 8, 128) },
        { "Llama-3.1-70B", Text("llama", 8192, 28672, 80, 64, 8, 128) },
        { "Mistral-7B-v0.1", Text("mistral", 4096, 14336, 32, 32, 8, 128, "\"sliding_window\":4096") },
        { "Gemma-3-4B", Text("gemma3_text", 2560, 10240, 34, 8, 4, 256, "\"sliding_window\":1024") },
        { "Gemma-3-12B", Text("gemma3_text", 3840, 15360, 48, 16, 8, 256, "\"sliding_window\":1024") },
        { "Gemma-3-27B", Text("gemma3_text", 5376, 21504, 62, 32, 16, 128, "\"sliding_window\":1024") },
    };

    [Theory]
    [MemberData(nameof(PublishedModels))]
    public void Published_models_read_131072_tokens_within_512_MB_beside_the_named_terms(string name, string json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("config.json"), json);
        var c = ModelConfiguration.Load(folder.Path);
        foreach (int length in (int[])[4096, 16384, 32768, 65536, 131072])
        {
            foreach (string? method in (string?[])[null, "BlockSparse"])
            {
                PrefillRequest request = Request(method) with { QueryBytes = 128L << 20, WidenedBytes = 64L << 20, RotaryBytes = new PrefillRequest().RotaryBytes };
                var memory = PrefillMemory.Divide(c, DataType.BF16, length, request);
                Assert.True(memory.ExtraBytes <= Megabytes512, $"{name} at {length} tokens takes {memory.ExtraBytes / 1e6:F0} MB");

                // Room for the plan of a head of VerticalSlash, and for products that are not slower.
                Assert.InRange(memory.SelectionBytes, 8 << 20, 64 << 20);
                Assert.InRange(memory.ChunkRows, 128, 512);
            }
        }

        // Rotary tables of the whole prompt are what heads of 256 elements have no room for.
        var tables = PrefillMemory.Divide(c, DataType.BF16, 131072, new PrefillRequest { RotaryBytes = long.MaxValue });
        Assert.Equal(c.HeadDimension == 256, tables.ExtraBytes > Megabytes512);
    }

    [Fact]
    public void A_prompt_of_131072_tokens_through_heads_of_256_elements_takes_512_MB_beside_the_named_terms()
    {
        const int Length = 131072;
        using EditedCheckpoint checkpoint = GemmaHeads();
        using var model = TransformerModel.Load(checkpoint.Directory);
        Assert.Equal((256, 1, 2), (model.Configuration.HeadDimension, model.Configuration.GlobalLayerCount, model.Configuration.KvHeads));
        PrefillMethod method = MethodRegistry.FindPrefill("WindowSink");
        DecodeMethod dense = MethodRegistry.FindDecode("Dense");
        var request = new PrefillRequest
        {
            Method = method,
            Parameters = method.CreateParameters("BlockSize=64;TopBlocks=3"),
            DecodeConfigurations = [new(dense, dense.CreateParameters())],
        };
        (long peak, long cache) = Measure(model, request, Length);
        long extra = peak - cache - (2L * Length * model.Configuration.HiddenSize * sizeof(float));
        var memory = PrefillMemory.Divide(model.Configuration, model.CacheType, Length, request);
        Assert.InRange(extra, memory.ExtraBytes - (9 * memory.SelectionBytes / 4), memory.ExtraBytes);
        Assert.InRange(memory.ExtraBytes, 0, Megabytes512);
    }

    // Query heads are as wide as the hidden states, twice and four times as wide; Gemma has sliding layers, of which a chunk and its window are held.
    [Theory]
    [InlineData("qwen25-hub-bfloat16", 1, null)]
    [InlineData("qwen3-hub-float16", 1, null)]
    [InlineData("qwen3-hub-float16", 2, null)]
    [InlineData("qwen3-hub-float16", 2, "VerticalSlash")]
    [InlineData("qwen3-hub-float16", 2, "BlockSparse")]
    [InlineData("gemma3-v5config-bfloat16", 1, null)]
    public void A_prefill_holds_the_cache_twice_the_hidden_states_and_a_fixed_amount(string name, int wider, string? method)
    {
        using EditedCheckpoint checkpoint = Widen(name, wider);
        using var model = TransformerModel.Load(checkpoint.Directory);
        ModelConfiguration c = model.Configuration;
        Assert.Equal(4 * wider, c.QueryHeads);
        PrefillRequest request = Request(method);

        // Of a bfloat16 cache one KV head in float32, and not the layer.
        Assert.Equal(2, c.KvHeads);
        long head = model.CacheType == DataType.F32 ? 0 : 2L * c.HeadDimension * sizeof(float);

        // A group of heads: two of 32 elements; where all are no wider than the hidden states, they are among the twice of these.
        int queryWidth = c.QueryHeads * c.HeadDimension;
        long group = queryWidth <= c.HiddenSize ? 0 : 64 * sizeof(float);
        long hidden = c.HiddenSize * sizeof(float);

        // Sums by key and offset of a window's attention, in each thread.
        long estimates = method is null ? 0 : 3 * sizeof(float) * WorkerPool.ThreadCount;
        (long shorter, long shorterCache) = Measure(model, request, Short);
        (long longer, long longerCache) = Measure(model, request, Long);
        long perToken = ((longerCache - shorterCache) / (Long - Short)) + head + (2 * hidden) + group + estimates;

        // Scores of 64 of a window's queries with the first 16384 keys, in each thread.
        const int ScoreBytes = 64 * sizeof(float);
        const int MostKeys = 16384;
        long scores = (long)ScoreBytes * WorkerPool.ThreadCount * (Math.Min(Long, MostKeys) - Math.Min(Short, MostKeys));
        Assert.InRange(longer - shorter, 0, ((Long - Short) * perToken) + scores);
        Assert.InRange(longer, longerCache, (Long * perToken) + scores + (8 << 20));
        Assert.InRange(longer, longerCache, longerCache + (Long * 2 * hidden) + PrefillMemory.Divide(c, model.CacheType, Long, request).ExtraBytes);
        if (head > 0)
        {
            (long wholeShorter, _) = Measure(model, request with { WidenedBytes = long.MaxValue }, Short);
            (long wholeLonger, _) = Measure(model, request with { WidenedBytes = long.MaxValue }, Long);
            Assert.True(wholeLonger - wholeShorter > (Long - Short) * perToken, "a layer in float32 exceeds it");
        }

        if (wider > 1)
        {
            (long ungroupedShorter, _) = Measure(model, request with { QueryBytes = long.MaxValue }, Short);
            (long ungroupedLonger, _) = Measure(model, request with { QueryBytes = long.MaxValue }, Long);
            Assert.True(ungroupedLonger - ungroupedShorter > (Long - Short) * perToken, "without groups the queries alone exceed it");
        }
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("cuda:0")]
    public void The_peak_in_a_row_is_that_of_its_own_prompt(string device)
    {
        Assert.SkipUnless(device == "cpu" || CudaStatus.Missing(0) is null, CudaStatus.Missing(0)?.Message ?? "");
        var factory = new TransformerEngineFactory();
        using SampleEngine engine = factory.Open(Path.Combine(Fixtures.Root, "models", ModelCatalog.DefaultName), device);

        // What other tests left is not freed while this one counts.
        CudaMemory.FreeUnowned();
        long weights = engine.UsedBytes;
        SampleJob[] jobs = [Job("Dense"), Job("Dense", "SnapKV"), Job("BlockSparse"), Job("VerticalSlash"), Job("FlexPrefill")];
        TaskSource source = jobs[0].Run.Task.Open(jobs[0].Run.TaskOptions, engine.Encoder);
        TaskSample[] samples = [.. Enumerable.Range(0, 3).Select(i => source.Generate(i))];

        // What a thread keeps between prompts is there once it has taken part in each kind of work, which a loaded machine may put off: then the comparison counts that comes after.
        for (int attempt = 1; attempt <= 5; attempt++)
        {
            if (Difference() is not { } difference)
            {
                return;
            }

            Assert.True(attempt < 5, difference);
        }

        string? Difference()
        {
            _ = Peaks(1, samples[0], jobs);
            var alone = jobs.Where(j => j.Run.Prefill.Name != "Dense").ToDictionary(j => j.RunId, j => Peaks(1, samples[0], [j])[j.RunId]);
            long dense = Peaks(1, samples[0], jobs[..1])[jobs[0].RunId];
            foreach (int batch in (int[])[1, 30])
            {
                Dictionary<string, long> together = Peaks(batch, samples[0], jobs);
                Assert.Equal(together[jobs[0].RunId], together[jobs[1].RunId]);
                Assert.True(together[jobs[0].RunId] > dense + (64 << 10), "what SnapKV keeps is there, too");
                foreach ((string run, long peak) in alone)
                {
                    if (Math.Abs(together[run] - peak) > 64 << 10)
                    {
                        return $"{run} has a peak of {peak} bytes alone and of {together[run]} beside others, batch {batch}";
                    }
                }
            }

            return null;
        }

        Dictionary<string, long> Peaks(int batch, TaskSample sample, SampleJob[] some)
        {
            // A mark left by others, and other samples under way, whose caches alone are more than is allowed to differ.
            new NativeArray<byte>(256 << 20).Dispose();
            var peaks = new Dictionary<string, long>();
            using var runner = new SampleRunner(engine, batch, Cancel);
            foreach (TaskSample each in batch > 1 ? [.. samples.Where(s => s != sample), sample] : (TaskSample[])[sample])
            {
                runner.Add(each, some, new DenseReference(false, null), (job, row) =>
                {
                    Assert.InRange(row.PeakMemoryBytes!.Value, weights + row.CacheBytes!.Value, weights + row.CacheBytes.Value + ((device == "cpu" ? 64 : 512) << 20));
                    peaks[job.RunId] = row.PeakMemoryBytes.Value;
                });
            }

            runner.Drain();
            return peaks;
        }

        SampleJob Job(string method, string decode = "Dense")
        {
            var plan = PlannedRun.Create(
                new RunSpecification
                {
                    Model = ModelCatalog.DefaultName,
                    Method = method,
                    DecodeMethod = decode,
                    Parameters = method switch { "BlockSparse" => "BlockSize=64;TopBlocks=4", "VerticalSlash" => "VerticalSize=64;SlashSize=64", _ => "" },
                    DecodeParameters = decode == "SnapKV" ? "Capacity=256" : "",
                    Task = "Niah",
                    SequenceLength = 1024,
                    MaximumOutputTokens = 12,
                },
                factory);
            return new SampleJob(plan, method + decode, plan.PrefillParameters, plan.DecodeParameters);
        }
    }

    private static PrefillRequest Request(string? method)
    {
        PrefillMethod? prefill = method is null ? null : MethodRegistry.FindPrefill(method);
        DecodeMethod dense = MethodRegistry.FindDecode("Dense");
        DecodeMethod snap = MethodRegistry.FindDecode("SnapKV");
        return new PrefillRequest
        {
            Method = prefill,
            Parameters = method switch
            {
                "VerticalSlash" => prefill!.CreateParameters("VerticalSize=1500;SlashSize=80;Window=64"),
                "BlockSparse" => prefill!.CreateParameters("BlockSize=64;TopBlocks=8"),
                _ => null,
            },
            DecodeConfigurations = [new(dense, dense.CreateParameters()), new(snap, snap.CreateParameters("Capacity=256;Window=64"))],
            QueryBytes = 0,
            WidenedBytes = 0,
            RotaryBytes = 0,
        };
    }

    private static string Text(string type, int hidden, int intermediate, int layers, int heads, int kvHeads, int dimension, string? more = null) => FormattableString.Invariant(
        $"{{\"model_type\":\"{type}\",\"hidden_size\":{hidden},\"intermediate_size\":{intermediate},\"num_hidden_layers\":{layers},\"num_attention_heads\":{heads},")
        + FormattableString.Invariant($"\"num_key_value_heads\":{kvHeads},\"head_dim\":{dimension},\"vocab_size\":1000,\"max_position_embeddings\":131072,\"torch_dtype\":\"bfloat16\"")
        + (more is null ? "}" : $",{more}}}");

    // Gemma 3's shape of heads on the small checkpoint, with what it has repeated: four query and two KV heads of 256 elements.
    private static EditedCheckpoint GemmaHeads() => new EditedCheckpoint(Checkpoints.Find("gemma3-v5config-bfloat16")!)
        .Configure(config =>
        {
            config["max_position_embeddings"] = 131072;
            config["head_dim"] = 256;
        })
        .ChangeWeights(tensors =>
        {
            foreach (string tensor in tensors.Keys.Where(k => k.Contains("self_attn", StringComparison.Ordinal)).ToArray())
            {
                (DataType type, long[] shape, byte[] bytes) = tensors[tensor];
                byte[] repeated = [.. Enumerable.Repeat(bytes, 8).SelectMany(b => b)];
                tensors[tensor] = (type, tensor.EndsWith("o_proj.weight", StringComparison.Ordinal) ? [shape[0], 8 * shape[1]] : [8 * shape[0], .. shape[1..]], repeated);
            }
        });

    // Most bytes held beside the model, and those of the caches that remain.
    private static (long Peak, long Cache) Measure(TransformerModel model, PrefillRequest request, int length)
    {
        var random = new RandomSource("test/tokens");
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Configuration.VocabularySize))];
        GC.Collect();
        GC.WaitForPendingFinalizers();
        NativeMemoryUse.ResetPeak();
        long before = NativeMemoryUse.Live;
        using PromptState state = model.Prefill(tokens, request, Cancel);
        return (NativeMemoryUse.Peak - before, state.CacheBytes);
    }

    // Repeats the query heads and their columns of the output projection; room for long prompts.
    private static EditedCheckpoint Widen(string name, int times) => new EditedCheckpoint(Checkpoints.Find(name)!)
        .Configure(config =>
        {
            config["max_position_embeddings"] = 2 * Long;
            config["num_attention_heads"] = 4 * times;
        })
        .ChangeWeights(tensors =>
        {
            foreach (string tensor in tensors.Keys.Where(k => times > 1 && (k.EndsWith("q_proj.weight", StringComparison.Ordinal) || k.EndsWith("o_proj.weight", StringComparison.Ordinal))).ToArray())
            {
                (DataType type, long[] shape, byte[] bytes) = tensors[tensor];
                bool rows = tensor.EndsWith("q_proj.weight", StringComparison.Ordinal);
                byte[][] parts = rows ? [bytes] : [.. bytes.Chunk((int)(bytes.Length / shape[0]))];
                byte[] repeated = [.. parts.SelectMany(p => Enumerable.Repeat(p, times).SelectMany(x => x))];
                tensors[tensor] = (type, rows ? [shape[0] * times, shape[1]] : [shape[0], shape[1] * times], repeated);
            }
        });
}
