using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Import;

/// <summary>Writes imported runs into a folder of results, where they are read like all others. The same files give the same run id, so importing again changes nothing.</summary>
internal static class ImportedRunStore
{
    /// <summary>Writes a run and gives its row.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed, ResultUnreadable.</exception>
    public static SparseAttentionResult Write(ResultStore store, ImportedRun run)
    {
        JsonObject identity = Identity(run);
        string id = RunIdentity.Hash(identity);
        bool sparsePrefill = !MethodRegistry.IsDense(run.Method);
        bool sparseDecode = !MethodRegistry.IsDense(run.DecodeMethod);
        var stored = new StoredSpecification
        {
            RunId = id,
            CreatedAt = run.StartedAt ?? File.GetLastWriteTimeUtc(run.Source),
            Specification = new RunSpecification
            {
                Model = ModelCatalog.NameOf(run.Model),
                Method = run.Method,
                DecodeMethod = run.DecodeMethod,
                Parameters = run.Parameters,
                DecodeParameters = run.DecodeParameters,
                Sparsity = run.IsAsked && sparsePrefill ? run.NominalSparsity : null,
                DecodeSparsity = run.IsAsked && sparseDecode ? run.NominalDecodeSparsity : null,
                Task = run.Task,
                TaskParameters = run.TaskParameters,
                SequenceLength = run.SequenceLength,
                SampleCount = run.SampleCount,
                MaximumOutputTokens = run.MaximumOutputTokens,
                Seed = run.Seed,
                CompressBefore = run.CompressBefore,
                ReferenceScoring = run.ReferenceScoring,
            },
            Identity = identity,
        };
        SampleResult[] samples = [.. run.Samples.Select(s => Sample(run, id, s))];
        RunDirectory directory = store.FindOrCreate(stored);
        if (samples.Length > 0)
        {
            StoreIO.Replace(directory.File("samples-0001.jsonl"), Encoding.UTF8.GetBytes(string.Concat(samples.Select(s => JsonSerializer.Serialize(s, StoreJson.Line) + "\n"))));
        }

        SparseAttentionResult row = Row(run, stored, samples);
        directory.WriteSummary(row);
        return RunSummary.WithPath(row, directory.Path);
    }

    private static JsonObject Identity(ImportedRun run) => new()
    {
        ["ImportedFrom"] = run.Program,
        ["Content"] = run.Content,
        ["Model"] = run.Model,
        ["Task"] = run.Task,
        ["TaskParameters"] = run.TaskParameters,
        ["SequenceLength"] = run.SequenceLength,
        ["Method"] = run.Method,
        ["DecodeMethod"] = run.DecodeMethod,
        ["Sparsity"] = run.NominalSparsity,
        ["DecodeSparsity"] = run.NominalDecodeSparsity,
    };

    private static SampleResult Sample(ImportedRun run, string id, SampleResult sample)
    {
        JsonObject node = JsonSerializer.SerializeToNode(sample, StoreJson.Line)!.AsObject();
        node[nameof(SampleResult.RunId)] = id;
        node[nameof(SampleResult.PrefillSparsity)] = run.PrefillSparsity;
        node[nameof(SampleResult.DecodeSparsity)] = run.DecodeSparsity;
        node[nameof(SampleResult.CacheSparsity)] = run.DecodeSparsity;
        node[nameof(SampleResult.NominalSparsity)] ??= run.NominalSparsity;
        node[nameof(SampleResult.NominalDecodeSparsity)] ??= run.NominalDecodeSparsity;
        node[nameof(SampleResult.Parameters)] = run.Parameters;
        node[nameof(SampleResult.DecodeParameters)] = run.DecodeParameters;
        return node.Deserialize<SampleResult>(StoreJson.Line)!;
    }

    // From the samples as any row, else from the figures of the file; whatever was not told is null.
    private static SparseAttentionResult Row(ImportedRun run, StoredSpecification stored, SampleResult[] samples)
    {
        string source = Path.GetFileName(Path.TrimEndingDirectorySeparator(run.Source));
        string message = $"Imported from {run.Program}: {source}.";
        JsonObject node = JsonSerializer.SerializeToNode(RunSummary.Create(stored, samples, RunStatus.Completed, message), StoreJson.Line)!.AsObject();
        node[nameof(SparseAttentionResult.StartedAt)] = JsonSerializer.SerializeToNode(run.StartedAt, StoreJson.Line);
        node[nameof(SparseAttentionResult.SparsityWithinTolerance)] = null;
        node[nameof(SparseAttentionResult.ChanceScore)] = run.ChanceScore;
        node[nameof(SparseAttentionResult.NominalSparsity)] = run.NominalSparsity;
        node[nameof(SparseAttentionResult.NominalDecodeSparsity)] = run.NominalDecodeSparsity;
        if (!run.ReferenceScoring)
        {
            node[nameof(SparseAttentionResult.FormatFailureRate)] = null;
        }

        if (samples.Length == 0)
        {
            MeanInterval? interval = run.Score is { } score && run.StandardError is { } error && run.SampleCount > 1 ? Statistics.Interval(run.SampleCount, score, error, 0, 1) : null;
            node[nameof(SparseAttentionResult.Score)] = run.Score;
            node[nameof(SparseAttentionResult.StandardError)] = run.StandardError;
            node[nameof(SparseAttentionResult.ScoreLow)] = interval?.Low;
            node[nameof(SparseAttentionResult.ScoreHigh)] = interval?.High;
            node[nameof(SparseAttentionResult.SampleCount)] = run.SampleCount;
            node[nameof(SparseAttentionResult.OutputTokenCount)] = run.OutputTokenCount;
            node[nameof(SparseAttentionResult.PrefillSparsity)] = run.PrefillSparsity;
            node[nameof(SparseAttentionResult.DecodeSparsity)] = run.DecodeSparsity;
            node[nameof(SparseAttentionResult.CacheSparsity)] = run.DecodeSparsity;
        }

        return node.Deserialize<SparseAttentionResult>(StoreJson.Line)!;
    }
}
