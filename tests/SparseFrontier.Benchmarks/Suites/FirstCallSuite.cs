using System.Diagnostics;
using System.Globalization;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// How long the first calls of kernels take in a process of their own: once with the runtime's defaults for tiered compilation, which a module
/// inside PowerShell cannot change, and once without tiers. Kernels that were compiled in tiers would begin several times slower.
/// </summary>
internal static unsafe class FirstCallSuite
{
    public const string ChildArgument = "first-calls-child";

    private const int Calls = 40;
    private const int Processes = 5;

    public static void Run(BenchmarkReport report)
    {
        // Medians over processes of the first calls, and of a process's last 20 calls.
        report.AddTable("Milliseconds of the first calls, tiered compilation and quick code for loops as .NET has them by default", Header, Children(tiered: true));
        report.AddTable("The same without tiered compilation", Header, Children(tiered: false));
    }

    /// <summary>What a child process does: prints the milliseconds of each kernel's calls.</summary>
    public static void RunChild()
    {
        const int Rows = 256;
        const int Width = 1024;
        const int Length = 1024;
        const int Heads = 8;
        const int Dimension = 64;
        KernelSet kernels = KernelSets.Default;
        using var input = RandomMatrix.Singles(Rows * Width);
        using var data = RandomMatrix.BFloat16s((long)Width * Width);
        using var output = new NativeArray<float>(Rows * Width);
        using var weight = new WeightMatrix(data.Pointer, DataType.BF16, Width, Width);
        using var vectors = RandomMatrix.Singles(Heads * Length * Dimension);
        using var attended = new NativeArray<float>(vectors.Length);
        HeadTensor heads = HeadTensor.HeadMajor(vectors.Pointer, Heads, Length, Dimension);
        HeadTensor target = HeadTensor.HeadMajor(attended.Pointer, Heads, Length, Dimension);
        AttentionPlan[] plans = [AttentionPlan.Dense(Length)];
        Print("product of 256 rows, 1024 x 1024, BF16", () => kernels.MatMul(input.Pointer, Rows, weight, null, output.Pointer, CancellationToken.None));
        Print("product of 1 row, 1024 x 1024, BF16", () => kernels.MatMul(input.Pointer, 1, weight, null, output.Pointer, CancellationToken.None));
        Print("norm of 256 rows of 1024", () => kernels.RmsNorm(input.Pointer, Rows, Width, vectors.Pointer, 1e-6f, output.Pointer));
        Print("dense causal attention, 8 heads, 1024 tokens", () => kernels.PrefillAttention(heads, heads, heads, 0.125f, plans, 0, target, null, CancellationToken.None));
    }

    private static string[] Header => ["call 1", "call 2", "call 3", "call 4", "last 20"];

    private static void Print(string name, Action action)
    {
        var times = new List<double>();
        for (int call = 0; call < Calls; call++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        Console.WriteLine(name + "\t" + string.Join('\t', times.Select(t => t.ToString("R", CultureInfo.InvariantCulture))));
    }

    private static List<(string Name, double[] Values)> Children(bool tiered)
    {
        string value = tiered ? "1" : "0";
        var samples = new List<(string Name, List<double[]> Processes)>();
        for (int process = 0; process < Processes; process++)
        {
            // Variables of the environment override what this project's own configuration says.
            var start = new ProcessStartInfo(Environment.ProcessPath!, ChildArgument)
            {
                RedirectStandardOutput = true,
                Environment = { ["DOTNET_TieredCompilation"] = value, ["DOTNET_TC_QuickJitForLoops"] = value, ["DOTNET_TieredPGO"] = value },
            };
            using Process child = Process.Start(start)!;
            string[] lines = child.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            child.WaitForExit();
            foreach (string[] fields in lines.Select(l => l.Split('\t')))
            {
                double[] times = [.. fields[1..].Select(f => double.Parse(f, CultureInfo.InvariantCulture))];
                if (samples.Find(s => s.Name == fields[0]) is not { Processes: { } list })
                {
                    samples.Add((fields[0], list = []));
                }

                list.Add([.. times[..4], Median(times[^20..])]);
            }
        }

        return [.. samples.Select(s => (s.Name, Enumerable.Range(0, 5).Select(i => Median(s.Processes.Select(p => p[i]))).ToArray()))];
    }

    private static double Median(IEnumerable<double> values) => Kernels.Measurement.InterleavedTimer.Quantile(values, 0.5);
}
