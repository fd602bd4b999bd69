using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using SparseFrontier.Cli;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Nothing leaves the machine: no assembly of this project refers to a type that could send something.</summary>
public class NetworkTests
{
    public static TheoryData<string> Assemblies =>
        [typeof(RunSpecification).Assembly.Location, typeof(Root).Assembly.Location, ModuleAssembly.Assembly.Location];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void No_type_of_the_network_is_referred_to(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        MetadataReader reader = file.GetMetadataReader();
        string[] types = [.. reader.TypeReferences.Select(h => reader.GetTypeReference(h)).Select(t => $"{reader.GetString(t.Namespace)}.{reader.GetString(t.Name)}")];
        Assert.Contains("System.String", types);

        // WebUtility escapes text for HTML.
        Assert.DoesNotContain(types, t => t.StartsWith("System.Net.", StringComparison.Ordinal) && t != "System.Net.WebUtility");
    }

    // Slurm's commands, and this program itself as a worker: nothing else is started.
    [Fact]
    public void Programs_are_started_in_two_places()
    {
        string[] starting = [.. ((string[])["src", "SparseFrontier.Module"])
            .SelectMany(f => Directory.GetFiles(Path.Combine(LayerTests.Root(), f), "*.cs", SearchOption.AllDirectories))
            .Where(f => File.ReadAllText(f).Contains("ProcessStartInfo", StringComparison.Ordinal) || File.ReadAllText(f).Contains("Process.Start", StringComparison.Ordinal))
            .Select(f => Path.GetFileName(f)!)
            .Order(StringComparer.Ordinal)];
        Assert.Equal(["SlurmCommands.cs", "WorkerProcess.cs"], starting);
    }
}
