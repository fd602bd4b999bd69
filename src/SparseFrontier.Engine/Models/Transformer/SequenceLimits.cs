namespace SparseFrontier.Models.Transformer;

/// <summary>What a model refuses of tokens and lengths, on every device.</summary>
/// <param name="name">Name of the checkpoint, for messages.</param>
/// <param name="configuration">Its shape.</param>
internal sealed class SequenceLimits(string name, ModelConfiguration configuration)
{
    /// <summary>Refuses tokens that are not in the vocabulary.</summary>
    /// <exception cref="SparseFrontierException">TokenizerInvalid.</exception>
    public void RequireTokens(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)configuration.VocabularySize)
            {
                throw new SparseFrontierException(
                    ErrorIds.TokenizerInvalid,
                    FormattableString.Invariant($"Token {token} is not in the vocabulary of '{name}', which has {configuration.VocabularySize} tokens; the tokenizer belongs to another checkpoint."),
                    token);
            }
        }
    }

    /// <summary>Refuses a prompt without tokens, or one that is too long with what follows it.</summary>
    /// <exception cref="SparseFrontierException">SequenceLengthInvalid, SequenceTooLong or TokenizerInvalid.</exception>
    public void RequirePrompt(ReadOnlySpan<int> tokens, PrefillRequest request)
    {
        if (tokens.IsEmpty)
        {
            throw new SparseFrontierException(ErrorIds.SequenceLengthInvalid, "A prompt has at least one token.", 0);
        }

        RequireTokens(tokens);
        RequireLength(tokens.Length, request.MaximumOutputTokens, configuration.MaximumLength(request.YarnFactor));
    }

    /// <summary>Refuses more tokens than a sequence may have.</summary>
    /// <exception cref="SparseFrontierException">SequenceTooLong.</exception>
    public void RequireLength(int length, int more, int maximum)
    {
        if ((long)length + more > maximum)
        {
            string advice = configuration.ExtendsByYarn
                ? FormattableString.Invariant($", or give a YaRN factor of at least {(double)(length + more) / configuration.NativeContextLength:R}")
                : string.Empty;
            throw new SparseFrontierException(
                ErrorIds.SequenceTooLong,
                FormattableString.Invariant($"{length} tokens and {more} to follow exceed the {maximum} that '{name}' allows. Use a shorter sequence, fewer output tokens or a model with a longer context{advice}."),
                length + more);
        }
    }
}
