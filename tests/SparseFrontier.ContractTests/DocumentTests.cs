using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Reference pages list exactly what there is.</summary>
public partial class DocumentTests
{
    [Theory]
    [InlineData(typeof(SparseAttentionResult))]
    [InlineData(typeof(SampleResult))]
    [InlineData(typeof(RunSpecification))]
    public void Results_format_lists_every_column_in_order(Type type)
    {
        string text = Read("results-format.md");
        int start = text.IndexOf($"({type.Name})", StringComparison.Ordinal);
        Assert.True(start > 0, $"docs/results-format.md has no section for {type.Name}.");
        int end = text.IndexOf("\n## ", start, StringComparison.Ordinal);
        Assert.Equal(type.GetProperties().Select(p => p.Name), Rows(text[start..(end < 0 ? text.Length : end)]));
    }

    [Fact]
    public void Errors_lists_every_id_once() => Assert.Equal(
        typeof(ErrorIds).GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!).Order(),
        Rows(Read("errors.md")).Order());

    [Fact]
    public void Every_error_id_says_its_own_name() => Assert.All(
        typeof(ErrorIds).GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral), f => Assert.Equal(f.Name, f.GetRawConstantValue()));

    private static IEnumerable<string> Rows(string text) => from Match match in FirstColumn().Matches(text) select match.Groups[1].Value;

    private static string Read(string name) => File.ReadAllText(Path.Combine(LayerTests.Root(), "docs", name));

    [GeneratedRegex(@"^\| `(\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex FirstColumn();
}
