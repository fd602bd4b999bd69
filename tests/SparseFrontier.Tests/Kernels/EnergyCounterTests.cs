using SparseFrontier.Kernels.Measurement;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public sealed class EnergyCounterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Packages_are_added_up_beyond_the_end_of_their_range()
    {
        Package("intel-rapl:0", 900);
        Package("intel-rapl:1", 100);
        Package("intel-rapl:0:0", 5);
        Package("dtpm", 7);
        (EnergyCounter? counter, string description) = PackageEnergy.Open(_folder.Path);
        Assert.Equal("RAPL, 2 packages", description);
        double start = counter!.ReadJoules();
        Package("intel-rapl:0", 950);
        Package("intel-rapl:1", 130);
        Assert.Equal(80e-6, counter.ReadJoules() - start, 1e-12);

        // 950 to 20 of 1000: 70 more.
        Package("intel-rapl:0", 20);
        Assert.Equal(150e-6, counter.ReadJoules() - start, 1e-12);
    }

    [Fact]
    public void What_cannot_be_read_says_why()
    {
        Assert.Contains("has no", PackageEnergy.Open(_folder.File("none")).Description, StringComparison.Ordinal);
        Assert.Contains("names no package", PackageEnergy.Open(_folder.Path).Description, StringComparison.Ordinal);
        Package("intel-rapl:0", 1);
        File.Delete(Path.Combine(_folder.Path, "intel-rapl:0", "energy_uj"));
        (EnergyCounter? counter, string description) = PackageEnergy.Open(_folder.Path);
        Assert.Null(counter);
        Assert.Contains("energy_uj cannot be read", description, StringComparison.Ordinal);
    }

    private void Package(string name, int microjoules)
    {
        string path = Directory.CreateDirectory(Path.Combine(_folder.Path, name)).FullName;
        File.WriteAllText(Path.Combine(path, "energy_uj"), $"{microjoules}\n");
        File.WriteAllText(Path.Combine(path, "max_energy_range_uj"), "1000\n");
    }
}
