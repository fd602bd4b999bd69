using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Says which sparse prefills of a cell take longer than the dense one: below some length choosing what to attend to costs more than it saves.</summary>
internal static class PrefillAdvice
{
    /// <summary>What to tell the user about the rows of one cell; null where every sparse prefill was faster, or there is no dense run to compare with.</summary>
    public static string? Create(IReadOnlyCollection<SparseAttentionResult> rows)
    {
        if (rows.FirstOrDefault(r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod))?.PrefillSeconds is not { } dense)
        {
            return null;
        }

        string[] slow =
        [
            .. rows.Where(r => !MethodRegistry.IsDense(r.Method) && r.FallbackCount == 0 && r.PrefillSeconds > dense)
                .Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Method} at {r.PrefillSparsity:F2} ({r.PrefillSeconds:F2} s)")),
        ];
        return slow.Length == 0
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"At {rows.First().SequenceLength} tokens these prefills took longer than the dense one ({dense:F2} s a sample): {string.Join(", ", slow)}. ")
                + "'kernels measure' (Measure-SparseKernel) shows from which length on a method pays on this device.";
    }
}
