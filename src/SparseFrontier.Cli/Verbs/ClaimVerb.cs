using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier claim</c>: exit code 0 where the claim is supported in every cell, else 1.</summary>
internal static class ClaimVerb
{
    public static Command Create()
    {
        Argument<string> claim = new("CLAIM") { Description = "Such as \"Quest over SnapKV\" or \"Quest at 0.9 not below Dense\"." };
        Argument<string[]> results = ResultFilters.Paths();
        Option<string[]> task = Options.Texts("--task", "Only these tasks; wildcards match.", "T");
        Option<double> margin = new("--margin") { Description = "The margin, a part of the score; above 0 for \"not below\".", HelpName = "m", DefaultValueFactory = _ => 0 };
        Option<double> confidence = new("--confidence") { Description = "Confidence of a verdict, one-sided.", HelpName = "p", DefaultValueFactory = _ => 0.95 };
        return new Command("claim", "Tests a claim about two methods on runs of the same samples; exit code 1 unless it is supported everywhere.")
        {
            claim, results, task, margin, confidence,
        }.Does((parsed, sink, token) =>
        {
            TestClaimOperation.Require(parsed.GetValue(claim)!);
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            int open = 0;
            sink.Seen = item => open += item is SparsityClaim { Verdict: not ClaimVerdict.Supported } ? 1 : 0;
            new TestClaimOperation
            {
                Claim = parsed.GetValue(claim)!,
                Results = rows,
                Task = parsed.GetValue(task)!,
                Margin = parsed.GetValue(margin),
                ConfidenceLevel = parsed.GetValue(confidence),
            }.Execute(sink, token);
            sink.WriteTable<SparsityClaim>(Tables.Claims);
            if (open > 0)
            {
                sink.Fail($"The claim is not supported in {Counted.Of(open, "cell")}.");
            }
        });
    }
}
