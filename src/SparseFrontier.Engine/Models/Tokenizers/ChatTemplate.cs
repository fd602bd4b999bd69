namespace SparseFrontier.Models.Tokenizers;

/// <summary>One message of a conversation.</summary>
/// <param name="Role">"system", "user" or "assistant".</param>
/// <param name="Content">Text.</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>A checkpoint's own chat template, from <c>tokenizer_config.json</c> or <c>chat_template.jinja</c>.</summary>
public sealed class ChatTemplate
{
    /// <summary>Reads a checkpoint's template; null where it has none (the prompt is then used as it is).</summary>
    /// <exception cref="SparseFrontierException">ChatTemplateUnsupported: a construct outside the supported subset, named.</exception>
    public static ChatTemplate? Load(string directory) => throw new NotImplementedException();

    /// <summary>SHA-256 of the template's text, lower-case hexadecimal; part of a run's identity.</summary>
    public string ContentHash => throw new NotImplementedException();

    /// <summary>Renders a conversation.</summary>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true) => throw new NotImplementedException();
}
