namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Steps of a model on its GPUs: each has the steps of its own layers, recorded there, and hands the rows' hidden states to the next. The host waits once, at the end.
/// </summary>
internal sealed class CudaPipeline : IDisposable
{
    private readonly CudaStep[] _steps;

    /// <summary>Allocates scratch memory on every GPU.</summary>
    public CudaPipeline(CudaModel model)
    {
        var steps = new List<CudaStep>();
        try
        {
            foreach (CudaStage stage in model.Stages)
            {
                steps.Add(new CudaStep(model, stage));
            }
        }
        catch
        {
            steps.ForEach(s => s.Dispose());
            throw;
        }

        _steps = [.. steps];
    }

    /// <summary>Runs one token of each row; the sequences advance when all layers are done.</summary>
    /// <param name="given">Sequence and token of each row.</param>
    /// <param name="logits">[rows, vocabulary], written; or empty.</param>
    /// <param name="choices">[rows]: the token with the largest logit, of equal ones the lowest, -1 where no logit is a number; or empty.</param>
    /// <param name="questions">[rows], of which those that compare name rows of this call; or empty.</param>
    /// <param name="answers">[rows], written where there are questions.</param>
    public void Run(
        IReadOnlyList<(CudaSequence Sequence, int Token)> given, Span<float> logits, Span<int> choices, ReadOnlySpan<LogitQuestion> questions, Span<LogitAnswer> answers)
    {
        CudaStepEntry[] rows = CudaStep.Arrange(given);
        foreach (CudaStepEntry row in rows)
        {
            row.Sequence.Reserve(row.Sequence.Pending);
        }

        StepResult result =
            !questions.IsEmpty ? StepResult.Comparisons : !choices.IsEmpty ? StepResult.Choices : !logits.IsEmpty ? StepResult.Logits : StepResult.None;
        var shape = CudaStepShape.Of(Array.ConvertAll(rows, r => r.Sequence.RowAt(r.Appended)), result);
        CudaStep? before = null;
        foreach (CudaStep step in _steps)
        {
            step.Begin(rows, shape, questions, before);
            before = step;
        }

        // While the devices work.
        foreach ((CudaSequence sequence, _, int place, int appended) in rows)
        {
            if (place >= 0)
            {
                sequence.Count(appended);
            }
        }

        if (!logits.IsEmpty)
        {
            _steps[^1].Download(rows, logits);
        }

        if (!choices.IsEmpty)
        {
            _steps[^1].Download(rows, choices);
        }

        if (!questions.IsEmpty)
        {
            _steps[^1].Download(rows, answers);
        }

        foreach (CudaStep step in _steps)
        {
            step.ReadClocks(rows, shape);
        }

        for (int i = 0; i < given.Count; i++)
        {
            given[i].Sequence.Advance(1);
        }
    }

    /// <summary>Logits of one row of a residual stream on the last GPU, [vocabulary].</summary>
    public float[] Logits(ulong residual) => _steps[^1].Logits(residual);

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_steps, s => s.Dispose());
}
