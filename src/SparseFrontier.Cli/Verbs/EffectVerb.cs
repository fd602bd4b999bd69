using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier effect</c>: errors over lengths or model sizes.</summary>
internal static class EffectVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<string> by = Options.Text("--by", "What the error is looked at against: Length or Size.", "A", "Length");
        Option<double[]> sparsity = Options.Numbers("--sparsity", "Sparsities of the curves. Default: those that were run.", "S");
        Option<double> target = new("--target-error") { Description = "The relative error that the needed budget is for.", HelpName = "e", DefaultValueFactory = _ => 0.1 };
        return new Command("effect", "Measures how the error of each method changes with length or model size.") { results, by, sparsity, target }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            new MeasureEffectOperation
            {
                Results = rows,
                By = Options.Enumeration<EffectAxis>(parsed.GetValue(by)!, "--by"),
                Sparsity = parsed.GetValue(sparsity)!,
                TargetError = parsed.GetValue(target),
            }.Execute(sink, token);
            sink.WriteTable<SparsityEffect>(Tables.Effects);
        });
    }
}
