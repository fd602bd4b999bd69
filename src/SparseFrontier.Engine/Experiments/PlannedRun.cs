using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>A specification with everything looked up, defaults filled in and checked; no model is loaded for it.</summary>
internal sealed class PlannedRun
{
    private PlannedRun(RunSpecification specification, string modelDirectory)
    {
        Specification = specification;
        ModelDirectory = modelDirectory;
    }

    /// <summary>The specification, defaults filled in, names as the registries write them.</summary>
    public RunSpecification Specification { get; }

    /// <summary>Checkpoint directory.</summary>
    public string ModelDirectory { get; }

    /// <summary>The methods.</summary>
    public required PlannedMethods Methods { get; init; }

    public PrefillMethod Prefill => Methods.Prefill;

    public MethodParameters PrefillParameters => Methods.PrefillParameters;

    public DecodeMethod Decode => Methods.Decode;

    public MethodParameters DecodeParameters => Methods.DecodeParameters;

    public required EvaluationTask Task { get; init; }

    public required TaskOptions TaskOptions { get; init; }

    /// <summary>YaRN factor that the model needs at this length; null for none.</summary>
    public required double? YarnFactor { get; init; }

    public bool CompressesBeforeQuestion => Specification.CompressBefore == "Question";

    /// <summary>Whether neither phase is sparse.</summary>
    public bool IsDense => Methods.AreDense;

    /// <summary>Looks everything up and checks it.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with the specification.</exception>
    public static PlannedRun Create(RunSpecification given, EngineFactory factory)
    {
        EvaluationTask task = FindTask(given.Task);
        var methods = PlannedMethods.Create(given, task);
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

        Devices.RequireList(given.Device);
        string directory = factory.Resolve(given.Model);
        ModelConfiguration configuration = factory.ReadConfiguration(directory);
        if (PlannedMethods.ReadLayers(given.DenseLayers).FirstOrDefault(l => l >= configuration.LayerCount, -1) is >= 0 and int missing)
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

        string name = ModelCatalog.NameOf(directory);

        // What a task does not read must not become part of its runs' identity.
        string? dataPath = task.ReadsData ? given.TaskDataPath : null;
        var specification = new RunSpecification
        {
            Model = given.Model.Length == 0 || given.Model.Equals(name, StringComparison.OrdinalIgnoreCase) ? name : given.Model,
            Method = methods.Prefill.Name,
            DecodeMethod = methods.Decode.Name,
            Parameters = methods.PrefillParameters.With(BudgetSchedule.Uniform).ToString(),
            DecodeParameters = methods.DecodeParameters.With(BudgetSchedule.Uniform).ToString(),
            Sparsity = methods.Sparsity,
            DecodeSparsity = methods.DecodeSparsity,
            Task = task.Name,
            TaskParameters = ParameterText.Format(taskParameters.Select(p => new KeyValuePair<string, double>(p.Key, p.Value))),
            SequenceLength = given.SequenceLength,
            SampleCount = given.SampleCount,
            MaximumOutputTokens = given.MaximumOutputTokens,
            Seed = given.Seed,
            QuestionPosition = position.ToString(),
            CompressBefore = compressBefore,
            BudgetSchedule = methods.PrefillParameters.Schedule.ToString(),
            AllowDenseFallback = given.AllowDenseFallback && !methods.AreDense,
            ReferenceScoring = given.ReferenceScoring,
            ShortInstructions = given.ShortInstructions,
            Device = given.Device,
            TaskDataPath = dataPath,
        };
        return new PlannedRun(specification, directory)
        {
            Methods = methods,
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

    /// <summary>Whether a method or the task is the user's own code, which lives in this process alone.</summary>
    public bool HasOwnCode => Task.CodeHash is not null || Prefill.CodeHash is not null || Decode.CodeHash is not null;

    /// <summary>The specification with full paths, for a process that starts elsewhere and has no models beside it.</summary>
    /// <param name="device">The device that it is to compute on; null: as it was.</param>
    public RunSpecification Portable(string? device = null)
    {
        JsonObject node = JsonSerializer.SerializeToNode(Specification, StoreJson.Line)!.AsObject();
        node[nameof(RunSpecification.Model)] = ModelDirectory;
        node[nameof(RunSpecification.TaskDataPath)] = Specification.TaskDataPath is string data ? Path.GetFullPath(data) : null;
        node[nameof(RunSpecification.Device)] = device ?? Specification.Device;
        return node.Deserialize<RunSpecification>(StoreJson.Line)!;
    }

    /// <summary>"Quest 0.9, Niah at 2048 on model".</summary>
    public override string ToString()
    {
        RunSpecification run = Specification;
        string prefill = Describe(run.Method, run.Sparsity);
        string decode = Describe(run.DecodeMethod, run.DecodeSparsity);
        string methods = Decode.BudgetParameter is null ? prefill : Prefill.BudgetParameter is null ? decode : $"{prefill} + {decode}";
        return string.Create(CultureInfo.InvariantCulture, $"{methods}, {run.Task} at {run.SequenceLength} tokens on {ModelCatalog.NameOf(run.Model)}, {Counted.Of(run.SampleCount, "sample")}, seed {run.Seed}");
    }

    private static string Describe(string method, double? sparsity) => sparsity is null ? method : $"{method} {Text(sparsity.Value)}";

    private static EvaluationTask FindTask(string name) =>
        name.Length > 0 ? TaskRegistry.Find(name) : throw new SparseFrontierException(
            ErrorIds.TaskNotFound, $"No task is named. Known: {string.Join(", ", TaskRegistry.Tasks.Select(t => t.Name))}.", name);

    private static T ReadName<T>(string value, string name)
        where T : struct, Enum => Enum.Parse<T>(ReadName(value, name, Enum.GetNames<T>()));

    private static string ReadName(string value, string name, string[] known) =>
        known.FirstOrDefault(k => k.Equals(value, StringComparison.OrdinalIgnoreCase))
        ?? throw Invalid($"{name} is {string.Join(" or ", known)}, not '{value}'.", value);

    private static void RequirePositive(int value, string name, string errorId)
    {
        if (value < 1)
        {
            throw new SparseFrontierException(errorId, string.Create(CultureInfo.InvariantCulture, $"{name} is at least 1, not {value}."), value);
        }
    }

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static SparseFrontierException Invalid(string message, object? target) => new(ErrorIds.RunSpecificationInvalid, message, target);
}
