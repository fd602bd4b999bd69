using System.Globalization;
using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>Rows of one configuration on several tasks as one row: the mean of their costs, and the mean or the worst of their values.</summary>
internal sealed class AggregatedTasks
{
    private readonly Dictionary<SparseAttentionResult, SparseAttentionResult[]> _members = new(ReferenceEqualityComparer.Instance);
    private readonly TaskAggregate _aggregate;

    private AggregatedTasks(TaskAggregate aggregate) => _aggregate = aggregate;

    /// <summary>A row for each configuration that was run on all tasks of its length and protocol.</summary>
    public IReadOnlyCollection<SparseAttentionResult> Rows => _members.Keys;

    /// <summary>Puts rows together.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="aggregate">Mean or worst.</param>
    /// <param name="warn">Told which configurations are left out because they lack a task.</param>
    /// <exception cref="SparseFrontierException">DataInsufficient: none was run on all tasks.</exception>
    public static AggregatedTasks Of(IEnumerable<SparseAttentionResult> rows, TaskAggregate aggregate, Action<string> warn)
    {
        var all = new AggregatedTasks(aggregate);
        var lengths = rows.GroupBy(r => (r.SequenceLength, Protocol: Protocol.Shared(r))).ToArray();
        foreach (var place in lengths)
        {
            string[] tasks = [.. place.Select(r => r.Task).Distinct().Order(StringComparer.Ordinal)];
            foreach (var configuration in place.GroupBy(ConfigurationOf))
            {
                string[] missing = [.. tasks.Except(configuration.Select(r => r.Task))];
                if (missing.Length > 0)
                {
                    warn(FormattableString.Invariant($"{configuration.First()} is left out of the {Name(aggregate)} of {tasks.Length} tasks at {place.Key.SequenceLength} tokens: it was not run on {string.Join(", ", missing)}."));
                    continue;
                }

                SparseAttentionResult[] members = [.. configuration.OrderBy(r => r.Task, StringComparer.Ordinal).ThenBy(r => r.Seed)];
                all._members.Add(all.Row(members, tasks.Length), members);
            }
        }

        return all._members.Count > 0 || lengths.Length == 0
            ? all
            : throw new SparseFrontierException(ErrorIds.DataInsufficient, $"No configuration was run on all of {string.Join(", ", rows.Select(r => r.Task).Distinct().Order(StringComparer.Ordinal))}. Select tasks that were, or run the rest.");
    }

    /// <summary>The mean of a cost over tasks; null where a task lacks it.</summary>
    public double? Cost(SparseAttentionResult row, Func<SparseAttentionResult, double?> of) => Combine([.. _members[row].Select(of)], _members[row], TaskAggregate.Mean);

    /// <summary>The mean or the worst of a value over tasks, seeds of a task put together; null where a task lacks it.</summary>
    public double? Value(SparseAttentionResult row, Func<SparseAttentionResult, double?> of) => Combine([.. _members[row].Select(of)], _members[row], _aggregate);

    /// <summary>[resamples][rows] scores put together in each resample; null where samples are not here.</summary>
    public double[][]? Resample(IReadOnlyList<SparseAttentionResult> rows, Action<string> explain)
    {
        SparseAttentionResult[] all = [.. rows.SelectMany(r => _members[r])];
        if (ResampledScores.Of(all, explain) is not { } draws)
        {
            return null;
        }

        return Array.ConvertAll(draws, draw =>
        {
            double[] values = new double[rows.Count];
            int first = 0;
            for (int i = 0; i < values.Length; i++)
            {
                SparseAttentionResult[] members = _members[rows[i]];
                values[i] = Combine([.. draw.AsSpan(first, members.Length).ToArray().Select(v => (double?)v)], members, _aggregate)!.Value;
                first += members.Length;
            }

            return values;
        });
    }

    private static double? Combine(double?[] values, SparseAttentionResult[] members, TaskAggregate aggregate)
    {
        if (values.Contains(null))
        {
            return null;
        }

        double[] tasks = [.. members.Zip(values).GroupBy(m => m.First.Task).Select(g => g.Average(m => m.Second!.Value))];
        return aggregate == TaskAggregate.Worst ? tasks.Min() : tasks.Average();
    }

    private SparseAttentionResult Row(SparseAttentionResult[] members, int tasks)
    {
        SparseAttentionResult first = members[0];
        double? score = Combine([.. members.Select(m => m.Score)], members, _aggregate);
        (double Low, double High)? interval = null;
        if (score is not null && members.All(PairedScores.AreHere) && ResampledScores.Of(members, _ => { }) is { } draws)
        {
            interval = PairedBootstrap.Interval([.. draws.Select(d => Combine([.. d.Select(v => (double?)v)], members, _aggregate)!.Value)]);
        }

        return new SparseAttentionResult
        {
            Task = string.Create(CultureInfo.InvariantCulture, $"{Name(_aggregate)} of {Counted.Of(tasks, "task")}"),
            Model = first.Model,
            SequenceLength = first.SequenceLength,
            Method = first.Method,
            DecodeMethod = first.DecodeMethod,
            RequestedSparsity = first.RequestedSparsity,
            RequestedDecodeSparsity = first.RequestedDecodeSparsity,
            PrefillSparsity = Combine([.. members.Select(RowSparsity.Prefill)], members, TaskAggregate.Mean),
            DecodeSparsity = Combine([.. members.Select(RowSparsity.Decode)], members, TaskAggregate.Mean),
            Score = score,
            ScoreLow = interval?.Low,
            ScoreHigh = interval?.High,
            ChanceScore = Combine([.. members.Select(m => (double?)ChanceFloor.Of(m))], members, _aggregate),
            SampleCount = members.Sum(m => m.SampleCount),
            QuestionPosition = first.QuestionPosition,
            CompressBefore = first.CompressBefore,
            ShortInstructions = first.ShortInstructions,
            ReferenceScoring = first.ReferenceScoring,
            Device = first.Device,
            Status = RunStatus.Completed,
        };
    }

    private static string Name(TaskAggregate aggregate) => aggregate == TaskAggregate.Worst ? "worst" : "mean";

    private static string ConfigurationOf(SparseAttentionResult row) => string.Join(
        '\u001f',
        (string[])
        [
            row.Model,
            row.Method,
            row.DecodeMethod,
            row.BudgetSchedule,
            FixedParameters.AcrossTasks(row),
            Asked(row.RequestedSparsity, RowSparsity.Prefill(row)),
            Asked(row.RequestedDecodeSparsity, row.CacheSparsity ?? RowSparsity.Decode(row)),
        ]);

    private static string Asked(double? asked, double? measured) => (asked ?? measured) is { } sparsity ? Math.Round(sparsity, 2).ToString(CultureInfo.InvariantCulture) : "";
}
