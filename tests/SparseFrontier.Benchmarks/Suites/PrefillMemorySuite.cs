using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Resident memory of whole processes that read long prompts through narrow random checkpoints, beside what docs/models.md promises: weights, KV cache, twice the
/// prompt's hidden states and 512 MB. Each case has a process of its own, whose peak the system keeps.
/// </summary>
internal static class PrefillMemorySuite
{
    /// <summary>What a child process is called with: shape, method and length follow.</summary>
    public const string ChildArgument = "prefill-memory-child";

    private const int Vocabulary = 4096;

    // Few heads of the size of published models', few and narrow layers, so that minutes are enough. The first has Llama's and Qwen's heads of 128 elements; the second
    // Gemma 3's of 256, together wider than the hidden states by one head as in Gemma 3 12B, and a layer with a window before one without.
    private static readonly (string Name, string Configuration)[] s_shapes =
    [
        ("heads of 128", """
            {"model_type":"qwen3","hidden_size":512,"intermediate_size":512,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":128,
             "vocab_size":4096,"max_position_embeddings":131200,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"eos_token_id":1,"tie_word_embeddings":true,"torch_dtype":"bfloat16"}
            """),
        ("heads of 256", """
            {"model_type":"gemma3_text","hidden_size":256,"intermediate_size":512,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":256,
             "vocab_size":4096,"max_position_embeddings":131200,"rms_norm_eps":1e-6,"rope_theta":1000000.0,"rope_local_base_freq":10000.0,"eos_token_id":1,
             "sliding_window":1024,"layer_types":["sliding_attention","full_attention"],"query_pre_attn_scalar":256,"tie_word_embeddings":true,"torch_dtype":"bfloat16"}
            """),
    ];

    private static readonly (string Name, string Parameters)[] s_methods =
    [
        ("WindowSink", "BlockSize=64;TopBlocks=32"),
        ("BlockSparse", "BlockSize=64;TopBlocks=64"),
    ];

    /// <summary>Runs at the lengths of SPARSEFRONTIER_LENGTHS, or 32K, 64K and 128K.</summary>
    public static void Run(BenchmarkReport report)
    {
        string? asked = Environment.GetEnvironmentVariable("SPARSEFRONTIER_LENGTHS");
        int[] lengths = [.. (asked ?? "32768,65536,131072").Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        report.Note("Beyond: the peak less weights, cache and twice the hidden states; runtime: what of it the process held before it read; divided: what PrefillMemory expects of the rest.");
        report.Note("MB are millions of bytes. The cache of each prompt is kept for dense decoding and, evicted, for SnapKV (Capacity 4096).");
        for (int shape = 0; shape < s_shapes.Length; shape++)
        {
            string folder = Directory.CreateTempSubdirectory("sparsefrontier-memory-").FullName;
            try
            {
                WriteCheckpoint(folder, s_shapes[shape].Configuration);
                var rows = new List<(string, double[])>();
                foreach (int length in lengths)
                {
                    for (int method = 0; method < s_methods.Length; method++)
                    {
                        rows.Add((FormattableString.Invariant($"{length} {s_methods[method].Name}"), Measure(folder, method, length)));
                    }
                }

                report.AddTable(
                    $"Resident memory of a process that reads a prompt, in MB: {s_shapes[shape].Name}",
                    ["weights", "cache", "2 hidden", "runtime", "divided", "peak", "beyond", "seconds"],
                    rows);
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    /// <summary>What a child process does: reads one prompt and prints the figures of its row.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="method">Index of the prefill method.</param>
    /// <param name="length">Prompt tokens.</param>
    public static void RunChild(string folder, int method, int length)
    {
        using var model = TransformerModel.Load(folder);
        PrefillMethod prefill = MethodRegistry.FindPrefill(s_methods[method].Name);
        DecodeMethod dense = MethodRegistry.FindDecode("Dense");
        DecodeMethod snap = MethodRegistry.FindDecode("SnapKV");
        var request = new PrefillRequest
        {
            Method = prefill,
            Parameters = prefill.CreateParameters(s_methods[method].Parameters),
            DecodeConfigurations = [new(dense, dense.CreateParameters()), new(snap, snap.CreateParameters("Capacity=4096"))],
        };
        int[] tokens = [.. Enumerable.Range(0, length).Select(i => (int)((i * 7919L) + (i * (long)i % 613)) % Vocabulary)];
        double runtime = PeakResidentBytes() - model.SizeInBytes;
        long start = Stopwatch.GetTimestamp();
        using PromptState prompt = model.Prefill(tokens, request);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double hidden = 2.0 * length * model.Configuration.HiddenSize * sizeof(float);
        double peak = PeakResidentBytes();
        double named = model.SizeInBytes + prompt.CacheBytes + hidden;
        var memory = PrefillMemory.Divide(model.Configuration, model.CacheType, length, request);
        double[] figures = [model.SizeInBytes / 1e6, prompt.CacheBytes / 1e6, hidden / 1e6, runtime / 1e6, memory.ExtraBytes / 1e6, peak / 1e6, (peak - named) / 1e6, seconds];
        Console.WriteLine(string.Join(' ', figures.Select(f => f.ToString("R", CultureInfo.InvariantCulture))));
    }

    // Linux's own count: that of .NET is what is resident now.
    private static double PeakResidentBytes() =>
        1024 * double.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).AsSpan(6).Trim().TrimEnd("kB"), CultureInfo.InvariantCulture);

    private static double[] Measure(string folder, int method, int length)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        string[] arguments = [ChildArgument, folder, method.ToString(CultureInfo.InvariantCulture), length.ToString(CultureInfo.InvariantCulture)];
        Array.ForEach(arguments, start.ArgumentList.Add);
        using Process child = Process.Start(start)!;
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return child.ExitCode == 0
            ? [.. output.Split(' ').Select(f => double.Parse(f, CultureInfo.InvariantCulture))]
            : throw new InvalidOperationException($"The process for {length} tokens ended with exit code {child.ExitCode}.");
    }

    // Random weights of the shapes that a configuration asks for, bfloat16.
    private static void WriteCheckpoint(string folder, string text)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), text);
        JsonNode configuration = JsonNode.Parse(text)!;
        bool gemma = (string)configuration["model_type"]! == "gemma3_text";
        int hidden = (int)configuration["hidden_size"]!;
        int intermediate = (int)configuration["intermediate_size"]!;
        int dimension = (int)configuration["head_dim"]!;
        int queries = (int)configuration["num_attention_heads"]! * dimension;
        int keys = (int)configuration["num_key_value_heads"]! * dimension;
        var random = new RandomSource("benchmarks/prefill-memory");
        var writer = new SafetensorsWriter();
        Add("model.embed_tokens.weight", Vocabulary, hidden);
        Add("model.norm.weight", hidden);
        for (int layer = 0; layer < (int)configuration["num_hidden_layers"]!; layer++)
        {
            string prefix = FormattableString.Invariant($"model.layers.{layer}.");
            string[] norms = gemma
                ? ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"]
                : ["input_layernorm", "post_attention_layernorm"];
            Array.ForEach(norms, norm => Add($"{prefix}{norm}.weight", hidden));
            Add(prefix + "self_attn.q_norm.weight", dimension);
            Add(prefix + "self_attn.k_norm.weight", dimension);
            Add(prefix + "self_attn.q_proj.weight", queries, hidden);
            Add(prefix + "self_attn.k_proj.weight", keys, hidden);
            Add(prefix + "self_attn.v_proj.weight", keys, hidden);
            Add(prefix + "self_attn.o_proj.weight", hidden, queries);
            Add(prefix + "mlp.gate_proj.weight", intermediate, hidden);
            Add(prefix + "mlp.up_proj.weight", intermediate, hidden);
            Add(prefix + "mlp.down_proj.weight", hidden, intermediate);
        }

        writer.Write(Path.Combine(folder, "model.safetensors"));

        void Add(string name, params long[] shape)
        {
            // Norms around 1 (Gemma adds 1 itself), matrices that keep the size of what they multiply.
            long count = shape.Aggregate(1L, (product, extent) => product * extent);
            double scale = shape.Length == 1 ? 0.1 : 1 / Math.Sqrt(shape[1]);
            double mean = shape.Length == 1 && !gemma ? 1 : 0;
            byte[] bytes = new byte[2 * count];
            for (long i = 0; i < count; i++)
            {
                BitConverter.TryWriteBytes(bytes.AsSpan((int)(2 * i)), BFloat16.Round((float)(mean + (scale * random.NextNormal()))));
            }

            writer.Add(name, DataType.BF16, shape, bytes);
        }
    }
}
