using System.IO.Compression;
using System.Text;

namespace SparseFrontier.Reporting.Report;

/// <summary>What is embedded in every report: Vega, Vega-Lite and Vega-Embed as published (Assets/README.md), the report's own script and style.</summary>
internal static class ReportAssets
{
    /// <summary>The libraries, in the order in which they need one another.</summary>
    public static IReadOnlyList<string> Libraries { get; } = ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js"];

    /// <summary>The licences of the libraries.</summary>
    public static IReadOnlyList<string> Licenses { get; } = ["vega.LICENSE.txt", "vega-lite.LICENSE.txt", "vega-embed.LICENSE.txt"];

    /// <summary>The text of an asset.</summary>
    public static string Text(string name)
    {
        // The libraries are kept compressed: 0.8 MB of text that no one reads in the repository.
        bool compressed = Libraries.Contains(name);
        using Stream stream = typeof(ReportAssets).Assembly.GetManifestResourceStream($"SparseFrontier.Reporting.Report.{name}{(compressed ? ".br" : "")}")
            ?? throw new InvalidOperationException($"The report's asset {name} is not embedded.");
        using var reader = new StreamReader(compressed ? new BrotliStream(stream, CompressionMode.Decompress) : stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
