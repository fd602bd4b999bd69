using System.Text.Json;
using System.Text.RegularExpressions;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

/// <summary>Whether the gold of the RULER tasks follows from their contexts.</summary>
public class SyntheticTaskTests
{
    private static readonly PromptEncoder s_encoder = TestEncoders.Runs();

    [Fact]
    public void Variables_of_the_gold_are_those_that_resolve_to_the_value()
    {
        TaskSource source = TaskRegistry.Find("VariableTracking").Open(new TaskOptions { SequenceLength = 4096 }, s_encoder);
        for (int i = 0; i < 10; i++)
        {
            TaskSample sample = source.Generate(i);
            Dictionary<string, string> assigned = Regex.Matches(sample.Prompt, @"VAR ([A-Z]{5}) = (?:VAR )?(\w+)\.").ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
            Assert.Equal(40, assigned.Count);
            string value = Regex.Match(sample.Prompt, @"have the value (\d+)").Groups[1].Value;
            using JsonDocument gold = JsonDocument.Parse(sample.GoldJson);
            Assert.Equal(
                assigned.Keys.Where(k => Resolve(k) == value).Order(), gold.RootElement.GetProperty("gold_answer").GetString()!.Split(' ').Order());
            Assert.Equal(5, assigned.Keys.Count(k => Resolve(k) == value));

            string Resolve(string name) => assigned.TryGetValue(name, out string? next) ? Resolve(next) : name;
        }
    }

    [Fact]
    public void The_gold_words_occur_as_often_as_the_question_says()
    {
        TaskSource source = TaskRegistry.Find("CommonWords").Open(new TaskOptions { SequenceLength = 8192 }, s_encoder);
        for (int i = 0; i < 5; i++)
        {
            TaskSample sample = source.Generate(i);
            string context = sample.Prompt.Split("<context>\n")[1].Split("\n</context>")[0];
            string[] lines = context.Split('\n');
            Assert.All(lines.Index(), l => Assert.StartsWith($"{l.Index + 1}. ", l.Item, StringComparison.Ordinal));
            Dictionary<string, int> counts = lines.CountBy(l => l.Split(". ")[1]).ToDictionary();
            using JsonDocument gold = JsonDocument.Parse(sample.GoldJson);
            Assert.Equal(
                counts.Where(c => c.Value == 30).Select(c => c.Key).Order(),
                gold.RootElement.GetProperty("common_words").EnumerateArray().Select(w => w.GetString()!).Order());
            Assert.Equal(10, counts.Count(c => c.Value == 30));
            Assert.All(counts.Where(c => c.Value != 30), c => Assert.InRange(c.Value, 1, 3));
        }
    }

    [Fact]
    public void Niah_asks_for_keys_of_the_context_in_order()
    {
        TaskSource source = TaskRegistry.Find("Niah").Open(new TaskOptions { SequenceLength = 8192 }, s_encoder);
        TaskSample sample = source.Generate(3);
        string context = sample.Prompt.Split("<context>\n")[1].Split("\n</context>")[0];
        using JsonDocument gold = JsonDocument.Parse(sample.GoldJson);
        JsonElement[] answers = [.. gold.RootElement.GetProperty("answers").EnumerateArray()];
        Assert.Equal(4, answers.Length);
        for (int q = 0; q < 4; q++)
        {
            Assert.Matches("^[a-z0-9]{8}(-[a-z0-9]{8}){3}$", answers[q][1].GetString());
            Assert.Single(Regex.Matches(context, $"The answer for {answers[q][0]} is {answers[q][1]}\\."));
            Assert.Contains($"{q + 1}. {answers[q][0]}", sample.Prompt, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Vocabulary_is_clean()
    {
        Assert.InRange(Vocabulary.Words.Length, 8000, 10_000);
        Assert.Equal(Vocabulary.Words.Length, Vocabulary.Words.Distinct().Count());
        Assert.All(Vocabulary.Words, w => Assert.Matches("^[a-z]{3,12}$", w));
    }

    [Fact]
    public void A_length_beyond_the_vocabulary_is_refused()
    {
        TaskSource source = TaskRegistry.Find("CommonWords").Open(
            new TaskOptions { SequenceLength = 4096, Parameters = new Dictionary<string, double> { ["RareFrequency"] = 1 } }, s_encoder);
        Assert.Equal(
            ErrorIds.SequenceLengthInvalid, Assert.Throws<SparseFrontierException>(() => source.Generate(0, 131_072)).ErrorId);
    }
}
