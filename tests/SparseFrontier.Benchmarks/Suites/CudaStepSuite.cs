using System.Diagnostics;
using System.Runtime.InteropServices;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>Steps of a random checkpoint of Qwen2.5-7B's shape on the first GPU. With SPARSEFRONTIER_PROFILE a profiler records the last step of each case.</summary>
internal static partial class CudaStepSuite
{
    /// <summary>Runs at the lengths of SPARSEFRONTIER_LENGTHS, or 32K.</summary>
    public static void Run(BenchmarkReport report)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-qwen-").FullName;
        try
        {
            RandomCheckpoint.Qwen7B.Write(folder);
            var device = CudaDevice.Get(0);
            using var model = CudaModel.CreateRandom(folder, [device], 1);
            string lengths = Environment.GetEnvironmentVariable("SPARSEFRONTIER_LENGTHS") ?? "32768";
            bool profile = Environment.GetEnvironmentVariable("SPARSEFRONTIER_PROFILE") is not null;
            foreach (int length in lengths.Split(',').Select(int.Parse))
            {
                int[] tokens = [.. Enumerable.Range(0, length).Select(i => (int)(i * 7919L % 150_000))];
                DecodeConfiguration[] configurations =
                [
                    new(new DenseDecode(), new DenseDecode().CreateParameters()), new(new Quest(), new Quest().CreateParameters("TokenBudget=2048")),
                ];
                using CudaPrompt prompt = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = configurations, MaximumOutputTokens = 256 });
                for (int c = 0; c < configurations.Length; c++)
                {
                    foreach (int batch in (int[])[1, 8])
                    {
                        CudaSequence[] sequences = [.. Enumerable.Range(0, batch).Select(_ => prompt.StartSequence(c))];
                        float[] logits = new float[batch * model.Configuration.VocabularySize];
                        var times = new List<double>();
                        var given = new List<double>();
                        for (int step = 0; step < (profile ? 3 : 40); step++)
                        {
                            bool last = profile && step == 2;
                            if (last)
                            {
                                _ = cuProfilerStart();
                            }

                            device.Synchronize();
                            long start = Stopwatch.GetTimestamp();
                            model.Step([.. sequences.Select(s => (s, 17 + step))], logits);
                            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                            int[] chosen = new int[batch];
                            start = Stopwatch.GetTimestamp();
                            model.Choose([.. sequences.Select(s => (s, 17 + step))], chosen);
                            given.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                            if (last)
                            {
                                _ = cuProfilerStop();
                            }
                        }

                        DecodeStatistics s = sequences[0].Statistics;
                        report.Note(FormattableString.Invariant(
                            $"step {length} {configurations[c].Method.Name} batch {batch}: with logits {Median(times)}, next token alone {Median(given)} ms; attention {s.AttentionSeconds / s.Steps * 1e3 * batch:F2}, index {s.IndexSeconds / s.Steps * 1e3 * batch:F2} ms"));
                        Array.ForEach(sequences, q => q.Dispose());
                    }
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Median(List<double> times)
    {
        double[] sorted = [.. times.Skip(times.Count / 4).Order()];
        return FormattableString.Invariant($"{sorted[sorted.Length / 2]:F2} ({sorted[0]:F2}-{sorted[^1]:F2})");
    }

    [LibraryImport("libcuda.so.1")]
    private static partial int cuProfilerStart();

    [LibraryImport("libcuda.so.1")]
    private static partial int cuProfilerStop();
}
