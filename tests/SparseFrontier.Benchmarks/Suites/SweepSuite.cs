using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// One sample under 30 decode configurations (ten budgets each of SnapKV, AdaSnapKV and Quest): one prefill that evicts for all of them and
/// one batch of 30, against a dense prefill and 30 decodes one after the other.
/// </summary>
internal static class SweepSuite
{
    private const int OutputTokens = 24;

    public static void Run(BenchmarkReport report)
    {
        Measure(report, "frontier-7m", Path.Combine(Root(), "models", "frontier-7m"), 4096, 3);
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-benchmark-").FullName;
        try
        {
            WriteModel(folder);
            Measure(report, "random model", folder, 1024, 2);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Measure(BenchmarkReport report, string name, string directory, int length, int rounds)
    {
        using var model = TransformerModel.Load(directory);
        var random = new RandomSource("benchmark/sweep");
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Configuration.VocabularySize))];
        DecodeConfiguration[] configurations = [.. Configurations(length)];
        var dense = new DenseDecode();
        var denseOnly = new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(dense, dense.CreateParameters())] };
        var all = new PrefillRequest { DecodeConfigurations = configurations };
        using PromptState prompt = model.Prefill(tokens, all);
        var options = new GenerationOptions { MaximumTokens = OutputTokens, StopTokens = [] };
        Contender[] contenders =
        [
            new Contender("dense prefill", () => model.Prefill(tokens, denseOnly).Dispose()),
            new Contender("prefill for 30", () => model.Prefill(tokens, all).Dispose()),
            new Contender("30 decodes", () =>
            {
                for (int i = 0; i < configurations.Length; i++)
                {
                    Decode([i]);
                }
            }),
            new Contender("batch of 30", () => Decode([.. Enumerable.Range(0, configurations.Length)])),
        ];
        IReadOnlyDictionary<string, TimingResult> results = report.Measure(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{name}: {model.SizeInBytes / 1e6:0} MB of {model.DataType} weights, {length} prompt tokens, {OutputTokens} output tokens"),
            new InterleavedTimer { Rounds = rounds },
            contenders,
            "dense prefill");
        double sweep = results["prefill for 30"].MedianSeconds + results["batch of 30"].MedianSeconds;
        double allowed = (1.05 * results["dense prefill"].MedianSeconds) + (0.5 * results["30 decodes"].MedianSeconds);
        report.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: the sweep takes {sweep:0.000} s; 1.05 dense prefills and half of 30 decodes take {allowed:0.000} s: {sweep / allowed:0.00} of that. Prefill for 30 over dense: {results["prefill for 30"].MedianSeconds / results["dense prefill"].MedianSeconds:0.000}; batch over separate decodes: {results["batch of 30"].MedianSeconds / results["30 decodes"].MedianSeconds:0.000}"));

        void Decode(int[] which)
        {
            DecodeSequence[] sequences = [.. which.Select(prompt.StartSequence)];
            Generation.Generate(model, [.. sequences.Select(s => new GenerationInput(s, prompt.LastLogits))], options);
            Array.ForEach(sequences, s => s.Dispose());
        }
    }

    // Ten budgets from 2/16 to 11/16 of the prompt.
    private static IEnumerable<DecodeConfiguration> Configurations(int length)
    {
        foreach (string name in (string[])["SnapKV", "AdaSnapKV", "Quest"])
        {
            DecodeMethod method = MethodRegistry.FindDecode(name);
            for (int i = 2; i <= 11; i++)
            {
                string parameters = name == "Quest" ? $"TokenBudget={length * i / 16}" : $"Capacity={length * i / 16};LocalWindow=64";
                yield return new DecodeConfiguration(method, method.CreateParameters(parameters));
            }
        }
    }

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "SparseFrontier.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("The repository is not above the benchmark's program.");
    }

    // A Llama of 12 layers: 255 MB of random bfloat16 weights, more than the caches of any processor in use.
    private static void WriteModel(string folder)
    {
        const int Hidden = 1024;
        const int Intermediate = 2816;
        const int Layers = 12;
        const int Vocabulary = 4096;
        const int KeyWidth = 256;
        var configuration = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = "llama",
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Intermediate,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = 16,
            ["num_key_value_heads"] = 4,
            ["head_dim"] = 64,
            ["vocab_size"] = Vocabulary,
            ["max_position_embeddings"] = 32768,
            ["rms_norm_eps"] = 1e-5,
            ["rope_theta"] = 10000.0,
            ["hidden_act"] = "silu",
            ["tie_word_embeddings"] = true,
            ["eos_token_id"] = 0,
            ["torch_dtype"] = "bfloat16",
        };
        File.WriteAllText(Path.Combine(folder, "config.json"), configuration.ToJsonString());
        List<(string Name, long[] Shape)> shapes = [("model.embed_tokens.weight", [Vocabulary, Hidden]), ("model.norm.weight", [Hidden])];
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            shapes.AddRange(
            [
                (prefix + "self_attn.q_proj.weight", [Hidden, Hidden]),
                (prefix + "self_attn.k_proj.weight", [KeyWidth, Hidden]),
                (prefix + "self_attn.v_proj.weight", [KeyWidth, Hidden]),
                (prefix + "self_attn.o_proj.weight", [Hidden, Hidden]),
                (prefix + "mlp.gate_proj.weight", [Intermediate, Hidden]),
                (prefix + "mlp.up_proj.weight", [Intermediate, Hidden]),
                (prefix + "mlp.down_proj.weight", [Hidden, Intermediate]),
                (prefix + "input_layernorm.weight", [Hidden]),
                (prefix + "post_attention_layernorm.weight", [Hidden]),
            ]);
        }

        var writer = new SafetensorsWriter();
        var random = new RandomSource("benchmark/model");
        foreach ((string name, long[] shape) in shapes)
        {
            // Norms of 1; matrices that keep the size of what they are multiplied with.
            ushort[] values = new ushort[shape[0] * (shape.Length > 1 ? shape[1] : 1)];
            double width = shape.Length > 1 ? Math.Sqrt(3.0 / shape[1]) : 0;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = BFloat16.Round(shape.Length > 1 ? (float)(width * ((2 * random.NextDouble()) - 1)) : 1);
            }

            writer.Add(name, DataType.BF16, shape, MemoryMarshal.AsBytes<ushort>(values));
        }

        writer.Write(Path.Combine(folder, "model.safetensors"));
    }
}
