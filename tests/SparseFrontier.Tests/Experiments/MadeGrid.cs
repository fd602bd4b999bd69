using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Findings;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Rows of every run of the preset Findings with made-up scores and measurements, as many digits as a run has.</summary>
internal static class MadeGrid
{
    // The scores that runs of the embedded models had, roughly.
    private static readonly Dictionary<string, double[]> s_values = new()
    {
        ["Niah"] = [0, 0.25, 0.5, 0.75, 1],
        ["VariableTracking"] = [.. Fractions(13)],
        ["CommonWords"] = [.. Fractions(14)],
        ["StoryRetrieval"] = [.. Enumerable.Range(0, 17).Select(i => i / 16.0)],
        ["StoryMultiHop"] = [0, 1],
        ["StoryFiltering"] = [0, 0.2, 0.25, 1 / 3.0, 0.4, 0.5, 2 / 3.0, 0.75, 1],
    };

    public static IEnumerable<SparseAttentionResult> Rows(int samples)
    {
        var random = new Random(20261130);
        foreach (RunSpecification run in FindingsGrid.Runs(new SweepDefinition { Preset = SweepPreset.Findings }, small: false, methods: null))
        {
            yield return Row(run, samples, random);
        }
    }

    private static SparseAttentionResult Row(RunSpecification run, int samples, Random random)
    {
        bool dense = MethodRegistry.IsDense(run.Method) && MethodRegistry.IsDense(run.DecodeMethod);
        bool prefill = !MethodRegistry.IsDense(run.Method);
        double sparsity = dense ? 0 : (run.Sparsity ?? run.DecodeSparsity ?? random.NextDouble()) + ((random.NextDouble() - 0.5) / 100);
        double level = dense ? 0.95 : 0.95 - (random.NextDouble() * sparsity);
        double[] values = s_values[run.Task];
        string cell = string.Create(CultureInfo.InvariantCulture, $"{run.Task}|{run.SequenceLength}|{run.TaskParameters}|");
        SampleResult[] all =
        [
            .. Enumerable.Range(0, samples).Select(i => new SampleResult
            {
                // Half of what makes a sample hard is the sample's own, so that runs of one cell resemble each other as far as they do.
                Index = i, GoldJson = string.Create(CultureInfo.InvariantCulture, $"{cell}{i}"), Score = values[(int)Math.Clamp(Math.Round((values.Length - 1) * (level + ((Hard(cell, i) + random.NextDouble() - 1) * 0.8))), 0, values.Length - 1)],
            }),
        ];
        double seconds = 0.02 + (random.NextDouble() * 0.1);
        MeanInterval score = Statistics.Interval([.. all.Select(s => s.Score!.Value)], 0, 1);
        return new SparseAttentionResult
        {
            RunId = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(System.Text.Json.JsonSerializer.Serialize(run))))[..16],
            Method = run.Method,
            DecodeMethod = run.DecodeMethod,
            Task = run.Task,
            Model = run.Model,
            SequenceLength = run.SequenceLength,
            RequestedSparsity = run.Sparsity,
            RequestedDecodeSparsity = run.DecodeSparsity,
            PrefillSparsity = prefill ? sparsity : 0,
            DecodeSparsity = prefill ? 0 : sparsity - (random.NextDouble() / 100),
            CacheSparsity = prefill ? 0 : sparsity,
            NominalSparsity = prefill ? sparsity : 0,
            NominalDecodeSparsity = prefill ? 0 : sparsity,
            WholeModelSparsity = prefill ? sparsity : 0,
            ExecutedDensity = prefill ? random.NextDouble() : 1.05,
            ForcedShare = prefill ? random.NextDouble() : 0,
            DecodeForcedShare = prefill || dense ? 0 : random.NextDouble(),
            SparsityWithinTolerance = dense ? null : true,
            Parameters = prefill ? string.Create(CultureInfo.InvariantCulture, $"{run.Parameters};Budget={random.Next(16, run.SequenceLength)}") : "",
            DecodeParameters = prefill || dense ? "" : string.Create(CultureInfo.InvariantCulture, $"{run.DecodeParameters};Budget={random.Next(16, run.SequenceLength)}"),
            TaskParameters = run.TaskParameters,
            Score = score.Mean,
            ScoreLow = score.Low,
            ScoreHigh = score.High,
            StandardError = score.StandardError,
            FormatFailureRate = random.Next(0, 5) / 50.0,
            GoldLogLikelihood = -random.NextDouble() * 50,
            DivergenceToDense = dense ? 0 : random.NextDouble(),
            SampleCount = samples,
            OutputTokenCount = random.Next(1000, 20000) / 50.0,
            PromptTokens = run.SequenceLength * (0.97 + (Hard(cell, -1) / 50)),
            PrefillSeconds = seconds,
            IndexSeconds = seconds * random.NextDouble(),
            AttentionSeconds = seconds * random.NextDouble(),
            DecodeSeconds = seconds * random.NextDouble() * 10,
            ElapsedSeconds = seconds * 11 * random.NextDouble(),
            BytesRead = random.NextDouble() * 1e9,
            CacheBytes = random.NextDouble() * 1e7,
            PeakMemoryBytes = 3L << 30,
            CacheType = "BF16",
            QuestionPosition = run.QuestionPosition,
            CompressBefore = run.CompressBefore,
            ShortInstructions = true,
            MaximumOutputTokens = run.MaximumOutputTokens,
            Seed = run.Seed,
            Device = "cuda:0",
            StartedAt = new DateTimeOffset(2026, 11, 30, 21, 0, 0, random.Next(1000), TimeSpan.Zero),
            ModuleVersion = "0.1.0+0123456789abcdef0123456789abcdef01234567",
            Samples = all,
        };
    }

    private static double Hard(string cell, int sample) => (BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{cell}{sample}hard")))) % 1000) / 1000.0;

    private static IEnumerable<double> Fractions(int last) => Enumerable.Range(1, last).SelectMany(d => Enumerable.Range(0, d + 1).Select(n => (double)n / d)).Distinct().Order().Take(60);
}
