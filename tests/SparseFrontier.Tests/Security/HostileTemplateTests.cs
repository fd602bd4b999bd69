using System.Diagnostics;
using SparseFrontier.Models.Tokenizers;
using Xunit;

namespace SparseFrontier.Tests.Security;

/// <summary>Chat templates come with checkpoints: none ends the process, takes its memory or goes on for ever.</summary>
public sealed class HostileTemplateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("x", ".a")]
    [InlineData("1", " + 1")]
    [InlineData("'a'", " ~ 'a'")]
    [InlineData("'a'", " | trim")]
    [InlineData("1", " is defined")]
    [InlineData("x", "[0]")]
    [InlineData("x", "()")]
    [InlineData("1", " and 1")]
    public void Chains_of_any_length_do_not_overflow_the_stack(string first, string repeated)
    {
        string source = $"{{{{ {first}{string.Concat(Enumerable.Repeat(repeated, 300_000))} }}}}";
        Assert.Equal(ErrorIds.ChatTemplateUnsupported, Refusal(source));
    }

    // Each is the last thing that the one around it does, and may need no stack.
    [Fact]
    public void Chains_of_conditions_end()
    {
        Exception? exception = Record.Exception(() => Render($"{{{{ 1{string.Concat(Enumerable.Repeat(" if 1", 300_000))} }}}}"));
        Assert.True(exception is null or SparseFrontierException { ErrorId: ErrorIds.ChatTemplateUnsupported });
    }

    [Theory]
    [InlineData("{{ 'x' * 2147483647 }}")]
    [InlineData("{{ ('x' * 100000) * 100000 }}")]
    [InlineData("{% set s = namespace(t='x') %}{% for i in range(64) %}{% set s.t = s.t ~ s.t %}{% endfor %}{{ s.t }}")]
    [InlineData("{% set s = namespace(t=[1]) %}{% for i in range(64) %}{% set s.t = s.t + s.t %}{% endfor %}")]
    [InlineData("{% set s = namespace(t=[1]) %}{% for i in range(64) %}{% set s.t = [s.t, s.t] %}{% endfor %}{{ s.t }}")]
    [InlineData("{% set s = namespace(t=[1]) %}{% for i in range(64) %}{% set s.t = [s.t, s.t] %}{% endfor %}{{ s.t | tojson }}")]
    [InlineData("{% set s = namespace(t=[1], u=[1]) %}{% for i in range(64) %}{% set s.t = [s.t, s.t] %}{% set s.u = [s.u, s.u] %}{% endfor %}{{ s.t == s.u }}")]
    [InlineData("{% set s = namespace(t=[1]) %}{% for i in range(20000) %}{% set s.t = [s.t] %}{% endfor %}{{ s.t }}")]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}")]
    [InlineData("{% for a in range(100000) if range(100000) | length > 0 %}{% endfor %}")]
    [InlineData("{% macro f(n) %}{{ f(n + 1) if n < 90 }}{{ f(n + 1) if n < 90 }}{% endmacro %}{{ f(0) }}")]
    [InlineData("{{ ('a' * 100000) | replace('a', 'b' * 100000) }}")]
    [InlineData("{{ range(100000) | join('a' * 100000) }}")]
    [InlineData("{{ messages | tojson(indent=2147483647) }}")]
    [InlineData("{% set t = 'a' * 500000 %}{% for i in range(100000) %}{{ 'b' in t }}{{ t == t ~ '' }}{{ t | length }}{% endfor %}")]
    public void Work_and_memory_are_bounded(string source)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(ErrorIds.ChatTemplateUnsupported, Refusal(source));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256 << 20);
    }

    [Theory]
    [InlineData("{{ -9223372036854775807 - 1 }}", "-9223372036854775808")]
    [InlineData("{{ (-9223372036854775807 - 1) // -1 }}", "-9223372036854775808")]
    [InlineData("{{ (-9223372036854775807 - 1) % -1 }}", "0")]
    [InlineData("{{ 7 // -1 }}{{ 7 % -1 }}", "-70")]
    [InlineData("{{ 'abc'[0:3:9223372036854775807] }}", "a")]
    [InlineData("{{ 'abc'[::-9223372036854775807] }}", "c")]
    [InlineData("{{ 'a,b'.split(',', 9223372036854775807) | length }}", "2")]
    [InlineData("{{ range(9223372036854775806, 9223372036854775807, 2) | list }}", "[9223372036854775806]")]
    [InlineData("{{ 'a' 'b' 'c' }}", "abc")]
    public void Numbers_at_their_limits_have_values(string source, string expected) => Assert.Equal(expected, Render(source));

    [Fact]
    public void An_index_beyond_all_integers_is_refused() => Assert.Equal(ErrorIds.ChatTemplateUnsupported, Refusal("{{ messages.99999999999999999999 }}"));

    [Fact]
    public void Long_conversations_may_do_more()
    {
        ChatMessage[] messages = [.. Enumerable.Range(0, 4000).Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", new string('x', 1000)))];
        string text = Template("{% for m in messages %}{% if m.role == 'user' %}{{ 'U: ' + m.content | trim + '\n' }}{% else %}{{ 'A: ' ~ m['content'].strip() ~ '\n' }}{% endif %}{% endfor %}").Render(messages);
        Assert.Equal(4000 * 1004, text.Length);
    }

    private string Refusal(string source)
    {
        var watch = Stopwatch.StartNew();
        string id = Assert.Throws<SparseFrontierException>(() => Render(source)).ErrorId;
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), "it went on for too long to end by itself");
        return id;
    }

    private string Render(string source) => Template(source).Render([new ChatMessage("user", "x")]);

    private ChatTemplate Template(string source)
    {
        File.WriteAllText(_folder.File("chat_template.jinja"), source);
        return ChatTemplate.Load(_folder.Path)!;
    }
}
