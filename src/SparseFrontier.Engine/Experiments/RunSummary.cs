using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Makes a run's row from its samples.</summary>
internal static class RunSummary
{
    /// <summary>The row of a run.</summary>
    /// <param name="stored">The run.</param>
    /// <param name="samples">Its samples, in order of index.</param>
    /// <param name="status">State.</param>
    /// <param name="message">Why, where the state needs it.</param>
    /// <param name="maximumFeasibleSparsity">For an infeasible budget: the largest sparsity that the length can hold.</param>
    public static SparseAttentionResult Create(
        StoredSpecification stored,
        IReadOnlyList<SampleResult> samples,
        RunStatus status,
        string? message = null,
        double? maximumFeasibleSparsity = null)
    {
        RunSpecification run = stored.Specification;
        MeanInterval score = Statistics.Interval([.. samples.Where(s => s.Score is not null).Select(s => s.Score!.Value)], 0, 1);
        double? prefill = Mean(samples, s => s.PrefillSparsity);
        double? decode = Mean(samples, s => s.DecodeSparsity);
        double? cache = Mean(samples, s => s.CacheSparsity);
        SampleResult? first = samples.Count > 0 ? samples[0] : null;
        return new SparseAttentionResult
        {
            RunId = stored.RunId,
            Method = run.Method,
            DecodeMethod = run.DecodeMethod,
            Task = run.Task,
            Model = ModelCatalog.NameOf(run.Model),
            SequenceLength = run.SequenceLength,
            RequestedSparsity = run.Sparsity,
            RequestedDecodeSparsity = run.DecodeSparsity,
            PrefillSparsity = prefill,
            DecodeSparsity = decode,
            CacheSparsity = cache,
            NominalSparsity = Mean(samples, s => s.NominalSparsity),
            NominalDecodeSparsity = Mean(samples, s => s.NominalDecodeSparsity),
            WholeModelSparsity = Mean(samples, s => s.WholeModelSparsity),
            ExecutedDensity = Mean(samples, s => s.ExecutedDensity),
            ForcedShare = Mean(samples, s => s.ForcedShare),
            DecodeForcedShare = Mean(samples, s => s.DecodeForcedShare),
            SparsityWithinTolerance = samples.Count == 0 || (run.Sparsity is null && run.DecodeSparsity is null)
                ? null
                : Within(run.Sparsity, prefill) && Within(run.DecodeSparsity, cache),
            MaximumFeasibleSparsity = maximumFeasibleSparsity,
            Parameters = first?.Parameters ?? run.Parameters,
            DecodeParameters = first?.DecodeParameters ?? run.DecodeParameters,
            TaskParameters = run.TaskParameters,
            Score = score.Mean,
            ScoreLow = score.Low,
            ScoreHigh = score.High,
            StandardError = score.StandardError,
            FormatFailureRate = samples.Count > 0 ? samples.Count(s => s.FormatFailure is not null) / (double)samples.Count : null,
            UnscoredCount = samples.Count(s => s.Score is null),
            GoldLogLikelihood = Mean(samples, s => s.GoldLogLikelihood),
            DivergenceToDense = Mean(samples, s => s.DivergenceToDense),
            SampleCount = samples.Count,
            OutputTokenCount = Mean(samples, s => s.OutputTokenCount),
            PromptTokens = Mean(samples, s => s.PromptTokens),
            FallbackCount = samples.Count(s => s.DenseFallback),
            ProcessorSelection = string.Join(", ", samples.SelectMany(s => s.ProcessorSelection.Split(", ", StringSplitOptions.RemoveEmptyEntries)).Distinct().OrderDescending()),
            PrefillSeconds = Mean(samples, s => s.PrefillSeconds),
            PrefillOperations = Mean(samples, s => s.PrefillOperations),
            PrefillIndexSeconds = Mean(samples, s => s.PrefillIndexSeconds),
            PrefillAttentionSeconds = Mean(samples, s => s.PrefillAttentionSeconds),
            IndexSeconds = Mean(samples, s => s.IndexSeconds),
            AttentionSeconds = Mean(samples, s => s.AttentionSeconds),
            DecodeSeconds = Mean(samples, s => s.DecodeSeconds),

            // Samples of older versions have steps and do not say of how many sequences.
            SequencesPerStep = samples.Any(s => s is { DecodeSeconds: > 0, SequencesPerStep: null }) ? null : Mean(samples, s => s.SequencesPerStep),
            DecodeOperations = Mean(samples, s => s.DecodeOperations),
            ElapsedSeconds = Mean(samples, s => s.ElapsedSeconds),
            Joules = Mean(samples, s => s.Joules),
            BytesRead = Mean(samples, s => s.BytesRead),
            CacheBytes = Mean(samples, s => s.CacheBytes),
            PeakMemoryBytes = samples.Count > 0 ? samples.Max(s => s.PeakMemoryBytes) : null,
            CacheType = stored.CacheType,
            YarnFactor = stored.YarnFactor,
            QuestionPosition = run.QuestionPosition,
            CompressBefore = run.CompressBefore,
            BudgetSchedule = run.BudgetSchedule,
            ReferenceScoring = run.ReferenceScoring,
            ShortInstructions = run.ShortInstructions,
            AllowDenseFallback = run.AllowDenseFallback,
            MaximumOutputTokens = run.MaximumOutputTokens,
            Seed = run.Seed,
            Device = string.Join(',', samples.Select(s => s.Device).Distinct().Order(StringComparer.Ordinal)),
            Status = status,
            Message = message,
            StartedAt = stored.CreatedAt,
            ModuleVersion = stored.ModuleVersion,
        };
    }

    /// <summary>The row with the directory that it was read from.</summary>
    public static SparseAttentionResult WithPath(SparseAttentionResult row, string? path)
    {
        var node = JsonSerializer.SerializeToNode(row, StoreJson.Line)!.AsObject();
        node[nameof(SparseAttentionResult.Path)] = path;
        return JsonSerializer.Deserialize<SparseAttentionResult>(node, StoreJson.Line)!;
    }

    private static bool Within(double? asked, double? measured) =>
        asked is null || (measured is not null && Math.Abs(measured.Value - asked.Value) <= AttentionMethod.SparsityTolerance + 1e-12);

    private static double? Mean(IEnumerable<SampleResult> samples, Func<SampleResult, double?> value)
    {
        double sum = 0;
        int count = 0;
        foreach (SampleResult sample in samples)
        {
            if (value(sample) is { } number)
            {
                sum += number;
                count++;
            }
        }

        return count > 0 ? sum / count : null;
    }
}
