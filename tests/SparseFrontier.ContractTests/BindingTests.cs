using System.Collections;
using System.Globalization;
using System.Management.Automation;
using SparseFrontier.Binding;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Loose rows and parameters become what the engine takes.</summary>
public class BindingTests
{
    [Fact]
    public void A_row_of_text_is_read_in_the_invariant_culture()
    {
        var row = (SparseAttentionResult)Read(
            typeof(SparseAttentionResult),
            ("Method", "Quest"), ("sequencelength", "4096"), ("Score", "0.5"), ("ScoreLow", ""), ("Status", "partial"), ("PeakMemoryBytes", "5000000000"),
            ("SparsityWithinTolerance", "True"), ("StartedAt", "2026-01-02T03:04:05Z"), ("Unknown", "x"));
        Assert.Equal(("Quest", 4096, 0.5, null, RunStatus.Partial), (row.Method, row.SequenceLength, row.Score, row.ScoreLow, row.Status));
        Assert.Equal(5_000_000_000, row.PeakMemoryBytes);
        Assert.True(row.SparsityWithinTolerance);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), row.StartedAt);
    }

    [Fact]
    public void A_row_of_numbers_as_JSON_gives_them_is_read()
    {
        var row = (SparseAttentionResult)Read(
            typeof(SparseAttentionResult),
            ("Score", 1L), ("SequenceLength", 2048L), ("Status", 4L), ("StartedAt", new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc)), ("PrefillSparsity", 0.25m));
        Assert.Equal((1.0, 2048, RunStatus.Infeasible, 0.25), (row.Score, row.SequenceLength, row.Status, row.PrefillSparsity));
    }

    [Theory]
    [InlineData("Score", "0,1")]
    [InlineData("SequenceLength", "many")]
    [InlineData("SequenceLength", "99999999999")]
    [InlineData("Status", "Nearly")]
    public void A_value_that_does_not_fit_is_named(string column, string value)
    {
        FormatException error = Assert.Throws<FormatException>(() => Read(typeof(SparseAttentionResult), (column, value)));
        Assert.Contains(column, error.Message, StringComparison.Ordinal);
        Assert.Contains(value, error.Message, StringComparison.Ordinal);
    }

    // Export-Csv writes in the user's culture; other files are in the invariant one. Both are read, and never one for the other.
    [Theory]
    [InlineData(",", "dd.MM.yyyy", "0,5", "05.11.2026 21:00:01 +00:00")]
    [InlineData(",", "dd.MM.yyyy", "0.5", "2026-11-05T21:00:01Z")]
    [InlineData(".", "dd/MM/yyyy", "0.5", "05/11/2026 21:00:01 +00:00")]
    [InlineData(".", "M/d/yyyy", "5E-1", "11/5/2026 9:00:01 PM +00:00")]
    public void A_row_in_the_user_s_culture_is_read(string separator, string date, string score, string time) => In(separator, date, () =>
    {
        var row = (SparseAttentionResult)Read(typeof(SparseAttentionResult), ("Score", score), ("StartedAt", time));
        Assert.Equal((0.5, new DateTimeOffset(2026, 11, 5, 21, 0, 1, TimeSpan.Zero)), (row.Score, row.StartedAt));
    });

    [Fact]
    public void A_decimal_comma_separates_no_numbers() => In(",", "dd.MM.yyyy", () =>
    {
        var reals = new NumberTransformationAttribute(typeof(double));
        Assert.Equal([0.5], (double[])reals.Transform("0,5")!);
        Assert.Equal([0.5, 0.9], (double[])reals.Transform("0.5,0.9")!);
        Assert.Equal([0.5, 0.9], (double[])reals.Transform(new object[] { "0,5", 0.9 })!);
        Assert.Equal([0, 1], (int[])new NumberTransformationAttribute(typeof(int)).Transform("0,1")!);
    });

    // Where .NET has no cultures but the invariant one, too.
    private static void In(string decimalSeparator, string date, Action action)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.NumberDecimalSeparator = decimalSeparator;
        culture.NumberFormat.NumberGroupSeparator = decimalSeparator == "," ? "." : ",";
        culture.DateTimeFormat.ShortDatePattern = date;
        CultureInfo.CurrentCulture = culture;
        try
        {
            action();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData("PageSize=32", "PageSize=32")]
    [InlineData("", "")]
    [InlineData(null, "")]
    public void Parameters_may_be_text(string? given, string expected) => Assert.Equal(expected, ParameterText.FromObject(given));

    [Fact]
    public void Parameters_may_be_a_table_a_nested_table_or_a_list()
    {
        Assert.Equal("Alpha=0.9;PageSize=32;SharePages=1", ParameterText.FromObject(new Hashtable { ["PageSize"] = 32, ["Alpha"] = 0.9, ["SharePages"] = true }));
        Assert.Equal("Quest.PageSize=32", ParameterText.FromObject(new Hashtable { ["Quest"] = new Hashtable { ["PageSize"] = 32 } }));
        Assert.Equal("PageSize=32;Alpha=0.9", ParameterText.FromObject(new object[] { "PageSize=32", new Hashtable { ["Alpha"] = 0.9 } }));
    }

    [Fact]
    public void A_method_may_be_a_name_or_a_table()
    {
        Assert.Equal("Quest", ParameterText.Method("Quest"));
        Assert.Equal("Quest;PageSize=32", ParameterText.Method(new Hashtable { ["name"] = "Quest", ["PageSize"] = 32 }));
        Assert.Equal("Quest", ParameterText.Method(new Hashtable { ["Name"] = "Quest" }));
        Assert.Throws<FormatException>(() => ParameterText.Method(new Hashtable { ["PageSize"] = 32 }));
    }

    [Fact]
    public void Numbers_may_be_text()
    {
        var reals = new NumberTransformationAttribute(typeof(double));
        Assert.Equal([0, 0.5, 12], (double[])reals.Transform("0, .5,12")!);
        Assert.Empty((double[])reals.Transform("")!);
        Assert.Equal([0.5, 2], (double[])reals.Transform(new object[] { 0.5, 2L })!);
        var wholes = new NumberTransformationAttribute(typeof(int));
        Assert.Equal([1024, 4096, 1000], (int[])wholes.Transform(new object[] { "1024", 4096.0, "1e3" })!);
        Assert.Equal([long.MaxValue], (long[])new NumberTransformationAttribute(typeof(long)).Transform("9223372036854775807")!);
        var single = new NumberTransformationAttribute(typeof(int)) { IsSingle = true };
        Assert.Equal((8, null, null), (single.Transform("8"), single.Transform(""), single.Transform(null)));
    }

    // Of a value that comes by property name PowerShell would leave a failed conversion out, and the default would be run.
    [Theory]
    [InlineData(typeof(int), "99999999999999")]
    [InlineData(typeof(int), "ten")]
    [InlineData(typeof(int), "4k")]
    [InlineData(typeof(int), 1024.6)]
    [InlineData(typeof(int), true)]
    [InlineData(typeof(long), "1e300")]
    [InlineData(typeof(double), "half")]
    public void What_is_no_number_is_refused(Type element, object cell)
    {
        var attribute = new NumberTransformationAttribute(element);
        ArgumentTransformationMetadataException error = Assert.Throws<ArgumentTransformationMetadataException>(() => attribute.Transform(cell));
        Assert.IsNotType<PSInvalidCastException>(error.InnerException);
        Assert.Throws<ArgumentTransformationMetadataException>(() => new NumberTransformationAttribute(typeof(int)) { IsSingle = true }.Transform("1,2"));
    }

    [Fact]
    public void Switches_may_be_text()
    {
        Assert.True(SwitchTransformationAttribute.Parse("True"));
        Assert.True(SwitchTransformationAttribute.Parse("1"));
        Assert.False(SwitchTransformationAttribute.Parse("False"));
        Assert.False(SwitchTransformationAttribute.Parse(""));
    }

    private static object Read(Type type, params (string Name, object Value)[] values) =>
        RowReader.Read(type, values.Select(v => KeyValuePair.Create<string, object?>(v.Name, v.Value)));
}
