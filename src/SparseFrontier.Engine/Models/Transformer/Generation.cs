namespace SparseFrontier.Models.Transformer;

/// <summary>A sequence to generate for.</summary>
/// <param name="Sequence">Continues its prompt; the generated tokens but the last are appended to it.</param>
/// <param name="FirstLogits">Logits after the last token so far, [vocabulary].</param>
/// <param name="Seed">Seed of the draws; the same seed draws the same whatever else is generated.</param>
public sealed record GenerationInput(DecodeSequence Sequence, float[] FirstLogits, long Seed = 0);

/// <summary>What was generated for one sequence.</summary>
/// <param name="Tokens">The tokens before the stop token.</param>
/// <param name="StopToken">The stop token that ended it; null where the limit did.</param>
public sealed record GeneratedSequence(IReadOnlyList<int> Tokens, int? StopToken);

/// <summary>Generates for several sequences at once; each stops on its own, and none depends on the others.</summary>
public static class Generation
{
    /// <summary>Generates until each sequence has met a stop token or the limit.</summary>
    /// <param name="model">The model.</param>
    /// <param name="inputs">The sequences, of any prompts and decode configurations.</param>
    /// <param name="options">Limit, sampling, stop tokens.</param>
    /// <param name="tokenDone">Called with the input's index and the token, stop tokens included.</param>
    /// <param name="cancellationToken">Stops within a step; the sequences stay usable.</param>
    /// <returns>One result per input.</returns>
    /// <exception cref="SparseFrontierException">SequenceTooLong, ParameterInvalid.</exception>
    public static IReadOnlyList<GeneratedSequence> Generate(
        TransformerModel model,
        IReadOnlyList<GenerationInput> inputs,
        GenerationOptions options,
        Action<int, int>? tokenDone = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var stops = new HashSet<int>(options.StopTokens ?? model.Configuration.StopTokens);
        Active[] all = [.. inputs.Select((input, i) => new Active(i, input, options))];
        List<Active> active = options.MaximumTokens > 0 ? [.. all] : [];
        active.ForEach(a => Choose(a, a.Input.FirstLogits));
        active.RemoveAll(a => a.Done);
        float[] logits = [];
        while (active.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int vocabulary = model.Configuration.VocabularySize;
            if (logits.Length != active.Count * vocabulary)
            {
                logits = new float[active.Count * vocabulary];
            }

            model.Step([.. active.Select(a => new StepRow(a.Input.Sequence, a.Tokens[^1]))], logits, cancellationToken);
            for (int i = 0; i < active.Count; i++)
            {
                Choose(active[i], logits.AsSpan(i * vocabulary, vocabulary));
            }

            active.RemoveAll(a => a.Done);
        }

        return Array.ConvertAll(all, a => new GeneratedSequence(a.Tokens, a.StopToken));

        void Choose(Active sequence, ReadOnlySpan<float> row)
        {
            int token = sequence.Sampler.Next(row);
            if (stops.Contains(token))
            {
                sequence.StopToken = token;
            }
            else
            {
                sequence.Tokens.Add(token);
            }

            sequence.Done = sequence.StopToken is not null || sequence.Tokens.Count == options.MaximumTokens;
            tokenDone?.Invoke(sequence.Index, token);
        }
    }

    private sealed class Active(int index, GenerationInput input, GenerationOptions options)
    {
        public int Index { get; } = index;

        public GenerationInput Input { get; } = input;

        public TokenSampler Sampler { get; } = new(options, input.Seed);

        public List<int> Tokens { get; } = [];

        public int? StopToken { get; set; }

        public bool Done { get; set; }
    }
}
