using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier tolerance</c>: the largest sparsity that each method tolerates.</summary>
internal static class ToleranceVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<double> maximumDrop = new("--maximum-drop") { Description = "The mean loss of score that is accepted.", HelpName = "d", DefaultValueFactory = _ => 0.05 };
        Option<bool> relative = new("--relative") { Description = "The loss is a share of the dense score." };
        Option<double> confidence = new("--confidence") { Description = "Confidence of a claim, one-sided.", HelpName = "p", DefaultValueFactory = _ => 0.95 };
        Option<string> criterion = Options.Text(
            "--criterion", "NonInferiority: the loss is shown to be below the margin. Paper: the loss is not significant, as in the paper's first version.", "C", "NonInferiority");
        Option<string> correction = Options.Text(
            "--correction", "Over what the chance of any false claim is controlled: the methods of one model, task and length (Cell), everything (All), or nothing (None).", "C", "Cell");
        Option<bool> worstTask = new("--worst-task") { Description = "Only the worst task of each method, model and length." };
        return new Command("tolerance", "Finds the largest sparsity at which each method is shown to lose less than a margin.")
        {
            results, maximumDrop, relative, confidence, criterion, correction, worstTask,
        }.Does((parsed, sink, token) =>
        {
            IReadOnlyList<SparseAttentionResult> rows = ResultFilters.Read(parsed.GetValue(results)!, sink, token);
            new MeasureToleranceOperation
            {
                Results = rows,
                MaximumDrop = parsed.GetValue(maximumDrop),
                Relative = parsed.GetValue(relative),
                ConfidenceLevel = parsed.GetValue(confidence),
                Criterion = Options.Enumeration<ToleranceCriterion>(parsed.GetValue(criterion)!, "--criterion"),
                Correction = Options.Enumeration<ToleranceCorrection>(parsed.GetValue(correction)!, "--correction"),
                WorstTask = parsed.GetValue(worstTask),
            }.Execute(sink, token);
            Tables.Tolerances(sink.Visible, [.. sink.Objects.OfType<SparsityTolerance>()]);
        });
    }
}
