using System.Reflection;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Kernels;
using SparseFrontier.Tasks;

namespace SparseFrontier.Completion;

/// <summary>A completion: the text to insert and what it means.</summary>
/// <param name="Text">Text.</param>
/// <param name="ToolTip">One sentence.</param>
internal sealed record Candidate(string Text, string ToolTip);

/// <summary>What there is to complete with. Completion never fails: what cannot be listed is left out.</summary>
internal static class Candidates
{
    private static readonly string[] s_categories = ["Retrieval", "MultiHop", "Aggregation", "QuestionAnswering"];

    private static readonly Candidate[] s_conditions =
    [
        new("layer:", "Layers that the rule is for, counted from 0: layer:0-1,5 or layer:8-"),
        new("head:", "KV heads that the rule is for, counted from 0: head:3 or head:0-1"),
        new("length:", "Prompt lengths that the rule is for, in tokens: length:4096-"),
        new("step:", "Decode steps that the rule is for, counted from 0: step:0-7"),
    ];

    private static readonly Candidate[] s_actions =
    [
        new("dense", "Attention is dense where the rule matches"),
        new("x0.5", "The budget is multiplied by this where the rule matches: half of it"),
        new("x2", "The budget is multiplied by this where the rule matches: twice as much"),
    ];

    private static readonly Candidate[] s_relations =
    [
        new("over ", "The first method scores more than the second, by more than the margin"),
        new("not ", "Not below: the first method loses less than the margin"),
    ];

    /// <summary>Methods; controls come last.</summary>
    public static IEnumerable<Candidate> Methods(string? phase = null) =>
        from method in Collect<SparseAttentionMethod>(new GetMethodOperation { Phase = phase, IncludeControl = true }.Execute).DistinctBy(m => m.Name)
        select new Candidate(method.Name, $"{method.Phase}: {method.Description}");

    /// <summary>Tasks.</summary>
    public static IEnumerable<Candidate> Tasks() =>
        from task in Collect<SparseAttentionTask>(new GetTaskOperation().Execute)
        select new Candidate(task.Name, $"{task.Category}: {task.Description}");

    /// <summary>Categories of tasks.</summary>
    public static IEnumerable<Candidate> Categories() => s_categories.Select(c => new Candidate(c, c));

    /// <summary>Models that need no path.</summary>
    public static IEnumerable<Candidate> Models() =>
        from model in Collect<SparseAttentionModel>(new GetModelOperation().Execute)
        select new Candidate(model.Name, $"{model.Architecture}, {Counted.Of(model.LayerCount, "layer")}, {model.ContextLength} tokens: {model.Path}");

    /// <summary>Published models, whose sizes are known without a checkpoint.</summary>
    public static IEnumerable<Candidate> Shapes() =>
        from model in PublishedModels.All
        select new Candidate(model.Name, $"{Counted.Of(model.LayerCount, "layer")}, {Counted.Of(model.QueryHeads, "query head")}, {Counted.Of(model.KvHeads, "KV head")}");

    /// <summary>Devices.</summary>
    public static IEnumerable<Candidate> Devices() =>
        from device in Collect<SparseAttentionDevice>(new GetDeviceOperation().Execute)
        select new Candidate(device.Name, device.Description);

    /// <summary>"Name=default" of the parameters of methods; of all methods where none is named.</summary>
    public static IEnumerable<Candidate> MethodParameters(IReadOnlyList<string> methods)
    {
        string[] names = [.. methods.Select(m => m.Split(';')[0])];
        var listed = Collect<SparseAttentionMethod>(new GetMethodOperation { Name = names, IncludeControl = true }.Execute).Select(m => m.Name).ToHashSet();
        return from method in MethodRegistry.All
               where listed.Contains(method.Name)
               from parameter in method.Parameters
               group method.Name by parameter into owners
               select Parameter(owners.Key.Name, owners.Key.Default, owners.Key.Minimum, owners.Key.Maximum, owners.Key.Description, owners);
    }

    /// <summary>"Name=default" of the parameters of tasks; of all tasks where none is named.</summary>
    public static IEnumerable<Candidate> TaskParameters(IReadOnlyList<string> tasks) =>
        from listed in Collect<SparseAttentionTask>(new GetTaskOperation { Name = tasks }.Execute)
        from parameter in TaskRegistry.Tasks.FirstOrDefault(t => t.Name == listed.Name)?.Parameters ?? []
        group listed.Name by parameter into owners
        select Parameter(owners.Key.Name, owners.Key.Default, owners.Key.Minimum, owners.Key.Maximum, owners.Key.Description, owners);

    /// <summary>Kernels of the correctness suite.</summary>
    public static IEnumerable<Candidate> Kernels() =>
        from test in KernelCorrectness.Cases
        group test by test.Kernel into cases
        orderby cases.Key
        select new Candidate(cases.Key, FormattableString.Invariant($"{cases.Key}: {Counted.Of(cases.Count(), "shape")}, compared with the reference"));

    /// <summary>Claims of the paper.</summary>
    public static IEnumerable<Candidate> Findings() => GetFindingOperation.Claims.Select(c => new Candidate(c.Name, c.Claim));

    /// <summary>Columns of result rows.</summary>
    public static IEnumerable<Candidate> Columns() =>
        typeof(SparseAttentionResult).GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(p => new Candidate(p.Name, p.Name));

    /// <summary>Columns of cost: the derived ones and those that result rows hold.</summary>
    public static IEnumerable<Candidate> Costs() =>
    [
        new(RequestCost.PrefillFlopsName, "Computed operations of the prefill, choosing included"),
        new(RequestCost.DecodeBytesName, "Computed bytes of weights, keys, values and index that a decode step reads, a sequence"),
        new(RequestCost.MemoryReadsName, "Computed bytes read over prefill and decode, a sequence"),
        new("Density", "Share of query-key pairs attended, 1 - sparsity, over prefill and decode"),
        new("PrefillDensity", "1 - prefill sparsity"),
        new("DecodeDensity", "1 - decode sparsity"),
        .. Columns().Where(c => c.Text.EndsWith("Seconds", StringComparison.Ordinal) || c.Text.EndsWith("Bytes", StringComparison.Ordinal) || c.Text is nameof(SparseAttentionResult.BytesRead) or nameof(SparseAttentionResult.PrefillOperations) or nameof(SparseAttentionResult.DecodeOperations)),
    ];

    /// <summary>Ids of runs, the newest first.</summary>
    public static IEnumerable<Candidate> Runs(IReadOnlyList<string> folders, string beginning) => KnownIds.Runs(folders, beginning).Select(i => new Candidate(i.Id, i.Description));

    /// <summary>Ids of jobs, the newest first.</summary>
    public static IEnumerable<Candidate> Jobs(IReadOnlyList<string> folders, string beginning) => KnownIds.Jobs(folders, beginning).Select(i => new Candidate(i.Id, i.Description));

    /// <summary>The words that may follow in a budget schedule.</summary>
    /// <param name="before">Whole words.</param>
    public static IEnumerable<Candidate> BudgetSchedule(string before)
    {
        string[] rule = before[(before.LastIndexOf('|') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return rule.Any(w => !w.Contains(':', StringComparison.Ordinal))
            ? [new Candidate("| ", "Another rule: the first that matches a place counts")]
            : [.. s_conditions.Where(c => !rule.Any(w => w.StartsWith(c.Text, StringComparison.OrdinalIgnoreCase))), .. s_actions];
    }

    /// <summary>The words that may follow in a claim.</summary>
    /// <param name="before">Whole words.</param>
    public static IEnumerable<Candidate> Claim(string before)
    {
        string[] words = before.ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        int relation = Array.FindLastIndex(words, w => w is "over" or "below");
        string last = words.LastOrDefault("");
        return last switch
        {
            "at" => [],
            "not" => [new Candidate("below ", "The first method loses less than the margin")],
            _ when last.EndsWith('+') => Side("Decode"),
            "" or "over" or "below" => Side(null),
            _ =>
            [
                .. relation < 0 ? s_relations : [],
                .. words.AsSpan(relation + 1).Contains("at") ? Array.Empty<Candidate>() : [new Candidate("at ", "A sparsity follows: at 0.9; without it equal ones are compared")],
            ],
        };

        // The first side is followed by more.
        IEnumerable<Candidate> Side(string? phase) => relation < 0 ? Methods(phase).Select(m => m with { Text = m.Text + " " }) : Methods(phase);
    }

    private static Candidate Parameter(string name, double value, double minimum, double maximum, string description, IEnumerable<string> owners) => new(
        FormattableString.Invariant($"{name}={value}"),
        FormattableString.Invariant($"{string.Join(", ", owners.Distinct())}: {description} {(maximum < int.MaxValue ? $"From {minimum} to {maximum}" : $"At least {minimum}")}, {value} if not given."));

    private static List<T> Collect<T>(Action<IPipelineSink, CancellationToken> operation)
    {
        var sink = new CandidateSink();
        try
        {
            operation(sink, CancellationToken.None);
        }
        catch (SparseFrontierException)
        {
            // What was found so far still helps.
        }

        return [.. sink.Objects.OfType<T>()];
    }

    private sealed class CandidateSink : IPipelineSink
    {
        public List<object> Objects { get; } = [];

        public void Object(object value) => Objects.Add(value);

        public void Error(SparseFrontierException error)
        {
        }

        public void Warning(string message)
        {
        }

        public void Verbose(string message)
        {
        }

        public void Information(string message)
        {
        }

        public void Progress(ProgressUpdate update)
        {
        }

        public bool ShouldProcess(string target, string action) => false;
    }
}
