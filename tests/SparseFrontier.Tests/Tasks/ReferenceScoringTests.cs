using System.Text.Json;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

/// <summary>Scores against those that the paper's own scorers gave for well and badly formed responses.</summary>
public class ReferenceScoringTests
{
    // The golden scores were read off means of several samples, which costs the last bits.
    private const double Rounding = 1e-12;

    public static TheoryData<string, string> Groups => new()
    {
        { "Niah", "Niah" },
        { "VariableTracking", "VariableTracking" },
        { "CommonWords", "CommonWords" },
        { "StoryRetrieval", "StoryRetrieval" },
        { "StoryMultiHop", "StoryMultiHop" },
        { "StoryFiltering", "StoryFiltering" },
        { "Squad", "Squad" },
        { "MultipleChoice", "Quality" },
        { "MultipleChoice", "Toefl" },
    };

    [Theory]
    [MemberData(nameof(Groups))]
    public void Reference_scoring_equals_every_golden_score(string group, string task)
    {
        foreach ((string gold, string response, double? score) in Entries(group))
        {
            TaskScore actual = TaskRegistry.Find(task).Score(gold, response, referenceScoring: true);
            Assert.True(
                actual.Score.HasValue == score.HasValue && Math.Abs((actual.Score ?? 0) - (score ?? 0)) <= Rounding,
                $"{actual.Score} instead of {score} for {response} with {gold}");
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Default_scoring_gives_zero_and_a_failure_where_the_reference_leaves_out(string group, string task)
    {
        foreach ((string gold, string response, double? score) in Entries(group))
        {
            TaskScore actual = TaskRegistry.Find(task).Score(gold, response);
            Assert.NotNull(actual.Score);
            Assert.InRange(actual.Score.Value, 0, 1);
            if (score is null)
            {
                Assert.Equal(0, actual.Score);
                Assert.NotNull(actual.FormatFailure);
            }
            else if (group is not ("MultipleChoice" or "Squad"))
            {
                Assert.True(Math.Abs(actual.Score.Value - score.Value) <= Rounding, $"{actual.Score} instead of {score} for {response} with {gold}");
            }
        }
    }

    [Fact]
    public void All_entries_are_there() =>
        Assert.Equal(8 * 220, Groups.Select(g => g.Data.Item1).Distinct().Sum(g => Entries(g).Count));

    private static List<(string Gold, string Response, double? Score)> Entries(string group)
    {
        using JsonDocument document = JsonDocument.Parse(Fixtures.Decompress("scores-dev.json.br"));
        return [.. document.RootElement.GetProperty(group).EnumerateArray().Select(e => (
            e.GetProperty("gold").GetRawText(),
            e.GetProperty("response").GetString()!,
            e.GetProperty("score").ValueKind == JsonValueKind.Null ? (double?)null : e.GetProperty("score").GetDouble()))];
    }
}
