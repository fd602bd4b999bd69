using System.Globalization;
using System.Text.Json.Nodes;
using SparseFrontier.Experiments;

namespace SparseFrontier.Reporting.Report;

/// <summary>What was run: a summary in a sentence, the runs, and what they depend on by hash and version.</summary>
internal static class ReportRuns
{
    /// <summary>How many runs of what.</summary>
    public static string Summary(ReportData data)
    {
        IReadOnlyList<SparseAttentionResult> rows = data.Rows;
        if (rows.Count == 0)
        {
            return "No runs.";
        }

        int[] samples = [.. rows.Where(r => r.SampleCount > 0).Select(r => r.SampleCount).Distinct().Order()];
        string range = samples.Length == 0 ? "no samples" : samples[0] == samples[^1] ? Counted.Of(samples[0], "sample") + " a run" : string.Create(CultureInfo.InvariantCulture, $"{samples[0]} to {samples[^1]} samples a run");
        string lengths = string.Join(", ", rows.Select(r => r.SequenceLength).Distinct().Order().Select(l => l.ToString(CultureInfo.InvariantCulture)));
        string seeds = string.Join(", ", rows.Select(r => r.Seed).Distinct().Order().Select(s => s.ToString(CultureInfo.InvariantCulture)));
        int unfinished = rows.Count(r => r.Status != RunStatus.Completed);
        return $"{Counted.Of(rows.Count, "run")}: {Counted.Of(data.LooksOf(rows.Select(ReportData.Methods)).Count, "method")} on {Names(rows.Select(r => r.Task), "task")} with {Names(rows.Select(r => r.Model), "model")}, "
            + $"prompts of {lengths} tokens, {range}, {(seeds.Contains(',', StringComparison.Ordinal) ? "seeds" : "seed")} {seeds}.{(unfinished > 0 ? $" {Counted.Of(unfinished, "run")} not completed." : "")}";
    }

    /// <summary>Every run.</summary>
    public static ReportTable Table(ReportData data) => new(
        "All runs. Sparsities are measured; what was asked stands beside them.",
        [
            new("Method"), new("Task"), new("Tokens", true), new("Model"), new("Asked", true), new("Prefill sparsity", true), new("Decode sparsity", true), new("Score", true), new("95 %", true),
            new("Samples", true), new("Seed", true), new("Parameters"), new("Device"), new("Status"), new("Run"),
        ],
        [
            .. data.Rows.Select(r => (string[])
            [
                ReportData.Methods(r), r.Task, r.SequenceLength.ToString(CultureInfo.InvariantCulture), r.Model, CellText.Requested(r.RequestedSparsity, r.RequestedDecodeSparsity),
                CellText.Fraction(r.PrefillSparsity), CellText.Fraction(r.DecodeSparsity), CellText.Score(r.Score), CellText.RunInterval(r.ScoreLow, r.ScoreHigh, r.FallbackCount, r.SampleCount, r.Status),
                r.SampleCount.ToString(CultureInfo.InvariantCulture), r.Seed.ToString(CultureInfo.InvariantCulture), string.Join(" ", new[] { r.Parameters, r.DecodeParameters }.Where(p => p.Length > 0)).Replace(";", "; ", StringComparison.Ordinal),
                r.Device, string.IsNullOrEmpty(r.Message) ? CellText.RunState(r) : $"{CellText.RunState(r)}: {r.Message}", r.RunId,
            ]),
        ]);

    /// <summary>What answers and times depend on: hashes of checkpoints and tokenizers, versions, machines. No names of hosts.</summary>
    public static ReportTable? Provenance(ReportData data)
    {
        List<string[]> rows = [];
        foreach (var model in data.Rows.GroupBy(r => r.Model))
        {
            JsonObject[] identities = [.. model.Select(ReportData.Identity).OfType<JsonObject>()];
            foreach (string key in (string[])["Checkpoint", "Tokenizer", "ChatTemplate"])
            {
                rows.AddRange(identities.Select(i => i[key]?.ToString()).OfType<string>().Distinct().Order(StringComparer.Ordinal).Select(hash => (string[])[$"{key}, SHA-256", model.Key, hash]));
            }

            rows.AddRange(model.Select(r => r.CacheType).Where(t => t.Length > 0).Distinct().Order(StringComparer.Ordinal).Select(type => (string[])["Type of the cache", model.Key, type]));
        }

        foreach (var task in data.Rows.GroupBy(r => r.Task, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            rows.AddRange(task.Select(r => ReportData.Identity(r)?["TaskVersion"]?.ToString()).OfType<string>().Distinct().Order(StringComparer.Ordinal).Select(version => (string[])["Version of the task", task.Key, version]));
            rows.AddRange(task.Select(Analysis.Protocol.Describe).Where(p => p.Length > 0).Distinct().Order(StringComparer.Ordinal).Select(p => (string[])["Protocol", task.Key, p]));
        }

        rows.AddRange(data.Rows.Select(r => r.ModuleVersion).Where(v => v.Length > 0).Distinct().Order(StringComparer.Ordinal).Select(v => (string[])["Version of SparseFrontier", "runs", v]));
        rows.AddRange(data.Rows.SelectMany(Attempts).Distinct().Order(StringComparer.Ordinal).Select(machine => (string[])["Machine", "runs", machine]));
        return rows.Count == 0 ? null : new ReportTable("What the answers depend on, and where they were computed.", [new("What"), new("Of"), new("Value")], rows);
    }

    private static IEnumerable<string> Attempts(SparseAttentionResult row)
    {
        try
        {
            StoredEnvironment? environment = row.Path is { Length: > 0 } path ? StoreIO.ReadJson<StoredEnvironment>(Path.Combine(path, "environment.json")) : null;
            return environment?.Attempts.Select(a => FormattableString.Invariant($"{a.ProcessorCount} threads of {a.Processor} ({a.InstructionSet}), {a.OperatingSystem}, {a.Runtime}, device {a.Device}")) ?? [];
        }
        catch (SparseFrontierException)
        {
            // Rows can be read without it.
            return [];
        }
    }

    private static string Names(IEnumerable<string> names, string what)
    {
        string[] all = [.. names.Distinct().Order(StringComparer.Ordinal)];
        return all.Length <= 4 ? string.Join(", ", all) : $"{Counted.Of(all.Length, what)} ({string.Join(", ", all.Take(3))}, ...)";
    }
}
