using System.Diagnostics;
using System.Runtime.CompilerServices;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Runs a sweep in a process of its own, which a test can then kill: this assembly, started with a variable that names the folder.</summary>
internal static class ChildSweep
{
    private const string Variable = "SPARSEFRONTIER_TEST_CHILD_SWEEP";
    private const string PoisonVariable = "SPARSEFRONTIER_TEST_CHILD_POISON";
    private const string GreedVariable = "SPARSEFRONTIER_TEST_CHILD_GREED";

    // More than the address space of a child that is short of memory, less than what other machines refuse.
    private const int GreedyGigabytes = 16;
    private const int LimitGigabytes = 8;

    /// <summary>What the child runs.</summary>
    public static IReadOnlyList<RunSpecification> Specifications { get; } = Sweeps.Mixed(samples: 6);

    /// <summary>Starts the child.</summary>
    /// <param name="folder">Folder of results.</param>
    /// <param name="fileBlocks">Blocks of 512 bytes that no file may grow beyond, as on a disk that is almost full; null: no limit.</param>
    /// <param name="poison">A prefill and a decode method, "A+B", whose run kills the process; null: none does.</param>
    /// <param name="greed">A prefill and a decode method whose run asks for more memory than the process may have; null: none does.</param>
    public static Process Start(string folder, int? fileBlocks = null, string? poison = null, string? greed = null)
    {
        string[] command = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [Environment.ProcessPath!, typeof(ChildSweep).Assembly.Location]
            : [Environment.ProcessPath!];
        if (fileBlocks is not null)
        {
            command = ["/bin/sh", "-c", $"trap '' XFSZ; ulimit -f {fileBlocks}; exec \"$@\"", "sh", .. command];
        }

        if (greed is not null)
        {
            command = ["/bin/sh", "-c", $"ulimit -v {LimitGigabytes << 20}; exec \"$@\"", "sh", .. command];
        }

        var start = new ProcessStartInfo(command[0]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in command[1..])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[Variable] = folder;
        start.Environment[PoisonVariable] = poison;
        start.Environment[GreedVariable] = greed;
        if (greed is not null)
        {
            // The collector reserves far more addresses than it uses, unless it is told how much there is.
            start.Environment["DOTNET_GCHeapHardLimit"] = "0x20000000";
        }

        // Executable memory is otherwise backed by a file that the limit would meet.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        return Process.Start(start)!;
    }

#pragma warning disable CA2255 // The one way to take over before the test runner's own entry point.
    [ModuleInitializer]
    internal static void RunIfAsked()
#pragma warning restore CA2255
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } folder)
        {
            return;
        }

        try
        {
            // Slow enough that a kill hits it in the middle.
            var engines = new HashEngineFactory
            {
                BeforeStep = () => Thread.Sleep(1),
                BeforeRequest = request =>
                {
                    if (Asks(request, PoisonVariable))
                    {
                        Process.GetCurrentProcess().Kill();
                    }

                    if (Asks(request, GreedVariable))
                    {
                        new NativeArray<byte>((long)GreedyGigabytes << 30).Dispose();
                    }
                },
            };
            RecordingSink sink = Sweeps.Run(folder, Specifications, engines);

            // The hash model answers nothing right, which is said of enough samples.
            int warnings = sink.Warnings.Count(w => !w.StartsWith("Dense attention scores", StringComparison.Ordinal));
            Environment.Exit(sink.Errors.Count + warnings > 0 ? 2 : 0);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e);
            Environment.Exit(3);
        }
    }

    private static bool Asks(PrefillRequest request, string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } run && request.DecodeConfigurations.Any(d => $"{request.Method?.Name}+{d.Method.Name}" == run);
}
