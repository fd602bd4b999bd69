using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>docs/results-format.md describes every column that is written.</summary>
public class ResultFormatTests
{
    public static TheoryData<Type> Rows => [typeof(SparseAttentionResult), typeof(SampleResult), typeof(RunSpecification)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Every_column_is_described(Type row)
    {
        string text = File.ReadAllText(Path.Combine(LayerTests.Root(), "docs", "results-format.md"));
        Assert.All(row.GetProperties(), p => Assert.Contains($"`{p.Name}`", text, StringComparison.Ordinal));
    }
}
