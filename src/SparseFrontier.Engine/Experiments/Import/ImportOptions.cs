namespace SparseFrontier.Experiments.Import;

/// <summary>What the files of a program do not tell and the user does.</summary>
/// <param name="Method">Prefill method, or a decode method after a dense prefill; empty: not said.</param>
/// <param name="DecodeMethod">Decode method; empty: dense, or not said.</param>
/// <param name="Sparsity">Sparsity of the prefill method, or of the decode method where that is the only sparse one.</param>
/// <param name="DecodeSparsity">Sparsity of the decode method where both phases are sparse.</param>
/// <param name="SequenceLength">Prompt tokens where the files name none; 0: not said.</param>
/// <param name="Metric">Metrics to take as the score, the first that a task has, as "name" or "name:filter".</param>
/// <param name="Report">Told what cannot be imported; the rest goes on.</param>
/// <param name="Warn">Told what to keep in mind.</param>
internal sealed record ImportOptions(
    string Method,
    string DecodeMethod,
    double? Sparsity,
    double? DecodeSparsity,
    int SequenceLength,
    IReadOnlyList<string> Metric,
    Action<SparseFrontierException> Report,
    Action<string> Warn)
{
    /// <summary>Refuses what would say otherwise than files that name the method themselves.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public void RequireNoMethod(string program)
    {
        if (Method.Length > 0 || DecodeMethod.Length > 0 || Sparsity is not null || DecodeSparsity is not null)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"Results of {program} say themselves by which method and sparsity they were made. Leave method and sparsity out.", Method);
        }
    }
}
