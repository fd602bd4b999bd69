namespace SparseFrontier.Models.Tokenizers;

/// <summary>A tokenizer read from a Hugging Face <c>tokenizer.json</c>. Thread-safe.</summary>
public sealed class Tokenizer
{
    /// <summary>Reads <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file, or the checkpoint directory that holds it.</param>
    /// <exception cref="SparseFrontierException">TokenizerMissing, TokenizerInvalid or TokenizerUnsupported (an unknown component, named).</exception>
    public static Tokenizer Load(string path) => throw new NotImplementedException();

    /// <summary>Number of token ids.</summary>
    public int VocabularySize => throw new NotImplementedException();

    /// <summary>SHA-256 of the file, lower-case hexadecimal; part of a run's identity.</summary>
    public string ContentHash => throw new NotImplementedException();

    /// <summary>Token ids of a text.</summary>
    /// <param name="text">The text; added tokens in it are recognised.</param>
    /// <param name="addSpecialTokens">Whether the post-processor adds its tokens (begin of text and the like).</param>
    public int[] Encode(string text, bool addSpecialTokens = false) => throw new NotImplementedException();

    /// <summary>Number of token ids of a text without special tokens added.</summary>
    public int Count(string text) => Encode(text).Length;

    /// <summary>The text of token ids.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false) => throw new NotImplementedException();

    /// <summary>The id of a token, added tokens included; null if there is none.</summary>
    public int? TokenId(string token) => throw new NotImplementedException();
}
