using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Layers of the engine reference downwards only (docs/architecture.md).</summary>
public partial class LayerTests
{
    // From the bottom up; Analysis stands beside Experiments and may read its rows.
    private static readonly string[] s_layers = ["Tensors", "Kernels", "Attention", "Models", "Tasks", "Analysis", "Experiments", "Reporting"];

    public static TheoryData<string> Layers => [.. s_layers];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Layer_names_only_layers_below_it(string layer)
    {
        string[] above = s_layers[(Array.IndexOf(s_layers, layer) + 1)..];
        string folder = Path.Combine(Root(), "src", "SparseFrontier.Engine", layer);
        var offences = from file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
                       from Match match in LayerName().Matches(File.ReadAllText(file))
                       where above.Contains(match.Groups[1].Value)
                       select $"{Path.GetFileName(file)} names {match.Value}";
        Assert.Empty(offences);
    }

    internal static string Root([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", ".."));

    [GeneratedRegex(@"\bSparseFrontier\.(Tensors|Kernels|Attention|Models|Tasks|Analysis|Experiments|Reporting)\b")]
    private static partial Regex LayerName();
}
