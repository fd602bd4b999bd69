using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>A random checkpoint of Qwen2.5-7B's shape on the first GPU: prefill and decode; the peers' side is cuda/peers_model.py.</summary>
internal static class CudaModelSuite
{
    private static readonly (string Method, string Parameters)[] s_methods =
        [("Dense", ""), ("BlockSparse", "BlockSize=128;TopBlocks={0}"), ("BlockSparse", "BlockSize=64;TopBlocks={0}"), ("VerticalSlash", "VerticalSize=1024;SlashSize=1024")];

    /// <summary>Runs at the lengths of SPARSEFRONTIER_LENGTHS, or 8K, 32K and 128K.</summary>
    public static void Run(BenchmarkReport report)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-qwen-").FullName;
        try
        {
            RandomCheckpoint.Qwen7B.Write(folder);
            var device = CudaDevice.Get(0);
            using var model = CudaModel.CreateRandom(folder, [device], 1);
            report.Note($"{device.Properties.Name}; weights {device.UsedBytes / 1073741824.0:F1} GiB; cuBLASLt {CudaLibraries.HasProducts}");
            string? asked = Environment.GetEnvironmentVariable("SPARSEFRONTIER_LENGTHS");
            int[] lengths = [.. (asked ?? "8192,32768,131072").Split(',').Select(int.Parse)];
            foreach (int length in lengths)
            {
                int[] tokens = [.. Enumerable.Range(0, length).Select(i => (int)(i * 7919L % 150_000))];
                foreach ((string name, string text) in s_methods)
                {
                    if (length <= 65536 || !text.Contains("=64;", StringComparison.Ordinal))
                    {
                        Prefill(report, model, tokens, name, text);
                    }
                }

                if (length <= 65536)
                {
                    Decode(report, model, tokens);
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Prefill(BenchmarkReport report, CudaModel model, int[] tokens, string name, string text)
    {
        PrefillMethod? method = name == "Dense" ? null : MethodRegistry.FindPrefill(name);
        var request = new PrefillRequest { Method = method };
        if (method is BlockSparse)
        {
            var shape = new PromptShape(tokens.Length, model.Configuration.QueryHeads, model.Configuration.KvHeads);
            MethodParameters parameters = method.CreateParameters(text.Replace("{0}", "8", StringComparison.Ordinal));
            request = request with { Parameters = method.SolveBudget(0.9, shape, parameters).Parameters };
        }
        else if (method is not null)
        {
            request = request with { Parameters = method.CreateParameters(text) };
        }

        var times = new List<double>();
        PrefillStatistics statistics = new();
        model.Device.ResetMostUsedBytes();
        for (int i = 0; i < 3; i++)
        {
            long start = Stopwatch.GetTimestamp();
            using CudaPrompt prompt = model.Prefill(tokens, request with { DecodeConfigurations = [new DecodeConfiguration(new DenseDecode(), new DenseDecode().CreateParameters())] });
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            statistics = prompt.Statistics;
        }

        times.Sort();
        report.Note(FormattableString.Invariant(
            $"prefill {tokens.Length} {name} {request.Parameters}: median {times[1]:F3} s ({times[0]:F3}-{times[^1]:F3}), index {statistics.IndexSeconds:F3} s, attention {statistics.AttentionSeconds:F3} s, sparsity {1 - (statistics.AttendedPairs / (double)statistics.CausalPairs):F3}, peak {model.Device.MostUsedBytes / 1073741824.0:F1} GiB"));
    }

    private static void Decode(BenchmarkReport report, CudaModel model, int[] tokens)
    {
        DecodeConfiguration[] configurations =
        [
            new(new DenseDecode(), new DenseDecode().CreateParameters()),
            new(new Quest(), new Quest().CreateParameters("TokenBudget=2048")),
            new(new SnapKV(), new SnapKV().CreateParameters("Capacity=2048")),
        ];
        using CudaPrompt prompt = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = configurations, MaximumOutputTokens = 128 });
        for (int c = 0; c < configurations.Length; c++)
        {
            foreach (int batch in (int[])[1, 8])
            {
                CudaSequence[] sequences = [.. Enumerable.Range(0, batch).Select(_ => prompt.StartSequence(c))];
                float[] logits = new float[batch * model.Configuration.VocabularySize];
                var times = new List<double>();
                for (int step = 0; step < 24; step++)
                {
                    long start = Stopwatch.GetTimestamp();
                    model.Step([.. sequences.Select(s => (s, 17 + step))], logits);
                    times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                }

                DecodeStatistics statistics = sequences[0].Statistics;
                double[] sorted = [.. times.Skip(4).Order()];
                report.Note(FormattableString.Invariant(
                    $"decode {tokens.Length} {configurations[c].Method.Name} batch {batch}: median {sorted[sorted.Length / 2]:F2} ms/step ({sorted[0]:F2}-{sorted[^1]:F2}), attention {statistics.AttentionSeconds / 24 * 1e3 * batch:F2} ms, index {(statistics.IndexSeconds) / 24 * 1e3 * batch:F2} ms"));
                Array.ForEach(sequences, s => s.Dispose());
            }
        }
    }
}
