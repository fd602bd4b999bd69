using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>SparseFrontier.psd1 says what is so.</summary>
public partial class ManifestTests
{
    private static readonly string s_manifest = File.ReadAllText(Path.Combine(LayerTests.Root(), "SparseFrontier.psd1"));

    [Fact]
    public void The_manifest_exports_exactly_the_cmdlets()
    {
        string list = ExportList().Match(s_manifest).Groups[1].Value;
        Assert.Equal(ModuleAssembly.Cmdlets.Select(c => c.Name), QuotedText().Matches(list).Select(m => m.Groups[1].Value));
        Assert.Matches(@"FunctionsToExport\s*=\s*@\(\)", s_manifest);
        Assert.Matches(@"VariablesToExport\s*=\s*@\(\)", s_manifest);
        string aliases = AliasList().Match(s_manifest).Groups[1].Value;
        Assert.Equal(ModuleAssembly.Cmdlets.SelectMany(c => c.Aliases), QuotedText().Matches(aliases).Select(m => m.Groups[1].Value));
    }

    [Fact]
    public void The_version_is_the_build_s()
    {
        var props = XDocument.Load(Path.Combine(LayerTests.Root(), "Directory.Build.props"));
        Assert.Equal(props.Descendants("VersionPrefix").Single().Value, Value("ModuleVersion"));
    }

    [Fact]
    public void The_identity_never_changes() => Assert.Equal("22e652cc-bcea-4fd1-8cf1-0237dbafd24f", Value("GUID"));

    [Fact]
    public void Files_that_it_names_are_there_after_a_build()
    {
        string[] files = [.. QuotedText().Matches(s_manifest).Select(m => m.Groups[1].Value).Where(v => v.StartsWith("bin/", StringComparison.Ordinal))];
        Assert.Equal(3, files.Length);
        Assert.All(files, f => Assert.True(File.Exists(Path.Combine(LayerTests.Root(), f)), f));
        Assert.True(File.Exists(Path.Combine(LayerTests.Root(), "bin", "SparseFrontier.Engine.dll")));
    }

    [Fact]
    public void Nothing_but_the_module_is_staged() => Assert.Equal(
        ["SparseFrontier.Engine.dll", "SparseFrontier.Format.ps1xml", "SparseFrontier.Module.dll", "SparseFrontier.Types.ps1xml"],
        Directory.EnumerateFiles(Path.Combine(LayerTests.Root(), "bin")).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    private static string Value(string key) => Regex.Match(s_manifest, $@"\b{key}\s*=\s*'([^']*)'").Groups[1].Value;

    [GeneratedRegex(@"CmdletsToExport\s*=\s*@\(([^)]*)\)")]
    private static partial Regex ExportList();

    [GeneratedRegex(@"AliasesToExport\s*=\s*@\(([^)]*)\)")]
    private static partial Regex AliasList();

    [GeneratedRegex("'([^']*)'")]
    private static partial Regex QuotedText();
}
