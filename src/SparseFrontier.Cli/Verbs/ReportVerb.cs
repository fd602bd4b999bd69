using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Reporting.Report;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier report</c>: results as one HTML file.</summary>
internal static class ReportVerb
{
    public static Command Create()
    {
        Argument<string[]> results = ResultFilters.Paths();
        Option<string> output = Options.Text("--output", "The file to write.", "FILE", "report.html");
        Option<string> title = Options.Text("--title", "Title of the page.", "TEXT", ExportReportOperation.DefaultTitle);
        Option<string[]> kernels = Options.Texts("--kernels", "Files that `kernels measure --json` wrote, for speed-ups and the roofline.", "FILE,...");
        Option<double> maximumDrop = new("--maximum-drop") { Description = "The mean loss of score that the tolerance accepts.", HelpName = "d", DefaultValueFactory = _ => 0.05 };
        var force = new Option<bool>("--force") { Description = "Overwrite the file." };
        return new Command("report", "Writes results as one self-contained HTML file: what they say, figures with their tables, what was run.")
        {
            results, output, title, kernels, maximumDrop, force,
        }.Does((parsed, sink, token) =>
        {
            var rows = new List<SparseAttentionResult>();
            sink.Receiver = item => rows.Add((SparseAttentionResult)item);
            new GetResultOperation { Path = parsed.GetValue(results)! }.Execute(sink, token);
            sink.Receiver = file => Written(sink, (FileInfo)file);
            new ExportReportOperation
            {
                Results = rows,
                KernelMeasurementPaths = parsed.GetValue(kernels)!,
                Path = parsed.GetValue(output)!,
                Title = parsed.GetValue(title)!,
                MaximumDrop = parsed.GetValue(maximumDrop),
                Force = parsed.GetValue(force),
            }.Execute(sink, token);
        });
    }

    private static void Written(ConsoleSink sink, FileInfo file) =>
        sink.Visible.WriteLine(sink.IsJson ? Json.Line(new { Path = file.FullName, file.Length }) : $"Report: {file.FullName}");
}
