using SparseFrontier.Attention;
using SparseFrontier.Cli.Output;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>What completion offers.</summary>
public class CompletionTests
{
    [Fact]
    public void Methods_tasks_and_devices_are_offered_with_tooltips()
    {
        Assert.Contains(Candidates.Methods(), c => c.Text == "Quest" && c.ToolTip.StartsWith("Decode: ", StringComparison.Ordinal));
        Assert.Contains(Candidates.Methods("Prefill"), c => c.Text == "VerticalSlash");
        Assert.DoesNotContain(Candidates.Methods("Decode"), c => c.Text == "VerticalSlash");
        Assert.Equal(9, Candidates.Tasks().Count());
        Assert.Contains(Candidates.Devices(), c => c.Text == "cpu");
        Assert.All(Candidates.Methods().Concat(Candidates.Tasks()).Concat(Candidates.Costs()), c => Assert.NotEqual("", c.ToolTip));
    }

    [Fact]
    public void Parameters_are_those_of_the_chosen_method()
    {
        Assert.Equal(["PageSize=16", "SharePages=1", "TokenBudget=1024"], Candidates.MethodParameters(["Quest;PageSize=8"]).Select(c => c.Text).Order(StringComparer.Ordinal));
        Assert.Contains(Candidates.MethodParameters([]), c => c.Text.StartsWith("VerticalSize=", StringComparison.Ordinal));
    }

    [Fact]
    public void Kernels_are_those_of_the_suite()
    {
        Candidate[] kernels = [.. Candidates.Kernels()];
        Assert.Equal(kernels.Select(k => k.Text).Distinct().Order(StringComparer.Ordinal), kernels.Select(k => k.Text).Order(StringComparer.Ordinal));
        Assert.Matches("^PageScores: [0-9]+ shapes", kernels.Single(k => k.Text == "PageScores").ToolTip);
    }

    // The same parameter is completed alike wherever it is.
    [Theory]
    [InlineData("Method", nameof(MethodCompleter))]
    [InlineData("DecodeMethod", nameof(DecodeMethodCompleter), nameof(MethodCompleter))]
    [InlineData("Task", nameof(TaskCompleter))]
    [InlineData("Model", nameof(ModelCompleter), nameof(ShapeCompleter))]
    [InlineData("Device", nameof(DeviceCompleter))]
    [InlineData("Parameter", nameof(MethodParameterCompleter))]
    [InlineData("TaskParameter", nameof(TaskParameterCompleter))]
    [InlineData("BudgetSchedule", nameof(BudgetScheduleCompleter))]
    [InlineData("RunId", nameof(RunIdCompleter))]
    [InlineData("Id", nameof(JobIdCompleter))]
    [InlineData("ResultPath", nameof(ResultPathCompleter))]
    public void Parameters_have_their_completers(string parameter, params string[] completers)
    {
        ParameterMetadata[] found = [.. ModuleAssembly.Cmdlets.SelectMany(c => c.Parameters).Where(p => p.Name == parameter)];
        Assert.NotEmpty(found);
        Assert.All(found, p => Assert.Contains(
            ((Type?)p.Property.GetCustomAttributesData().SingleOrDefault(a => a.AttributeType.Name == "ArgumentCompleterAttribute")?.ConstructorArguments[0].Value)?.Name ?? $"none of {p.Property.DeclaringType}",
            completers));
    }

    [Theory]
    [InlineData("", "layer: head: length: step: dense x0.5 x2")]
    [InlineData("layer:0-1 ", "head: length: step: dense x0.5 x2")]
    [InlineData("layer:0 dense |", "layer: head: length: step: dense x0.5 x2")]
    [InlineData("layer:0-1 head:3 x0.5 ", "| ")]
    [InlineData("dense ", "| ")]
    public void Budget_schedules_are_completed_by_what_may_follow(string before, string expected) =>
        Assert.Equal(expected, string.Join(' ', Candidates.BudgetSchedule(before).Select(c => c.Text)));

    // What is offered is what the parser reads.
    [Fact]
    public void Words_of_budget_schedules_are_read()
    {
        Candidate[] words = [.. Candidates.BudgetSchedule("")];
        string conditions = string.Join(' ', words.Where(w => w.Text.EndsWith(':')).Select(w => w.Text + "0"));
        Assert.All(words.Where(w => !w.Text.EndsWith(':')), w => Assert.Equal($"{conditions} {w.Text}", BudgetSchedule.Parse($"{conditions} {w.Text}").ToString()));
    }

    [Fact]
    public void Claims_are_those_of_the_findings()
    {
        string rows = Path.Combine(LayerTests.Root(), "docs", "findings.jsonl.br");
        var found = new ConsoleSink(TextWriter.Null, TextWriter.Null, json: false);
        new GetResultOperation { Path = [rows] }.Execute(found, TestContext.Current.CancellationToken);
        var findings = new ConsoleSink(TextWriter.Null, TextWriter.Null, json: false);
        new GetFindingOperation { Results = [.. found.Objects.Cast<SparseAttentionResult>()] }.Execute(findings, TestContext.Current.CancellationToken);
        Candidate[] offered = [.. Candidates.Findings()];
        Assert.Equal(findings.Objects.Cast<SparsityFinding>().Select(f => f.Name).Distinct().Order(StringComparer.Ordinal), offered.Select(c => c.Text).Order(StringComparer.Ordinal));
        Assert.All(offered, c => Assert.NotEqual("", c.ToolTip));
    }

    // Folders are named by anybody.
    [Fact]
    public void What_a_terminal_would_obey_is_not_offered() =>
        Assert.Equal(["plain"], CandidateCompleter.Matching([new("pl\u001b[31main", ""), new("plain", "")], "p").Select(c => c.Text));

    [Fact]
    public void Matching_ignores_case_and_quotes() =>
        Assert.Equal(["Quest"], CandidateCompleter.Matching(Candidates.Methods(), "'que").Select(c => c.Text));

    [Theory]
    [InlineData("Quest", "Quest")]
    [InlineData("PageSize=16", "PageSize=16")]
    [InlineData("my model", "'my model'")]
    [InlineData("it's", "'it''s'")]
    public void Text_is_quoted_where_needed(string text, string expected) => Assert.Equal(expected, CandidateCompleter.Quote(text));
}
