using System.Globalization;
using System.Text.Json;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Import;

/// <summary>
/// Results of lm-evaluation-harness: <c>results_DATE.json</c> with a value for each task, metric and filter, and beside it <c>samples_TASK_DATE.jsonl</c> where samples
/// were logged. Metrics that are named by a length (RULER's tasks) become a run for each length.
/// </summary>
internal static class LmEvaluationHarnessResults
{
    private const string Program = "lm-evaluation-harness";

    // A mean over samples that were logged agrees with the figure beside it but for the order of adding.
    private const double Rounding = 1e-6;

    // Of two choices.
    private const double MostChance = 0.5;

    private sealed record Metric(string Name, string Filter, double Value, double? StandardError)
    {
        public bool IsLength => Name.All(char.IsAsciiDigit);
    }

    /// <summary>Whether a JSON file is such a results file.</summary>
    public static bool Matches(JsonElement root) => root.Get("results") is { ValueKind: JsonValueKind.Object } && root.Get("configs") is { ValueKind: JsonValueKind.Object };

    /// <summary>The runs of a results file, one for each task, and length where a task has several.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: the method was not said. ResultRowInvalid, ResultUnreadable.</exception>
    public static IEnumerable<ImportedRun> Read(string path, JsonElement root, ImportOptions options)
    {
        if (!Matches(root))
        {
            throw ImportFiles.Invalid(path, $"a results file of {Program} 0.4 or later has the objects 'results' and 'configs'.", null);
        }

        if (options.Method.Length == 0 && options.DecodeMethod.Length == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"'{path}': results of {Program} do not say how attention was computed. Name the method: Dense for a model as it is, else such as BlockSparse or SnapKV, with its sparsity.", path);
        }

        var groups = new HashSet<string>(Names(root.Get("groups")).Concat(
            Names(root.Get("group_subtasks")).Where(g => root.GetProperty("group_subtasks").GetProperty(g) is { ValueKind: JsonValueKind.Array } children && children.GetArrayLength() > 0)));
        foreach (JsonProperty task in root.GetProperty("results").EnumerateObject().Where(t => !groups.Contains(t.Name)))
        {
            foreach (Metric metric in Choose(path, root, task, options))
            {
                yield return Run(path, root, task.Name, metric, options);
            }
        }
    }

    private static IEnumerable<string> Names(JsonElement? element) => element is { ValueKind: JsonValueKind.Object } named ? named.EnumerateObject().Select(p => p.Name) : [];

    private static Metric[] Choose(string path, JsonElement root, JsonProperty task, ImportOptions options)
    {
        Metric[] metrics = [.. Metrics(root, task)];
        if (metrics.Length > 0 && metrics.All(m => m.IsLength))
        {
            return metrics;
        }

        foreach (string wanted in options.Metric)
        {
            Metric[] named = [.. metrics.Where(m => wanted == m.Name || wanted == $"{m.Name}:{m.Filter}")];
            if (named.Length == 1)
            {
                return named;
            }

            if (named.Length > 1)
            {
                metrics = named;
                break;
            }
        }

        if (metrics.Length == 1 && options.Metric.Count == 0)
        {
            return metrics;
        }

        options.Report(new SparseFrontierException(
            ErrorIds.ParameterInvalid,
            metrics.Length == 0
                ? $"'{task.Name}' of '{path}' has no metric from 0 to 1 of which more is better, so there is no score to take. It is left out."
                : $"'{task.Name}' of '{path}' has the metrics {string.Join(", ", metrics.Select(m => $"{m.Name}:{m.Filter}"))}: name the one that is the score. It is left out.",
            task.Name));
        return [];
    }

    private static IEnumerable<Metric> Metrics(JsonElement root, JsonProperty task)
    {
        if (task.Value.ValueKind != JsonValueKind.Object)
        {
            yield break;
        }

        foreach (JsonProperty entry in task.Value.EnumerateObject())
        {
            int comma = entry.Name.IndexOf(',', StringComparison.Ordinal);
            if (comma <= 0 || entry.Value.Number() is not { } value)
            {
                continue;
            }

            string name = entry.Name[..comma];
            string filter = entry.Name[(comma + 1)..];
            bool lower = root.Get("higher_is_better")?.Get(task.Name)?.Get(name) is { ValueKind: JsonValueKind.False };
            if (!name.EndsWith("_stderr", StringComparison.Ordinal) && !lower && value is >= 0 and <= 1)
            {
                yield return new Metric(name, filter, value, task.Value.Number($"{name}_stderr,{filter}"));
            }
        }
    }

    private static ImportedRun Run(string path, JsonElement root, string task, Metric metric, ImportOptions options)
    {
        (string method, string decode) = ImportedRun.Methods(options.Method, options.DecodeMethod);
        bool sparsePrefill = !MethodRegistry.IsDense(method);
        string samplesPath = SamplesPath(path, task);
        List<SampleResult> samples = Samples(samplesPath, metric, options);
        long? shots = root.Get("n-shot")?.Whole(task);
        return new ImportedRun
        {
            Program = root.Text("lm_eval_version") is { } version ? $"{Program} {version}" : Program,
            Source = path,
            Content = ImportFiles.Hash(File.Exists(samplesPath) ? [path, samplesPath] : [path]),
            Task = task,
            TaskParameters = $"Metric={(metric.IsLength ? "match" : metric.Name)}:{metric.Filter}{(shots is { } n ? string.Create(CultureInfo.InvariantCulture, $";Shots={n}") : "")}",
            Model = Model(root),
            SequenceLength = metric.IsLength ? Length(path, metric) : options.SequenceLength,
            Method = method,
            DecodeMethod = decode,
            NominalSparsity = sparsePrefill ? options.Sparsity : 0,
            NominalDecodeSparsity = MethodRegistry.IsDense(decode) ? 0 : sparsePrefill ? options.DecodeSparsity : options.DecodeSparsity ?? options.Sparsity,
            IsAsked = true,
            MaximumOutputTokens = (int)Math.Clamp(root.GetProperty("configs").Get(task)?.Get("generation_kwargs")?.Whole("max_gen_toks") ?? 0, 0, int.MaxValue),
            Seed = root.Get("config")?.Whole("random_seed") ?? 0,
            StartedAt = root.Number("date") is { } date and > 0 and < 1e11 ? DateTimeOffset.FromUnixTimeMilliseconds((long)(date * 1e3)) : null,
            Score = metric.Value,
            StandardError = metric.StandardError,
            ChanceScore = Chance(samplesPath, root, task, options),
            SampleCount = samples.Count > 0 ? samples.Count : (int)Math.Clamp(root.Get("n-samples")?.Get(task)?.Number("effective") ?? root.GetProperty("results").GetProperty(task).Number("sample_len") ?? 0, 0, int.MaxValue),
            Samples = samples,
        };
    }

    // Of a task whose answers are chosen: one over the number of choices, the mean over the samples.
    private static double? Chance(string samplesPath, JsonElement root, string task, ImportOptions options)
    {
        int[] choices = [.. ImportFiles.JsonLines(samplesPath).GroupBy(l => l.Whole("doc_id")).Select(g => Choices(g.First())).OfType<int>()];
        if (choices.Length > 0)
        {
            return choices.Average(n => 1.0 / n);
        }

        if (root.GetProperty("configs").Get(task)?.Text("output_type") != "multiple_choice")
        {
            return null;
        }

        options.Warn(
            $"'{task}' is multiple choice, and the files do not say among how many answers: log samples (--log_samples) and keep their file beside the results. Answers at random are taken to score {MostChance}, as among two, "
            + "which is the most that they can, so that less may be shown than is true.");
        return MostChance;
    }

    // The continuations that a sample's answer was chosen from, or the choices of its document.
    private static int? Choices(JsonElement line)
    {
        JsonElement[] requests = line.Get("arguments") switch
        {
            { ValueKind: JsonValueKind.Object } named => [.. named.EnumerateObject().Select(p => p.Value)],
            { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray()],
            _ => [],
        };

        // A request of one choice has the context and the continuation; a request that is generated has options there, which are no text.
        int continuations = requests.Select(r => r.ValueKind == JsonValueKind.Array && r.GetArrayLength() > 1 && r[1].ValueKind == JsonValueKind.String ? r[1].GetString() : r.ValueKind == JsonValueKind.Object ? r.Text("arg_1") : null)
            .OfType<string>().Distinct().Count();
        if (continuations > 1)
        {
            return continuations;
        }

        JsonElement? choices = line.Get("doc")?.Get("choices");
        choices = choices is { ValueKind: JsonValueKind.Object } labelled ? labelled.Get("text") ?? labelled.Get("label") : choices;
        return choices is { ValueKind: JsonValueKind.Array } texts && texts.GetArrayLength() > 1 ? texts.GetArrayLength() : null;
    }

    private static int Length(string path, Metric metric) => int.TryParse(metric.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int length)
        ? length
        : throw ImportFiles.Invalid(path, $"the metric '{metric.Name}' is named by a length that is too large.", null);

    private static string Model(JsonElement root)
    {
        string? name = root.Text("model_name");
        JsonElement? arguments = root.Get("config")?.Get("model_args");
        if (string.IsNullOrEmpty(name) && arguments is { ValueKind: JsonValueKind.Object } named)
        {
            name = named.Text("pretrained") ?? named.Text("model");
        }
        else if (string.IsNullOrEmpty(name) && arguments is { ValueKind: JsonValueKind.String } text)
        {
            name = text.GetString()!.Split(',').Where(a => a.StartsWith("pretrained=", StringComparison.Ordinal)).Select(a => a["pretrained=".Length..]).FirstOrDefault();
        }

        return string.IsNullOrEmpty(name) ? root.Get("config")?.Text("model") ?? "unknown" : name;
    }

    // results_DATE.json beside samples_TASK_DATE.jsonl; the date holds no underscore.
    private static string SamplesPath(string path, string task)
    {
        string stem = Path.GetFileNameWithoutExtension(path);
        return Path.Combine(Path.GetDirectoryName(path)!, $"samples_{Path.GetFileName(task)}_{stem[(stem.LastIndexOf('_') + 1)..]}.jsonl");
    }

    private static List<SampleResult> Samples(string path, Metric metric, ImportOptions options)
    {
        var samples = new SortedDictionary<int, SampleResult>();
        foreach (JsonElement line in ImportFiles.JsonLines(path))
        {
            // Samples of other lengths have -1 there.
            if ((line.Text("filter") is { } filter && filter != metric.Filter) || line.Number(metric.Name) is not { } score || (metric.IsLength && score < 0))
            {
                continue;
            }

            if (line.Whole("doc_id") is not (>= 0 and <= int.MaxValue and { } index) || score is not (>= 0 and <= 1) || !samples.TryAdd((int)index, Sample((int)index, score, line)))
            {
                throw ImportFiles.Invalid(path, $"a sample has no doc_id of its own, or its {metric.Name} is not from 0 to 1.", null);
            }
        }

        if (samples.Count > 0 && Math.Abs(samples.Values.Average(s => s.Score!.Value) - metric.Value) > Rounding)
        {
            options.Warn($"'{path}': the samples' mean {metric.Name} is not the {metric.Name} of the results file, so the samples are left out: the metric is no mean of theirs, or the files do not belong together.");
            return [];
        }

        return [.. samples.Values];
    }

    private static SampleResult Sample(int index, double score, JsonElement line)
    {
        JsonElement? output = line.Get("filtered_resps");
        if (output is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 1)
        {
            output = list[0];
        }

        return new SampleResult
        {
            Index = index,
            Score = score,
            GoldJson = JsonSerializer.Serialize(new Dictionary<string, string?> { ["target"] = line.Text("target"), ["doc_hash"] = line.Text("doc_hash") }, StoreJson.Line),
            Output = output is not { } given ? "" : given.ValueKind == JsonValueKind.String ? given.GetString()! : given.GetRawText(),
        };
    }
}
