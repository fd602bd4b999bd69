using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Layers of the engine reference downwards only (docs/architecture.md).</summary>
public partial class LayerTests
{
    // From the bottom up; Analysis stands beside Experiments and may read its rows.
    private static readonly string[] s_layers = ["Tensors", "Kernels", "Attention", "Models", "Tasks", "Analysis", "Experiments", "Reporting"];

    public static TheoryData<string> Layers => [.. s_layers.Where(l => Directory.Exists(Folder(l)))];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Layer_names_only_layers_below_it(string layer)
    {
        string[] above = s_layers[(Array.IndexOf(s_layers, layer) + 1)..];
        var offences = from file in Directory.EnumerateFiles(Folder(layer), "*.cs", SearchOption.AllDirectories)
                       from Match match in LayerName().Matches(File.ReadAllText(file))
                       where above.Contains(match.Groups[1].Value)
                       select $"{Path.GetFileName(file)} names {match.Value}";
        Assert.Empty(offences);
    }

    [Fact]
    public void Every_folder_of_the_engine_is_a_layer()
    {
        string engine = Path.Combine(Root(), "src", "SparseFrontier.Engine");
        Assert.Empty(Directory.EnumerateDirectories(engine).Select(Path.GetFileName).Except(s_layers));
    }

    // PowerShell loads the module beside all others, into one context: what it brings must not be there under the same name already.
    [Fact]
    public void The_module_brings_only_its_own_names()
    {
        Assembly[] own = [ModuleAssembly.Assembly, typeof(RunSpecification).Assembly];
        Assert.All(own.SelectMany(a => a.GetTypes()).Where(t => t.IsVisible), t => Assert.Matches(@"^SparseFrontier(\.|$)", t.Namespace));
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        Assert.All(own.SelectMany(a => a.GetReferencedAssemblies()), name => Assert.True(
            name.Name is "SparseFrontier.Engine" or "System.Management.Automation" || File.Exists(Path.Combine(framework, $"{name.Name}.dll")),
            $"{name.Name} is neither .NET's nor PowerShell's"));
    }

    private static string Folder(string layer) => Path.Combine(Root(), "src", "SparseFrontier.Engine", layer);

    internal static string Root([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", ".."));

    [GeneratedRegex(@"\bSparseFrontier\.(Tensors|Kernels|Attention|Models|Tasks|Analysis|Experiments|Reporting)\b")]
    private static partial Regex LayerName();
}
