using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using SparseFrontier.Fuzz;
using SparseFrontier.Fuzz.Readers;

return FuzzProgram.Run(args);

/// <summary>
/// Runs readers over changed inputs. Each reader runs in a process of its own, which is started again where an input ends it: an overflow of the stack cannot be caught,
/// nor a loop be left.
/// </summary>
internal static class FuzzProgram
{
    private const string Usage = """
        Usage: [--reader NAME] [--cases N] [--seed S] [--output FILE]
               --reader NAME --input FOLDER
        Reads N changed inputs (100000), shared out by the readers' weights if none is named, and prints what came of them; FILE gets the totals as JSON.
        What must not happen is kept with its input below findings/. --input reads the files of one such folder again and shows the exception.
        """;

    // A case that takes so long is not waited for. Slower than Limit is a finding too, where it is as slow again.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(1);
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    public static int Run(string[] args)
    {
        var options = new Dictionary<string, string>();
        for (int i = 0; i + 1 < args.Length; i += 2)
        {
            options[args[i]] = args[i + 1];
        }

        IReadOnlyList<FuzzReader> readers = [.. FuzzReaders.Names.Where(n => !options.TryGetValue("--reader", out string? name) || n == name).Select(FuzzReaders.Create)];
        if (args.Length % 2 == 1 || readers.Count == 0)
        {
            Console.Error.WriteLine(Usage);
            Console.Error.WriteLine($"Readers: {string.Join(", ", FuzzReaders.Names)}");
            return 2;
        }

        long cases = long.Parse(options.GetValueOrDefault("--cases", "100000"), CultureInfo.InvariantCulture);
        long seed = long.Parse(options.GetValueOrDefault("--seed", "1"), CultureInfo.InvariantCulture);
        if (options.TryGetValue("--input", out string? input))
        {
            return Repeat(readers[0], input);
        }

        return options.TryGetValue("--worker", out string? root)
            ? Work(readers[0], cases, seed, int.Parse(options["--part"], CultureInfo.InvariantCulture), root)
            : RunAll(readers, cases, seed, options.GetValueOrDefault("--output"));
    }

    private static int Repeat(FuzzReader reader, string input)
    {
        string output = Directory.CreateTempSubdirectory("sparsefrontier-fuzz-").FullName;
        try
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            int outcome = reader.Read(input, output);
            Console.WriteLine(FormattableString.Invariant(
                $"Read: outcome {outcome}, {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms, {GC.GetAllocatedBytesForCurrentThread() - before} bytes allocated."));
            return 0;
        }
        finally
        {
            Directory.Delete(output, recursive: true);
        }
    }

    private static int RunAll(IReadOnlyList<FuzzReader> readers, long cases, long seed, string? output)
    {
        double weight = readers.Sum(r => r.Weight);
        List<FuzzTotals> all = [];
        foreach (FuzzReader reader in readers)
        {
            FuzzTotals totals = RunReader(reader, (long)Math.Ceiling(cases * reader.Weight / weight), seed);
            all.Add(totals);
            Console.WriteLine(FormattableString.Invariant(
                $"{totals.Reader,-24}{totals.Cases,12:N0} cases {totals.Refused,12:N0} refused {totals.Outcomes,6} outcomes {totals.Seconds,9:F1} s  slowest {totals.SlowestMilliseconds,7:F1} ms  memory {totals.LargestAllocationShare,5:P0}  {totals.Findings.Count} findings"));
            foreach (FuzzFinding finding in totals.Findings)
            {
                Console.WriteLine(FormattableString.Invariant($"    {finding.Kind} {finding.Count}x {finding.What.ReplaceLineEndings(" ")}\n        {finding.Where}\n        {finding.Input}"));
            }

            if (output is not null)
            {
                File.WriteAllText(output, JsonSerializer.Serialize(all, s_json) + "\n");
            }
        }

        Console.WriteLine(FormattableString.Invariant($"{all.Sum(t => t.Cases):N0} cases, seed {seed}, {all.Sum(t => t.Seconds):F0} s, {all.Sum(t => t.Findings.Count)} findings"));
        return all.Any(t => t.Findings.Count > 0) ? 1 : 0;
    }

    private static FuzzTotals RunReader(FuzzReader reader, long cases, long seed)
    {
        string memory = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string root = Path.Combine(memory, $"sparsefrontier-fuzz-{Environment.ProcessId}-{reader.Name}");
        var sum = new FuzzTotals { Reader = reader.Name, Seed = seed };
        for (int part = 0; sum.Cases < cases; part++)
        {
            Directory.CreateDirectory(Path.Combine(root, "a", "b", "c", "output"));
            int code = RunWorker(reader, cases - sum.Cases, seed, part, root, out string error);
            FuzzTotals? totals = File.Exists(StateFile(root)) ? JsonSerializer.Deserialize<FuzzTotals>(File.ReadAllBytes(StateFile(root))) : null;
            if (totals is not null)
            {
                Add(sum, totals);
            }

            if (code != 0)
            {
                string kind = code == 3 ? "hang" : "crash";
                string input = Path.Combine(root, "a", "b", "c", "input");
                string kept = Directory.Exists(input) ? FuzzRun.Keep(input, Findings, reader.Name, kind) : "";
                string[] frames = [.. error.Split('\n').Where(l => l.Contains("SparseFrontier", StringComparison.Ordinal)).Select(l => l.Trim())];
                sum.Findings.Add(new FuzzFinding(reader.Name, kind, error.Split('\n')[0], string.Join(" < ", frames.Take(3)), kept));
                sum.Cases++;
            }

            Directory.Delete(root, recursive: true);
            if (sum.Findings.Count(f => f.Kind is "hang" or "crash") >= 20 || (totals is null && code != 0))
            {
                break;
            }
        }

        return sum;
    }

    private static int RunWorker(FuzzReader reader, long cases, long seed, int part, string root, out string error)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(FuzzProgram).Assembly.Location);
        }

        foreach (string argument in (string[])["--worker", root, "--reader", reader.Name, "--cases", cases.ToString(CultureInfo.InvariantCulture), "--seed", seed.ToString(CultureInfo.InvariantCulture), "--part", part.ToString(CultureInfo.InvariantCulture)])
        {
            start.ArgumentList.Add(argument);
        }

        // What asks for all memory fails instead of taking it. Temporary folders of what is tested are looked into as well.
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x40000000";
        start.Environment["TMPDIR"] = Path.Combine(root, "a", "b", "c", "output");
        using Process process = Process.Start(start)!;
        error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    private static int Work(FuzzReader reader, long cases, long seed, int part, string root)
    {
        var run = new FuzzRun(reader, seed, part, root, Findings, s_limit, isAlone: true);
        using var watch = new Timer(
            _ =>
            {
                if (run.CaseTime > s_patience)
                {
                    Console.Error.WriteLine(FormattableString.Invariant($"a case took more than {s_patience.TotalSeconds} s"));
                    Environment.Exit(3);
                }
            },
            null,
            s_limit,
            s_limit);
        run.Run(cases, () => File.WriteAllText(StateFile(root), JsonSerializer.Serialize(run.Totals)));
        return 0;
    }

    private static void Add(FuzzTotals sum, FuzzTotals totals)
    {
        sum.Cases += totals.Cases;
        sum.Refused += totals.Refused;
        sum.Seconds += totals.Seconds;
        sum.Outcomes = Math.Max(sum.Outcomes, totals.Outcomes);
        sum.SlowestMilliseconds = Math.Max(sum.SlowestMilliseconds, totals.SlowestMilliseconds);
        sum.LargestAllocationShare = Math.Max(sum.LargestAllocationShare, totals.LargestAllocationShare);
        foreach (FuzzFinding finding in totals.Findings)
        {
            if (sum.Findings.Find(f => f.Kind == finding.Kind && f.Where == finding.Where) is { } known)
            {
                known.Count += finding.Count;
            }
            else
            {
                sum.Findings.Add(finding);
            }
        }
    }

    private static string Findings => Path.Combine(Environment.CurrentDirectory, "findings");

    private static string StateFile(string root) => root + ".state.json";
}
