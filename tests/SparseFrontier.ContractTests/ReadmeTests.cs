using System.CommandLine;
using System.Text.RegularExpressions;
using SparseFrontier.Cli;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>What the README and the guides show can be typed.</summary>
public partial class ReadmeTests
{
    private static readonly string[] s_documents = ["README.md", "CONTRIBUTING.md", .. Directory.EnumerateFiles(Path.Combine(LayerTests.Root(), "docs"), "*.md", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(LayerTests.Root(), f))];

    public static TheoryData<string> Documents => [.. s_documents];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Cmdlets_and_their_parameters_exist(string document)
    {
        foreach (string block in Blocks(document, "powershell"))
        {
            PowerShellText.RequireKnownNames(block, document);
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Verbs_and_their_options_exist(string document)
    {
        foreach (string line in Blocks(document, "sh").SelectMany(b => b.ReplaceLineEndings("\n").Replace("\\\n", " ", StringComparison.Ordinal).Split('\n')))
        {
            Match command = VerbCall().Match(line);
            if (command.Success)
            {
                string arguments = command.Groups[1].Value.Split(['|', '#', '>', '<'])[0];
                ParseResult parsed = Root.Create().Parse(arguments);
                Assert.True(parsed.Errors.Count == 0, $"{document}: {line}: {string.Join(" ", parsed.Errors.Select(e => e.Message))}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    [InlineData("models/training/README.md")]
    [InlineData("models/frontier-1m/README.md")]
    [InlineData("models/frontier-3m/README.md")]
    [InlineData("models/frontier-7m/README.md")]
    [InlineData("tests/SparseFrontier.Benchmarks/README.md")]
    public void Links_lead_somewhere(string document)
    {
        string path = Path.Combine(LayerTests.Root(), document);
        Assert.All(Link().Matches(File.ReadAllText(path)).Select(m => m.Groups[1].Value).Where(l => !l.Contains("://", StringComparison.Ordinal)), link =>
        {
            string[] parts = link.Split('#');
            string target = parts[0].Length > 0 ? Path.Combine(Path.GetDirectoryName(path)!, parts[0]) : path;
            Assert.True(Path.Exists(target), $"{document} links to {link}");
            if (parts.Length > 1 && target.EndsWith(".md", StringComparison.Ordinal))
            {
                Assert.True(Heading().Matches(File.ReadAllText(target)).Any(h => Anchor(h.Groups[1].Value) == parts[1]), $"{document} links to {link}");
            }
        });

        // As code hosts make them of headings.
        static string Anchor(string heading) => new([.. heading.Trim().Replace(' ', '-').Where(c => char.IsLetterOrDigit(c) || c is '-' or '_').Select(char.ToLowerInvariant)]);
    }

    [Fact]
    public void The_readme_shows_every_cmdlet_and_verb()
    {
        string text = File.ReadAllText(Path.Combine(LayerTests.Root(), "README.md"));
        Assert.All(ModuleAssembly.Cmdlets, c => Assert.Contains($"`{c.Name}`", text, StringComparison.Ordinal));
        Assert.All(CommandLineTests.AllVerbs, v => Assert.Contains(v, text, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Blocks(string document, string language) =>
        CodeBlock().Matches(File.ReadAllText(Path.Combine(LayerTests.Root(), document)))
            .Where(m => m.Groups[1].Value == language)
            .Select(m => m.Groups[2].Value);

    [GeneratedRegex(@"^```(\w+)\r?\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"(?:^|\s)(?:sparsefrontier|dotnet run --project src/SparseFrontier\.Cli -c Release --) (.+)$")]
    private static partial Regex VerbCall();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
