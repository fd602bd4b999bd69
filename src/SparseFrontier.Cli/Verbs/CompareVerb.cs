using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier compare</c>: runs beside their baselines; exit code 1 when the gate fails.</summary>
internal static class CompareVerb
{
    public static Command Create()
    {
        Argument<string> baseline = new("BASELINE") { Description = "Folder of the baseline's results; wildcards match." };
        Argument<string[]> results = ResultFilters.Paths();
        Option<string[]> property = Options.Texts("--property", "Columns that a run and its baseline have in common, besides task, length, seed and protocol.", "A,B");
        Option<double> maximumDrop = new("--maximum-drop") { Description = "The mean loss of score that is accepted.", HelpName = "d", DefaultValueFactory = _ => 0 };
        Option<double> confidence = new("--confidence") { Description = "Confidence of the verdicts over all rows together, one-sided.", HelpName = "p", DefaultValueFactory = _ => 0.95 };
        Option<string> failOn = Options.Text(
            "--fail-on", "What makes the comparison fail, exit code 1: a shown Regression, a Doubt, any Change, or nothing (Never).", "G", "Never");
        return new Command("compare", "Compares runs with a baseline, sample by sample.") { baseline, results, property, maximumDrop, confidence, failOn }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> before = ResultFilters.Read([parsed.GetValue(baseline)!], sink, token);
            IReadOnlyList<SparseAttentionResult> after = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            new CompareResultOperation
            {
                Baseline = before,
                Candidate = after,
                Property = parsed.GetValue(property)!,
                MaximumDrop = parsed.GetValue(maximumDrop),
                ConfidenceLevel = parsed.GetValue(confidence),
                FailOn = Options.Enumeration<ComparisonGate>(parsed.GetValue(failOn)!, "--fail-on"),
            }.Execute(sink, token);
            sink.WriteTable<ResultDifference>(Tables.Differences);
        });
    }
}
