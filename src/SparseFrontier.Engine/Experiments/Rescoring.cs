using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Analysis;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>Scores the stored outputs of one run again and compares with what is stored; no model is needed.</summary>
internal sealed class Rescoring
{
    private readonly RunDirectory _directory;
    private readonly StoredSpecification _stored;
    private readonly SparseAttentionResult _row;
    private readonly List<string> _changes = [];
    private readonly List<string> _notes = [];

    /// <summary>Reads a run and scores it.</summary>
    /// <exception cref="SparseFrontierException">ResultRowInvalid: the files are damaged. ScoresInvalid: the scorer of a user's own task fails.</exception>
    public Rescoring(RunDirectory directory)
    {
        _directory = directory;
        _stored = directory.ReadSpecification() ?? throw Damaged("it has no spec.json", null);
        _row = directory.ReadRow(message => throw Damaged(message, null))!;
        RunSpecification run = _stored.Specification;
        SampleResult[] samples = [.. directory.ReadSamples(_stored.RunId, message => throw Damaged(message, null)).Values];
        EvaluationTask? task = TaskRegistry.Tasks.FirstOrDefault(t => t.Name.Equals(run.Task, StringComparison.OrdinalIgnoreCase));
        Samples = [.. samples.Select(s => Score(task, s))];
        CheckIdentity(task);
        CheckRow(samples);
        CheckScores();
    }

    /// <summary>The samples, in order of index.</summary>
    public IReadOnlyList<RescoredSample> Samples { get; }

    /// <summary>The run.</summary>
    public BundledRun Run
    {
        get
        {
            RunSpecification run = _stored.Specification;
            bool scored = Samples.All(s => s.IsChanged is not null);
            return new BundledRun
            {
                RunId = _stored.RunId,
                Method = run.Method,
                DecodeMethod = run.DecodeMethod,
                Task = run.Task,
                Model = _row.Model,
                SequenceLength = run.SequenceLength,
                RequestedSparsity = run.Sparsity,
                RequestedDecodeSparsity = run.DecodeSparsity,
                Status = _row.Status,
                SampleCount = Samples.Count,
                StoredScore = _row.Score,
                Score = scored ? Statistics.Interval([.. Samples.Where(s => s.Score is not null).Select(s => s.Score!.Value)], 0, 1).Mean : null,
                ChangedScoreCount = scored ? Samples.Count(s => s.IsChanged == true) : null,
                Verdict = _changes.Count > 0 ? RescoringVerdict.Changed : scored ? RescoringVerdict.Reproduced : RescoringVerdict.NotScored,
                Message = string.Join("; ", _changes.Concat(_notes)),
                ModuleVersion = _stored.ModuleVersion,
            };
        }
    }

    /// <summary>The stored specification.</summary>
    public StoredSpecification Stored => _stored;

    private RescoredSample Score(EvaluationTask? task, SampleResult sample)
    {
        RunSpecification run = _stored.Specification;
        TaskScore? score = null;
        try
        {
            score = task?.Score(sample.GoldJson, sample.Output, run.ReferenceScoring);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw Damaged(FormattableString.Invariant($"the gold fields of sample {sample.Index} are not those of {run.Task}: {e.Message}"), e);
        }

        return new RescoredSample
        {
            RunId = _stored.RunId,
            Method = run.Method,
            DecodeMethod = run.DecodeMethod,
            Task = run.Task,
            Model = _row.Model,
            SequenceLength = run.SequenceLength,
            Index = sample.Index,
            StoredScore = sample.Score,
            Score = score?.Score,
            StoredFormatFailure = sample.FormatFailure,
            FormatFailure = score?.FormatFailure,
            IsChanged = score is null ? null : score.Score != sample.Score || score.FormatFailure != sample.FormatFailure,
            GoldJson = sample.GoldJson,
            Output = sample.Output,
        };
    }

    // The run id names what is stored, and what scores here is what scored there.
    private void CheckIdentity(EvaluationTask? task)
    {
        if (_stored.Identity is not { } identity || RunIdentity.Hash(identity) != _stored.RunId)
        {
            _changes.Add("the run id is not the hash of the stored identity");
        }
        else if (Text(identity["Task"]) != _stored.Specification.Task)
        {
            _changes.Add("the stored identity is of another task than the specification");
        }
        else if (task is not null && Text(identity["TaskVersion"]) is { } version && version != task.Version.ToString(CultureInfo.InvariantCulture))
        {
            _notes.Add(FormattableString.Invariant($"version {version} of {task.Name} made it, version {task.Version} scored it here"));
        }
        else if (task is not null && Text(identity["TaskCode"]) != task.CodeHash)
        {
            _notes.Add($"the task {task.Name} that is registered here has other code than the one that made it");
        }

        if (task is null)
        {
            _notes.Add($"the task {_stored.Specification.Task} is not known here: register it (Register-SparseAttentionTask) to score it");
        }
    }

    // A summary may be of fewer samples than there are: a run that is growing.
    private void CheckRow(SampleResult[] samples)
    {
        if (_directory.ReadSummary() is not { } summary)
        {
            return;
        }

        if (summary.SampleCount > samples.Length)
        {
            _changes.Add(FormattableString.Invariant($"the row is of {Counted.Of(summary.SampleCount, "sample")}, and {samples.Length} are there"));
            return;
        }

        SparseAttentionResult given = RunSummary.Create(
            _stored, samples[..summary.SampleCount], summary.Status, summary.Message, summary.MaximumFeasibleSparsity);
        JsonObject stored = JsonSerializer.SerializeToNode(summary, StoreJson.Line)!.AsObject();
        JsonObject computed = JsonSerializer.SerializeToNode(given, StoreJson.Line)!.AsObject();
        string[] differing = [.. computed.Where(c => c.Value?.ToJsonString() != stored[c.Key]?.ToJsonString()).Select(c => c.Key)];
        if (differing.Length > 0)
        {
            _changes.Add($"the row is not what its samples give: {string.Join(", ", differing)}");
        }
    }

    private void CheckScores()
    {
        int[] changed = [.. Samples.Where(s => s.IsChanged == true).Select(s => s.Index)];
        if (changed.Length > 0)
        {
            string rest = changed.Length > 10 ? ", ..." : "";
            _changes.Insert(0, FormattableString.Invariant($"{changed.Length} of {Counted.Of(Samples.Count, "sample")} score otherwise: {string.Join(", ", changed.Take(10))}{rest}"));
        }
    }

    private static string? Text(JsonNode? node) => node?.ToString();

    private SparseFrontierException Damaged(string message, Exception? cause) => new(
        ErrorIds.ResultRowInvalid, $"'{_directory.Path}' is damaged: {message}", _directory.Path, cause);
}
