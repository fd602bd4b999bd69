namespace SparseFrontier.Models.Tokenizers;

/// <summary>What a <c>tokenizer.json</c> says, ready to run.</summary>
internal sealed class TokenizerComponents
{
    /// <summary>SHA-256 of the file, lower-case hexadecimal.</summary>
    public required string ContentHash { get; init; }

    /// <summary>Token of each id; null where an id has none.</summary>
    public required string?[] Tokens { get; init; }

    /// <summary>Id of each token, added tokens included.</summary>
    public required Dictionary<string, int> Ids { get; init; }

    /// <summary>Ids left out of a decoded text on request.</summary>
    public required HashSet<int> SpecialIds { get; init; }

    /// <summary>Added tokens looked for in the text as given.</summary>
    public required AddedTokens RawTokens { get; init; }

    /// <summary>Added tokens looked for in the normalized text.</summary>
    public required AddedTokens NormalizedTokens { get; init; }

    /// <summary>Text to normalized text; null for none.</summary>
    public required Func<string, string>? Normalizer { get; init; }

    /// <summary>Steps that cut the text into pieces, in order.</summary>
    public required List<Action<TextPieces>> PreTokenizers { get; init; }

    /// <summary>The byte-pair model.</summary>
    public required BytePairModel Model { get; init; }

    /// <summary>Ids the post-processor puts before.</summary>
    public required int[] Prefix { get; init; }

    /// <summary>Ids the post-processor puts after.</summary>
    public required int[] Suffix { get; init; }

    /// <summary>Steps from tokens to text, in order; null where the file has no decoder (tokens are then joined by spaces).</summary>
    public required List<Func<List<string>, List<string>>>? Decoders { get; init; }
}
