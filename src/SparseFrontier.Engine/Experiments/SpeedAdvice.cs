using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Says which methods of a cell take longer than dense attention: below some length choosing what to attend to costs more than it saves.</summary>
internal static class SpeedAdvice
{
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
                + "'kernels measure' (Measure-SparseKernel) shows from which length on a method pays on this device.";
    }
}
