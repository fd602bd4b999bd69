using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier cost</c>: what methods cost on a model, computed from its sizes.</summary>
internal static class CostVerb
{
    public static Command Create()
    {
        var models = new Argument<string[]>("MODEL")
        {
            Description = "Checkpoint directories, config.json files, names of embedded models, or of published shapes such as Qwen2.5-7B; without any the default model.",
            Arity = ArgumentArity.ZeroOrMore,
            DefaultValueFactory = _ => [],
        };
        Option<string[]> method = Options.Texts("--method", "Methods of either phase; * for all but controls; Quest;PageSize=32 sets parameters. Without any all.", "A,B");
        Option<int[]> length = Options.Integers("--length", "Prompt lengths, in tokens; without any 32768.", "N");
        Option<double[]> sparsity = Options.Numbers("--sparsity", "Sparsities; without any 0.9, or what the parameters of a method give.", "s,...");
        Option<int[]> batch = Options.Integers("--batch", "Sequences of a batch; without any 1.", "n");
        Option<string[]> formula = Options.Texts("--formula", "Readings of the formulas: Exact, Printed (the paper's equations), Figure (as its figures were made); without any Exact.", "F");
        Option<double> weightBytes = new("--weight-bytes") { Description = "Bytes of a weight, for exact decode costs.", HelpName = "b", DefaultValueFactory = _ => 2 };
        Option<double> cacheBytes = new("--cache-bytes") { Description = "Bytes of an element of the cache, for exact decode costs.", HelpName = "b", DefaultValueFactory = _ => 2 };
        return new Command("cost", "Computes operations of the prefill and memory traffic of decode steps from a model's sizes.")
        {
            models, method, length, sparsity, batch, formula, weightBytes, cacheBytes,
        }.Does((parsed, sink, token) =>
        {
            new GetCostOperation
            {
                Model = parsed.GetValue(models)!,
                Method = Or(parsed.GetValue(method)!, "*"),
                SequenceLength = Or(parsed.GetValue(length)!, 32768),
                Sparsity = parsed.GetValue(sparsity)!,
                BatchSize = Or(parsed.GetValue(batch)!, 1),
                Formula = Or([.. parsed.GetValue(formula)!.Select(f => Options.Enumeration<CostFormula>(f, "--formula"))], CostFormula.Exact),
                WeightBytes = parsed.GetValue(weightBytes),
                CacheBytes = parsed.GetValue(cacheBytes),
            }.Execute(sink, token);
            Tables.Costs(sink.Visible, [.. sink.Objects.OfType<SparseAttentionCost>()]);
        });
    }

    private static T[] Or<T>(T[] values, T otherwise) => values.Length > 0 ? values : [otherwise];
}
