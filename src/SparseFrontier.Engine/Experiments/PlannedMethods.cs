using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>The two methods of a specification, looked up and checked, with the sparsity that is asked of each.</summary>
internal sealed record PlannedMethods
{
    // The paper sets this window by task for the methods that estimate from the last queries (section 3.4).
    private static readonly string[] s_taskWindowMethods = ["VerticalSlash", "FlexPrefill"];

    public required PrefillMethod Prefill { get; init; }

    public required MethodParameters PrefillParameters { get; init; }

    /// <summary>Sparsity asked of the prefill method; null where it is dense or a budget is given.</summary>
    public required double? Sparsity { get; init; }

    public required DecodeMethod Decode { get; init; }

    public required MethodParameters DecodeParameters { get; init; }

    /// <summary>Sparsity asked of the decode method; null where it is dense or a budget is given.</summary>
    public required double? DecodeSparsity { get; init; }

    /// <summary>Whether neither phase is sparse.</summary>
    public bool AreDense => Prefill.BudgetParameter is null && Decode.BudgetParameter is null;

    /// <summary>Looks the methods up and checks their parameters.</summary>
    /// <param name="given">The specification.</param>
    /// <param name="task">Its task, by which some defaults go; null where there is none.</param>
    /// <exception cref="SparseFrontierException">MethodNotFound, MethodParameterInvalid, SparsityOutOfRange or RunSpecificationInvalid.</exception>
    public static PlannedMethods Create(RunSpecification given, EvaluationTask? task)
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
        BudgetSchedule schedule = ReadSchedule(given, prefill.BudgetParameter is null && decode.BudgetParameter is null);
        return decode.NeedsCalibration
            ? throw Invalid($"{decode.Name} has no closed-form budget, which decode methods must have.", decode.Name)
            : new PlannedMethods
            {
                Prefill = prefill,
                PrefillParameters = CreateParameters(prefill, prefillText, sparsity, task).With(schedule),
                Sparsity = sparsity,
                Decode = decode,
                DecodeParameters = CreateParameters(decode, decodeText, decodeSparsity, task).With(schedule),
                DecodeSparsity = decodeSparsity,
            };
    }

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

    private static MethodParameters CreateParameters(AttentionMethod method, string text, double? sparsity, EvaluationTask? task)
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

        bool windowByTask = task is not null && s_taskWindowMethods.Contains(method.Name) && !given.Any(p => p.Key.Equals("Window", StringComparison.OrdinalIgnoreCase));
        return method.CreateParameters(windowByTask ? [new("Window", task!.ApproximationWindow), .. given] : given);
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

    /// <summary>The layers that DenseLayers lists.</summary>
    /// <exception cref="SparseFrontierException">RunSpecificationInvalid.</exception>
    internal static List<int> ReadLayers(string text)
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

    private static string Join(string first, string second) => first.Length > 0 && second.Length > 0 ? $"{first};{second}" : first + second;

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static SparseFrontierException Invalid(string message, object? target) => new(ErrorIds.RunSpecificationInvalid, message, target);
}
