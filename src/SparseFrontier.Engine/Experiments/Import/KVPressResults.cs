using System.Globalization;
using System.Text.Json;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Import;

/// <summary>
/// Evaluations of kvpress: a folder with config.yaml, metrics.json and predictions.csv. A press evicts after a dense prefill, so it is a decode method here, and its
/// compression ratio the sparsity that was asked of it. Its files hold answers, not scores of samples: those are computed by kvpress's rule where the rule is simple
/// (RULER, LongBench v2, AIME, MATH), and must give the figure in metrics.json.
/// </summary>
internal static class KVPressResults
{
    private const string Program = "kvpress";

    private static readonly Dictionary<string, string> s_names = new(StringComparer.Ordinal) { ["no_press"] = "Dense", ["snapkv"] = "SnapKV", ["adakv_snapkv"] = "AdaSnapKV" };

    private static readonly string[] s_parameters = ["key_channel_compression_ratio", "head_compression_ratio", "threshold", "compression_interval", "target_size", "hidden_states_buffer_size"];

    /// <summary>The configuration of an evaluation's folder.</summary>
    public const string ConfigurationName = "config.yaml";

    /// <summary>The figures of an evaluation's folder.</summary>
    public const string MetricsName = "metrics.json";

    /// <summary>The runs of an evaluation: one for each task that its figures tell apart.</summary>
    /// <param name="path">metrics.json.</param>
    /// <param name="options">Options.</param>
    /// <exception cref="SparseFrontierException">FileNotFound, ParameterInvalid, ResultRowInvalid, ResultUnreadable.</exception>
    public static IEnumerable<ImportedRun> Read(string path, ImportOptions options)
    {
        options.RequireNoMethod(Program);
        string folder = Path.GetDirectoryName(path)!;
        string configurationPath = Path.Combine(folder, ConfigurationName);
        IReadOnlyDictionary<string, string> configuration = PythonText.TopLevel(
            ImportFiles.Text(configurationPath) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no '{configurationPath}', which says by which press '{path}' was made.", configurationPath));
        string dataset = Required(configuration, "dataset", configurationPath);
        string press = Required(configuration, "press_name", configurationPath);
        string model = Required(configuration, "model", configurationPath);
        JsonElement metrics = ImportFiles.Json(path);
        string predictionsPath = Path.Combine(folder, "predictions.csv");
        IReadOnlyList<IReadOnlyDictionary<string, string>> predictions = CsvFile.Read(predictionsPath);
        string decode = s_names.GetValueOrDefault(press, press);
        double? ratio = Ratio(press, configuration, configurationPath);
        string dataFolder = configuration.GetValueOrDefault("data_dir", "");
        var run = new ImportedRun
        {
            Program = Program,
            Source = folder,
            Content = ImportFiles.Hash(configurationPath, path, predictionsPath),
            Task = dataset,
            Model = model,
            SequenceLength = Length(dataset, dataFolder, configuration) ?? options.SequenceLength,
            DecodeMethod = decode,
            DecodeParameters = Parameters(configuration),
            NominalSparsity = 0,
            NominalDecodeSparsity = MethodRegistry.IsDense(decode) ? 0 : ratio,
            IsAsked = true,

            // Unless it says so, the question comes after the compression.
            CompressBefore = configuration.GetValueOrDefault("query_aware") == "true" || configuration.GetValueOrDefault("compress_questions") == "true" ? "None" : "Question",
            MaximumOutputTokens = int.TryParse(configuration.GetValueOrDefault("max_new_tokens"), NumberStyles.None, CultureInfo.InvariantCulture, out int tokens) ? tokens : 0,
            Seed = long.TryParse(configuration.GetValueOrDefault("seed"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seed) ? seed : 0,
            SampleCount = predictions.Count,
        };
        string fraction = configuration.GetValueOrDefault("fraction", "1.0");
        string part = fraction is "1.0" or "1" ? "" : $"Fraction={fraction};";
        return dataset switch
        {
            "ruler" => Ruler(run with { TaskParameters = $"{part}Metric=string_match" }, metrics, predictions, options),
            "longbench-v2" => [Scored(run with { TaskParameters = $"{part}Metric=accuracy" }, metrics.Number("average"), 1, predictions, KVPressScores.LongBenchV2, options)],
            "aime25" => [Scored(run with { TaskParameters = $"{part}Metric=accuracy" }, metrics.Number("accuracy"), 1, predictions, KVPressScores.LastBoxed, options)],
            "math500" => [Scored(run with { TaskParameters = $"{part}Metric=accuracy" }, metrics.Number("accuracy"), 1, predictions, KVPressScores.FirstBoxed, options)],
            "longbench" => [Single(run with { Task = dataFolder.Length > 0 ? dataFolder : dataset, TaskParameters = part.TrimEnd(';') }, metrics.Number() / 100, path)],
            "infinitebench" => [Single(run with { Task = dataFolder.Length > 0 ? dataFolder : dataset, TaskParameters = part.TrimEnd(';') }, metrics.Number(), path)],
            _ => Named(run with { TaskParameters = part.TrimEnd(';') }, metrics, path, options),
        };
    }

    private static IEnumerable<ImportedRun> Ruler(ImportedRun run, JsonElement metrics, IReadOnlyList<IReadOnlyDictionary<string, string>> predictions, ImportOptions options)
    {
        if (metrics.ValueKind != JsonValueKind.Object)
        {
            throw ImportFiles.Invalid(Path.Combine(run.Source, MetricsName), "figures of RULER are an object of tasks.", null);
        }

        foreach (JsonProperty task in metrics.EnumerateObject())
        {
            IReadOnlyDictionary<string, string>[] rows = [.. predictions.Where(p => p.GetValueOrDefault("task") == task.Name)];
            bool anyOf = task.Name.Split('_')[0] == "qa";
            yield return Scored(
                run with { Task = task.Name, SampleCount = rows.Length }, task.Value.Number("string_match") / 100, 100, rows, row => KVPressScores.StringMatch(row, anyOf), options);
        }
    }

    // Datasets that are scored by several metrics: the user says which, for each of their tasks.
    private static IEnumerable<ImportedRun> Named(ImportedRun run, JsonElement metrics, string path, ImportOptions options)
    {
        JsonProperty[] tasks = metrics.ValueKind == JsonValueKind.Object ? [.. metrics.EnumerateObject().Where(t => t.Value.ValueKind == JsonValueKind.Object)] : [];
        foreach (JsonProperty task in tasks)
        {
            string? name = options.Metric.FirstOrDefault(m => task.Value.Number(m) is >= 0 and <= 1);
            if (name is null)
            {
                string[] known = [.. task.Value.EnumerateObject().Where(m => m.Value.Number() is >= 0 and <= 1).Select(m => m.Name)];
                options.Report(new SparseFrontierException(
                    ErrorIds.ParameterInvalid,
                    $"'{task.Name}' of '{path}' has {(known.Length == 0 ? "no metric from 0 to 1" : $"the metrics {string.Join(", ", known)}: name the one that is the score")}. It is left out.",
                    task.Name));
                continue;
            }

            yield return run with { Task = task.Name, TaskParameters = $"{run.TaskParameters};Metric={name}".TrimStart(';'), Score = task.Value.Number(name), SampleCount = 0 };
        }

        if (tasks.Length == 0)
        {
            options.Report(ImportFiles.Invalid(path, $"kvpress gives {run.Task} no single figure that could be a score. It is left out.", null));
        }
    }

    private static ImportedRun Single(ImportedRun run, double? score, string path) => score is >= 0 and <= 1
        ? run with { Score = score }
        : throw ImportFiles.Invalid(path, $"a single figure is expected of {run.Task}, from 0 to 1 or a percentage.", null);

    private static ImportedRun Scored(
        ImportedRun run,
        double? figure,
        double scale,
        IReadOnlyList<IReadOnlyDictionary<string, string>> rows,
        Func<IReadOnlyDictionary<string, string>, double?> score,
        ImportOptions options)
    {
        if (figure is not (>= 0 and <= 1))
        {
            throw ImportFiles.Invalid(Path.Combine(run.Source, MetricsName), $"there is no figure of {run.Task}.", null);
        }

        SampleResult[] samples =
        [
            .. rows.Select((row, i) => new SampleResult
            {
                Index = i,
                Score = score(row),
                GoldJson = JsonSerializer.Serialize(new Dictionary<string, string?> { ["question"] = row.GetValueOrDefault("question"), ["answer"] = row.GetValueOrDefault("answer") }, StoreJson.Line),
                Output = row.GetValueOrDefault("predicted_answer", ""),
            }),
        ];

        // Percentages are rounded to two digits.
        double tolerance = scale > 1 ? 0.0051 / scale : 1e-9;
        if (samples.Length == 0 || samples.Any(s => s.Score is null) || Math.Abs(samples.Average(s => s.Score!.Value) - figure.Value) > tolerance)
        {
            options.Warn($"'{run.Source}', {run.Task}: predictions.csv does not give the figure of metrics.json by kvpress's rule, so the row has no samples: the files do not belong together, or another version wrote them.");
            return run with { Score = figure };
        }

        return run with { Score = figure, Samples = samples };
    }

    // Presses that are not set by a ratio of the cache: by a threshold, a target size, or of channels instead of tokens.
    private static double? Ratio(string press, IReadOnlyDictionary<string, string> configuration, string path)
    {
        if (press is "think" || press.StartsWith("decoding_", StringComparison.Ordinal) || !configuration.TryGetValue("compression_ratio", out string? text))
        {
            return null;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double ratio) && ratio is >= 0 and < 1
            ? ratio
            : throw ImportFiles.Invalid(path, $"the compression_ratio '{text}' is not from 0 to below 1.", null);
    }

    private static string Parameters(IReadOnlyDictionary<string, string> configuration) =>
        string.Join(';', s_parameters.Where(configuration.ContainsKey).Select(k => $"{k}={configuration[k]}"));

    private static int? Length(string dataset, string dataFolder, IReadOnlyDictionary<string, string> configuration)
    {
        string? text = dataset == "ruler" ? dataFolder : dataset == "needle_in_haystack" ? configuration.GetValueOrDefault("max_context_length") : null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int length) ? length : null;
    }

    private static string Required(IReadOnlyDictionary<string, string> configuration, string key, string path) =>
        configuration.GetValueOrDefault(key) ?? throw ImportFiles.Invalid(path, $"it names no {key}.", null);
}
