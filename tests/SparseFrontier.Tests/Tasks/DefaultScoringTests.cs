using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

/// <summary>Every difference between the default scoring and the paper's code, as docs/tasks.md lists them.</summary>
public class DefaultScoringTests
{
    private const string Item = """{"gold_answer":"an ornate bronze key"}""";
    private const string Chapters = """{"gold_answer":"3, 7, 12"}""";

    [Theory]
    [InlineData("StoryMultiHop", Item, "ornate bronze key", "NoAnswerTag")]
    [InlineData("StoryMultiHop", Item, "<answer>ornate bronze key", "NoAnswerTag")]
    [InlineData("StoryMultiHop", Item, "<answer> </answer>", "Empty")]
    [InlineData("StoryMultiHop", Item, "", "Empty")]
    [InlineData("StoryFiltering", Chapters, " \n", "Empty")]
    public void A_missing_answer_is_wrong_rather_than_left_out(string task, string gold, string response, string failure)
    {
        Assert.Equal(new TaskScore(0, failure), Score(task, gold, response));
        Assert.Equal(new TaskScore(null, failure), Score(task, gold, response, reference: true));
    }

    [Theory]
    [InlineData("A and D", "AD", 1, 0)]
    [InlineData("A, D", "AD", 1, 1)]
    [InlineData("C) because", "C", 1, 0)]
    [InlineData("B is a better answer", "B", 1, 0)]
    [InlineData("b and d", "BD", 1, 0)]
    [InlineData("B. B", "B", 1, 0)]
    [InlineData("AD", "A", 0, 0)]
    [InlineData("A", "AD", 0, 0)]
    [InlineData("Bee", "B", 0, 1)]
    public void Letters_are_not_taken_from_words(string answer, string gold, double expected, double reference)
    {
        string json = $$"""{"gold_answer":"{{gold}}","is_mcq":true}""";
        foreach (string task in new[] { "Quality", "Toefl" })
        {
            Assert.Equal(expected, Score(task, json, $"<answer>{answer}</answer>").Score);
            Assert.Equal(reference, Score(task, json, $"<answer>{answer}</answer>", reference: true).Score);
        }
    }

    [Fact]
    public void Words_without_a_letter_are_unparsable() =>
        Assert.Equal(new TaskScore(0, "Unparsable"), Score("Quality", """{"gold_answer":"A","is_mcq":true}""", "<answer>None.</answer>"));

    [Theory]
    [InlineData("gold gold", "gold", 2.0 / 3, 1)] // tokens are counted
    [InlineData("one two", "one two three four five", 4.0 / 7, 0.57)] // not rounded
    [InlineData("to be or not", "be not", 2.0 / 3, 1)] // only articles are deleted
    [InlineData("the", "A", 1, 0)] // both empty after normalisation
    [InlineData("Broncos, the Denver!", "Denver Broncos", 1, 1)]
    public void Squad_is_the_multiset_f1_of_its_own_evaluation(string answer, string gold, double expected, double reference)
    {
        string json = $$"""{"gold_answer":["nothing else","{{gold}}"],"is_mcq":false}""";
        Assert.Equal(expected, Score("Squad", json, $"<answer>{answer}</answer>").Score!.Value, 12);
        Assert.Equal(reference, Score("Squad", json, $"<answer>{answer}</answer>", reference: true).Score);
    }

    [Fact]
    public void Reference_f1_rounds_as_python_does()
    {
        string answer = string.Join(' ', Enumerable.Range(0, 76).Select(i => $"w{i}"));
        Assert.Equal(0.07, Score("Squad", """{"gold_answer":["w0 w1 w2 x"],"is_mcq":false}""", $"<answer>{answer}</answer>", reference: true).Score);
    }

    [Fact]
    public void Tags_of_any_case_are_tags_in_every_task()
    {
        Assert.Equal(1, Score("Squad", """{"gold_answer":["x"],"is_mcq":false}""", "<ANSWER>x</ANSWER>").Score);
        Assert.Equal(0, Score("Squad", """{"gold_answer":["x"],"is_mcq":false}""", "<ANSWER>x</ANSWER>", reference: true).Score);
        Assert.Equal(1, Score("Toefl", """{"gold_answer":"B","is_mcq":true}""", "<Answer>B</Answer>").Score);
        Assert.Equal(0, Score("Toefl", """{"gold_answer":"B","is_mcq":true}""", "<Answer>B</Answer>", reference: true).Score);
    }

    [Fact]
    public void A_name_that_ends_in_var_stays_apart_from_the_next()
    {
        const string gold = """{"gold_answer":"ABVAR CDEFG"}""";
        Assert.Equal(1, Score("VariableTracking", gold, "<answer>CDEFG ABVAR</answer>").Score);
        Assert.Equal(0, Score("VariableTracking", gold, "<answer>CDEFG ABVAR</answer>", reference: true).Score);
        Assert.Equal(1, Score("VariableTracking", gold, "<answer>var cdefg\nVAR abvar</answer>").Score);
    }

    [Fact]
    public void Any_separator_keeps_chapter_numbers_apart()
    {
        Assert.Equal(1, Score("StoryFiltering", Chapters, "<answer>3;7;12</answer>").Score);
        Assert.Equal(0, Score("StoryFiltering", Chapters, "<answer>3;7;12</answer>", reference: true).Score);
        Assert.Equal(0.75, Score("StoryFiltering", Chapters, "<answer>Chapter 12 and chapter 3, chapter 7, chapter 99</answer>").Score);
    }

    [Fact]
    public void Gold_without_a_numbered_line_scores_zero_rather_than_being_left_out()
    {
        Assert.Equal(0, Score("StoryRetrieval", """{"gold_answer":"x"}""", "<answer>1. x</answer>").Score);
        Assert.Null(Score("StoryRetrieval", """{"gold_answer":"x"}""", "<answer>1. x</answer>", reference: true).Score);
    }

    [Fact]
    public void Gold_of_another_shape_is_refused()
    {
        foreach (EvaluationTask task in TaskRegistry.Tasks)
        {
            foreach (string gold in new[] { "", "[]", "{}", """{"gold_answer":7,"answers":7,"common_words":7}""" })
            {
                Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => task.Score(gold, "x")).ErrorId);
            }
        }
    }

    private static TaskScore Score(string task, string gold, string response, bool reference = false) =>
        TaskRegistry.Find(task).Score(gold, response, reference);
}
