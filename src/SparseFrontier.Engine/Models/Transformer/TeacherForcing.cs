namespace SparseFrontier.Models.Transformer;

/// <summary>How likely a model finds given tokens.</summary>
/// <param name="LogProbabilities">Natural log-probability of each target token given those before it.</param>
/// <param name="LogSoftmaxRows">By target token the log-probabilities of the whole vocabulary; null if not asked for.</param>
public sealed record TargetScores(IReadOnlyList<double> LogProbabilities, IReadOnlyList<float[]>? LogSoftmaxRows)
{
    /// <summary>Log-likelihood of the target, in nats.</summary>
    public double LogLikelihood => LogProbabilities.Sum();
}

/// <summary>Feeds given tokens instead of generated ones.</summary>
public static class TeacherForcing
{
    // Rows of logits held at a time.
    private const int BlockRows = 32;

    /// <summary>
    /// Scores a target after a sequence, through the sequence's own decode method. The sequence is left as it was, statistics included.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="sequence">What the target continues.</param>
    /// <param name="firstLogits">Logits after the sequence's last token, [vocabulary].</param>
    /// <param name="target">Token ids to score.</param>
    /// <param name="keepRows">Whether to return whole rows (for <see cref="Divergence"/>): target x vocabulary x 4 bytes.</param>
    /// <param name="cancellationToken">Stops within a step.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong.</exception>
    public static TargetScores Score(
        TransformerModel model,
        DecodeSequence sequence,
        ReadOnlySpan<float> firstLogits,
        ReadOnlySpan<int> target,
        bool keepRows = false,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(sequence);
        int vocabulary = model.Configuration.VocabularySize;
        double[] logProbabilities = new double[target.Length];
        float[][]? rows = keepRows ? new float[target.Length][] : null;
        int length = sequence.GeneratedLength;
        DecodeCounters counters = sequence.Counters;
        try
        {
            Take(0, firstLogits, target);
            float[] logits = new float[Math.Min(BlockRows, Math.Max(0, target.Length - 1)) * vocabulary];
            for (int first = 0; first < target.Length - 1; first += BlockRows)
            {
                int count = Math.Min(BlockRows, target.Length - 1 - first);
                var steps = new StepRow[count];
                for (int i = 0; i < count; i++)
                {
                    steps[i] = new StepRow(sequence, target[first + i]);
                }

                model.Step(steps, logits.AsSpan(0, count * vocabulary), cancellationToken);
                for (int i = 0; i < count; i++)
                {
                    Take(first + i + 1, logits.AsSpan(i * vocabulary, vocabulary), target);
                }
            }
        }
        finally
        {
            sequence.Truncate(length);
            sequence.Counters = counters;
        }

        return new TargetScores(logProbabilities, rows);

        void Take(int index, ReadOnlySpan<float> logits, ReadOnlySpan<int> tokens)
        {
            if (index >= tokens.Length)
            {
                return;
            }

            double normalizer = LogitMath.LogSumOfExponentials(logits);
            logProbabilities[index] = logits[tokens[index]] - normalizer;
            if (rows is not null)
            {
                float[] row = rows[index] = new float[logits.Length];
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] = (float)(logits[i] - normalizer);
                }
            }
        }
    }

    /// <summary>Appends tokens to a sequence through its decode method, as if they had been generated.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sequence">What the tokens continue.</param>
    /// <param name="tokens">Token ids, at least one.</param>
    /// <param name="cancellationToken">Stops within a step.</param>
    /// <returns>Logits after the last token, [vocabulary].</returns>
    /// <exception cref="SparseFrontierException">SequenceTooLong.</exception>
    public static float[] Append(TransformerModel model, DecodeSequence sequence, ReadOnlySpan<int> tokens, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(sequence);
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length);
        var rows = new StepRow[tokens.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new StepRow(sequence, tokens[i]);
        }

        float[] logits = new float[model.Configuration.VocabularySize];
        if (rows.Length > 1)
        {
            model.Step(rows.AsSpan(0, rows.Length - 1), [], cancellationToken);
        }

        model.Step(rows.AsSpan(rows.Length - 1), logits, cancellationToken);
        return logits;
    }

    /// <summary>Mean over positions of the Kullback-Leibler divergence KL(reference ‖ other), in nats.</summary>
    /// <param name="reference">Log-probabilities by position, [vocabulary] each: the dense run's.</param>
    /// <param name="other">Log-probabilities at the same positions.</param>
    /// <exception cref="ArgumentException">There are not as many rows in both, or none.</exception>
    public static double Divergence(IReadOnlyList<float[]> reference, IReadOnlyList<float[]> other)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(other);
        if (reference.Count != other.Count || reference.Count == 0)
        {
            throw new ArgumentException($"{reference.Count} rows cannot be compared with {other.Count}.", nameof(other));
        }

        double sum = 0;
        for (int row = 0; row < reference.Count; row++)
        {
            sum += LogitMath.Divergence(reference[row], other[row]);
        }

        return sum / reference.Count;
    }
}
