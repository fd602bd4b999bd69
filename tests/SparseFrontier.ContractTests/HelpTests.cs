using System.Text.RegularExpressions;
using System.Xml.Linq;
using SparseFrontier.HelpBuilder;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Help is complete, true as far as names go, and what is on disk is made from the sources. Pester runs the examples.</summary>
public partial class HelpTests
{
    private static readonly IReadOnlyList<CmdletHelp> s_help = HelpReader.Read();

    private static readonly string s_root = LayerTests.Root();

    public static TheoryData<string> Names => [.. s_help.Select(h => h.Name)];

    public static TheoryData<string> Topics => [.. Directory.EnumerateFiles(Path.Combine(s_root, "docs"), "about_*.md").Select(f => Path.GetFileNameWithoutExtension(f)!)];

    [Fact]
    public void Every_cmdlet_has_help() => Assert.Equal(ModuleAssembly.Cmdlets.Select(c => c.Name), s_help.Select(h => h.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_cmdlet_says_what_it_does(string name)
    {
        CmdletHelp help = Find(name);
        Assert.Matches("^[A-Z][a-z]+s .*\\.$", help.Synopsis);
        Assert.NotEmpty(help.Description);
        Assert.NotEmpty(help.Inputs);
        Assert.NotEmpty(help.Outputs);
        Assert.All(help.Outputs.Where(t => t.Name.StartsWith("SparseFrontier.", StringComparison.Ordinal)), t => Assert.NotEqual("", t.Description));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_parameter_is_described(string name)
    {
        CmdletHelp help = Find(name);
        CmdletMetadata cmdlet = ModuleAssembly.Cmdlets.Single(c => c.Name == name);
        Assert.Equal(
            cmdlet.Parameters.Where(p => !p.IsHidden).Select(p => p.Name).Distinct().Order(StringComparer.Ordinal),
            help.Parameters.Select(p => p.Name).Except(["WhatIf", "Confirm"]).Order(StringComparer.Ordinal));
        Assert.All(help.Parameters, p =>
        {
            Assert.True(p.Description.Count > 0, $"{name} -{p.Name} has no description: give its property a <summary>.");
            Assert.All(p.Description, text => Assert.Matches("^[A-Z].*\\.$", text));
            Assert.NotEqual("", p.Default);
        });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Three_examples_can_be_typed(string name)
    {
        CmdletHelp help = Find(name);
        Assert.True(help.Examples.Count >= 3, $"{name} has {help.Examples.Count} examples; it needs three.");
        Assert.All(help.Examples, e =>
        {
            Assert.Matches("^[A-Z].*\\.$", e.Title);
            Assert.Contains(name, e.Code, StringComparison.Ordinal);
            PowerShellText.RequireKnownNames(e.Code, name);
        });
    }

    [Fact]
    public void What_Get_Help_reads_is_made_from_the_sources() => Same(HelpFiles.Installed(s_help, s_root), "en-US", "Build again.");

    [Fact]
    public void The_pages_of_the_cmdlets_are_made_from_the_sources() => Same(
        HelpFiles.Markdown(s_help),
        Path.Combine("docs", "cmdlets"),
        "Run: dotnet run --project tools/HelpBuilder -c Release -- markdown .");

    [Fact]
    public void The_help_file_has_every_parameter_in_its_sets()
    {
        XNamespace command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
        var file = XDocument.Load(Path.Combine(s_root, "en-US", "SparseFrontier.Module.dll-Help.xml"));
        Assert.Equal("http://msh", file.Root!.Name.NamespaceName);
        Assert.Equal(s_help.Count, file.Root.Elements(command + "command").Count());
        XElement run = file.Root.Elements(command + "command").Single(c => c.Descendants(command + "name").First().Value == "Invoke-SparseAttentionRun");
        XElement[] sets = [.. run.Descendants(command + "syntaxItem")];
        Assert.Equal(2, sets.Length);
        Assert.Contains("Method", Parameters(sets[0]));
        Assert.DoesNotContain("InputObject", Parameters(sets[0]));
        Assert.Equal(["InputObject", "ResultPath", "BatchSize", "Force", "TimeoutSeconds", "Device", "WhatIf", "Confirm"], Parameters(sets[1]));

        IEnumerable<string> Parameters(XElement set) => set.Elements(command + "parameter").Select(p => p.Elements().First().Value);
    }

    [Theory]
    [MemberData(nameof(Topics))]
    public void About_topics_are_as_Get_Help_wants_them(string topic)
    {
        string[] lines = File.ReadAllLines(Path.Combine(s_root, "en-US", $"{topic}.help.txt"));
        Assert.Equal(["TOPIC", $"    {topic}"], lines[..2]);
        Assert.Contains("SHORT DESCRIPTION", lines);
        Assert.Contains("LONG DESCRIPTION", lines);
        Assert.Contains("SEE ALSO", lines);
        Assert.All(lines, l => Assert.True(l.Length <= 104, $"{topic}: longer than a terminal is wide: {l}"));
        Assert.DoesNotContain(lines, l => MarkdownMark().IsMatch(l));
        Assert.Contains(topic, File.ReadAllText(Path.Combine(s_root, "docs", "about_SparseFrontier.md")), StringComparison.Ordinal);
    }

    private static CmdletHelp Find(string name) => s_help.Single(h => h.Name == name);

    private static void Same(IReadOnlyDictionary<string, string> expected, string folder, string advice)
    {
        string path = Path.Combine(s_root, folder);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), Directory.EnumerateFiles(path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(expected, file => Assert.True(file.Value == File.ReadAllText(Path.Combine(path, file.Key)).ReplaceLineEndings("\n"), $"{folder}/{file.Key} is not up to date. {advice}"));
    }

    [GeneratedRegex(@"^#|```|\]\(|\*\*")]
    private static partial Regex MarkdownMark();
}
