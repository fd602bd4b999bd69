using System.Diagnostics;
using SparseFrontier.Reporting.Report;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Reporting;

/// <summary>Reports in a headless Chromium, by tests/report-browser.mjs; skipped where there is no browser or no Node.</summary>
public sealed class ReportBrowserTests
{
    private const int NoBrowser = 77;

    [Theory]
    [InlineData("")]
    [InlineData(ReportRuns.Hostile)]
    public void A_browser_draws_every_figure_logs_nothing_and_fetches_nothing(string hostile)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("report.html");
        new ExportReportOperation { Results = ReportRuns.Write(folder.Path, hostile), KernelMeasurements = ReportRuns.Kernels, Path = path, Title = $"Report {hostile}" }
            .Execute(new RecordingSink(), CancellationToken.None);
        (int code, string output) = Look(path);
        Assert.SkipWhen(code == NoBrowser, "no headless Chromium, or no Node, is here");
        Assert.True(code == 0, output);
        Assert.DoesNotContain("FAILED", output, StringComparison.Ordinal);
    }

    private static (int Code, string Output) Look(string path)
    {
        var start = new ProcessStartInfo("node")
        {
            ArgumentList = { Path.Combine(Fixtures.Root, "tests", "report-browser.mjs"), path },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output + errors.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (NoBrowser, "");
        }
    }
}
