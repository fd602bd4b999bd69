using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks;

/// <summary>What a suite measured, and on what: shown as it comes, kept as JSON and as text.</summary>
internal sealed class BenchmarkReport
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly TextWriter _console;
    private readonly StringBuilder _text = new();
    private readonly string _suite;
    private readonly SortedDictionary<string, string> _peers = new(StringComparer.Ordinal);
    private readonly List<object> _tables = [];
    private readonly List<string> _notes = [];
    private readonly object _machine;

    /// <summary>Writes the header.</summary>
    public BenchmarkReport(string suite, TextWriter console)
    {
        _suite = suite;
        _console = console;
        string date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        string processor = HostInformation.ProcessorFamily.Length > 0 ? $"{HostInformation.ProcessorName} ({HostInformation.ProcessorFamily})" : HostInformation.ProcessorName;
        string version = ModuleInformation.Version;
        int revision = version.IndexOf('+', StringComparison.Ordinal) + 1;
        string commit = (revision > 0 ? version[revision..Math.Min(version.Length, revision + 7)] : "unknown") + (HasChanges() ? " with changes" : string.Empty);
        _machine = new
        {
            Processor = processor,
            KernelSets.InstructionSet,
            Cores = Environment.ProcessorCount,
            Threads = WorkerPool.ThreadCount,
            Runtime = RuntimeInformation.FrameworkDescription,
            System = RuntimeInformation.OSDescription,
            Commit = commit,
            Date = date,
        };
        WriteLine($"{suite}: {processor}, {KernelSets.InstructionSet}, {WorkerPool.ThreadCount} threads, {RuntimeInformation.FrameworkDescription}, commit {commit}, {date}");
    }

    /// <summary>Says which version of a peer takes part.</summary>
    public void AddPeer(string name, string version)
    {
        _peers[name] = version;
        WriteLine($"{name}: {version}");
    }

    /// <summary>Says what the reader must know, such as that a peer is missing.</summary>
    public void Note(string text)
    {
        _notes.Add(text);
        WriteLine(text);
    }

    /// <summary>Times contenders and adds their table.</summary>
    /// <param name="title">What is measured, with its shape.</param>
    /// <param name="timer">How often.</param>
    /// <param name="contenders">What is compared.</param>
    /// <param name="baseline">Name of the contender that the ratios refer to.</param>
    /// <param name="roof">Name of the contender that shows the machine's limit, or null.</param>
    /// <returns>The results by name.</returns>
    public IReadOnlyDictionary<string, TimingResult> Measure(string title, InterleavedTimer timer, IReadOnlyList<Contender> contenders, string baseline, string? roof = null)
    {
        IReadOnlyList<TimingResult> results = timer.Run(contenders, baseline, roof);
        _tables.Add(new { Title = title, Baseline = baseline, Roof = roof, Results = results });
        WriteLine(string.Empty);
        WriteLine($"{title} (ratio: times faster than {baseline}{(roof is null ? string.Empty : $"; roof: share of the speed of '{roof}'")})");
        int width = results.Max(r => r.Name.Length);
        WriteLine($"{"".PadRight(width)}  {"median",10}  {"quartiles",19}  {"minimum",10}  {"ratio",6}  {"quartiles",13}  {"roof",5}  {"Gop/s",7}  {"GB/s",6}");
        foreach (TimingResult r in results)
        {
            string kept = r.Disturbed > 0 ? $"  {r.Disturbed} of {r.Rounds} disturbed" : string.Empty;
            WriteLine(
                $"{r.Name.PadRight(width)}  {Time(r.MedianSeconds),10}  {Time(r.LowerQuartileSeconds) + "-" + Time(r.UpperQuartileSeconds),19}  {Time(r.MinimumSeconds),10}"
                + string.Create(CultureInfo.InvariantCulture, $"  {r.Ratio,6:0.000}  {Quartiles(r),13}  {r.ShareOfRoof,5:0.000}")
                + $"  {Rate(r.GigaOperationsPerSecond),7}  {Rate(r.GigaBytesPerSecond),6}{kept}");
        }

        return results.ToDictionary(r => r.Name);
    }

    /// <summary>Adds a table of figures that were not timed in turn.</summary>
    /// <param name="title">What was measured, in which unit.</param>
    /// <param name="columns">Headers of the figures.</param>
    /// <param name="rows">Name and figures of each row.</param>
    public void AddTable(string title, IReadOnlyList<string> columns, IReadOnlyList<(string Name, double[] Values)> rows)
    {
        _tables.Add(new { Title = title, Columns = columns, Rows = rows.Select(r => new { r.Name, r.Values }) });
        int width = rows.Max(r => r.Name.Length);
        WriteLine(string.Empty);
        WriteLine(title);
        WriteLine("".PadRight(width) + string.Concat(columns.Select(c => c.PadLeft(12))));
        foreach ((string name, double[] values) in rows)
        {
            WriteLine(name.PadRight(width) + string.Concat(values.Select(v => v.ToString("0.000", CultureInfo.InvariantCulture).PadLeft(12))));
        }
    }

    /// <summary>Writes JSON to a file, and the text of the tables beside it.</summary>
    public void Save(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, JsonSerializer.Serialize(new { Suite = _suite, Machine = _machine, Peers = _peers, Notes = _notes, Tables = _tables }, s_json) + "\n");
        File.WriteAllText(Path.ChangeExtension(path, ".txt"), _text.ToString());
    }

    private static string Time(double seconds) =>
        seconds < 1e-3 ? string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:0.00} us")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:0.00} ms");

    private static string Quartiles(TimingResult result) =>
        result.Ratio is null ? string.Empty : string.Create(CultureInfo.InvariantCulture, $"{result.LowerQuartileRatio:0.000}-{result.UpperQuartileRatio:0.000}");

    private static string Rate(double rate) => rate > 0 ? rate.ToString("0.0", CultureInfo.InvariantCulture) : string.Empty;

    // Of the working tree where it runs, as far as git is there; the commit is that of the build.
    private static bool HasChanges()
    {
        try
        {
            using Process? git = Process.Start(new ProcessStartInfo("git", "status --porcelain") { RedirectStandardOutput = true, RedirectStandardError = true });
            return git!.StandardOutput.ReadToEnd().Length > 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private void WriteLine(string line)
    {
        _console.WriteLine(line);
        _text.Append(line.TrimEnd()).Append('\n');
    }
}
