using System.Globalization;
using System.Text.Json;
using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Import;

/// <summary>
/// Evaluations of The Sparse Frontier's own code: <c>results/TASK/TASK ARGUMENTS/MODEL/METHOD/METHOD ARGUMENTS/evaluation_results_N.json</c>. Its files hold no scores of
/// samples, but its predictions and data, in the same places under <c>predictions</c> and <c>data</c>, have the fields of this project's tasks: where they are there, samples
/// are scored by the paper's rules, and must give the figure of the file.
/// </summary>
internal static class ReferenceResults
{
    private const string Program = "The Sparse Frontier's code";

    // The reference adds in another order.
    private const double Rounding = 1e-6;

    private static readonly Dictionary<string, string> s_tasks = new(StringComparer.Ordinal)
    {
        ["ruler_niah"] = "Niah",
        ["ruler_vt"] = "VariableTracking",
        ["ruler_cwe"] = "CommonWords",
        ["story_retrieval"] = "StoryRetrieval",
        ["story_multihop"] = "StoryMultiHop",
        ["story_filtering"] = "StoryFiltering",
        ["qa_squad"] = "Squad",
        ["qa_quality"] = "Quality",
        ["qa_toefl"] = "Toefl",
    };

    private static readonly Dictionary<string, string> s_methods = new(StringComparer.Ordinal)
    {
        ["dense"] = "Dense",
        ["vertical_and_slash"] = "VerticalSlash",
        ["block_sparse"] = "BlockSparse",
        ["flexprefill"] = "FlexPrefill",
        ["snapkv"] = "SnapKV",
        ["ada_snapkv"] = "AdaSnapKV",
        ["quest"] = "Quest",
    };

    private static readonly Dictionary<string, string> s_parameters = new(StringComparer.Ordinal)
    {
        ["vertical_size"] = "VerticalSize",
        ["slash_size"] = "SlashSize",
        ["approximation_size"] = "Window",
        ["approximation_window"] = "Window",
        ["chunk_size"] = "BlockSize",
        ["top_chunks"] = "TopBlocks",
        ["alpha"] = "Alpha",
        ["min_budget"] = "MinimumBudget",
        ["token_capacity"] = "Capacity",
        ["kernel_size"] = "KernelSize",
        ["local_window"] = "LocalWindow",
        ["prefix_tokens"] = "PrefixTokens",
        ["min_head_capacity_ratio"] = "MinimumHeadRatio",
        ["token_budget"] = "TokenBudget",
        ["page_size"] = "PageSize",
        ["share_pages"] = "SharePages",
    };

    private sealed record Place(string Root, string Task, string TaskArguments, string Model, string Method, string MethodArguments)
    {
        public string InCell => Path.Combine(Task, TaskArguments, Model);

        public string InMethod => Path.Combine(InCell, Method, MethodArguments);
    }

    /// <summary>Whether a file has the name of such results.</summary>
    public static bool Matches(string path) =>
        Path.GetFileName(path) is var name && name.StartsWith("evaluation_results", StringComparison.Ordinal) && name.EndsWith(".json", StringComparison.Ordinal);

    /// <summary>The run of a results file.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid, ResultRowInvalid, ResultUnreadable.</exception>
    public static ImportedRun Read(string path, ImportOptions options)
    {
        options.RequireNoMethod(Program);
        JsonElement root = ImportFiles.Json(path);
        Place place = PlaceOf(path);
        string[] metrics = ["accuracy", "iou", "f1"];
        string[] present = [.. metrics.Where(m => root.Number(m) is >= 0 and <= 1)];
        if (present.Length != 1 || root.Whole("total_samples") is not (> 0 and <= int.MaxValue and { } total))
        {
            throw ImportFiles.Invalid(path, $"one of {string.Join(", ", metrics)} from 0 to 1 is expected, and total_samples.", null);
        }

        string method = s_methods.GetValueOrDefault(place.Method, place.Method);
        bool decodes = MethodLookup.Decode(method) is not null && MethodLookup.Prefill(method) is null;
        IReadOnlyDictionary<string, string> task = Arguments(place.TaskArguments);
        string parameters = place.MethodArguments == "default" ? "" : string.Join(';', Arguments(place.MethodArguments).Select(Parameter));
        double? sparsity = root.Number("average_attention_sparsity");
        string predictionsPath = Beside(place, "predictions", place.InMethod, "pred.jsonl");
        string dataPath = Beside(place, "data", place.InCell, "data.jsonl");
        string configurationPath = Beside(place, "predictions", place.InMethod, "config.json");
        JsonElement configuration = File.Exists(configurationPath) ? ImportFiles.Json(configurationPath) : default;
        var run = new ImportedRun
        {
            Program = configuration.Text("commit_id") is { Length: > 0 } commit ? $"{Program}, commit {commit[..Math.Min(7, commit.Length)]}" : Program,
            Source = path,
            Content = ImportFiles.Hash(path, predictionsPath, dataPath, configurationPath),
            Task = s_tasks.GetValueOrDefault(place.Task, place.Task),
            TaskParameters = string.Join(';', task.Where(a => a.Key != "max_input_tokens").Select(a => $"{a.Key}={a.Value}")),
            Model = place.Model,
            SequenceLength = int.TryParse(task.GetValueOrDefault("max_input_tokens"), NumberStyles.None, CultureInfo.InvariantCulture, out int length) ? length : options.SequenceLength,
            Method = decodes ? "Dense" : method,
            DecodeMethod = decodes ? method : "Dense",
            Parameters = decodes ? "" : parameters,
            DecodeParameters = decodes ? parameters : "",
            NominalSparsity = decodes ? 0 : MethodRegistry.IsDense(method) ? 0 : sparsity,
            NominalDecodeSparsity = decodes ? sparsity : 0,
            ReferenceScoring = true,
            MaximumOutputTokens = (int)Math.Clamp(configuration.Whole("max_output_tokens") ?? 0, 0, int.MaxValue),
            Seed = configuration.Whole("random_seed") ?? 0,
            Score = root.Number(present[0]),
            StandardError = root.Number($"{present[0]}_variance") is >= 0 and { } variance ? Math.Sqrt(variance / total) : null,
            SampleCount = (int)total,
            OutputTokenCount = root.Number("average_output_tokens"),
        };
        return run with { Samples = Samples(run, decodes, predictionsPath, dataPath, options) };
    }

    // The names of the last five folders say what was run.
    private static Place PlaceOf(string path)
    {
        string[] parts = new string[5];
        string? folder = Path.GetDirectoryName(path);
        for (int i = parts.Length - 1; i >= 0; i--)
        {
            parts[i] = Path.GetFileName(folder) is { Length: > 0 } name ? name : throw Lost();
            folder = Path.GetDirectoryName(folder);
        }

        return folder is not null && parts[1].Contains('@', StringComparison.Ordinal) && (parts[4] == "default" || parts[4].Contains('@', StringComparison.Ordinal))
            ? new Place(folder, parts[0], parts[1], parts[2], parts[3], parts[4])
            : throw Lost();

        SparseFrontierException Lost() => ImportFiles.Invalid(
            path, "its folders say what was run, as results/TASK/NAME@VALUE+max_input_tokens@N/MODEL/METHOD/NAME@VALUE or default, and these do not. Keep the folders as the program made them.", null);
    }

    // Under debug all is in one tree, else predictions and data have trees beside the results'.
    private static string Beside(Place place, string tree, string folder, string file)
    {
        string same = Path.Combine(place.Root, folder, file);
        return File.Exists(same) ? same : Path.Combine(Path.GetDirectoryName(place.Root) ?? "", tree, folder, file);
    }

    private static Dictionary<string, string> Arguments(string text)
    {
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string argument in text.Split('+', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = argument.Split('@', 2);
            arguments[parts[0]] = parts.Length > 1 ? parts[1] : "";
        }

        return arguments;
    }

    private static string Parameter(KeyValuePair<string, string> argument)
    {
        string value = argument.Value switch
        {
            "True" => "1",
            "False" => "0",
            _ => argument.Value,
        };
        return $"{s_parameters.GetValueOrDefault(argument.Key, argument.Key)}={value}";
    }

    private static List<SampleResult> Samples(ImportedRun run, bool decodes, string predictionsPath, string dataPath, ImportOptions options)
    {
        EvaluationTask? task = TaskRegistry.Tasks.FirstOrDefault(t => s_tasks.ContainsValue(t.Name) && t.Name == run.Task);
        if (task is null || !File.Exists(predictionsPath) || !File.Exists(dataPath))
        {
            return [];
        }

        // More samples may have been predicted than the file counts; it counts the first ones.
        Dictionary<int, JsonElement> data = ByIndex(dataPath, run.SampleCount);
        List<SampleResult> samples = [];
        foreach ((int index, JsonElement prediction) in ByIndex(predictionsPath, run.SampleCount).OrderBy(p => p.Key))
        {
            if (!data.TryGetValue(index, out JsonElement gold))
            {
                throw ImportFiles.Invalid(predictionsPath, FormattableString.Invariant($"there is a prediction of sample {index}, and no such sample in '{dataPath}'."), null);
            }

            string fields = JsonSerializer.Serialize(gold.EnumerateObject().Where(p => p.Name is not ("input_text" or "index" or "length")).ToDictionary(p => p.Name, p => p.Value), StoreJson.Line);
            string output = prediction.Text("pred") ?? "";
            TaskScore score = task.Score(fields, output, referenceScoring: true);
            double? sparsity = prediction.Number("sparsity");
            samples.Add(new SampleResult
            {
                Index = index,
                Score = score.Score,
                FormatFailure = score.FormatFailure,
                GoldJson = fields,
                Output = output,
                OutputTokenCount = (int?)prediction.Whole("output_tokens_len"),
                PromptTokens = (int?)gold.Whole("length"),
                NominalSparsity = decodes || MethodRegistry.IsDense(run.Method) ? null : sparsity,
                NominalDecodeSparsity = decodes ? sparsity : null,
            });
        }

        double[] scores = [.. samples.Select(s => s.Score).OfType<double>()];
        if (samples.Count != run.SampleCount || scores.Length == 0 || Math.Abs(scores.Average() - run.Score!.Value) > Rounding)
        {
            options.Warn($"'{run.Source}': its predictions, scored by the paper's rules, do not give its figure, so the row has no samples: the files do not belong together, or another version wrote them.");
            return [];
        }

        return samples;
    }

    private static Dictionary<int, JsonElement> ByIndex(string path, int count)
    {
        var lines = new Dictionary<int, JsonElement>();
        foreach (JsonElement line in ImportFiles.JsonLines(path))
        {
            if (line.Whole("index") is not (>= 0 and <= int.MaxValue and { } index))
            {
                throw ImportFiles.Invalid(path, "a line has no index.", null);
            }

            if (index < count)
            {
                lines[(int)index] = line;
            }
        }

        return lines;
    }
}
