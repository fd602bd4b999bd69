namespace SparseFrontier.Experiments;

/// <summary>
/// Speed-ups of attention from measured kernels: between measured lengths and sparsities by interpolation of logarithms, never beyond them, and never from kernels with
/// other parameters than the budget's: blocks of 8 tokens are not as fast as blocks of 16.
/// </summary>
/// <param name="rows">Rows of `kernels measure`, of one device.</param>
internal sealed class KernelTable(IEnumerable<KernelMeasurement> rows)
{
    private const double Near = 0.011;

    private readonly (KernelMeasurement Row, string Parameters)[] _rows =
        [.. rows.Where(r => r is { SpeedUp: > 0, Sparsity: >= 0 and < 1 }).Select(r => (r, FixedParameters.Of(r.Phase, r.Method, r.Parameters)))];

    /// <summary>How many times as fast as dense attention a method is; null outside of what was measured.</summary>
    /// <param name="phase">"Prefill" or "Decode".</param>
    /// <param name="method">Method.</param>
    /// <param name="parameters">Its unusual parameters without the budget, as <see cref="FixedParameters"/> names them.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="sparsity">Sparsity.</param>
    public double? SpeedUp(string phase, string method, string parameters, double length, double sparsity)
    {
        (double X, double Y)[] lengths =
        [
            .. _rows.Where(r => r.Parameters == parameters && r.Row.Phase.Equals(phase, StringComparison.OrdinalIgnoreCase) && r.Row.Method.Equals(method, StringComparison.OrdinalIgnoreCase))
                .Select(r => r.Row)
                .GroupBy(r => r.SequenceLength)
                .Select(g => (X: Math.Log(g.Key), Y: LogarithmicTable.At([.. g.Select(r => (Math.Log(1 - r.Sparsity!.Value), Math.Log(r.SpeedUp!.Value)))], Math.Log(1 - sparsity), Near / (1 - sparsity))))
                .Where(p => p.Y is not null)
                .Select(p => (p.X, p.Y!.Value)),
        ];
        return LogarithmicTable.At(lengths, Math.Log(length), 0.051) is { } logarithm ? Math.Exp(logarithm) : null;
    }
}
