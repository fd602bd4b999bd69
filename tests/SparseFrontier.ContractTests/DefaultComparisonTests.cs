using System.Text.Json;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>What `run` without options compares shows a frontier, and the committed rows that README and its figure are made of are what it runs.</summary>
public class DefaultComparisonTests
{
    private static readonly string s_rows = Path.Combine(LayerTests.Root(), "tests", "golden", "default-comparison.jsonl.br");

    [Fact]
    public void Every_run_is_feasible_and_has_a_committed_row()
    {
        JsonElement[] plans = Lines($"run --what-if --json --results \"{Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString())}\"");
        Assert.All(plans, p => Assert.True(p.GetProperty("IsFeasible").GetBoolean(), p.GetProperty("Message").GetString()));
        Assert.Equal(
            plans.Select(p => Asked(p, "Sparsity", "DecodeSparsity")).Order(StringComparer.Ordinal),
            Lines($"results \"{s_rows}\" --json").Select(r => Asked(r, "RequestedSparsity", "RequestedDecodeSparsity")).Order(StringComparer.Ordinal));

        static string Asked(JsonElement run, string sparsity, string decodeSparsity) => string.Join(
            ' ',
            ((string[])["Task", "SequenceLength", "Method", sparsity, "DecodeMethod", decodeSparsity, "SampleCount", "MaximumOutputTokens", "Seed", "ShortInstructions", "QuestionPosition", "CompressBefore"])
                .Select(name => run.GetProperty(name).GetRawText()));
    }

    [Fact]
    public void Both_frontiers_have_several_scores_cheaper_runs_that_hold_and_runs_that_lose()
    {
        var frontiers = Lines($"pareto \"{s_rows}\" --json").GroupBy(p => p.GetProperty("CostName").GetString()).ToArray();
        Assert.Equal(["PrefillFlops", "DecodeBytes"], frontiers.Select(f => f.Key));
        foreach (var frontier in frontiers)
        {
            JsonElement dense = frontier.Single(IsDense);
            Assert.True(Number(dense, "Value") > 0.95);
            JsonElement[] cheaper = [.. frontier.Where(p => Number(p, "Cost") < Number(dense, "Cost"))];
            Assert.Contains(cheaper, p => Number(p, "Value") >= Number(dense, "ValueLow") && Number(p, "Value") > Number(dense, "Value") - 0.05);
            Assert.Contains(cheaper, p => Number(p, "ValueHigh") < Number(dense, "ValueLow"));

            JsonElement[] optimal = [.. frontier.Where(p => p.GetProperty("IsOptimal").GetBoolean())];
            Assert.True(optimal.Select(p => Math.Round(Number(p, "Value"), 2)).Distinct().Count() >= 3, $"{frontier.Key}: the frontier has fewer than three scores.");
            Assert.All(optimal, p => Assert.True(p.GetProperty("IsAboveChance").GetBoolean(), p.GetProperty("Method").GetString()));
        }
    }

    // Without the two methods whose budget is calibrated, which takes longer than all samples here.
    [Fact]
    public void Two_samples_of_it_score_as_the_committed_rows_do()
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-").FullName;
        try
        {
            JsonElement asked = Lines($"results \"{s_rows}\" --json")[0];
            JsonElement[] rows = Lines(
                $"run --method Dense,BlockSparse,SnapKV,AdaSnapKV,Quest --task {asked.GetProperty("Task").GetString()} --length {asked.GetProperty("SequenceLength")} --sparsity 0.5,0.85"
                + $" --max-output {asked.GetProperty("MaximumOutputTokens")} --samples 2 --results \"{folder}\" --json");
            Assert.True(rows.Select(r => Number(r, "Score")).Distinct().Count() >= 3);
            Dictionary<(string?, int), double> committed = Lines($"results \"{s_rows}\" --samples --json").ToDictionary(Key, s => Number(s, "Score"));
            JsonElement[] samples = Lines($"results \"{folder}\" --samples --json");
            Assert.Equal(18, samples.Length);

            // The id of a run changes with all that an answer depends on. Sums are in another order on other processors, where a few answers may be others.
            Assert.All(samples, s => Assert.Contains(Key(s), committed));
            Assert.InRange(samples.Count(s => Math.Abs(Number(s, "Score") - committed[Key(s)]) > 1e-9), 0, 3);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static (string?, int) Key(JsonElement sample) => (sample.GetProperty("RunId").GetString(), sample.GetProperty("Index").GetInt32());
    }

    [Fact]
    public void The_figure_is_of_the_committed_rows()
    {
        string figure = File.ReadAllText(Path.Combine(LayerTests.Root(), "docs", "images", "frontier.svg"));
        JsonElement[] points = Lines($"pareto \"{s_rows}\" --cost Density --json");
        Assert.Contains($"{points[0].GetProperty("Frontier").GetString()}: score against density", figure, StringComparison.Ordinal);
        double top = 34, bottom = 330 - 44;
        string[] heights = [.. points.Select(p => FormattableString.Invariant($"cy=\"{top + ((1 - Number(p, "Value")) * (bottom - top)):F1}\""))];
        Assert.All(heights, h => Assert.Contains(h, figure, StringComparison.Ordinal));
    }

    private static bool IsDense(JsonElement point) => point.GetProperty("Method").GetString() == "Dense" && point.GetProperty("DecodeMethod").GetString() == "Dense";

    private static double Number(JsonElement element, string name) => element.GetProperty(name).GetDouble();

    private static JsonElement[] Lines(string arguments)
    {
        (int code, string output, string error) = CommandLineTests.Run(arguments);
        Assert.True(code == 0, error);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(l => JsonDocument.Parse(l).RootElement)];
    }
}
