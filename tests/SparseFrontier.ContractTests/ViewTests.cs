using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>The format and types files name only what exists: PowerShell itself shows an empty cell for a misspelt property.</summary>
public partial class ViewTests
{
    private static readonly XDocument s_format = Load("SparseFrontier.Format.ps1xml");
    private static readonly XDocument s_types = Load("SparseFrontier.Types.ps1xml");

    [Fact]
    public void Columns_name_properties_that_exist() => Assert.All(s_format.Descendants("View"), view =>
    {
        Type type = TypeOf(view.Descendants("TypeName").Single().Value);
        IEnumerable<string> names = view.Descendants("PropertyName").Select(e => e.Value)
            .Concat(view.Descendants("ScriptBlock").SelectMany(e => PropertyOfItem().Matches(e.Value)).Select(m => m.Groups[1].Value));
        Assert.All(names, n => Assert.True(type.GetProperty(n) is not null, $"{type.Name} has no {n}"));
    });

    [Fact]
    public void Tables_have_a_header_for_each_column() => Assert.All(s_format.Descendants("TableControl"), table =>
        Assert.Equal(table.Descendants("TableColumnHeader").Count(), table.Descendants("TableColumnItem").Count()));

    // PowerShell cuts the column that does not fit on the left or right: a number of which only the last digit is seen misleads. It is dropped where it would begin beyond.
    [Fact]
    public void Numbers_are_whole_in_a_window_of_80_columns() => Assert.All(s_format.Descendants("TableControl"), table =>
    {
        int start = 0;
        foreach (XElement header in table.Descendants("TableColumnHeader"))
        {
            int end = start + ((int?)header.Element("Width") ?? 0);
            bool number = (string?)header.Element("Alignment") == "Right";
            Assert.False(number && start < 79 && end > 79, $"{table.Parent!.Element("Name")!.Value}: {header.Element("Label")?.Value} is cut from {start} to {end}");
            start = end + 1;
        }
    });

    // A column that begins at the edge is squeezed to a few characters, its header broken over as many lines. A console leaves a column of its window free, Out-String does not.
    [Theory]
    [InlineData(79)]
    [InlineData(80)]
    [InlineData(119)]
    [InlineData(120)]
    public void Headers_are_whole_in_usual_windows(int width) => Assert.All(s_format.Descendants("TableControl"), table =>
    {
        int start = 0;
        foreach (XElement header in table.Descendants("TableColumnHeader"))
        {
            int end = start + ((string?)header.Element("Label") ?? "").Length;
            Assert.False(start < width && end > width, $"{table.Parent!.Element("Name")!.Value}: {header.Element("Label")?.Value} is squeezed between {start} and {width}");
            start += ((int?)header.Element("Width") ?? 0) + 1;
        }
    });

    [Fact]
    public void Texts_in_a_last_column_are_broken_at_what_is_left_of_the_window()
    {
        XElement[] tables = [.. s_format.Descendants("TableControl").Where(t => t.Descendants("ScriptBlock").Any(b => b.Value.Contains("::Words(", StringComparison.Ordinal)))];
        Assert.NotEmpty(tables);
        Assert.All(tables, table =>
        {
            // Each column but the last has a width and a blank after it; PowerShell leaves one column of the window free.
            int taken = table.Descendants("TableColumnHeader").SkipLast(1).Sum(h => (int)h.Element("Width")! + 1) + 1;
            Assert.EndsWith($", $Host.UI.RawUI.BufferSize.Width - {taken})", table.Descendants("TableColumnItem").Last().Value.Trim(), StringComparison.Ordinal);
            Assert.Single(table.Descendants("Wrap"));
        });
    }

    [Fact]
    public void Computed_cells_call_methods_that_exist() => Assert.All(
        s_format.Descendants("ScriptBlock").SelectMany(e => StaticCall().Matches(e.Value)),
        call => Assert.NotNull(TypeOf(call.Groups[1].Value).GetMethod(call.Groups[2].Value, BindingFlags.Public | BindingFlags.Static)));

    // Texts come from files and models: they go through the one class that shows what a terminal would obey.
    [Fact]
    public void Texts_are_never_shown_as_they_are() => Assert.All(s_format.Descendants("View"), view =>
    {
        Type type = TypeOf(view.Descendants("TypeName").Single().Value);
        Assert.All(view.Descendants("PropertyName"), e => Assert.NotEqual(typeof(string), type.GetProperty(e.Value)!.PropertyType));
        Assert.All(view.Descendants("ScriptBlock").Where(e => !e.Value.Contains("CellText]::", StringComparison.Ordinal)), e =>
            Assert.DoesNotContain(PropertyOfItem().Matches(e.Value), m => type.GetProperty(m.Groups[1].Value)!.PropertyType == typeof(string)));
    });

    [Fact]
    public void Every_output_type_has_a_view()
    {
        var viewed = s_format.Descendants("TypeName").Select(e => e.Value).ToHashSet();
        Assert.All(OwnOutputTypes(), t => Assert.Contains(t.FullName!, viewed));
    }

    // Format-List without names would show everything: more than a screen, in the order of the file. Whoever wants it asks for *.
    [Fact]
    public void Output_types_of_many_properties_have_those_that_a_list_shows() => Assert.All(
        OwnOutputTypes().Where(t => t.GetProperties().Length > 8),
        t => Assert.InRange(DisplayedProperties(t).Length, 2, 30));

    // What a table shows is in the list, which is asked for to see more.
    [Fact]
    public void Lists_show_what_tables_show() => Assert.All(OwnOutputTypes().Where(t => DisplayedProperties(t).Length > 0), type =>
    {
        IEnumerable<XElement> views = s_format.Descendants("View").Where(v => v.Descendants("TypeName").Single().Value == type.FullName);
        string[] columns = [.. views.SelectMany(v => v.Descendants("TableRowEntry")).SelectMany(row => row.Descendants("PropertyName").Select(e => e.Value)
            .Concat(row.Descendants("ScriptBlock").SelectMany(e => PropertyOfItem().Matches(e.Value)).Select(m => m.Groups[1].Value)))];
        Assert.Equal("", string.Join(' ', columns.Distinct().Except(DisplayedProperties(type)).Select(c => $"{type.Name}.{c}")));
    });

    private static string[] DisplayedProperties(Type type) =>
    [
        .. s_types.Descendants("Type").Where(t => t.Element("Name")!.Value == type.FullName).Descendants("PropertySet")
            .Where(s => s.Element("Name")!.Value == "DefaultDisplayPropertySet").Descendants("ReferencedProperties").Elements("Name").Select(n => n.Value),
    ];

    [Fact]
    public void Property_sets_name_properties_that_exist() => Assert.All(s_types.Descendants("Type"), element =>
    {
        Type type = TypeOf(element.Element("Name")!.Value);
        Assert.All(element.Descendants("ReferencedProperties").Elements("Name"), n => Assert.True(type.GetProperty(n.Value) is not null, $"{type.Name} has no {n.Value}"));
    });

    [Fact]
    public void Output_types_bind_from_loose_rows() => Assert.All(
        OwnOutputTypes(),
        type =>
        {
            Assert.NotNull(type.GetConstructor(Type.EmptyTypes));
            Assert.All(type.GetProperties(), p =>
            {
                Assert.True(p.CanWrite, $"{type.Name}.{p.Name} cannot be set");
                Type scalar = Nullable.GetUnderlyingType(p.PropertyType) ?? p.PropertyType;
                Assert.True(
                    scalar.IsEnum || scalar == typeof(string) || scalar == typeof(int) || scalar == typeof(long) || scalar == typeof(double)
                        || scalar == typeof(bool) || scalar == typeof(DateTimeOffset),
                    $"{type.Name}.{p.Name} is a {scalar.Name}: CSV and JSON would not carry it");
            });
        });

    // Text and files have PowerShell's own views.
    private static IEnumerable<Type> OwnOutputTypes() =>
        ModuleAssembly.Cmdlets.SelectMany(c => c.OutputTypes).Where(t => t.Assembly == typeof(RunSpecification).Assembly).Distinct();

    private static Type TypeOf(string name) =>
        typeof(RunSpecification).Assembly.GetType(name) ?? throw new Xunit.Sdk.XunitException($"There is no type {name}.");

    private static XDocument Load(string file) => XDocument.Load(Path.Combine(LayerTests.Root(), "SparseFrontier.Module", "Views", file));

    [GeneratedRegex(@"\$_\.(\w+)")]
    private static partial Regex PropertyOfItem();

    [GeneratedRegex(@"\[(SparseFrontier\.[\w.]+)\]::(\w+)\(")]
    private static partial Regex StaticCall();
}
