using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SparseFrontier.Models.Tokenizers.Jinja;

namespace SparseFrontier.Models.Tokenizers;

/// <summary>One message of a conversation.</summary>
/// <param name="Role">"system", "user" or "assistant".</param>
/// <param name="Content">Text.</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>A checkpoint's own chat template, from <c>tokenizer_config.json</c> or <c>chat_template.jinja</c>. Thread-safe.</summary>
public sealed class ChatTemplate
{
    private static readonly string[] s_specialTokens =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly List<JinjaStatement> _template;
    private readonly Dictionary<string, string> _specialTokens;

    private ChatTemplate(string source, Dictionary<string, string> specialTokens)
    {
        _template = JinjaParser.Parse(source);
        _specialTokens = specialTokens;
        string content = string.Join('\n', specialTokens.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}={t.Value}").Append(source));
        ContentHash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)));
    }

    /// <summary>SHA-256 over the template's text and the special tokens that it may name, lower-case hexadecimal; part of a run's identity.</summary>
    public string ContentHash { get; }

    /// <summary>Reads a checkpoint's template; null where it has none (the prompt is then used as it is).</summary>
    /// <param name="directory">The checkpoint's directory.</param>
    /// <exception cref="SparseFrontierException">ChatTemplateUnsupported: a construct outside the supported subset, named.
    /// TokenizerInvalid: a file that cannot be read or is not valid JSON.</exception>
    public static ChatTemplate? Load(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var specialTokens = new Dictionary<string, string>(StringComparer.Ordinal);
        string? source = ReadJson(Path.Combine(directory, "tokenizer_config.json"), specialTokens);

        // As in Transformers, a template in a file of its own stands over the configuration's.
        source = ReadJson(Path.Combine(directory, "chat_template.json"), []) ?? source;
        string file = Path.Combine(directory, "chat_template.jinja");
        source = File.Exists(file) ? Encoding.UTF8.GetString(ReadAll(file)).TrimStart('\ufeff') : source;
        return source is null ? null : new ChatTemplate(source, specialTokens);
    }

    /// <summary>Renders a conversation.</summary>
    /// <param name="messages">The messages, in order.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant begins to answer.</param>
    /// <exception cref="SparseFrontierException">ParameterInvalid: the template refuses the conversation (roles out of order, for one).
    /// ChatTemplateUnsupported: a construct met while rendering.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true)
    {
        ArgumentNullException.ThrowIfNull(messages);

        // strftime_now stays undefined on purpose: templates that print the date (Llama 3.1 and later) then take their documented fallback,
        // "26 Jul 2024", so that a prompt does not depend on the day it is made. The others are what Transformers passes.
        var variables = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["messages"] = messages.Select(static message => (object?)new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["role"] = message.Role,
                ["content"] = message.Content,
            }).ToList(),
            ["tools"] = null,
            ["documents"] = null,
            ["add_generation_prompt"] = addGenerationPrompt,
        };
        foreach ((string name, string token) in _specialTokens)
        {
            variables[name] = token;
        }

        JinjaWork.Begin(messages.Count, messages.Sum(static message => (long)message.Role.Length + message.Content.Length));
        return JinjaInterpreter.Render(_template, variables);
    }

    private static byte[] ReadAll(string file)
    {
        try
        {
            return PlainFile.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.TokenizerInvalid, $"'{file}' cannot be read: {e.Message}", file, e);
        }
    }

    private static string? ReadJson(string file, Dictionary<string, string> specialTokens)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(ReadAll(file));
            foreach (string name in s_specialTokens)
            {
                if (document.RootElement.TryGetProperty(name, out JsonElement value))
                {
                    // Either the token, or an added token with its content.
                    JsonElement content = value.ValueKind == JsonValueKind.Object ? value.GetProperty("content") : value;
                    if (content.GetString() is { } token)
                    {
                        specialTokens[name] = token;
                    }
                }
            }

            return document.RootElement.TryGetProperty("chat_template", out JsonElement template) ? TemplateSource(template) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new SparseFrontierException(
                ErrorIds.TokenizerInvalid, $"'{file}' is not valid: {exception.Message} Download it again.", file, exception);
        }
    }

    /// <summary>The template: a string, or the one named "default" of a list.</summary>
    private static string? TemplateSource(JsonElement template)
    {
        if (template.ValueKind != JsonValueKind.Array)
        {
            return template.GetString();
        }

        foreach (JsonElement entry in template.EnumerateArray())
        {
            if (entry.GetProperty("name").GetString() == "default")
            {
                return entry.GetProperty("template").GetString();
            }
        }

        throw JinjaErrors.Unsupported("a list of templates without one named 'default'");
    }
}
