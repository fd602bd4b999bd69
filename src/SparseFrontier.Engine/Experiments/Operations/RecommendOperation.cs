using System.Globalization;
using System.Text.Json;
using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Findings;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Advises a method and a budget for each phase and length, from what rows show, as <see cref="SparsityRecommendation"/>.</summary>
public sealed class RecommendOperation
{
    /// <summary>The rows, dense ones among them; their samples are read from their folders. Null: the summary that comes with the engine, of the models that come with it.</summary>
    public required IReadOnlyList<SparseAttentionResult>? Results { get; init; }

    /// <summary>The folder that they were read from where nobody named one, for messages and <see cref="SparsityRecommendation.Source"/>; empty where somebody did.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>Models; wildcards match. Empty: all of the rows.</summary>
    public IReadOnlyList<string> Model { get; init; } = [];

    /// <summary>Tasks, each of which must be shown to tolerate what is advised; wildcards match. Empty: those of a model that were run at every length that counts.</summary>
    public IReadOnlyList<string> Task { get; init; } = [];

    /// <summary>Prompt lengths. Empty: all of the rows.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [];

    /// <summary>The mean loss of score that is accepted, above 0 and below 1.</summary>
    public double MaximumDrop { get; init; } = 0.05;

    /// <summary>Whether the loss is a share of the dense score.</summary>
    public bool Relative { get; init; }

    /// <summary>Confidence of what is shown at a length, over all methods, from 0.5 to below 1.</summary>
    public double ConfidenceLevel { get; init; } = 0.95;

    /// <summary>Rows of `kernels measure` to predict speed-ups from; without any the seconds of the runs are taken (of generation where they stepped alone), or the kernels of the summary.</summary>
    public IReadOnlyList<KernelMeasurement> Kernel { get; init; } = [];

    /// <summary>The device whose speed counts; empty: that of the rows, and of the summary the processor's.</summary>
    public string Device { get; init; } = "";

    /// <summary>The summary that stands in for results.</summary>
    internal ResultSummary Shipped { get; init; } = ResultSummary.Embedded;

    /// <summary>The folder of results where they go when none is named; null where there is none.</summary>
    public static string? OwnResults => Directory.Exists(ResultStore.DefaultPath) ? Path.GetFullPath(ResultStore.DefaultPath) : null;

    /// <summary>Reads what `kernels measure --json` wrote.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static IReadOnlyList<KernelMeasurement> ReadKernels(string path)
    {
        try
        {
            return [.. PlainFile.Lines(PlainFile.ReadAllBytes(path)).Where(l => l.Trim().Length > 0).Select(l => JsonSerializer.Deserialize<KernelMeasurement>(l, StoreJson.Line) ?? throw new JsonException("null is no measurement."))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"'{path}' is not what 'kernels measure --json' writes: {e.Message}", path, e);
        }
    }

    /// <summary>Emits a row for each model, task, length and phase; dense attention where nothing is shown or nothing is faster.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid. DataInsufficient: there are no rows of what was asked.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        MeasureToleranceOperation.Require(MaximumDrop, ConfidenceLevel);
        if (SequenceLength.FirstOrDefault(n => n < 1, 1) is < 1 and int wrong)
        {
            throw new SparseFrontierException(ErrorIds.SequenceLengthInvalid, FormattableString.Invariant($"{wrong} is no length: it is a number of tokens, 1 or more."), wrong);
        }

        SparseAttentionResult[] rows = [.. (Results ?? Shipped.Rows.Where(r => !FindingsGrid.IsOtherTraining(r.Model))).Where(r => Pareto.Includes(r) && r.BudgetSchedule.Length == 0 && !IsControl(r))];
        RequireRows(rows);
        var failures = new List<SparseFrontierException>();
        IReadOnlyList<ToleranceSeries> series = ToleranceSeriesBuilder.Build(rows.Where(r => Matches(Model, r.Model) && Matches(Task, r.Task)), paired: true, failures.Add);
        foreach (string message in failures.Select(f => f.Message).Distinct())
        {
            sink.Warning($"{message} It is left out.");
        }

        if (series.Count == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient, $"No sparse run{InResultPath} has a dense run of the same samples beside it, so no loss is known. Run the method Dense on the same task, length and seed too.");
        }

        Func<SparseAttentionResult, string> protocol = Protocol.AcrossTasks(series.Select(s => s.Dense));
        foreach (var place in series.GroupBy(s => (s.Dense.Model, Protocol: protocol(s.Dense))))
        {
            cancellationToken.ThrowIfCancellationRequested();
            string[] tasks = TasksOf(place.Key.Model, [.. place], sink);
            Dictionary<int, IReadOnlyList<AdvisedMethod>> byLength = place.Where(s => tasks.Contains(s.Dense.Task)).GroupBy(s => s.Dense.SequenceLength)
                .Where(g => g.Select(s => s.Dense.Task).Distinct().Count() == tasks.Length)
                .ToDictionary(g => g.Key, g => AdvisedMethod.Of(g, tasks, Margin, ConfidenceLevel));
            int[] lengths = [.. (SequenceLength.Count > 0 ? SequenceLength : [.. byLength.Keys]).Distinct().Order()];
            var advice = new List<SparsityRecommendation>();
            foreach (int length in lengths.Where(_ => tasks.Length > 0))
            {
                if (!byLength.TryGetValue(length, out IReadOnlyList<AdvisedMethod>? methods))
                {
                    int shorter = byLength.Keys.Where(n => n < length).DefaultIfEmpty(0).Max();
                    int longer = byLength.Keys.Where(n => n > length).DefaultIfEmpty(0).Min();
                    if ((shorter == 0 || longer == 0) && series.Where(s => s.Dense.Model == place.Key.Model && protocol(s.Dense) != place.Key.Protocol).GroupBy(s => protocol(s.Dense))
                        .Any(g => g.Any(s => s.Dense.SequenceLength <= length) && g.Any(s => s.Dense.SequenceLength >= length)))
                    {
                        // Runs of another protocol reach there.
                        continue;
                    }

                    if (shorter == 0 || longer == 0)
                    {
                        sink.Warning(FormattableString.Invariant(
                            $"{length} tokens lie outside of the lengths that {place.Key.Model} was run at ({string.Join(", ", byLength.Keys.Order())}; {string.Join(", ", tasks)}): nothing is shown there, nothing is extrapolated and nothing is advised. Run the sweep at {length} too."));
                        continue;
                    }

                    advice.AddRange(AdviseBetween(byLength[shorter], byLength[longer], length, tasks));
                    continue;
                }

                foreach (IGrouping<string, AdvisedMethod> phase in Phases(methods.Select(WithSpeed)))
                {
                    advice.AddRange(Advise([.. phase], tasks, [.. lengths.Where(byLength.ContainsKey)], byLength));
                }
            }

            string source = Source(place.Where(s => tasks.Contains(s.Dense.Task)));
            foreach (SparsityRecommendation row in advice.OrderBy(a => a.Task, StringComparer.Ordinal))
            {
                sink.Object(source.Length > 0 ? row with { Source = source, Reason = $"{row.Reason} From {source}." } : row);
            }
        }
    }

    // Random, OracleTopK and the like are run to compare with, not to be used.
    private static bool IsControl(SparseAttentionResult row) => MethodLookup.Prefill(row.Method)?.IsControl == true || MethodLookup.Decode(row.DecodeMethod)?.IsControl == true;

    private string InResultPath => ResultPath.Length > 0 ? $" in '{ResultPath}'" : "";

    private bool IsShipped => Results is null;

    private IReadOnlyList<KernelMeasurement> Kernels => Kernel.Count > 0 || !IsShipped ? Kernel : Shipped.Kernels;

    private string DeviceOf(SparseAttentionResult row) => Device.Length > 0 ? Device : IsShipped ? "cpu" : row.Device;

    private static bool Matches(IReadOnlyList<string> patterns, string name) => patterns.Count == 0 || patterns.Any(p => NameMatcher.Matches(name, p));

    // What the advice is from, if not from rows that the user gave.
    private string Source(IEnumerable<ToleranceSeries> series)
    {
        if (!IsShipped || !series.Any())
        {
            return ResultPath.Length > 0 ? $"the results{InResultPath}" : "";
        }

        ToleranceSeries[] asked = [.. series.Where(s => SequenceLength.Contains(s.Dense.SequenceLength))];
        ToleranceSeries[] used = asked.Length > 0 ? asked : [.. series];
        SparseAttentionResult[] dense = [.. used.Select(s => s.Dense)];
        string device = string.Join(" and ", dense.Select(d => Name(Shipped.Header.Devices, d.Device)).Distinct());
        int[] counts = [.. used.SelectMany(s => s.Levels.Select(l => l.Row).Append(s.Dense)).Select(r => r.SampleCount).Distinct().Order()];
        string speed = Kernel.Count > 0 ? "yours" : Shipped.Kernels.Any(k => k.Device == DeviceOf(dense[0])) ? Name(Shipped.Header.KernelDevices, DeviceOf(dense[0])) : $"not measured on {DeviceOf(dense[0])}";
        return FormattableString.Invariant(
            $"the shipped summary: {dense[0].Model}, {string.Join(" to ", new[] { counts[0], counts[^1] }.Distinct())} samples a run, seed {string.Join(", ", dense.Select(d => d.Seed).Distinct())}, computed on {device} by version {Shipped.Header.ModuleVersion}, {Shipped.Header.Date}; speed of kernels: {speed}");

        static string Name(IReadOnlyDictionary<string, string> names, string id) => names.TryGetValue(id, out string? name) ? name : id;
    }

    // The tasks that advice for a model is about: those asked for, none where one of them was not run; without a wish those that were run at every length that counts.
    private string[] TasksOf(string model, IReadOnlyList<ToleranceSeries> series, IPipelineSink sink)
    {
        string[] all = [.. series.Select(s => s.Dense.Task).Distinct().Order(StringComparer.Ordinal)];
        if (Task.Count > 0)
        {
            string[] missing = [.. Task.Where(p => !all.Any(t => NameMatcher.Matches(t, p)))];
            if (missing.Length > 0)
            {
                sink.Warning($"There is no result of {string.Join(" and ", missing)} with {model}{InResultPath}: nothing is advised for it.");
            }

            return missing.Length > 0 ? [] : all;
        }

        ILookup<int, string> byLength = series.ToLookup(s => s.Dense.SequenceLength, s => s.Dense.Task);
        int[] run = [.. byLength.Select(g => g.Key)];
        IEnumerable<int> counting = SequenceLength.Count == 0
            ? run
            : SequenceLength.SelectMany(n => run.Contains(n) ? [n] : new[] { run.Where(r => r < n).DefaultIfEmpty(0).Max(), run.Where(r => r > n).DefaultIfEmpty(0).Min() }).Where(n => n > 0).Distinct();
        string[] common = [.. all.Where(t => counting.All(n => byLength[n].Contains(t)))];
        if (common.Length > 0 && common.Length < all.Length)
        {
            sink.Warning($"{string.Join(", ", all.Except(common))} was not run with {model} at all of these lengths and is left out: name it with its lengths for advice on it.");
        }

        return common.Length > 0 ? common : all;
    }

    private Tolerance.Margin Margin => new(MaximumDrop, Relative);

    private void RequireRows(SparseAttentionResult[] rows)
    {
        const string Own = "such as: Invoke-SparseAttentionRun Dense, Quest, SnapKV Niah -SequenceLength 2048 -Sparsity 0.5, 0.8, 0.9 -SampleCount 100";
        if (rows.Length == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient, $"There are no completed results to advise from{InResultPath}. Run a sweep first, dense runs among it, {Own}. Without results advice is from the summary that comes with this version.");
        }

        Require(Model, r => r.Model);
        Require(Task, r => r.Task);

        void Require(IReadOnlyList<string> wanted, Func<SparseAttentionResult, string> column)
        {
            string[] names = [.. rows.Select(column).Distinct().Order(StringComparer.Ordinal)];
            string[] missing = [.. wanted.Where(p => !names.Any(n => NameMatcher.Matches(n, p)))];
            if (missing.Length > 0)
            {
                throw new SparseFrontierException(
                    ErrorIds.DataInsufficient,
                    $"{(IsShipped ? "The summary that comes with this version" : ResultPath.Length > 0 ? $"'{ResultPath}'" : "What was given")} has no result of {string.Join(" or ", missing)}; it has of {string.Join(", ", names)}. "
                    + (IsShipped ? $"What holds for one model does not hold for another: run a sweep of your own, {Own} -Model DIRECTORY, and pipe its rows here." : "Run it, or name what was run."),
                    missing[0]);
            }
        }
    }

    private IEnumerable<SparsityRecommendation> Advise(AdvisedMethod[] methods, string[] tasks, int[] lengths, Dictionary<int, IReadOnlyList<AdvisedMethod>> byLength)
    {
        AdvisedMethod[] shown = [.. methods.Where(m => m.Best is not null)];

        (AdvisedMethod? best, bool bySpeed) = Choose(shown, m => m.Speed, m => m.Sparsity, m => m.Parameters);
        SparseAttentionResult dense = methods[0].Dense;
        SparsityRecommendation advice = Start(methods[0], dense.SequenceLength, tasks);
        string others = string.Join(" ", methods.Where(m => m != best).Select(Words));
        if (best is null)
        {
            string blind = Blind(methods);
            return blind.Length > 0
                ? Dense($"Dense attention: {blind}. No sparsity is established.")
                : Dense($"Dense attention: no sparsity is shown to lose less than {MarginText}. {others}");
        }

        if (best.Speed is { Factor: < 1 } slow && bySpeed)
        {
            return Dense(FormattableString.Invariant($"Dense attention: nothing that is shown to lose less than {MarginText} is faster at {dense.SequenceLength} tokens; the best, {best.Name} at {best.Sparsity:F2}, takes {1 / slow.Factor:F2} times as long ({slow.Of}). {others}").TrimEnd());
        }

        AdvisedLevel level = best.Best!;
        (string budget, string schedule) = AdvisedBudget.Of(best, [.. lengths.Select(n => (n, byLength[n].FirstOrDefault(m => m.IsSameAs(best))))]);
        advice = advice with
        {
            Method = best.Row.Method,
            DecodeMethod = best.Row.DecodeMethod,
            Sparsity = schedule.Length > 0 || !level.IsAsked ? null : level.Asked,
            DecodeSparsity = best.Phase == "Both" ? best.Series[0].DecodeSparsity : null,
            BudgetSchedule = schedule,
            ToleratedSparsity = best.Sparsity,
            KeptTokens = (1 - best.PromptSparsity) * dense.SequenceLength,
            SpeedUp = best.Speed?.Factor,
            SpeedUpOf = best.Speed?.Of ?? "",
            Reason = $"{Shown(best)} {Choice(best, shown, bySpeed)} {Capital(Beyond(best))} {others}".Replace("  ", " ", StringComparison.Ordinal).TrimEnd(),
        };
        return level.Tasks.Select(task =>
        {
            DifferenceTest loss = DifferenceTest.Paired([.. task.DenseScores.Zip(task.Scores, (d, s) => d - s)]);
            return advice with
            {
                Task = task.Row.Task,
                TaskParameters = task.Row.TaskParameters,
                Parameters = ParametersOf(best.Phase, task.Row, budget),
                MaximumOutputTokens = OutputTokensOf(task.Row),
                DenseScore = task.DenseScores.Average(),
                Loss = loss.Difference,
                LossLow = loss.Low(ConfidenceLevel),
                LossHigh = loss.High(ConfidenceLevel),
                ComparedCount = loss.SampleCount,
            };
        });

        IEnumerable<SparsityRecommendation> Dense(string reason) => DenseAdvice(advice, tasks, methods, reason);
    }

    // Between two lengths: what is shown at both.
    private IEnumerable<SparsityRecommendation> AdviseBetween(IReadOnlyList<AdvisedMethod> shorter, IReadOnlyList<AdvisedMethod> longer, int length, string[] tasks)
    {
        ILookup<string, AdvisedBetween> candidates = AdvisedBetween.Of(shorter, longer, length).ToLookup(b => b.Shorter.Phase);
        foreach (IGrouping<string, AdvisedMethod> phase in Phases(shorter.Where(s => longer.Any(l => l.Phase == s.Phase))))
        {
            AdvisedBetween[] shown = [.. candidates[phase.Key].Select(b => b with { Speed = SpeedOf(b) })];
            (AdvisedBetween? best, bool bySpeed) = Choose(shown, m => m.Speed, m => m.Sparsity, m => m.Shorter.Parameters);
            AdvisedMethod[] methods = [.. phase.Concat(longer.Where(l => l.Phase == phase.Key))];
            SparsityRecommendation advice = Start(methods[0], length, tasks) with { IsInterpolated = true };
            string between = FormattableString.Invariant($"{methods[0].Dense.SequenceLength} and at {methods[^1].Dense.SequenceLength} tokens");
            if (best is null)
            {
                string blind = Blind(methods);
                foreach (SparsityRecommendation row in DenseAdvice(
                    advice, tasks, methods, blind.Length > 0 ? $"Dense attention: {blind}. No sparsity is established." : FormattableString.Invariant($"Dense attention: no sparsity is shown to lose less than {MarginText} both at {between}, and {length} was not run.")))
                {
                    yield return row;
                }

                continue;
            }

            if (best.Speed is { Factor: < 1 } slow && bySpeed)
            {
                foreach (SparsityRecommendation row in DenseAdvice(
                    advice, tasks, methods, FormattableString.Invariant($"Dense attention: nothing that is shown to lose less than {MarginText} at {between} is faster between them; the best, {best.Shorter.Name} at {best.Sparsity:F2}, takes {1 / slow.Factor:F2} times as long ({slow.Of}, interpolated).")))
                {
                    yield return row;
                }

                continue;
            }

            string speed = best.Speed is { } s ? FormattableString.Invariant($" {Capital(s.Of)} would take {1 / s.Factor:F2} of dense attention's time.") : $" {UnknownSpeed(best.Shorter, best.Longer)}";
            foreach (ToleranceLevel task in best.Low.Tasks)
            {
                (double loss, double low, double high, int count) = best.LossOn(task.Row.Task, ConfidenceLevel);
                yield return advice with
                {
                    Task = task.Row.Task,
                    TaskParameters = task.Row.TaskParameters,
                    MaximumOutputTokens = OutputTokensOf(task.Row),
                    Method = best.Shorter.Row.Method,
                    DecodeMethod = best.Shorter.Row.DecodeMethod,
                    Sparsity = best.Low.Asked,
                    DecodeSparsity = phase.Key == "Both" ? best.Shorter.Series[0].DecodeSparsity : null,
                    Parameters = ParametersOf(phase.Key, task.Row, ""),
                    ToleratedSparsity = best.Sparsity,
                    KeptTokens = (1 - best.PromptSparsity) * length,
                    DenseScore = ((1 - best.Share) * task.DenseScores.Average()) + (best.Share * best.High.Tasks.First(t => t.Row.Task == task.Row.Task).DenseScores.Average()),
                    Loss = loss,
                    LossLow = low,
                    LossHigh = high,
                    ComparedCount = count,
                    SpeedUp = best.Speed?.Factor,
                    SpeedUpOf = best.Speed?.Of ?? "",
                    Reason = FormattableString.Invariant(
                        $"Interpolated: {best.Shorter.Name} at {best.Low.Asked:F2} is shown to lose less than {MarginText} at {between}, with confidence {ConfidenceLevel:G3} over all methods tested at each. {length} was not run: its loss is taken to lie between theirs, linear in the logarithm of the length.{speed}"),
                };
            }
        }
    }

    private SparsityRecommendation Start(AdvisedMethod method, int length, string[] tasks) => new()
    {
        Model = RequestCosts.ModelOf(method.Dense),
        TaskCount = tasks.Length,
        SequenceLength = length,
        Phase = method.Phase,
        MaximumDrop = MaximumDrop,
        IsRelative = Relative,
        ConfidenceLevel = ConfidenceLevel,
        Device = DeviceOf(method.Dense) is { Length: > 0 } device ? device : "cpu",
        QuestionPosition = method.Dense.QuestionPosition.Length > 0 ? method.Dense.QuestionPosition : "Both",
        CompressBefore = method.Dense.CompressBefore.Length > 0 ? method.Dense.CompressBefore : "None",
        ShortInstructions = method.Dense.ShortInstructions,
        ReferenceScoring = method.Dense.ReferenceScoring,
    };

    // Those with which a sparsity that was asked for, or a budget, gives the run again; where parameters were given instead, all of them.
    private static string ParametersOf(string phase, SparseAttentionResult row, string budget) =>
        phase == "Both" ? ""
        : AdvisedMethod.IsAsked(row) ? string.Join(';', new[] { FixedParameters.ToGive(row), budget }.Where(p => p.Length > 0))
        : phase == "Prefill" ? row.Parameters
        : row.DecodeParameters;

    private static int? OutputTokensOf(SparseAttentionResult row) => row.MaximumOutputTokens > 0 ? row.MaximumOutputTokens : null;

    private static IEnumerable<SparsityRecommendation> DenseAdvice(SparsityRecommendation advice, string[] tasks, AdvisedMethod[] methods, string reason) => tasks.Select(task =>
    {
        ToleranceSeries? series = methods.SelectMany(m => m.Series).FirstOrDefault(s => s.Dense.Task == task);
        return advice with { Task = task, TaskParameters = series?.Dense.TaskParameters ?? "", MaximumOutputTokens = series is null ? null : OutputTokensOf(series.Dense), DenseScore = series?.Dense.Score, Reason = reason };
    });

    // The tasks on which dense attention is so near to chance that no loss could be seen.
    private string Blind(AdvisedMethod[] methods) => string.Join(
        "; ",
        methods.SelectMany(m => m.Levels.Take(1)).SelectMany(l => l.Tasks).DistinctBy(t => (t.Row.Task, t.Row.SequenceLength))
            .Where(t => !Margin.IsLossVisible(t, 1 - ConfidenceLevel))
            .Select(t => FormattableString.Invariant($"on {t.Row.Task} at {t.Row.SequenceLength} tokens {Margin.DescribeFloor(t)}")));

    private static IEnumerable<IGrouping<string, AdvisedMethod>> Phases(IEnumerable<AdvisedMethod> methods) =>
        methods.GroupBy(m => m.Phase).OrderBy(p => p.Key == "Both").ThenByDescending(p => p.Key);

    private static string Capital(string text) => $"{text[..1].ToUpperInvariant()}{text[1..]}";

    private string MarginText => Relative ? FormattableString.Invariant($"{MaximumDrop:G3} of the dense score") : FormattableString.Invariant($"{MaximumDrop:G3}");

    private string Shown(AdvisedMethod best)
    {
        string tasks = best.TaskCount == 1 ? best.Best!.Tasks[0].Row.Task : FormattableString.Invariant($"each of {best.TaskCount} tasks");
        string asked = ClaimSide.Near(best.Sparsity, best.Best!.Asked) ? "" : FormattableString.Invariant($" ({best.Best.Asked:F2} asked for)");
        return FormattableString.Invariant($"{best.Name} at {best.Sparsity:F2}{asked} is shown to lose less than {MarginText} on {tasks}, as at every lower sparsity tested, with confidence {ConfidenceLevel:G3} over all methods tested.");
    }

    // The fastest of those whose speed is known (all of the same phase, so of the same thing), if it is faster than dense attention; else, of those whose speed is not known, the one that leaves out most, and of equals the one that
    // has the usual parameters.
    private static (T? Best, bool BySpeed) Choose<T>(T[] shown, Func<T, (double Factor, string Of)?> speed, Func<T, double> sparsity, Func<T, string> parameters)
        where T : class
    {
        T[] known = [.. shown.Where(m => speed(m) is not null)];
        T? fastest = known.MaxBy(m => speed(m)!.Value.Factor);
        T[] others = [.. shown.Except(known)];
        if (fastest is not null && (others.Length == 0 || speed(fastest)!.Value.Factor > 1))
        {
            return (fastest, true);
        }

        T? sparsest = others.MaxBy(sparsity);
        return (sparsest is null ? null : others.FirstOrDefault(m => parameters(m).Length == 0 && ClaimSide.Near(sparsity(m), sparsity(sparsest))) ?? sparsest, false);
    }

    private string Choice(AdvisedMethod best, AdvisedMethod[] shown, bool bySpeed)
    {
        int known = shown.Count(m => m.Speed is not null);
        string speed = best.Speed is { } s ? FormattableString.Invariant($"{Capital(s.Of)} took {1 / s.Factor:F2} of dense attention's time.") : UnknownSpeed(best);
        string choice = shown.Length < 2 ? ""
            : !bySpeed ? FormattableString.Invariant($" Of {shown.Length} it leaves out most{(known > 0 ? ", or as much, of those whose speed was not measured" : "")}.")
            : known == shown.Length ? FormattableString.Invariant($" It is the fastest of {shown.Length}.")
            : known == 1 ? FormattableString.Invariant($" It alone of {shown.Length} has a measured speed.")
            : FormattableString.Invariant($" It is the fastest of the {known} of {shown.Length} whose speed was measured.");
        return speed + choice;
    }

    private string Beyond(AdvisedMethod method)
    {
        if (method.Next is not { } next)
        {
            return FormattableString.Invariant($"more than {method.Levels[^1].Asked:F2} was not tested.");
        }

        ToleranceLevel worst = next.Tasks.MaxBy(Margin.PValue)!;
        if (!Margin.IsLossVisible(worst, method.Alpha))
        {
            return FormattableString.Invariant($"{next.Asked:F2} is not established with {Counted.Of(worst.Scores.Length, "sample")} of {worst.Row.Task}: {Margin.DescribeFloor(worst)}.");
        }

        int? needed = Margin.SamplesNeeded(worst, method.Alpha);
        string remedy = needed is { } n
            ? FormattableString.Invariant($"about {n} samples would show it if the loss is the one observed")
            : FormattableString.Invariant($"the loss observed, {worst.DenseScores.Average() - worst.Scores.Average():F3}, is not below the margin");
        return FormattableString.Invariant($"{next.Asked:F2} is not established with {Counted.Of(worst.Scores.Length, "sample")} of {worst.Row.Task}: {remedy}.");
    }

    private string Words(AdvisedMethod method)
    {
        string shown = method.Best is null ? "nothing shown" : FormattableString.Invariant($"{method.Sparsity:F2} shown");
        string speed = method.Speed is { } s ? FormattableString.Invariant($", {s.Factor:F2} times as fast") : "";
        string missing = method.Best is null && method.Next is null ? " for every task" : "";
        return $"{method.Name}: {shown}{missing}{speed}; {Beyond(method)}";
    }

    private AdvisedMethod WithSpeed(AdvisedMethod method) =>
        method.Best is { } best ? method with { Speed = Kernels.Count > 0 ? KernelSpeed(method, method.Dense.SequenceLength, method.PromptSparsity) : RunSpeed(method, best) } : method;

    private (double Factor, string Of)? SpeedOf(AdvisedBetween between) => Kernels.Count > 0
        ? KernelSpeed(between.Shorter, between.Length, between.PromptSparsity)
        : RunSpeed(between.Shorter, between.Low) is { } low && RunSpeed(between.Longer, between.High) is { } high
            ? (Math.Exp(((1 - between.Share) * Math.Log(low.Factor)) + (between.Share * Math.Log(high.Factor))), low.Of)
            : null;

    private (double Factor, string Of)? KernelSpeed(AdvisedMethod method, int length, double sparsity)
    {
        if (method.Phase == "Both")
        {
            return null;
        }

        string device = DeviceOf(method.Dense);
        var table = new KernelTable(Kernels.Where(k => device.Length == 0 || k.Device.Equals(device, StringComparison.OrdinalIgnoreCase)));
        string name = method.Phase == "Prefill" ? method.Row.Method : method.Row.DecodeMethod;
        return table.SpeedUp(method.Phase, name, method.Parameters, length, sparsity) is { } factor ? (factor, "attention") : null;
    }

    private (double Factor, string Of)? RunSpeed(AdvisedMethod method, AdvisedLevel level)
    {
        string device = DeviceOf(method.Dense);
        var pairs = level.Tasks.Select(t => (Sparse: t.Row, Dense: method.Series.First(s => s.Levels.Any(l => l.Row == t.Row)).Dense)).ToArray();
        return pairs.All(p => p.Sparse.Device == device && p.Dense.Device == device)
            && pairs.Select(p => Seconds(p.Dense, method.Phase)).Sum() / pairs.Select(p => Seconds(p.Sparse, method.Phase)).Sum() is { } ratio && double.IsFinite(ratio) && ratio > 0
            && pairs.All(p => Seconds(p.Dense, method.Phase) is not null && Seconds(p.Sparse, method.Phase) is not null)
            ? (ratio, method.Phase == "Both" ? "prefill and decode" : method.Phase.ToLower(CultureInfo.InvariantCulture))
            : null;
    }

    // Of a prompt, or of an output token: methods end at different ones. Of generation only what is the run's own.
    private static double? Seconds(SparseAttentionResult row, string phase) => phase switch
    {
        "Prefill" => row.PrefillSeconds,
        "Decode" => row.OwnSecondsPerToken,
        _ => row.OwnSecondsPerToken is null ? null : row.ElapsedSeconds,
    };

    // Why a method's speed is not known, and how it will be.
    private string UnknownSpeed(params AdvisedMethod[] methods)
    {
        bool isShared = methods[0].Phase != "Prefill" && methods.SelectMany(m => m.Best!.Tasks.Select(t => t.Row).Append(m.Dense)).Any(r => r is { DecodeSeconds: > 0, OwnSecondsPerToken: null });
        return Kernels.Count > 0 || !isShared
            ? "No speed was measured."
            : "Its speed is not known: steps were, or may have been, shared with other runs (SequencesPerStep), and an equal share of their seconds says nothing of a method. Measure-SparseKernel (kernels measure) tells it, or "
                + "these runs and the dense one with -BatchSize 1 -Force (--batch 1 --force).";
    }
}
