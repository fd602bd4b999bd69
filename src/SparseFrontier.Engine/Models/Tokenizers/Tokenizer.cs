using System.Text;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>
/// A tokenizer read from a Hugging Face <c>tokenizer.json</c>: added tokens, normalizer, pre-tokenizer, byte-pair merges, post-processor and
/// decoder, each as the <c>tokenizers</c> library applies it. Thread-safe.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerComponents _components;

    internal Tokenizer(TokenizerComponents components)
    {
        _components = components;
    }

    /// <summary>Number of token ids: one more than the highest.</summary>
    public int VocabularySize => _components.Tokens.Length;

    /// <summary>SHA-256 of the file, lower-case hexadecimal; part of a run's identity.</summary>
    public string ContentHash => _components.ContentHash;

    /// <summary>Reads <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file, or the checkpoint directory that holds it.</param>
    /// <exception cref="SparseFrontierException">TokenizerMissing, TokenizerInvalid or TokenizerUnsupported (an unknown component, named).</exception>
    public static Tokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? Path.Combine(path, "tokenizer.json") : path;
        if (!File.Exists(file))
        {
            throw new SparseFrontierException(
                ErrorIds.TokenizerMissing,
                $"There is no tokenizer at '{file}'. A checkpoint directory must hold a tokenizer.json beside its weights; "
                + "download it from where the weights came from.",
                path);
        }

        byte[] content;
        try
        {
            content = PlainFile.ReadAllBytes(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(
                ErrorIds.TokenizerInvalid, $"Tokenizer '{file}' cannot be read: {exception.Message}", path, exception);
        }

        return new Tokenizer(TokenizerReader.Read(content, file));
    }

    /// <summary>Token ids of a text.</summary>
    /// <param name="text">The text; added tokens in it are recognised. A lone surrogate counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether the post-processor adds its tokens (begin of text and the like).</param>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = WellFormed(text);
        var ids = new List<int>(text.Length / 3 + 8);
        if (addSpecialTokens)
        {
            ids.AddRange(_components.Prefix);
        }

        var workspace = new MergeWorkspace();
        foreach (TextSection section in _components.RawTokens.Split(text))
        {
            if (section.TokenId >= 0)
            {
                ids.Add(section.TokenId);
                continue;
            }

            string normalized = text.Substring(section.Start, section.Length);
            if (_components.Normalizer is { } normalizer)
            {
                normalized = normalizer(normalized);
            }

            foreach (TextSection inner in _components.NormalizedTokens.Split(normalized))
            {
                if (inner.TokenId >= 0)
                {
                    ids.Add(inner.TokenId);
                    continue;
                }

                var pieces = new TextPieces(
                    inner.Length == normalized.Length ? normalized : normalized.Substring(inner.Start, inner.Length),
                    section.Start == 0 && inner.Start == 0);
                foreach (Action<TextPieces> step in _components.PreTokenizers)
                {
                    step(pieces);
                }

                ReadOnlySpan<char> all = pieces.Text;
                foreach ((int start, int end) in pieces.Ranges)
                {
                    _components.Model.Encode(all[start..end], ids, workspace);
                }
            }
        }

        if (addSpecialTokens)
        {
            ids.AddRange(_components.Suffix);
        }

        return ids.ToArray();
    }

    /// <summary>Number of token ids of a text without special tokens added.</summary>
    /// <param name="text">The text.</param>
    public int Count(string text) => Encode(text).Length;

    /// <summary>The text of token ids.</summary>
    /// <param name="ids">Token ids; those without a token (a model's padded rows) give nothing.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var tokens = new List<string>(ids.Length);
        foreach (int id in ids)
        {
            if ((uint)id < (uint)_components.Tokens.Length
                && _components.Tokens[id] is { } token
                && !(skipSpecialTokens && _components.SpecialIds.Contains(id)))
            {
                tokens.Add(token);
            }
        }

        if (_components.Decoders is not { } decoders)
        {
            return string.Join(' ', tokens);
        }

        foreach (Func<List<string>, List<string>> decoder in decoders)
        {
            tokens = decoder(tokens);
        }

        return string.Concat(tokens);
    }

    /// <summary>The id of a token, added tokens included; null if there is none.</summary>
    /// <param name="token">The token as the vocabulary writes it.</param>
    public int? TokenId(string token) => _components.Ids.TryGetValue(token, out int id) ? id : null;

    private static string WellFormed(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                i++;
                continue;
            }

            var builder = new StringBuilder(text.Length);
            foreach (Rune rune in text.EnumerateRunes())
            {
                builder.Append(rune.ToString());
            }

            return builder.ToString();
        }

        return text;
    }
}
