using SparseFrontier.Models.Tokenizers;

namespace SparseFrontier.Tasks;

/// <summary>
/// How a model sees a prompt: one user message through its chat template with the generation prompt added, tokenised without further
/// special tokens (paper, section 3.5). Thread-safe when its functions are.
/// </summary>
public sealed class PromptEncoder
{
    private readonly Func<string, int[]> _encode;
    private readonly Func<string, string>? _template;
    private readonly Func<string, int?>? _tokenId;

    /// <summary>An encoder from functions.</summary>
    /// <param name="encode">Token ids of a text.</param>
    /// <param name="template">Templated text of a user message; null: the message as it is.</param>
    /// <param name="tokenId">The id of a token by name; null where there are no named tokens.</param>
    public PromptEncoder(Func<string, int[]> encode, Func<string, string>? template = null, Func<string, int?>? tokenId = null)
    {
        _encode = encode;
        _template = template;
        _tokenId = tokenId;
    }

    /// <summary>The encoder of a model.</summary>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="template">Its chat template, if it has one.</param>
    public static PromptEncoder For(Tokenizer tokenizer, ChatTemplate? template) => new(
        text => tokenizer.Encode(text),
        template is null ? null : prompt => template.Render([new ChatMessage("user", prompt)]),
        tokenizer.TokenId);

    /// <summary>Token ids of a text as it is.</summary>
    public int[] Encode(string text) => _encode(text);

    /// <summary>Number of tokens of a text as it is.</summary>
    public int Count(string text) => _encode(text).Length;

    /// <summary>The text that the model reads for a user message.</summary>
    public string Template(string prompt) => _template is null ? prompt : _template(prompt);

    /// <summary>The id of a token by its text, added tokens included; null if there is none.</summary>
    public int? TokenId(string token) => _tokenId?.Invoke(token);

    /// <summary>
    /// How many leading tokens of a sample's templated prompt may be compressed before the question is known: those that lie wholly at or
    /// before <see cref="TaskSample.ContextEnd"/>.
    /// </summary>
    public int ContextTokens(TaskSample sample)
    {
        string templated = Template(sample.Prompt);
        int start = templated.IndexOf(sample.Prompt, StringComparison.Ordinal);
        if (start < 0)
        {
            throw new SparseFrontierException(
                ErrorIds.ChatTemplateUnsupported,
                "The chat template does not hold the prompt as it is, so that the end of the context cannot be found in it. Run with CompressBefore None.");
        }

        int[] all = Encode(templated);
        int[] context = Encode(templated[..(start + sample.ContextEnd)]);
        return all.AsSpan().CommonPrefixLength(context);
    }
}
