using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using SparseFrontier.Shell;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Error ids are a public contract: each has a category and a place in docs/errors.md.</summary>
public partial class ErrorContractTests
{
    private static readonly string[] s_ids =
        [.. typeof(ErrorIds).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetRawConstantValue()!)];

    [Fact]
    public void Every_id_has_a_category() => Assert.All(s_ids, id => Assert.True(ErrorMap.Category(id) != ErrorCategory.NotSpecified, id));

    [Fact]
    public void Every_id_is_its_constant_s_name() =>
        Assert.All(typeof(ErrorIds).GetFields(BindingFlags.Public | BindingFlags.Static), f => Assert.Equal(f.Name, f.GetRawConstantValue()));

    [Fact]
    public void The_documentation_explains_every_id_and_no_other()
    {
        string text = File.ReadAllText(Path.Combine(LayerTests.Root(), "docs", "errors.md"));
        string[] documented = [.. DocumentedId().Matches(text).Select(m => m.Groups[1].Value).Distinct()];
        Assert.Empty(s_ids.Except(documented));
        Assert.Empty(documented.Except(s_ids));
    }

    // An id is documented by a heading or by the first cell of a table row.
    [GeneratedRegex(@"^(?:#+ |\| *)`?([A-Z][a-z]+(?:[A-Z][a-z]+)+)`?(?= *(?:\||$))", RegexOptions.Multiline)]
    private static partial Regex DocumentedId();
}
