using System.Text.Json;
using System.Text.RegularExpressions;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

public class StoryTests
{
    private static readonly PromptEncoder s_encoder = TestEncoders.Runs();

    [Fact]
    public void The_material_has_the_papers_counts_without_repeats()
    {
        (string[] Items, int Count)[] lists =
        [
            (StoryMaterial.Locations, 64), (StoryMaterial.Characters, 49), (StoryMaterial.Events, 20), (StoryMaterial.ItemAdjectives, 18),
            (StoryMaterial.ItemMaterials, 15), (StoryMaterial.ItemTypes, 21), (StoryMaterial.Arrival, 10), (StoryMaterial.Reason, 10),
            (StoryMaterial.Event, 10), (StoryMaterial.Encounter, 10), (StoryMaterial.Conversation, 30), (StoryMaterial.Purchase, 9),
            (StoryMaterial.Sale, 5), (StoryMaterial.Farewell, 10), (StoryMaterial.Conclusion, 10), (StoryMaterial.Extra, 10),
        ];
        Assert.All(lists, l => Assert.Equal((l.Count, l.Count), (l.Items.Length, l.Items.Distinct().Count())));
    }

    [Fact]
    public void A_full_story_repeats_no_meeting_and_no_item()
    {
        IReadOnlyList<StoryChapter> chapters = new StoryGenerator(new RandomSource("test", 1)).Chapters(StoryGenerator.MaximumChapters);
        Assert.Equal(chapters.Count, chapters.Select(c => c.Item).Distinct().Count());

        // 3,136 pairs; after 100 vain tries a pair may come again, which 2,000 chapters hardly ever need.
        Assert.InRange(chapters.Select(c => (c.Location, c.Character)).Distinct().Count(), chapters.Count - 5, chapters.Count);
        Assert.All(chapters, c => Assert.Equal(3, c.Templates[4..7].Distinct().Count()));
        Assert.InRange(chapters.Count(c => c.Sells), 900, 1100);
    }

    [Fact]
    public void Chapters_do_not_depend_on_how_many_follow()
    {
        var few = new StoryGenerator(new RandomSource("test", 2));
        var many = new StoryGenerator(new RandomSource("test", 2));
        many.Chapters(50);
        HashSet<int> none = [];
        Assert.StartsWith(few.Text(10, none, ""), many.Text(50, none, ""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("StoryFiltering")]
    [InlineData("StoryMultiHop")]
    [InlineData("StoryRetrieval")]
    public void Only_items_whose_purchase_was_told_before_are_sold_and_only_once(string name)
    {
        TaskSource source = TaskRegistry.Find(name).Open(new TaskOptions { SequenceLength = 12_000 }, s_encoder);
        int sales = 0;
        for (int i = 0; i < 12; i++)
        {
            var owned = new HashSet<string>();
            foreach (string chapter in Chapters(source.Generate(i)))
            {
                Match sold = Regex.Match(chapter, @"sold the ([a-z]+ [a-z]+ [a-z]+)|The ([a-z]+ [a-z]+ [a-z]+) had lost|liking to the ([a-z]+ [a-z]+ [a-z]+)");
                if (sold.Success)
                {
                    sales++;
                    Assert.True(owned.Remove(sold.Groups.Values.Skip(1).First(g => g.Success).Value), $"{sold.Value} in sample {i}");
                }

                Match bought = Regex.Match(chapter, @"Tamsin bought an? ([a-z]+ [a-z]+ [a-z]+)");
                if (bought.Success)
                {
                    Assert.True(owned.Add(bought.Groups[1].Value));
                }
            }
        }

        Assert.True(sales > 50);
    }

    [Fact]
    public void Filtering_asks_for_the_chapters_without_a_purchase()
    {
        TaskSource source = TaskRegistry.Find("StoryFiltering").Open(new TaskOptions { SequenceLength = 8192 }, s_encoder);
        for (int i = 0; i < 10; i++)
        {
            TaskSample sample = source.Generate(i);
            string[] chapters = Chapters(sample);
            string expected = string.Join(", ", Enumerable.Range(1, chapters.Length).Where(c => !chapters[c - 1].Contains(" bought ", StringComparison.Ordinal)));
            Assert.Equal(expected, GoldAnswer(sample));
            Assert.Equal(3, expected.Split(", ").Length);
        }
    }

    [Fact]
    public void Multi_hop_asks_for_the_purchase_of_the_chapter_before()
    {
        TaskSource source = TaskRegistry.Find("StoryMultiHop").Open(new TaskOptions { SequenceLength = 8192 }, s_encoder);
        for (int i = 0; i < 10; i++)
        {
            TaskSample sample = source.Generate(i);
            string[] items = [.. Chapters(sample).Select(c => Regex.Match(c, @"Tamsin bought an? ([a-z]+ [a-z]+ [a-z]+)").Groups[1].Value)];
            string asked = Regex.Match(sample.Prompt, @"Tamsin bought the ([a-z]+ [a-z]+ [a-z]+)\?").Groups[1].Value;
            Assert.Equal(items[Array.IndexOf(items, asked) - 1], GoldAnswer(sample));
        }
    }

    [Fact]
    public void Retrieval_asks_for_facts_of_distinct_chapters()
    {
        TaskSource source = TaskRegistry.Find("StoryRetrieval").Open(new TaskOptions { SequenceLength = 8192 }, s_encoder);
        for (int i = 0; i < 5; i++)
        {
            TaskSample sample = source.Generate(i);
            string[] chapters = Chapters(sample);
            string[] answers = GoldAnswer(sample).Split('\n');
            int[] asked = [.. Regex.Matches(sample.Prompt[..sample.Prompt.IndexOf("<context>", StringComparison.Ordinal)], @"in chapter (\d+)\?").Select(m => int.Parse(m.Groups[1].Value))];
            Assert.Equal(16, asked.Distinct().Count());
            for (int q = 0; q < 16; q++)
            {
                Assert.StartsWith($"{q + 1}. ", answers[q], StringComparison.Ordinal);
                Assert.Contains(answers[q].Split(". ", 2)[1], chapters[asked[q] - 1], StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Three_questions_are_one_of_each_kind()
    {
        TaskSource source = TaskRegistry.Find("StoryRetrieval").Open(
            new TaskOptions { SequenceLength = 4096, Parameters = new Dictionary<string, double> { ["Queries"] = 3 } }, s_encoder);
        for (int i = 0; i < 8; i++)
        {
            string questions = source.Generate(i).Prompt.Split("<context>")[0];
            Assert.All(new[] { "At which location", "Whom", "Which item" }, k => Assert.Single(Regex.Matches(questions, $@"\d\. {k}")));
        }
    }

    private static string[] Chapters(TaskSample sample)
    {
        string context = sample.Prompt.Split("<context>\n")[1].Split("\n</context>")[0];
        return [.. Regex.Split(context, @"(?:^|\n\n)Chapter \d+\n").Skip(1)];
    }

    private static string GoldAnswer(TaskSample sample)
    {
        using JsonDocument gold = JsonDocument.Parse(sample.GoldJson);
        return gold.RootElement.GetProperty("gold_answer").GetString()!;
    }
}
