using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier methods</c>.</summary>
internal static class MethodsVerb
{
    public static Command Create()
    {
        Argument<string[]> names = Options.Names("NAME", "Names; wildcards match.");
        var phase = new Option<string?>("--phase") { Description = "Only methods of this phase.", HelpName = "Prefill|Decode" };
        phase.AcceptOnlyFromAmong("Prefill", "Decode");
        var controls = new Option<bool>("--controls") { Description = "Also list the controls." };
        return new Command("methods", "Lists the sparse-attention methods and their parameters.") { names, phase, controls }.Does((parsed, sink, token) =>
        {
            new GetMethodOperation { Name = parsed.GetValue(names)!, Phase = parsed.GetValue(phase), IncludeControl = parsed.GetValue(controls) }.Execute(sink, token);
            sink.WriteTable<SparseAttentionMethod>(Tables.Methods);
        });
    }
}
