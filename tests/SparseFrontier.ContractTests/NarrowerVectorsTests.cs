using System.Diagnostics;
using System.Runtime.Intrinsics;
using System.Text.Json;
using SparseFrontier.Kernels;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>
/// The kernel suite where the processor has less: the command line as a process whose runtime was told to leave instructions unused, so that what is compiled,
/// and not only what is chosen, is that of a narrower machine.
/// </summary>
public class NarrowerVectorsTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", "AVX2")]
    [InlineData("DOTNET_EnableAVX2", "128-bit SIMD")]
    [InlineData("DOTNET_EnableHWIntrinsic", "scalar")]
    public void Every_kernel_agrees_with_its_reference(string switchedOff, string instructionSet)
    {
        Assert.SkipUnless(Vector256.IsHardwareAccelerated, "The switches are those of x64 processors with AVX2; this is none.");
        (_, IReadOnlyList<JsonElement> devices) = Run("devices --json", switchedOff);
        Assert.Equal(instructionSet, devices[0].GetProperty("InstructionSet").GetString());
        (int code, IReadOnlyList<JsonElement> rows) = Run("kernels test --json", switchedOff);
        Assert.Empty(rows.Where(r => !r.GetProperty("Passed").GetBoolean()).Select(r => r.ToString()));
        Assert.Equal(0, code);
        Assert.Equal(KernelCorrectness.Cases.Count, rows.Count);
    }

    private static (int Code, IReadOnlyList<JsonElement> Rows) Run(string arguments, string switchedOff)
    {
        var start = new ProcessStartInfo("dotnet", $"\"{Path.Combine(AppContext.BaseDirectory, "sparsefrontier.dll")}\" {arguments}")
        {
            RedirectStandardOutput = true,
        };
        start.Environment[switchedOff] = "0";
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)]);
    }
}
