using System.Globalization;
using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Says which methods of a cell take longer than dense attention: below some length choosing what to attend to costs more than it saves.</summary>
internal static class SpeedAdvice
{
    private const string Measure = "'kernels measure' (Measure-SparseKernel) shows from which length on a method pays on this device.";

    // The longest that 'kernels measure' takes.
    private const int LongestLength = 1 << 20;

    /// <summary>What to tell the user about the prefills of one cell; null where every sparse one was faster, or there is no dense run to compare with.</summary>
    public static string? OfPrefill(IReadOnlyCollection<SparseAttentionResult> rows) => Create(
        rows,
        r => !MethodRegistry.IsDense(r.Method),
        r => r.PrefillSeconds,
        (r, seconds) => string.Create(CultureInfo.InvariantCulture, $"{r.Method} at {r.PrefillSparsity:F2} ({seconds:F2} s)"),
        seconds => string.Create(CultureInfo.InvariantCulture, $"these prefills took longer than the dense one ({seconds:F2} s a sample)"));

    /// <summary>The same of generation, by its seconds an output token, of rows that stepped alone (<see cref="SparseAttentionResult.OwnSecondsPerToken"/>).</summary>
    public static string? OfDecode(IReadOnlyCollection<SparseAttentionResult> rows) => Create(
        rows,
        r => !MethodRegistry.IsDense(r.DecodeMethod),
        r => r.OwnSecondsPerToken,
        (r, seconds) => string.Create(CultureInfo.InvariantCulture, $"{r.DecodeMethod} at {r.DecodeSparsity:F2} ({1000 * seconds:G3} ms)"),
        seconds => string.Create(CultureInfo.InvariantCulture, $"generation took longer than the dense run's ({1000 * seconds:G3} ms a token) with"));

    /// <summary>
    /// What to tell the user about the sparse prefills of one cell that no dense run on their device is beside: those whose choosing took longer than attending to less can
    /// have saved. Dense attention computes all pairs, and a pair takes it no longer than it takes a method, which begins and ends a task for fewer of them; so that what is
    /// saved is at most what the pairs that were left out would have taken at the method's own speed.
    /// </summary>
    /// <param name="rows">Rows of one model, task and length.</param>
    /// <param name="model">Sizes of the model, by which choosing grows with the length.</param>
    public static string? OfPrefillAlone(IReadOnlyCollection<SparseAttentionResult> rows, ModelShape model)
    {
        string[] compared = [.. rows.Where(r => MethodRegistry.IsDense(r.Method) && r.PrefillSeconds is not null).Select(r => r.Device)];
        string[] slower =
        [
            .. rows.Where(r => !MethodRegistry.IsDense(r.Method) && r.FallbackCount == 0 && !compared.Contains(r.Device) && r.PrefillIndexSeconds > Saved(r))
                .DistinctBy(r => (r.Method, r.Parameters, r.PrefillSparsity, r.Device))
                .Select(r => string.Create(
                    CultureInfo.InvariantCulture,
                    $"{r.Method} at {r.PrefillSparsity:F2} ({r.PrefillIndexSeconds:G3} s of choosing for at most {Saved(r):G3} s less of attention; {WhereItPays(r, model)})")),
        ];
        return slower.Length == 0
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"At {rows.First().SequenceLength} tokens these prefills took longer than dense ones would have: {string.Join(", ", slower)}. ")
                + $"No dense run was timed beside them: what is saved is computed from the share of pairs and the seconds of their own attention. {Measure}";
    }

    // Seconds that attending to fewer pairs saved at most; null where the parts were not timed. Of the pairs that dense attention computes beside those asked for, at the ends of its
    // tiles, a method computes as many at least: it saves no more than the pairs that it was not asked for.
    private static double? Saved(SparseAttentionResult row) =>
        row is { PrefillAttentionSeconds: { } attention, ExecutedDensity: > 0 and { } density, PrefillSparsity: { } sparsity } ? Math.Max(0, attention * sparsity / density) : null;

    private static string WhereItPays(SparseAttentionResult row, ModelShape model) => Crossover(row, model) switch
    {
        null => "how its choosing grows with the length is not known",
        int.MaxValue => string.Create(CultureInfo.InvariantCulture, $"at this sparsity it would not pay at {LongestLength} tokens either"),
        int length => string.Create(CultureInfo.InvariantCulture, $"at this sparsity it would pay from about {length} tokens on"),
    };

    /// <summary>
    /// The length from which on a method would save as much as it takes, at the same sparsity, if choosing took as long an operation there and attending as long a pair;
    /// <see cref="int.MaxValue"/> where no length reaches it, null where the operations of choosing are not known.
    /// </summary>
    internal static int? Crossover(SparseAttentionResult row, ModelShape model)
    {
        if (row.PrefillIndexSeconds is not { } index || Saved(row) is not { } saved || row.PrefillSparsity is not { } sparsity)
        {
            return null;
        }

        double length = row.PromptTokens ?? row.SequenceLength;
        double now = Operations(length);
        if (!(now > 0))
        {
            return null;
        }

        double low = length;
        double high = length;
        while (!Pays(high))
        {
            if (high >= LongestLength)
            {
                return int.MaxValue;
            }

            low = high;
            high = Math.Min(2 * high, LongestLength);
        }

        while (high - low > 0.005 * high)
        {
            double middle = (low + high) / 2;
            (low, high) = Pays(middle) ? (low, middle) : (middle, high);
        }

        // Two digits are more than such an estimate has.
        double unit = Math.Pow(10, Math.Floor(Math.Log10(high)) - 1);
        return (int)(Math.Ceiling(high / unit) * unit);

        bool Pays(double at) => saved * at * (at + 1) / (length * (length + 1)) >= index * Operations(at) / now;

        double Operations(double at)
        {
            try
            {
                PrefillMethod method = MethodRegistry.FindPrefill(row.Method);
                MethodParameters parameters = method.CreateParameters(row.Parameters);
                var shape = new PromptShape((int)at, model.QueryHeads, model.KvHeads) { Layers = model.GlobalLayers };
                bool fixedBudget = method.NeedsCalibration || method.BudgetParameter is null || !parameters.Schedule.IsUniform;
                return IndexCost.PrefillOperations(
                    model, at, method, fixedBudget ? parameters : method.SolveBudget(sparsity, shape, parameters).Parameters, sparsity, model.HeadDimension, exact: true);
            }
            catch (SparseFrontierException)
            {
                // A method that is not registered here any more, or a budget that the length cannot hold.
                return double.NaN;
            }
        }
    }

    private static string? Create(
        IReadOnlyCollection<SparseAttentionResult> rows,
        Func<SparseAttentionResult, bool> isSparse,
        Func<SparseAttentionResult, double?> secondsOf,
        Func<SparseAttentionResult, double, string> slow,
        Func<double, string> beginning)
    {
        SparseAttentionResult? dense = rows.FirstOrDefault(r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod));
        if (dense is null || secondsOf(dense) is not { } limit)
        {
            return null;
        }

        string[] slower =
        [
            .. rows.Where(r => isSparse(r) && r.FallbackCount == 0 && r.Device == dense.Device && secondsOf(r) > limit).Select(r => slow(r, secondsOf(r)!.Value)),
        ];
        return slower.Length == 0
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"At {dense.SequenceLength} tokens {beginning(limit)}: {string.Join(", ", slower)}. ")
                + Measure;
    }
}
