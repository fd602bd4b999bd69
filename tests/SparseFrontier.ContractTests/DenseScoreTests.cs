using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Dense scores in README and in the models' cards are those of the committed rows.</summary>
public partial class DenseScoreTests
{
    private static readonly string[] s_models = ["frontier-1m", "frontier-3m", "frontier-7m"];

    // The least difficulty beyond training's, as scores_plan.sh asks for it.
    private static readonly string[] s_beyond = ["KeyGroups=5", "Hops=5", "CommonWords=11", "Queries=17", "Back=2", "Chapters=4"];

    private static readonly Lazy<JsonElement[]> s_rows = new(() =>
    {
        (int code, string output, string error) = CommandLineTests.Run($"results \"{Path.Combine(LayerTests.Root(), "tests", "SparseFrontier.Benchmarks", "results", "dense-scores.jsonl.br")}\" --json");
        Assert.True(code == 0, error);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
    });

    [Fact]
    public void The_readme_has_the_rows_scores()
    {
        string[][] table = Table("README.md", "Niah");
        string[] tasks = table[0][1..];
        Assert.Equal(6, tasks.Length);
        Assert.Equal(s_models, table[1..].Select(r => r[0].Split(',')[0]).Order(StringComparer.Ordinal));
        foreach (string[] line in table[1..])
        {
            foreach ((string task, string cell) in tasks.Zip(line[1..]))
            {
                double score = Row(line[0].Split(',')[0], task, 4096, 0)!.Value.GetProperty("Score").GetDouble();
                if (cell == "not learned")
                {
                    Assert.True(score <= 0.05, $"{line[0]}, {task}: {score}");
                }
                else
                {
                    RequireNumber(score, cell, $"{line[0]}, {task}");
                }
            }
        }
    }

    [Theory]
    [InlineData("frontier-1m")]
    [InlineData("frontier-3m")]
    [InlineData("frontier-7m")]
    public void Every_card_has_the_rows_scores(string model)
    {
        string[][] table = Table($"models/{model}/README.md", "tokens");
        Assert.Equal(["task", "tokens", "the paper's", "held-out words", "held-out template", "held-out difficulty"], table[0]);
        int shown = 0;
        foreach (string[] line in table[1..])
        {
            int length = int.Parse(line[1], NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
            for (int column = 2; column < line.Length; column++)
            {
                string where = $"{model}, {line[0]} at {length}, {table[0][column]}";
                JsonElement? row = Row(model, line[0], length, column - 2);
                Assert.True(row is null == (line[column].Length == 0), where);
                if (row is { } found)
                {
                    Match numbers = ScoreWithInterval().Match(line[column]);
                    Assert.True(numbers.Success, where);
                    RequireNumber(found.GetProperty("Score").GetDouble(), numbers.Groups[1].Value, where);
                    RequireNumber(found.GetProperty("ScoreLow").GetDouble(), numbers.Groups[2].Value, where);
                    RequireNumber(found.GetProperty("ScoreHigh").GetDouble(), numbers.Groups[3].Value, where);
                    shown++;
                }
            }
        }

        Assert.Equal(s_rows.Value.Count(r => r.GetProperty("Model").GetString() == model), shown);
    }

    // Columns of the cards: the paper's parameters, words, template, difficulty.
    private static JsonElement? Row(string model, string task, int length, int column) => s_rows.Value.Cast<JsonElement?>().SingleOrDefault(r =>
    {
        string[] parameters = r!.Value.GetProperty("TaskParameters").GetString()!.Split(';');
        return r.Value.GetProperty("Model").GetString() == model && r.Value.GetProperty("Task").GetString() == task && r.Value.GetProperty("SequenceLength").GetInt32() == length
            && parameters.Contains($"HeldOut={(column == 3 ? 0 : column)}") && parameters.Any(s_beyond.Contains) == (column == 3);
    });

    // The number as it is printed: half a unit of its last digit off at most.
    private static void RequireNumber(double expected, string printed, string where)
    {
        double unit = Math.Pow(10, -(printed.Length - printed.IndexOf('.', StringComparison.Ordinal) - 1));
        Assert.True(Math.Abs(expected - double.Parse(printed, CultureInfo.InvariantCulture)) <= (0.5 * unit) + 1e-9, $"{where}: {printed} is printed, the rows have {expected}.");
    }

    // The first table whose header holds a word, without its line of dashes.
    private static string[][] Table(string document, string word)
    {
        string[] lines = File.ReadAllLines(Path.Combine(LayerTests.Root(), document));
        int first = Array.FindIndex(lines, l => l.StartsWith('|') && Cells(l).Contains(word));
        Assert.True(first >= 0, $"{document} has no table with {word}.");
        string[] table = [.. lines[first..].TakeWhile(l => l.StartsWith('|'))];
        return [.. table.Where((_, i) => i != 1).Select(Cells)];

        static string[] Cells(string line) => [.. line.Trim().Trim('|').Split('|').Select(c => c.Trim())];
    }

    [GeneratedRegex(@"^(\d\.\d+) \((\d\.\d+) to (\d\.\d+)\)$")]
    private static partial Regex ScoreWithInterval();
}
