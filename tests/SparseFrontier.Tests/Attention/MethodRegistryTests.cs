using SparseFrontier.Attention;
using Xunit;

namespace SparseFrontier.Tests.Attention;

public class MethodRegistryTests
{
    [Fact]
    public void Names_are_unique_within_a_phase_and_controls_come_last()
    {
        foreach (IEnumerable<AttentionMethod> methods in new IEnumerable<AttentionMethod>[] { MethodRegistry.PrefillMethods, MethodRegistry.DecodeMethods })
        {
            Assert.Equal(methods.Count(), methods.Select(m => m.Name.ToUpperInvariant()).Distinct().Count());
            Assert.Equal(methods.OrderBy(m => m.IsControl), methods);
        }

        Assert.Equal(["WindowSink", "Random", "RandomVerticalSlash", "OracleTopK"], MethodRegistry.PrefillMethods.Where(m => m.IsControl).Select(m => m.Name));
        Assert.Equal(["WindowSink", "Random", "RandomAdaSnapKV", "OracleTopK", "WindowSinkPages", "RandomPages", "OraclePages"], MethodRegistry.DecodeMethods.Where(m => m.IsControl).Select(m => m.Name));
    }

    [Fact]
    public void Defaults_are_the_references()
    {
        Assert.Equal("ForcedSlashes=64;ForcedVerticals=4;SlashSize=512;VerticalSize=512;Window=256", Text("VerticalSlash"));
        Assert.Equal("Alpha=0.65;ForcedSlashes=64;ForcedVerticals=4;MinimumBudget=512;Window=512", Text("FlexPrefill"));
        Assert.Equal("BlockSize=16;ForcedFirstBlocks=1;ForcedLocalBlocks=2;TopBlocks=64", Text("BlockSparse"));
        Assert.Equal("Capacity=1024;KernelSize=21;LocalWindow=128;PrefixTokens=4;Window=256", Text("SnapKV"));
        Assert.Equal("Capacity=1024;KernelSize=21;LocalWindow=128;MinimumHeadRatio=0.2;PrefixTokens=4;Window=256", Text("AdaSnapKV"));
        Assert.Equal("PageSize=16;SharePages=1;TokenBudget=1024", Text("Quest"));

        static string Text(string name) => MethodRegistry.All.Single(m => m.Name == name).CreateParameters().ToString();
    }

    [Fact]
    public void Every_method_is_described()
    {
        Assert.All(MethodRegistry.All, method =>
        {
            Assert.All(
                new[] { method.Description, method.Source, method.Taxonomy.Unit, method.Taxonomy.ImportanceEstimation, method.Taxonomy.BudgetAllocation, method.Taxonomy.CacheManagement },
                text => Assert.NotEmpty(text));
            Assert.All(method.Parameters, p => Assert.InRange(p.Default, p.Minimum, p.Maximum));
            Assert.True(method.BudgetParameter is null || method.Parameters.Any(p => p.Name == method.BudgetParameter));
        });
    }

    [Fact]
    public void Documentation_lists_every_method_and_parameter()
    {
        string text = File.ReadAllText(Path.Combine(Fixtures.Root, "docs", "methods.md"));
        Assert.All(MethodRegistry.All, method =>
        {
            Assert.Contains($"`{method.Name}`", text, StringComparison.Ordinal);
            Assert.All(method.Parameters, p => Assert.Contains(FormattableString.Invariant($"`{p.Name}` {p.Default}"), text, StringComparison.Ordinal));
        });
    }

    [Fact]
    public void Find_ignores_case_and_suggests_near_names()
    {
        Assert.Equal("SnapKV", MethodRegistry.FindDecode("snapkv").Name);
        var error = Assert.Throws<SparseFrontierException>(() => MethodRegistry.FindPrefill("BlokSparse"));
        Assert.Equal(ErrorIds.MethodNotFound, error.ErrorId);
        Assert.Contains("BlockSparse", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<SparseFrontierException>(() => MethodRegistry.FindPrefill("Quest"));
        Assert.Contains("decode method", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Patterns_leave_controls_out_unless_asked()
    {
        Assert.DoesNotContain(MethodRegistry.Match("*"), m => m.IsControl);
        Assert.Equal(2, MethodRegistry.Match("random").Count);
        Assert.Equal(["SnapKV", "AdaSnapKV"], MethodRegistry.Match("*KV").Select(m => m.Name));
        Assert.Equal(MethodRegistry.All.Count(), MethodRegistry.Match("*", includeControls: true).Count);
    }

    [Theory]
    [InlineData("Quest", "PageSize=16;TokenBudget=100", "multiple")]
    [InlineData("SnapKV", "KernelSize=4", "odd")]
    [InlineData("SnapKV", "Capacity=0", "from 1")]
    [InlineData("SnapKV", "Capacity=1.5", "whole")]
    [InlineData("SnapKV", "Budget=5", "It has: Capacity")]
    [InlineData("SnapKV", "Capacity", "not Name=number")]
    [InlineData("Dense", "Alpha=1", "no parameters")]
    [InlineData("FlexPrefill", "Alpha=1.1", "from 0 to 1")]
    [InlineData("SnapKV", "Schedule=layer:x dense", "schedule")]
    public void Bad_parameters_are_refused_with_what_there_is(string method, string parameters, string part)
    {
        AttentionMethod found = MethodRegistry.All.First(m => m.Name == method);
        var error = Assert.Throws<SparseFrontierException>(() => found.CreateParameters(parameters));
        Assert.Equal(ErrorIds.MethodParameterInvalid, error.ErrorId);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parameters_survive_their_text()
    {
        AttentionMethod method = MethodRegistry.FindPrefill("FlexPrefill");
        MethodParameters parameters = method.CreateParameters("alpha=0.7;Schedule=layer:0-1,4 head:2- dense|step:3 x0.25");
        Assert.EndsWith(";Schedule=layer:0-1,4 head:2- dense | step:3 x0.25", parameters.ToString(), StringComparison.Ordinal);
        Assert.Equal(parameters.ToString(), method.CreateParameters(parameters.ToString()).ToString());
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.5)]
    [InlineData(double.NaN)]
    public void Sparsity_out_of_range_is_refused(double sparsity)
    {
        AttentionMethod method = MethodRegistry.FindPrefill("BlockSparse");
        var error = Assert.Throws<SparseFrontierException>(() => method.SolveBudget(sparsity, new PromptShape(1024, 1, 1), method.CreateParameters()));
        Assert.Equal(ErrorIds.SparsityOutOfRange, error.ErrorId);
    }

    [Fact]
    public void Forced_verticals_and_slashes_beyond_the_sizes_are_infeasible()
    {
        PrefillMethod method = MethodRegistry.FindPrefill("VerticalSlash");
        using var data = LayerData.Random(1, 1, 300, 8);
        var error = Assert.Throws<BudgetInfeasibleException>(() => method.Select(data.Layer, method.CreateParameters("VerticalSize=8;SlashSize=8")));
        Assert.InRange(error.MaximumFeasibleSparsity, 0.1, 0.9);
        Assert.NotEmpty(method.Select(data.Layer, method.CreateParameters("VerticalSize=4;SlashSize=64")).Plans);
    }
}
