using System.Text.Json;

namespace SparseFrontier.Tests.Analysis;

/// <summary>Rows with samples on disk, without a run.</summary>
internal static class StoredScores
{
    /// <summary>A row of a decode method with the samples that it was made from.</summary>
    public static SparseAttentionResult Row(
        TemporaryFolder folder, string method, double? sparsity, double[] scores, string task = "Niah", int length = 2048, string model = "tiny", long seed = 1, string output = "x", string decodeParameters = "", string taskParameters = "")
    {
        string runId = FormattableString.Invariant($"{method}-{sparsity}-{task}-{length}-{model}-{seed}-{Guid.NewGuid():N}");
        string path = Write(folder, runId, scores, i => new SampleResult { RunId = runId, Index = i, Score = scores[i], Output = output, GoldJson = $"\"{i}\"", DecodeParameters = decodeParameters });
        double mean = scores.Average();
        return new SparseAttentionResult
        {
            RunId = runId,
            Method = "Dense",
            DecodeMethod = method,
            Task = task,
            TaskParameters = taskParameters,
            Model = model,
            SequenceLength = length,
            Seed = seed,
            PrefillSparsity = 0,
            DecodeSparsity = sparsity ?? 0,
            RequestedDecodeSparsity = sparsity,
            Score = mean,
            StandardError = StandardError(scores),
            SampleCount = scores.Length,
            Path = path,
        };
    }

    /// <summary>A row of a prefill method with the samples that it was made from, each with the parameters that it ran with.</summary>
    public static SparseAttentionResult PrefillRow(TemporaryFolder folder, string method, double sparsity, double[] scores, string parameters, int length, string task = "Niah", string taskParameters = "")
    {
        string runId = FormattableString.Invariant($"{method}-{sparsity}-{length}-{Guid.NewGuid():N}");
        return new SparseAttentionResult
        {
            RunId = runId,
            Method = method,
            DecodeMethod = "Dense",
            Parameters = parameters,
            Task = task,
            TaskParameters = taskParameters,
            Model = "tiny",
            SequenceLength = length,
            Seed = 1,
            PrefillSparsity = sparsity,
            DecodeSparsity = 0,
            RequestedSparsity = sparsity,
            Score = scores.Average(),
            StandardError = StandardError(scores),
            SampleCount = scores.Length,
            Path = Write(folder, runId, scores, i => new SampleResult { RunId = runId, Index = i, Score = scores[i], GoldJson = $"\"{i}\"", Parameters = parameters }),
        };
    }

    private static string Write(TemporaryFolder folder, string runId, double[] scores, Func<int, SampleResult> sample)
    {
        string path = folder.File(runId);
        Directory.CreateDirectory(path);
        File.WriteAllLines(Path.Combine(path, "samples-0001.jsonl"), Enumerable.Range(0, scores.Length).Select(i => JsonSerializer.Serialize(sample(i))));
        return path;
    }

    private static double StandardError(double[] scores)
    {
        double mean = scores.Average();
        return Math.Sqrt(scores.Sum(s => (s - mean) * (s - mean)) / Math.Max(1, scores.Length - 1) / scores.Length);
    }

    /// <summary>Scores of 1, the first few of 0.</summary>
    public static double[] Lost(int n, int lost) => [.. Enumerable.Range(0, n).Select(i => i < lost ? 0.0 : 1)];
}
