using System.Text.Json;
using SparseFrontier.Models.Tokenizers;
using Xunit;

namespace SparseFrontier.Tests.Models.Tokenizers;

/// <summary>Chat templates against @huggingface/jinja and Jinja2 (tests/golden/chat-templates), and what is refused.</summary>
public sealed class ChatTemplateTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("chat-template").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("golden.json", 176)]
    [InlineData("golden-language.json", 44)]
    public void Every_golden_conversation_is_exact(string file, int entries)
    {
        using var golden = JsonDocument.Parse(Fixtures.Decompress($"chat-templates/{file}.gz"));
        Assert.Equal(entries, golden.RootElement.GetArrayLength());
        foreach (JsonElement entry in golden.RootElement.EnumerateArray())
        {
            string name = entry.GetProperty("template").GetString()!;
            ChatTemplate template = Template(File.ReadAllText(Path.Combine(Fixtures.Golden("chat-templates"), name)));
            List<ChatMessage> messages = entry.GetProperty("messages").EnumerateArray()
                .Select(static message => new ChatMessage(message.GetProperty("role").GetString()!, message.GetProperty("content").GetString()!))
                .ToList();
            bool prompt = entry.GetProperty("add_generation_prompt").GetBoolean();
            if (entry.TryGetProperty("text", out JsonElement text) && text.GetString() is { } expected)
            {
                Assert.Equal(expected, template.Render(messages, prompt));
            }
            else
            {
                Assert.Equal(
                    ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => template.Render(messages, prompt)).ErrorId);
            }
        }
    }

    [Theory]
    [InlineData("qwen2_5", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")]
    [InlineData("llama3_1", "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")]
    [InlineData("gemma3", "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n")]
    public void Published_configurations_load(string name, string end)
    {
        ChatTemplate template = ChatTemplate.Load(PublishedTokenizers.Directory(name))!;
        Assert.EndsWith(end, template.Render([new ChatMessage("user", "Hi")]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_without_template_has_none()
    {
        Assert.Null(ChatTemplate.Load(_directory));
        WriteConfiguration(new { bos_token = "<s>" });
        Assert.Null(ChatTemplate.Load(_directory));
    }

    [Fact]
    public void A_file_of_its_own_stands_over_the_configuration()
    {
        WriteConfiguration(new { chat_template = "config {{ bos_token }}", bos_token = new { content = "<b>", special = true }, eos_token = (string?)null });
        Assert.Equal("config <b>", ChatTemplate.Load(_directory)!.Render([]));
        File.WriteAllText(Path.Combine(_directory, "chat_template.json"), """{"chat_template": "json {{ bos_token }}{{ eos_token }}"}""");
        Assert.Equal("json <b>", ChatTemplate.Load(_directory)!.Render([]));
        File.WriteAllText(Path.Combine(_directory, "chat_template.jinja"), "jinja {{ bos_token }}");
        Assert.Equal("jinja <b>", ChatTemplate.Load(_directory)!.Render([]));
    }

    [Fact]
    public void Of_a_list_the_default_is_taken()
    {
        WriteConfiguration(new { chat_template = new[] { new { name = "tool_use", template = "tools" }, new { name = "default", template = "plain" } } });
        Assert.Equal("plain", ChatTemplate.Load(_directory)!.Render([]));
        WriteConfiguration(new { chat_template = new[] { new { name = "tool_use", template = "tools" } } });
        Assert.Equal(ErrorIds.ChatTemplateUnsupported, Assert.Throws<SparseFrontierException>(() => ChatTemplate.Load(_directory)).ErrorId);
    }

    [Fact]
    public void A_broken_configuration_is_named()
    {
        File.WriteAllText(Path.Combine(_directory, "tokenizer_config.json"), "{\"chat_template\": ");
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => ChatTemplate.Load(_directory));
        Assert.Equal(ErrorIds.TokenizerInvalid, exception.ErrorId);
        Assert.Contains("tokenizer_config.json", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% include 'x' %}", "the tag 'include'")]
    [InlineData("{% call f() %}{% endcall %}", "the tag 'call'")]
    [InlineData("{{ 1 | wordwrap }}", "the filter 'wordwrap'")]
    [InlineData("{{ 1 is divisibleby 2 }}", "the test 'divisibleby'")]
    [InlineData("{% for x in y recursive %}{% endfor %}", "a recursive loop")]
    [InlineData("{{ f(*x) }}", "unpacked arguments")]
    [InlineData("{% if x %}", "a block without its 'endif'")]
    [InlineData("{{ x ", "a tag without its '}}'")]
    [InlineData("{{ 'x }}", "a string without an end")]
    [InlineData("{# x ", "a comment without an end")]
    [InlineData("{{ 'a\\q' }}", @"the string escape '\q'")]
    [InlineData("{{ a ! b }}", "the character '!'")]
    [InlineData("{{ (1 }}", "'}}' where it cannot stand")]
    [InlineData("{% endfor %}", "the tag 'endfor'")]
    public void Unknown_constructs_are_refused_on_loading(string source, string named)
    {
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => Template(source));
        Assert.Equal(ErrorIds.ChatTemplateUnsupported, exception.ErrorId);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ lipsum() }}", "the function 'lipsum'")]
    [InlineData("{{ 'a'.encode() }}", "the method 'encode' of a string")]
    [InlineData("{{ missing.member }}", "the member 'member' of 'missing', which is undefined")]
    [InlineData("{{ 'a' + 1 }}", "'+' of a string and an integer")]
    [InlineData("{{ 1 // 0 }}", "'//' of an integer and an integer")]
    [InlineData("{{ 'a' < 1 }}", "the comparison of a string with an integer")]
    [InlineData("{% for x in 3 %}{% endfor %}", "a loop over an integer")]
    [InlineData("{% set messages.x = 1 %}", "the assignment to 'messages.x'")]
    [InlineData("{{ messages | tojson(sort_keys=true) }}", "'tojson' with the argument 'sort_keys'")]
    [InlineData("{{ strftime_now('%d') }}", "the function 'strftime_now'")]
    [InlineData("{{ 'x'.split('') }}", "a split at a string")]
    [InlineData("{{ range }}", "the text of a function")]
    [InlineData("{{ range(10 ** 12) }}", "a range of more than 100000 items")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls of 'f' deeper than 100")]
    public void Unknown_constructs_are_refused_on_rendering(string source, string named)
    {
        ChatTemplate template = Template(source);
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => template.Render([new ChatMessage("user", "x")]));
        Assert.Equal(ErrorIds.ChatTemplateUnsupported, exception.ErrorId);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("not ", "")]
    [InlineData("-", "")]
    [InlineData("[", "]")]
    public void Nesting_has_a_bound(string open, string close)
    {
        string Nested(int depth) =>
            $"{{{{ {string.Concat(Enumerable.Repeat(open, depth))}1{string.Concat(Enumerable.Repeat(close, depth))} }}}}";
        Template(Nested(50)).Render([]);
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => Template(Nested(100_000)));
        Assert.Contains("nesting deeper than 100 levels", exception.Message, StringComparison.Ordinal);
        exception = Assert.Throws<SparseFrontierException>(() => Template(string.Concat(Enumerable.Repeat("{% if true %}", 100_000))));
        Assert.Contains("nesting deeper than 100 levels", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_refuses_a_conversation_in_its_own_words()
    {
        ChatTemplate template = Template("{{ raise_exception('no ' ~ messages[0].role) }}");
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => template.Render([new ChatMessage("poet", "x")]));
        Assert.Equal(ErrorIds.ParameterInvalid, exception.ErrorId);
        Assert.Contains("no poet", exception.Message, StringComparison.Ordinal);
    }

    private ChatTemplate Template(string source)
    {
        File.WriteAllText(Path.Combine(_directory, "chat_template.jinja"), source);
        WriteConfiguration(new { bos_token = "<s>", eos_token = "</s>" });
        return ChatTemplate.Load(_directory)!;
    }

    private void WriteConfiguration(object configuration) =>
        File.WriteAllText(Path.Combine(_directory, "tokenizer_config.json"), JsonSerializer.Serialize(configuration));
}
