using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier kernels test</c>: exit code 1 when a case fails.</summary>
internal static class KernelsTestVerb
{
    public static Command Create()
    {
        Argument<string[]> kernels = Options.Names("KERNEL", "Kernels; wildcards match.");
        Option<string> device = Options.Text("--device", "Device to test: cpu or cuda:0.", "D", "cpu");
        var seed = new Option<long>("--seed") { Description = "Seed of the random inputs.", HelpName = "n", DefaultValueFactory = _ => 1 };
        return new Command("test", "Compares the fast kernels with plain reference ones in double precision.") { kernels, device, seed }.Does((parsed, sink, token) =>
        {
            int failed = 0;
            sink.Seen = item => failed += item is KernelCorrectnessResult { Passed: false } ? 1 : 0;
            new TestKernelCorrectnessOperation { Kernel = parsed.GetValue(kernels)!, Device = parsed.GetValue(device)!, Seed = parsed.GetValue(seed) }.Execute(sink, token);
            sink.WriteTable<KernelCorrectnessResult>(Tables.Kernels);
            if (failed > 0)
            {
                sink.Fail($"{Counted.Of(failed, "case")} failed.");
            }
        });
    }
}
