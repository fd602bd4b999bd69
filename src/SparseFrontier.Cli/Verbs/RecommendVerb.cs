using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier recommend</c>: a method and a budget for tasks and lengths, and why.</summary>
internal static class RecommendVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<string[]> model = Options.Texts("--model", "Models to advise for; without it all of the rows.", "M");
        Option<string[]> task = Options.Texts("--task", "Tasks, each of which must tolerate what is advised; without it those that were run at every length that counts.", "T");
        Option<int[]> length = Options.Integers("--length", "Prompt lengths, in tokens; without it all of the rows.", "N");
        Option<double> maximumDrop = new("--maximum-drop") { Description = "The mean loss of score that is accepted.", HelpName = "d", DefaultValueFactory = _ => 0.05 };
        Option<bool> relative = new("--relative") { Description = "The loss is a share of the dense score." };
        Option<double> confidence = new("--confidence") { Description = "Confidence of what is shown at a length, over all methods.", HelpName = "p", DefaultValueFactory = _ => 0.95 };
        Option<string> kernels = Options.Text("--kernels", "What 'kernels measure --json' wrote, to predict speed-ups from; without it the seconds of the runs (of generation where they stepped alone: --batch 1), or the kernels of the shipped summary.", "FILE", "");
        Option<string> device = Options.Text("--device", "The device whose speed counts; without it that of the rows; of the shipped summary cpu.", "D", "");
        return new Command("recommend", "Advises a method and its budget for tasks and lengths, and says why; where there are no results, from the summary that comes with this program.")
        {
            results, model, task, length, maximumDrop, relative, confidence, kernels, device,
        }.Does((parsed, sink, token) =>
        {
            string[] paths = parsed.GetValue(results)!;
            new RecommendOperation
            {
                Results = paths.Length > 0 || RecommendOperation.OwnResults is not null ? ResultFilters.Read(paths, sink, token) : null,
                ResultPath = paths.Length == 0 ? RecommendOperation.OwnResults ?? "" : "",
                Model = parsed.GetValue(model)!,
                Task = parsed.GetValue(task)!,
                SequenceLength = parsed.GetValue(length)!,
                MaximumDrop = parsed.GetValue(maximumDrop),
                Relative = parsed.GetValue(relative),
                ConfidenceLevel = parsed.GetValue(confidence),
                Kernel = parsed.GetValue(kernels) is { Length: > 0 } path ? RecommendOperation.ReadKernels(path) : [],
                Device = parsed.GetValue(device)!,
            }.Execute(sink, token);
            sink.WriteTable<SparsityRecommendation>(Tables.Recommendations);
        });
    }
}
