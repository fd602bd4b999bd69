using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>A specification with everything looked up, defaults filled in and checked; no model is loaded for it.</summary>
internal sealed class PlannedRun
{
    // The paper sets this window by task for the methods that estimate from the last queries (section 3.4).
    private static readonly string[] s_taskWindowMethods = ["VerticalSlash", "FlexPrefill"];

    private PlannedRun(RunSpecification specification, string modelDirectory)
    {
        Specification = specification;
        ModelDirectory = modelDirectory;
    }

    /// <summary>The specification, defaults filled in, names as the registries write them.</summary>
    public RunSpecification Specification { get; }

    /// <summary>Checkpoint directory.</summary>
    public string ModelDirectory { get; }

    public required PrefillMethod Prefill { get; init; }

    public required MethodParameters PrefillParameters { get; init; }

    public required DecodeMethod Decode { get; init; }

    public required MethodParameters DecodeParameters { get; init; }

    public required EvaluationTask Task { get; init; }

    public required TaskOptions TaskOptions { get; init; }

    /// <summary>YaRN factor that the model needs at this length; null for none.</summary>
    public required double? YarnFactor { get; init; }

    public bool CompressesBeforeQuestion => Specification.CompressBefore == "Question";

    /// <summary>Whether neither phase is sparse.</summary>
    public bool IsDense => Prefill.BudgetParameter is null && Decode.BudgetParameter is null;

    /// <summary>Looks everything up and checks it.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with the specification.</exception>
    public static PlannedRun Create(RunSpecification given, EngineFactory factory)
    {
        (PrefillMethod prefill, DecodeMethod decode, bool moved) = FindMethods(given);
        string prefillText = moved ? "" : given.Parameters;
        string decodeText = moved ? Join(given.Parameters, given.DecodeParameters) : given.DecodeParameters;
        double? sparsity = given.Sparsity;
        double? decodeSparsity = given.DecodeSparsity;
        if (prefill.BudgetParameter is null)
        {
            // The one sparsity belongs to the one sparse method; to none in a dense run.
            decodeSparsity ??= sparsity;
            sparsity = null;
        }

        if (decode.BudgetParameter is null)
        {
            if (given.DecodeSparsity > 0)
            {
                throw Invalid($"DecodeSparsity {Text(given.DecodeSparsity.Value)} was given, but the decode method is dense. Name a decode method or leave it out.", given.DecodeSparsity);
            }

            decodeSparsity = null;
        }

        RequireSparsity(given.Sparsity);
        RequireSparsity(given.DecodeSparsity);
        EvaluationTask task = FindTask(given.Task);
        BudgetSchedule schedule = ReadSchedule(given, prefill.BudgetParameter is null && decode.BudgetParameter is null);
        MethodParameters prefillParameters = CreateParameters(prefill, prefillText, sparsity, task).With(schedule);
        MethodParameters decodeParameters = CreateParameters(decode, decodeText, decodeSparsity, task).With(schedule);
        if (decode.NeedsCalibration)
        {
            throw Invalid($"{decode.Name} has no closed-form budget, which decode methods must have.", decode.Name);
        }

        QuestionPosition position = ReadName<QuestionPosition>(given.QuestionPosition, nameof(given.QuestionPosition));
        string compressBefore = ReadName(given.CompressBefore, nameof(given.CompressBefore), ["None", "Question"]);
        if (compressBefore == "Question" && position == QuestionPosition.First)
        {
            throw Invalid("CompressBefore Question needs a question after the context, but QuestionPosition is First. Use Both or Last.", given.CompressBefore);
        }

        RequirePositive(given.SequenceLength, nameof(given.SequenceLength), ErrorIds.SequenceLengthInvalid);
        RequirePositive(given.SampleCount, nameof(given.SampleCount), ErrorIds.ParameterInvalid);
        RequirePositive(given.MaximumOutputTokens, nameof(given.MaximumOutputTokens), ErrorIds.ParameterInvalid);
        IReadOnlyDictionary<string, int> taskParameters =
            task.ResolveParameters(ParameterText.Parse(given.TaskParameters).DistinctBy(p => p.Key, StringComparer.OrdinalIgnoreCase).ToDictionary(p => p.Key, p => p.Value));

        Devices.Require(given.Device);
        string directory = factory.Resolve(given.Model);
        ModelConfiguration configuration = factory.ReadConfiguration(directory);
        if (ReadLayers(given.DenseLayers).FirstOrDefault(l => l >= configuration.LayerCount, -1) is >= 0 and int missing)
        {
            throw Invalid($"DenseLayers names layer {missing}, but '{ModelCatalog.NameOf(directory)}' has {configuration.LayerCount}, counted from 0.", given.DenseLayers);
        }

        int total = (int)Math.Min(int.MaxValue, (long)given.SequenceLength + given.MaximumOutputTokens);
        double? yarn = configuration.YarnFactorFor(total);
        if (total > configuration.MaximumLength(yarn))
        {
            throw new SparseFrontierException(
                ErrorIds.SequenceTooLong,
                $"{given.SequenceLength} prompt tokens and {given.MaximumOutputTokens} output tokens exceed what '{ModelCatalog.NameOf(directory)}' holds: {configuration.MaximumLength(yarn)} in all. Ask for fewer.",
                given.SequenceLength);
        }

        // What a task does not read must not become part of its runs' identity.
        string? dataPath = task.ReadsData ? given.TaskDataPath : null;
        var specification = new RunSpecification
        {
            Model = given.Model.Length == 0 ? ModelCatalog.NameOf(directory) : given.Model,
            Method = prefill.Name,
            DecodeMethod = decode.Name,
            Parameters = prefillParameters.With(BudgetSchedule.Uniform).ToString(),
            DecodeParameters = decodeParameters.With(BudgetSchedule.Uniform).ToString(),
            Sparsity = sparsity,
            DecodeSparsity = decodeSparsity,
            Task = task.Name,
            TaskParameters = ParameterText.Format(taskParameters.Select(p => new KeyValuePair<string, double>(p.Key, p.Value))),
            SequenceLength = given.SequenceLength,
            SampleCount = given.SampleCount,
            MaximumOutputTokens = given.MaximumOutputTokens,
            Seed = given.Seed,
            QuestionPosition = position.ToString(),
            CompressBefore = compressBefore,
            BudgetSchedule = schedule.ToString(),
            AllowDenseFallback = given.AllowDenseFallback && (prefill.BudgetParameter is not null || decode.BudgetParameter is not null),
            ReferenceScoring = given.ReferenceScoring,
            ShortInstructions = given.ShortInstructions,
            Device = given.Device,
            TaskDataPath = dataPath,
        };
        return new PlannedRun(specification, directory)
        {
            Prefill = prefill,
            PrefillParameters = prefillParameters,
            Decode = decode,
            DecodeParameters = decodeParameters,
            Task = task,
            TaskOptions = new TaskOptions
            {
                SequenceLength = given.SequenceLength,
                Seed = given.Seed,
                QuestionPosition = position,
                Parameters = taskParameters.ToDictionary(p => p.Key, p => (double)p.Value),
                DataPath = dataPath,
                ShortInstructions = given.ShortInstructions,
            },
            YarnFactor = yarn,
        };
    }

    /// <summary>"Quest 0.9, Niah at 2048 on model".</summary>
    public override string ToString()
    {
        RunSpecification run = Specification;
        string prefill = Describe(run.Method, run.Sparsity);
        string decode = Describe(run.DecodeMethod, run.DecodeSparsity);
        string methods = Decode.BudgetParameter is null ? prefill : Prefill.BudgetParameter is null ? decode : $"{prefill} + {decode}";
        return string.Create(CultureInfo.InvariantCulture, $"{methods}, {run.Task} at {run.SequenceLength} tokens on {ModelCatalog.NameOf(run.Model)}, {run.SampleCount} samples, seed {run.Seed}");
    }

    private static string Describe(string method, double? sparsity) => sparsity is null ? method : $"{method} {Text(sparsity.Value)}";

    private static (PrefillMethod Prefill, DecodeMethod Decode, bool Moved) FindMethods(RunSpecification given)
    {
        string method = given.Method.Length == 0 ? "Dense" : given.Method;
        string decodeMethod = given.DecodeMethod.Length == 0 ? "Dense" : given.DecodeMethod;
        PrefillMethod? prefill = MethodLookup.Prefill(method);
        DecodeMethod decode = MethodLookup.Decode(decodeMethod)
            ?? throw MethodLookup.NotFound(decodeMethod, MethodRegistry.DecodeMethods);
        if (prefill is not null)
        {
            return (prefill, decode, false);
        }

        DecodeMethod moved = MethodLookup.Decode(method) ?? throw MethodLookup.NotFound(method, [.. MethodRegistry.PrefillMethods, .. MethodRegistry.DecodeMethods]);
        if (decode.BudgetParameter is not null && decode != moved)
        {
            throw Invalid($"{moved.Name} and {decode.Name} are both decode methods. Give one of them, and a prefill method or none.", method);
        }

        return (MethodLookup.Prefill("Dense")!, moved, true);
    }

    private static EvaluationTask FindTask(string name) =>
        name.Length > 0 ? TaskRegistry.Find(name) : throw new SparseFrontierException(
            ErrorIds.TaskNotFound, $"No task is named. Known: {string.Join(", ", TaskRegistry.Tasks.Select(t => t.Name))}.", name);

    private static MethodParameters CreateParameters(AttentionMethod method, string text, double? sparsity, EvaluationTask task)
    {
        IReadOnlyList<KeyValuePair<string, double>> given = ParameterText.Parse(text);
        string? twice = sparsity is null ? null : method.BudgetParameters.FirstOrDefault(name => given.Any(p =>
            p.Key.Equals(name, StringComparison.OrdinalIgnoreCase) && p.Value != method.Parameters.First(d => d.Name == name).Default));
        if (twice is not null)
        {
            throw new SparseFrontierException(
                ErrorIds.MethodParameterInvalid,
                $"{method.Name}: {twice} and a sparsity of {Text(sparsity!.Value)} both set the budget. Give one of them.",
                twice);
        }

        bool windowByTask = s_taskWindowMethods.Contains(method.Name) && !given.Any(p => p.Key.Equals("Window", StringComparison.OrdinalIgnoreCase));
        return method.CreateParameters(windowByTask ? [new("Window", task.ApproximationWindow), .. given] : given);
    }

    private static BudgetSchedule ReadSchedule(RunSpecification given, bool dense)
    {
        if (given.DenseLayers.Length == 0)
        {
            return dense ? BudgetSchedule.Uniform : BudgetSchedule.Parse(given.BudgetSchedule);
        }

        if (given.BudgetSchedule.Length > 0)
        {
            throw Invalid("DenseLayers and BudgetSchedule both say which layers are dense. Give one of them.", given.BudgetSchedule);
        }

        List<int> layers = ReadLayers(given.DenseLayers);
        return dense ? BudgetSchedule.Uniform : BudgetSchedule.DenseLayers(layers);
    }

    private static List<int> ReadLayers(string text)
    {
        var layers = new List<int>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
            {
                throw Invalid($"DenseLayers is a list of layer numbers from 0, such as 0,1; '{part}' is not one.", text);
            }

            layers.Add(layer);
        }

        return layers;
    }

    private static T ReadName<T>(string value, string name)
        where T : struct, Enum => Enum.Parse<T>(ReadName(value, name, Enum.GetNames<T>()));

    private static string ReadName(string value, string name, string[] known) =>
        known.FirstOrDefault(k => k.Equals(value, StringComparison.OrdinalIgnoreCase))
        ?? throw Invalid($"{name} is {string.Join(" or ", known)}, not '{value}'.", value);

    private static void RequireSparsity(double? sparsity)
    {
        if (sparsity is not null && !(sparsity >= 0 && sparsity < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.SparsityOutOfRange,
                $"A sparsity is the share left out, from 0 to below 1, not {Text(sparsity.Value)}. For 95 % give 0.95.",
                sparsity);
        }
    }

    private static void RequirePositive(int value, string name, string errorId)
    {
        if (value < 1)
        {
            throw new SparseFrontierException(errorId, string.Create(CultureInfo.InvariantCulture, $"{name} is at least 1, not {value}."), value);
        }
    }

    private static string Join(string first, string second) => first.Length > 0 && second.Length > 0 ? $"{first};{second}" : first + second;

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static SparseFrontierException Invalid(string message, object? target) => new(ErrorIds.RunSpecificationInvalid, message, target);
}
