namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Steps of a model on its GPUs: each has the steps of its own layers, recorded there, and hands the rows' hidden states to the next. The host waits once, at the end.
/// </summary>
internal sealed class CudaPipeline : IDisposable
{
    private readonly CudaStep[] _steps;

    /// <summary>Allocates scratch memory on every GPU.</summary>
    public CudaPipeline(CudaModel model) => _steps = [.. model.Stages.Select(s => new CudaStep(model, s))];

    /// <summary>Runs one token of each row; the sequences advance when all layers are done.</summary>
    /// <param name="given">Sequence and token of each row.</param>
    /// <param name="logits">[rows, vocabulary], written; or empty.</param>
    /// <param name="choices">[rows]: the token with the largest logit, of equal ones the lowest, -1 where no logit is a number; or empty.</param>
    public void Run(IReadOnlyList<(CudaSequence Sequence, int Token)> given, Span<float> logits, Span<int> choices)
    {
        CudaStepEntry[] rows = CudaStep.Arrange(given);
        foreach (var group in rows.GroupBy(r => r.Sequence))
        {
            group.Key.Reserve(group.Count());
        }

        var shape = CudaStepShape.Of([.. rows.Select(r => r.Sequence.RowAt(r.Appended))], !logits.IsEmpty || !choices.IsEmpty, !choices.IsEmpty);
        CudaStep? before = null;
        foreach (CudaStep step in _steps)
        {
            step.Begin(rows, shape, before);
            before = step;
        }

        // While the devices work.
        foreach (CudaStepEntry row in rows)
        {
            row.Sequence.Count(row.Appended);
        }

        if (!logits.IsEmpty)
        {
            _steps[^1].Download(rows, logits);
        }

        if (!choices.IsEmpty)
        {
            _steps[^1].Download(rows, choices);
        }

        foreach (CudaStep step in _steps)
        {
            step.ReadClocks(rows, shape);
        }

        foreach (CudaStepEntry row in rows)
        {
            row.Sequence.Advance(1);
        }
    }

    /// <summary>Logits of one row of a residual stream on the last GPU, [vocabulary].</summary>
    public float[] Logits(ulong residual) => _steps[^1].Logits(residual);

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_steps, s => s.Dispose());
}
