using System.Diagnostics;
using System.IO.Compression;
using System.Xml.Linq;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>The package holds what a user needs and nothing else.</summary>
public class PackageTests
{
    private static readonly string[] s_files =
    [
        "LICENSE",
        "SparseFrontier.psd1",
        "THIRD-PARTY-NOTICES.md",
        "bin/SparseFrontier.Engine.dll",
        "bin/SparseFrontier.Format.ps1xml",
        "bin/SparseFrontier.Module.dll",
        "bin/SparseFrontier.Types.ps1xml",
        "en-US/SparseFrontier.Module.dll-Help.xml",
        "en-US/about_SparseAttention_Automation.help.txt",
        "en-US/about_SparseAttention_Cuda.help.txt",
        "en-US/about_SparseAttention_Methods.help.txt",
        "en-US/about_SparseAttention_NewMethod.help.txt",
        "en-US/about_SparseAttention_Results.help.txt",
        "en-US/about_SparseFrontier.help.txt",
        "models/frontier-1m/README.md",
        "models/frontier-1m/config.json",
        "models/frontier-1m/generation_config.json",
        "models/frontier-1m/model.safetensors",
        "models/frontier-1m/tokenizer.json",
        "models/frontier-1m/tokenizer_config.json",
        "models/frontier-3m/README.md",
        "models/frontier-3m/config.json",
        "models/frontier-3m/generation_config.json",
        "models/frontier-3m/model.safetensors",
        "models/frontier-3m/tokenizer.json",
        "models/frontier-3m/tokenizer_config.json",
        "models/frontier-7m/README.md",
        "models/frontier-7m/config.json",
        "models/frontier-7m/generation_config.json",
        "models/frontier-7m/model.safetensors",
        "models/frontier-7m/tokenizer.json",
        "models/frontier-7m/tokenizer_config.json",
    ];

    [Fact]
    public void The_folder_and_the_package_hold_exactly_what_is_needed()
    {
        DirectoryInfo output = Directory.CreateTempSubdirectory("package");
        try
        {
            // The configuration that these tests were built in: "release" and the like is the folder's name.
            string configuration = new DirectoryInfo(AppContext.BaseDirectory).Name;
            string staged = Path.Combine(output.FullName, "SparseFrontier") + "/";
            var start = new ProcessStartInfo("dotnet")
            {
                ArgumentList = { "pack", Path.Combine(LayerTests.Root(), "SparseFrontier.Module"), "-c", configuration, "--no-build", "-o", output.FullName, $"-p:StagingDirectory={staged}" },
                RedirectStandardOutput = true,
            };
            using Process pack = Process.Start(start)!;
            string log = pack.StandardOutput.ReadToEnd();
            pack.WaitForExit();
            Assert.True(pack.ExitCode == 0, log);

            Assert.Equal(s_files, Directory.EnumerateFiles(staged, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(staged, f).Replace('\\', '/')).Order(StringComparer.Ordinal));
            string version = XDocument.Load(Path.Combine(LayerTests.Root(), "Directory.Build.props")).Descendants("VersionPrefix").Single().Value;
            using ZipArchive package = ZipFile.OpenRead(Path.Combine(output.FullName, $"SparseFrontier.{version}.nupkg"));
            // Entries that NuGet itself adds.
            string[] own = ["[Content_Types].xml", "_rels/.rels", "SparseFrontier.nuspec"];
            Assert.Equal(
                s_files,
                package.Entries.Select(e => e.FullName).Where(n => !own.Contains(n) && !n.StartsWith("package/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            using Stream nuspec = package.GetEntry("SparseFrontier.nuspec")!.Open();
            string[] tags = XDocument.Load(nuspec).Descendants().Single(e => e.Name.LocalName == "tags").Value.Split(' ');
            Assert.Contains("PSModule", tags);
            Assert.All(tags.Skip(1), t => Assert.Contains($"'{t}'", File.ReadAllText(Path.Combine(LayerTests.Root(), "SparseFrontier.psd1")), StringComparison.Ordinal));
        }
        finally
        {
            output.Delete(recursive: true);
        }
    }
}
