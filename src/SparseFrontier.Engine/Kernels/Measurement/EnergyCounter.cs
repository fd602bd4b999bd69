using System.Globalization;

namespace SparseFrontier.Kernels.Measurement;

/// <summary>The energy that a device has used since some moment: of all of the device, whatever else runs on it.</summary>
internal abstract class EnergyCounter
{
    private static readonly Lazy<(EnergyCounter? Counter, string Description)> s_processor = new(() => PackageEnergy.Open("/sys/class/powercap"));

    /// <summary>Joules since some moment; never less than before.</summary>
    public abstract double ReadJoules();

    /// <summary>The counter of the processor, or in words why there is none.</summary>
    public static (EnergyCounter? Counter, string Description) OfProcessor => s_processor.Value;
}

/// <summary>
/// The packages of the processor by Linux's power capping interface (RAPL on Intel and AMD). Memory is not in them. Readable by root alone unless the administrator says
/// otherwise, because fine-grained energy can tell what a processor computes (CVE-2020-8694).
/// </summary>
internal sealed class PackageEnergy : EnergyCounter
{
    private readonly Lock _reading = new();
    private readonly Domain[] _domains;
    private double _microjoules;

    private PackageEnergy(Domain[] domains) => _domains = domains;

    /// <summary>The packages in a folder of the interface.</summary>
    /// <param name="folder">/sys/class/powercap.</param>
    public static (EnergyCounter? Counter, string Description) Open(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return (null, $"none: this system has no {folder}");
        }

        // intel-rapl:0 is a package; intel-rapl:0:1 is a part of it, already counted there.
        string[] packages = [.. Directory.GetDirectories(folder).Where(d => Path.GetFileName(d).Count(c => c == ':') == 1 && Path.GetFileName(d).StartsWith("intel-rapl:", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        if (packages.Length == 0)
        {
            return (null, $"none: {folder} names no package of the processor");
        }

        try
        {
            return (new PackageEnergy([.. packages.Select(p => new Domain(Path.Combine(p, "energy_uj"), Read(Path.Combine(p, "max_energy_range_uj"))))]), string.Create(CultureInfo.InvariantCulture, $"RAPL, {Counted.Of(packages.Length, "package")}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return (null, $"none: {packages[0]}/energy_uj cannot be read ({e.Message})");
        }
    }

    /// <inheritdoc/>
    public override double ReadJoules()
    {
        lock (_reading)
        {
            foreach (Domain domain in _domains)
            {
                _microjoules += domain.Advance();
            }

            return _microjoules / 1e6;
        }
    }

    private static double Read(string path) => double.Parse(File.ReadAllText(path), NumberStyles.Integer | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);

    /// <summary>One package, whose counter begins again at its range.</summary>
    private sealed class Domain(string path, double range)
    {
        private double _last = Read(path);

        public double Advance()
        {
            double now = Read(path);
            double used = now >= _last ? now - _last : now + range - _last;
            _last = now;
            return used;
        }
    }
}
