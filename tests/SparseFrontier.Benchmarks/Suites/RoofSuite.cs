using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>What the machine can do at best.</summary>
internal static class RoofSuite
{
    private const long Bytes = 256L << 20;

    public static void Run(BenchmarkReport report)
    {
        using var source = new NativeArray<byte>(Bytes);
        using var target = new NativeArray<byte>(Bytes);
        using var cached = new NativeArray<byte>(8 << 20);
        source.Span.Fill(1);
        report.Measure(
            "Roofs",
            new InterleavedTimer(),
            [
                MachineRoofs.MultiplyAdd("multiply-add"),
                MachineRoofs.Read("read 256 MiB", source),
                MachineRoofs.Read("read 8 MiB", cached),
                MachineRoofs.Copy("copy 256 MiB", source, target),
            ],
            "read 256 MiB");
    }
}
