using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// A random checkpoint of Qwen2.5-32B's shape with its layers spread over all GPUs: first a few layers on one GPU and over all, whose results must be the same bits, then
/// the whole model over all GPUs. Weights are drawn in the GPUs' memory, nothing of them is written.
/// </summary>
internal static class CudaLayersSuite
{
    private const int ComparedLayers = 6;
    private const int ComparedLength = 16384;
    private const int ComparedSteps = 12;

    // Dense, and each device-side selection once, so that every kind of state crosses the boundary.
    private static readonly (string Prefill, string Parameters, string Decode, string DecodeParameters)[] s_methods =
    [
        ("Dense", "", "Dense", ""),
        ("Dense", "", "Quest", "TokenBudget=1024"),
        ("Dense", "", "AdaSnapKV", "Capacity=2048"),
        ("BlockSparse", "BlockSize=128;TopBlocks=16", "Dense", ""),
        ("VerticalSlash", "VerticalSize=512;SlashSize=512", "SnapKV", "Capacity=2048"),
    ];

    /// <summary>Compares, then measures at the lengths of SPARSEFRONTIER_LENGTHS, or 64K.</summary>
    public static void Run(BenchmarkReport report)
    {
        CudaDevice[] devices = [.. Enumerable.Range(0, CudaStatus.Devices.Count).Select(CudaDevice.Get)];
        report.Note($"{devices.Length} x {devices[0].Properties.Name}; cuBLASLt {CudaLibraries.HasProducts}");
        InFolder(RandomCheckpoint.Qwen32B with { Layers = ComparedLayers }, folder => Compare(report, folder, devices));
        string lengths = Environment.GetEnvironmentVariable("SPARSEFRONTIER_LENGTHS") ?? "65536";
        InFolder(RandomCheckpoint.Qwen32B, folder =>
        {
            long start = Stopwatch.GetTimestamp();
            using var model = CudaModel.CreateRandom(folder, devices, 1);
            Array.ForEach(devices, d => d.Synchronize());
            report.Note(FormattableString.Invariant(
                $"{RandomCheckpoint.Qwen32B.Layers} layers over {devices.Length} GPUs: {Ranges(model)}; weights {Gigabytes(devices, d => d.UsedBytes)} GiB, drawn in {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s"));
            foreach (int length in lengths.Split(',').Select(int.Parse))
            {
                Measure(report, model, devices, length);
            }
        });
    }

    private static void Compare(BenchmarkReport report, string folder, CudaDevice[] devices)
    {
        int[] tokens = Tokens(ComparedLength);
        foreach ((string prefill, string parameters, string decode, string decodeParameters) in s_methods)
        {
            float[][] one = Outputs(folder, [devices[0]], tokens, prefill, parameters, decode, decodeParameters);
            float[][] all = Outputs(folder, devices, tokens, prefill, parameters, decode, decodeParameters);
            double norm = Math.Sqrt(one.Sum(row => row.Sum(x => (double)x * x)));
            bool same = one.Zip(all).All(rows => rows.First.AsSpan().SequenceEqual(rows.Second)) && double.IsFinite(norm) && norm > 0;
            report.Note(FormattableString.Invariant(
                $"{ComparedLayers} layers, {ComparedLength} tokens, {prefill} {parameters}, then {ComparedSteps} steps of {decode} {decodeParameters}: logits of one GPU and of {devices.Length} are {(same ? "the same bits" : "DIFFERENT")} (norm {norm:F1})"));
            if (!same)
            {
                throw new InvalidOperationException("Layers spread over several GPUs give other results than one GPU.");
            }
        }
    }

    // Logits of the prompt's last token and of each step: recorded ones too, since shapes come again.
    private static float[][] Outputs(
        string folder, CudaDevice[] devices, int[] tokens, string prefill, string parameters, string decode, string decodeParameters)
    {
        using var model = CudaModel.CreateRandom(folder, devices, 1);
        PrefillMethod method = MethodRegistry.FindPrefill(prefill);
        DecodeMethod decodeMethod = MethodRegistry.FindDecode(decode);
        var request = new PrefillRequest
        {
            Method = method,
            Parameters = method.CreateParameters(parameters),
            DecodeConfigurations = [new DecodeConfiguration(decodeMethod, decodeMethod.CreateParameters(decodeParameters))],
        };
        using CudaPrompt prompt = model.Prefill(tokens, request);
        using CudaSequence sequence = prompt.StartSequence(0);
        var rows = new List<float[]> { prompt.LastLogits };
        for (int step = 0; step < ComparedSteps; step++)
        {
            float[] logits = new float[model.Configuration.VocabularySize];
            model.Step([(sequence, tokens[step])], logits);
            rows.Add(logits);
        }

        return [.. rows];
    }

    private static void Measure(BenchmarkReport report, CudaModel model, CudaDevice[] devices, int length)
    {
        int[] tokens = Tokens(length);
        DecodeConfiguration[] configurations =
        [
            new(new DenseDecode(), new DenseDecode().CreateParameters()),
            new(new Quest(), new Quest().CreateParameters("TokenBudget=2048")),
        ];
        Array.ForEach(devices, d => d.ResetMostUsedBytes());
        long start = Stopwatch.GetTimestamp();
        using CudaPrompt prompt = model.Prefill(tokens, new PrefillRequest { DecodeConfigurations = configurations, MaximumOutputTokens = 128 });
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        report.Note(FormattableString.Invariant(
            $"prefill {length} dense: {seconds:F2} s, attention {prompt.Statistics.AttentionSeconds:F2} s, peak {Gigabytes(devices, d => d.MostUsedBytes)} GiB"));
        for (int c = 0; c < configurations.Length; c++)
        {
            using CudaSequence sequence = prompt.StartSequence(c);
            int[] next = [LogitMath.ArgMax(prompt.LastLogits)];
            var times = new List<double>();
            for (int step = 0; step < 40; step++)
            {
                start = Stopwatch.GetTimestamp();
                model.Choose([(sequence, next[0])], next);
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }

            double[] sorted = [.. times.Skip(10).Order()];
            report.Note(FormattableString.Invariant(
                $"step {length} {configurations[c].Method.Name}: {sorted[sorted.Length / 2]:F2} ms ({sorted[0]:F2}-{sorted[^1]:F2}), attention {sequence.Statistics.AttentionSeconds / 40 * 1e3:F2} ms"));
        }
    }

    private static void InFolder(RandomCheckpoint checkpoint, Action<string> action)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-qwen-").FullName;
        try
        {
            checkpoint.Write(folder);
            action(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int[] Tokens(int length) => [.. Enumerable.Range(0, length).Select(i => (int)(i * 7919L % 150_000))];

    private static string Ranges(CudaModel model) => string.Join(", ", model.Stages.Select(s => $"{s.Device.Name} {s.First}-{s.End - 1}"));

    private static string Gigabytes(CudaDevice[] devices, Func<CudaDevice, long> bytes) =>
        string.Join(" + ", devices.Select(d => FormattableString.Invariant($"{bytes(d) / (double)(1L << 30):F1}")));
}
