using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>Multiplies sweeps out.</summary>
internal static class SweepBuilder
{
    // What a run without arguments compares: all methods of the paper on the embedded model, in about a minute on two cores. On this task every method is feasible at
    // this length, dense attention is right, and methods part: some cost less and lose nothing, others lose most. DefaultComparisonTests holds that.
    private static readonly string[] s_defaultMethods = ["Dense", "VerticalSlash", "BlockSparse", "FlexPrefill", "SnapKV", "AdaSnapKV", "Quest"];
    private static readonly double[] s_defaultSparsities = [0.5, 0.85];

    /// <summary>Samples of a run in the default comparison.</summary>
    private const int DefaultSampleCount = 16;

    /// <summary>Task of the default comparison where none is named.</summary>
    private const string DefaultComparisonTask = "StoryFiltering";

    /// <summary>Task of other runs where none is named: it fits into short prompts.</summary>
    private const string DefaultTask = "Niah";

    /// <summary>Output tokens in the default comparison: enough for the answers of the embedded model.</summary>
    private const int DefaultOutputTokens = 512;

    /// <summary>Prompt tokens where none are named.</summary>
    private const int DefaultLength = 2048;

    /// <summary>The specifications of a sweep, cell by cell, the dense run of each first if it is among the methods.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, TaskNotFound, MethodParameterInvalid, SparsityOutOfRange, ParameterInvalid.</exception>
    public static IReadOnlyList<RunSpecification> Build(SweepDefinition sweep)
    {
        if (sweep.Preset is not null)
        {
            return SweepPresets.Build(sweep);
        }

        bool isDefault = sweep.Method.Count == 0 && sweep.DecodeMethod.Count == 0;
        if (isDefault)
        {
            sweep = sweep with
            {
                Method = s_defaultMethods,
                Task = sweep.Task.Count > 0 ? sweep.Task : [DefaultComparisonTask],
                Sparsity = sweep.Sparsity.Count > 0 ? sweep.Sparsity : s_defaultSparsities,
                SampleCount = sweep.SampleCount ?? DefaultSampleCount,
                MaximumOutputTokens = sweep.MaximumOutputTokens ?? DefaultOutputTokens,
            };
        }

        foreach (double sparsity in sweep.Sparsity.Concat(sweep.DecodeSparsity))
        {
            if (!(sparsity >= 0 && sparsity < 1))
            {
                throw new SparseFrontierException(
                    ErrorIds.SparsityOutOfRange,
                    string.Create(CultureInfo.InvariantCulture, $"A sparsity is the share left out, from 0 to below 1, not {sparsity}. For 95 % give 0.95."),
                    sparsity);
            }
        }

        List<Combination> combinations = [.. Combine(sweep)];
        RequireUsed(ParameterText.Parse(sweep.Parameter), combinations);
        var specifications = new List<RunSpecification>();
        foreach (CellDefinition cell in Cells(sweep))
        {
            specifications.AddRange(combinations.Select(c => cell.Specify(c)));
        }

        return specifications;
    }

    /// <summary>The cells of a sweep: model, task, length and seed.</summary>
    public static IEnumerable<CellDefinition> Cells(SweepDefinition sweep)
    {
        IReadOnlyList<KeyValuePair<string, double>> given = ParameterText.Parse(sweep.TaskParameter);
        List<EvaluationTask> tasks = [.. TaskRegistry.FindAll(sweep.Task.Count > 0 ? sweep.Task : [DefaultTask])];
        foreach ((string name, _) in given)
        {
            if (!tasks.Any(t => HasParameter(t, name)))
            {
                throw new SparseFrontierException(
                    ErrorIds.ParameterInvalid,
                    $"None of the sweep's tasks has a parameter '{name}'. {NameMatcher.Suggestion(name, [.. tasks.SelectMany(t => t.Parameters).Select(p => p.Name).Distinct()])}",
                    name);
            }
        }

        foreach (string model in sweep.Model.DefaultIfEmpty(""))
        {
            foreach (EvaluationTask task in tasks)
            {
                foreach (int length in sweep.SequenceLength.DefaultIfEmpty(DefaultLength))
                {
                    foreach (long seed in sweep.Seed.DefaultIfEmpty(43))
                    {
                        yield return new CellDefinition(sweep, model, task, ParameterText.Format(given.Where(p => HasParameter(task, p.Key))), length, seed);
                    }
                }
            }
        }
    }

    /// <summary>The prefill and decode methods of a list of names and patterns, with the parameters that the names carry.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound.</exception>
    public static IEnumerable<(AttentionMethod Method, string Parameters)> FindMethods(IReadOnlyList<string> names, bool decodeOnly)
    {
        var found = new HashSet<(AttentionMethod, string)>();
        foreach (string text in names)
        {
            int end = text.IndexOf(';', StringComparison.Ordinal);
            string name = (end < 0 ? text : text[..end]).Trim();
            string parameters = end < 0 ? "" : text[(end + 1)..];

            // Dense, and controls that exist in both phases, stand for their prefill half unless only decode methods are meant.
            List<AttentionMethod> matches = [.. MethodRegistry.Match(name)
                .Where(m => !decodeOnly || m.Phase == AttentionPhase.Decode)
                .GroupBy(m => m.Name)
                .Select(same => same.MinBy(m => m.Phase)!)];
            if (matches.Count == 0 && !NameMatcher.IsPattern(name))
            {
                throw MethodLookup.NotFound(name, MethodRegistry.All.Where(m => !decodeOnly || m.Phase == AttentionPhase.Decode));
            }

            foreach (AttentionMethod method in matches.Where(m => found.Add((m, parameters))))
            {
                yield return (method, parameters);
            }
        }
    }

    private static IEnumerable<Combination> Combine(SweepDefinition sweep)
    {
        IReadOnlyList<KeyValuePair<string, double>> shared = ParameterText.Parse(sweep.Parameter);
        List<(AttentionMethod Method, string Parameters)> methods = [.. FindMethods(sweep.Method.Count > 0 ? sweep.Method : ["Dense"], decodeOnly: false)];
        List<(AttentionMethod Method, string Parameters)> decodes =
            sweep.DecodeMethod.Count > 0 ? [.. FindMethods(sweep.DecodeMethod, decodeOnly: true)] : [(MethodRegistry.FindDecode("Dense"), "")];
        var prefillDense = (Method: (AttentionMethod)MethodRegistry.FindPrefill("Dense"), Parameters: "");
        foreach (var method in methods.OrderBy(m => m.Method.BudgetParameter is not null))
        {
            bool isDecode = method.Method.Phase == AttentionPhase.Decode;
            if (isDecode && sweep.DecodeMethod.Count > 0)
            {
                if (sweep.Method.Any(n => !NameMatcher.IsPattern(n) && n.StartsWith(method.Method.Name, StringComparison.OrdinalIgnoreCase)))
                {
                    throw new SparseFrontierException(
                        ErrorIds.ParameterInvalid, $"{method.Method.Name} is a decode method, but decode methods were given apart. Name it there.", method.Method.Name);
                }

                continue;
            }

            foreach (var decode in isDecode ? [method] : decodes)
            {
                var prefill = isDecode ? prefillDense : method;
                bool sparsePrefill = prefill.Method.BudgetParameter is not null;
                bool sparseDecode = decode.Method.BudgetParameter is not null;
                IReadOnlyList<double> decodeSparsities = sweep.DecodeSparsity.Count > 0 || sparsePrefill ? sweep.DecodeSparsity : sweep.Sparsity;
                foreach (double? sparsity in Levels(sparsePrefill, sweep.Sparsity))
                {
                    foreach (double? decodeSparsity in Levels(sparseDecode, decodeSparsities))
                    {
                        yield return new Combination(
                            prefill.Method.Name,
                            ParametersOf(prefill.Method, prefill.Parameters, shared),
                            sparsity,
                            decode.Method.Name,
                            ParametersOf(decode.Method, decode.Parameters, shared),
                            decodeSparsity);
                    }
                }
            }
        }
    }

    private static IEnumerable<double?> Levels(bool sparse, IReadOnlyList<double> levels) =>
        sparse && levels.Count > 0 ? levels.Distinct().Select(l => (double?)l) : [null];

    /// <summary>The shared parameters that a method has, overridden by those its name carried.</summary>
    public static string ParametersOf(AttentionMethod method, string own, IReadOnlyList<KeyValuePair<string, double>> shared)
    {
        var values = new Dictionary<string, double>(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, double value) in shared)
        {
            if (Unqualified(name, method) is { } parameter)
            {
                values[parameter] = value;
            }
        }

        foreach ((string name, double value) in ParameterText.Parse(own))
        {
            values[name] = value;
        }

        return ParameterText.Format(method.CreateParameters(values).Values.Where(p => values.ContainsKey(p.Key)));
    }

    private static string? Unqualified(string name, AttentionMethod method)
    {
        int point = name.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0 && !name[..point].Equals(method.Name, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        string parameter = name[(point + 1)..];
        return method.Parameters.FirstOrDefault(p => p.Name.Equals(parameter, StringComparison.OrdinalIgnoreCase))?.Name;
    }

    private static void RequireUsed(IReadOnlyList<KeyValuePair<string, double>> parameters, List<Combination> combinations)
    {
        AttentionMethod[] methods = [.. MethodRegistry.All.Where(m => combinations.Any(c => (m.Phase == AttentionPhase.Prefill ? c.Method : c.DecodeMethod) == m.Name))];
        foreach ((string name, _) in parameters)
        {
            if (methods.All(m => Unqualified(name, m) is null))
            {
                throw new SparseFrontierException(
                    ErrorIds.MethodParameterInvalid,
                    $"None of the sweep's methods has a parameter '{name}'. {NameMatcher.Suggestion(name, [.. methods.SelectMany(m => m.Parameters).Select(p => p.Name).Distinct()])}",
                    name);
            }
        }
    }

    private static bool HasParameter(EvaluationTask task, string name) => task.Parameters.Any(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}

/// <summary>Methods with parameters and sparsities.</summary>
internal sealed record Combination(string Method, string Parameters, double? Sparsity, string DecodeMethod, string DecodeParameters, double? DecodeSparsity);

/// <summary>Model, task, length and seed of a sweep.</summary>
internal sealed record CellDefinition(SweepDefinition Sweep, string Model, EvaluationTask Task, string TaskParameters, int SequenceLength, long Seed)
{
    /// <summary>The run of a combination in this cell.</summary>
    public RunSpecification Specify(Combination combination) => new()
    {
        Model = Model,
        Method = combination.Method,
        DecodeMethod = combination.DecodeMethod,
        Parameters = combination.Parameters,
        DecodeParameters = combination.DecodeParameters,
        Sparsity = combination.Sparsity,
        DecodeSparsity = combination.DecodeSparsity,
        Task = Task.Name,
        TaskParameters = TaskParameters,
        SequenceLength = SequenceLength,
        SampleCount = Sweep.SampleCount ?? new RunSpecification().SampleCount,
        MaximumOutputTokens = Sweep.MaximumOutputTokens ?? new RunSpecification().MaximumOutputTokens,
        Seed = Seed,
        QuestionPosition = Sweep.QuestionPosition.Length > 0 ? Sweep.QuestionPosition
            : Sweep.CompressBefore.Equals("Question", StringComparison.OrdinalIgnoreCase) ? "Last" : "Both",
        CompressBefore = Sweep.CompressBefore,
        DenseLayers = string.Join(',', Sweep.DenseLayer),
        BudgetSchedule = Sweep.BudgetSchedule,
        AllowDenseFallback = Sweep.AllowDenseFallback,
        ReferenceScoring = Sweep.ReferenceScoring,
        ShortInstructions = Sweep.ShortInstructions,
        Device = Sweep.Device,
        TaskDataPath = Sweep.TaskDataPath,
    };
}
