using System.CommandLine;
using System.Globalization;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier attend</c>: one method on the queries, keys and values of a file.</summary>
internal static class AttendVerb
{
    public static Command Create()
    {
        var method = new Option<string>("--method") { Description = "Method.", HelpName = "M", Required = true };
        var phase = new Option<string?>("--phase") { Description = "Prefill or Decode, for names that both phases have.", HelpName = "P" };
        Option<string[]> parameter = Options.Assignments("--parameter", "Parameters of the method.");
        var sparsity = new Option<double?>("--sparsity") { Description = "Sparsity that the budget is solved for; without it the parameters set the budget.", HelpName = "s" };
        var input = new Option<string>("--input") { Description = "Safetensors file with q [query heads, length, dimension], k and v [KV heads, length, dimension].", HelpName = "qkv.safetensors", Required = true };
        var output = new Option<string>("--output") { Description = "Safetensors file to write: out, the selection and sparsity.", HelpName = "out.safetensors", Required = true };
        var scale = new Option<double?>("--scale") { Description = "Factor on query times key; without it the trace's, else 1/sqrt(dimension).", HelpName = "x" };
        var seed = new Option<long?>("--seed") { Description = "Seed, for methods that draw random numbers; without it the trace's, else 43.", HelpName = "n" };
        Option<string> device = Options.Text("--device", "Device to compute on: cpu or cuda:0.", "D", "cpu");
        return new Command("attend", "Runs one method on queries, keys and values from a file and writes its output and selection.")
        {
            method, phase, parameter, sparsity, input, output, scale, seed, device,
        }.Does((parsed, sink, token) =>
        {
            new AttendOperation
            {
                Method = parsed.GetRequiredValue(method),
                Phase = parsed.GetValue(phase),
                Parameter = parsed.GetValue(parameter)!,
                Sparsity = parsed.GetValue(sparsity),
                Input = parsed.GetRequiredValue(input),
                Output = parsed.GetRequiredValue(output),
                Scale = parsed.GetValue(scale),
                Seed = parsed.GetValue(seed),
                Device = parsed.GetValue(device)!,
            }.Execute(sink, token);
            foreach (AttendSummary summary in sink.Objects.OfType<AttendSummary>())
            {
                sink.Visible.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"{summary.Method} ({summary.Parameters}) on {summary.Length} tokens: sparsity {summary.Sparsity:F4}, {summary.Output}"));
            }
        });
    }
}
