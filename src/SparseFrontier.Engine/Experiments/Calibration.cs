using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>
/// Finds the budget at which a method without a closed form reaches a sparsity: one value for all heads, layers and samples of a model, task
/// and length, from samples of the split "calibration", which no evaluation sees. One dense prefill of a few of them measures a whole grid of
/// budgets for a method; since earlier sparse layers change what later ones see, the estimate is then checked, and where it is off by
/// more than half the tolerance corrected, with sparse prefills of all samples.
/// </summary>
internal sealed class Calibration
{
    /// <summary>Changes when the same request may find another budget; part of a run's identity.</summary>
    public const int Version = 3;

    /// <summary>Samples of a calibration.</summary>
    public const int SampleCount = 8;

    // Enough to begin with: what a few samples miss is corrected with all of them.
    private const int CurveSampleCount = 2;
    private const double Accuracy = 0.005;
    private const int MaximumRefinements = 6;
    private const long Seed = 0;

    private readonly SampleEngine _engine;
    private readonly PromptShape _shape;
    private readonly List<int[]> _prompts = [];
    private readonly double? _yarnFactor;
    private readonly Dictionary<string, BudgetCurve> _curves = [];

    /// <summary>Opens the calibration samples of a cell.</summary>
    /// <param name="engine">The model.</param>
    /// <param name="run">Any run of the cell.</param>
    public Calibration(SampleEngine engine, PlannedRun run)
    {
        _engine = engine;
        _yarnFactor = run.YarnFactor;
        TaskSource source = run.Task.Open(run.TaskOptions with { Split = "calibration", Seed = Seed }, engine.Encoder);
        int count = Math.Min(SampleCount, source.Count ?? SampleCount);
        for (int i = 0; i < count; i++)
        {
            _prompts.Add(SamplePrompt.Create(source.Generate(i), run.CompressesBeforeQuestion, engine.Encoder).Prefill);
        }

        _shape = SamplePrompt.Shape(engine.Configuration, (int)Math.Round(_prompts.Average(p => p.Length)));
    }

    /// <summary>Samples that there are to calibrate on: fewer than <see cref="SampleCount"/> where a task's data hold fewer.</summary>
    public int PromptCount => _prompts.Count;

    /// <summary>Where a folder of results keeps the calibration of a key.</summary>
    public static string FilePath(string store, string hash) => Path.Combine(store, "calibrations", $"{hash}.json");

    /// <summary>A stored calibration; null if there is none of the key, or if it is damaged.</summary>
    public static StoredCalibration? Read(string path, string key)
    {
        try
        {
            StoredCalibration? stored = StoreIO.ReadJson<StoredCalibration>(path);
            return stored?.Key == key && stored.SchemaVersion == 1 ? stored : null;
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ResultRowInvalid)
        {
            // A damaged calibration is found again.
            return null;
        }
    }

    /// <summary>What a calibration's value depends on.</summary>
    public static JsonObject Key(PlannedRun run, ModelIdentity model, string? dataHash)
    {
        JsonObject key = RunIdentity.Cell(run, model, dataHash);
        foreach (string irrelevant in (string[])["Seed", "MaximumOutputTokens", "Generation", "ReferenceScoring"])
        {
            key.Remove(irrelevant);
        }

        key["Calibration"] = Version;
        key["Method"] = run.Prefill.Name;
        key["MethodVersion"] = run.Prefill.Version;
        key["Parameters"] = run.PrefillParameters.ToString();
        key["Sparsity"] = run.Specification.Sparsity;
        return key;
    }

    /// <summary>Finds a budget.</summary>
    /// <param name="method">A method that needs calibration.</param>
    /// <param name="parameters">Its other parameters.</param>
    /// <param name="sparsity">The sparsity asked for.</param>
    /// <param name="key">Key under which the result is stored.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <exception cref="BudgetInfeasibleException">Even the smallest budget keeps more.</exception>
    public StoredCalibration Solve(PrefillMethod method, MethodParameters parameters, double sparsity, string key, CancellationToken cancellationToken)
    {
        BudgetCurve curve = Measure(method, parameters, cancellationToken);
        if (sparsity > curve.Sparsities[0] + AttentionMethod.SparsityTolerance)
        {
            double most = Try(method, method.WithBudget(parameters, curve.Budgets[0]), cancellationToken);
            if (sparsity > most + AttentionMethod.SparsityTolerance)
            {
                throw Infeasible(method, sparsity, most);
            }
        }

        double budget = curve.Invert(sparsity);
        double measured = Try(method, method.WithBudget(parameters, budget), cancellationToken);
        (double Budget, double Sparsity) best = (budget, measured);
        var tried = new HashSet<string> { method.WithBudget(parameters, budget).ToString() };

        // The estimate's error moves little with the budget: aim beyond the target by what was missed, between the nearest known values,
        // until no other parameters lie between them (budgets are whole numbers for most methods).
        double low = curve.Budgets[0];
        double high = curve.Budgets[^1];
        double aim = sparsity;
        int refinements = 0;
        bool reached = measured >= sparsity;
        while (Math.Abs(measured - sparsity) > Accuracy && refinements < MaximumRefinements)
        {
            (low, high) = measured > sparsity ? (budget, high) : (low, budget);
            aim += sparsity - measured;
            double aimed = curve.Invert(Math.Clamp(aim, 0, 1));
            double[] candidates = [aimed > low && aimed < high ? aimed : 0.5 * (low + high), 0.5 * (low + high), low, high];
            int chosen = Array.FindIndex(candidates, b => tried.Add(method.WithBudget(parameters, b).ToString()));
            if (chosen < 0)
            {
                break;
            }

            budget = candidates[chosen];
            measured = Try(method, method.WithBudget(parameters, budget), cancellationToken);
            reached |= measured >= sparsity;
            refinements++;
            if (Math.Abs(measured - sparsity) < Math.Abs(best.Sparsity - sparsity))
            {
                best = (budget, measured);
            }
        }

        if (!reached && sparsity > best.Sparsity + AttentionMethod.SparsityTolerance)
        {
            // The corrections may have ended before the smallest budget, which the curve's few samples promised to be enough.
            double most = best.Budget == curve.Budgets[0] ? best.Sparsity : Try(method, method.WithBudget(parameters, curve.Budgets[0]), cancellationToken);
            if (sparsity > most + AttentionMethod.SparsityTolerance)
            {
                throw Infeasible(method, sparsity, most);
            }

            if (most - sparsity < sparsity - best.Sparsity)
            {
                best = (curve.Budgets[0], most);
            }
        }

        return new StoredCalibration
        {
            Key = key,
            Method = method.Name,
            RequestedSparsity = sparsity,
            Budget = best.Budget,
            Parameters = method.WithBudget(parameters, best.Budget).ToString(),
            MeasuredSparsity = best.Sparsity,
            SampleCount = _prompts.Count,
            Refinements = refinements,
        };
    }

    private BudgetInfeasibleException Infeasible(PrefillMethod method, double sparsity, double most) => new(
        FormattableString.Invariant($"{method.Name} at {_shape.Length} tokens: a sparsity of {sparsity} cannot be reached, because what is always kept leaves {most:F4} at most. ")
        + "Ask for less, or make the forced set smaller.",
        most,
        sparsity);

    /// <summary>Mean sparsity of real prefills of the calibration samples.</summary>
    private double Try(PrefillMethod method, MethodParameters parameters, CancellationToken cancellationToken)
    {
        double sum = 0;
        foreach (int[] prompt in _prompts)
        {
            var request = new PrefillRequest { Method = method, Parameters = parameters, YarnFactor = _yarnFactor };
            using EnginePrompt state = _engine.Prefill(prompt, request, cancellationToken);
            sum += 1 - ((double)state.Statistics.AttendedPairs / Math.Max(1, state.Statistics.CausalPairs));
        }

        return sum / _prompts.Count;
    }

    /// <summary>Sparsity as a function of the budget, from one dense prefill of each of the first samples.</summary>
    private BudgetCurve Measure(PrefillMethod method, MethodParameters parameters, CancellationToken cancellationToken)
    {
        string key = $"{method.Name};{parameters}";
        if (_curves.TryGetValue(key, out BudgetCurve? known))
        {
            return known;
        }

        (double minimum, double maximum) = method.BudgetRange(_shape, parameters);
        double[] budgets = BudgetCurve.Grid(minimum, maximum);
        double[] sums = new double[budgets.Length];
        int layers = 0;
        foreach (int[] prompt in _prompts.Take(CurveSampleCount))
        {
            var request = new PrefillRequest
            {
                YarnFactor = _yarnFactor,
                LayerObserver = layer =>
                {
                    double[] sparsities = method.MeasureSparsity(layer, parameters, budgets);
                    for (int i = 0; i < sums.Length; i++)
                    {
                        sums[i] += sparsities[i];
                    }

                    layers++;
                },
            };
            _engine.Prefill(prompt, request, cancellationToken).Dispose();
        }

        var curve = new BudgetCurve(budgets, [.. sums.Select(s => s / Math.Max(1, layers))]);
        _curves[key] = curve;
        return curve;
    }
}
