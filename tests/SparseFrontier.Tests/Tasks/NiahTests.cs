using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

public class NiahTests
{
    private static readonly EvaluationTask s_task = TaskRegistry.Find("niah");

    [Theory]
    [InlineData(512, 1, 2, true)]
    [InlineData(1024, 4, 2, false)]
    [InlineData(2048, 4, 4, true)]
    [InlineData(8192, 4, 4, false)]
    public void Prompts_fill_the_length_and_the_target_scores_one(int length, int groups, int queries, bool brief)
    {
        PromptEncoder encoder = TestEncoders.Runs();
        TaskSource source = s_task.Open(
            new TaskOptions
            {
                SequenceLength = length,
                ShortInstructions = brief,
                Parameters = new Dictionary<string, double> { ["Queries"] = queries, ["KeyGroups"] = groups },
            },
            encoder);
        for (int i = 0; i < 20; i++)
        {
            TaskSample sample = source.Generate(i);
            Assert.InRange(sample.PromptTokens, 0.95 * length, length);
            Assert.Equal(encoder.Count(encoder.Template(sample.Prompt)), sample.PromptTokens);
            Assert.EndsWith("</context>", sample.Prompt[..sample.ContextEnd], StringComparison.Ordinal);
            Assert.Equal(new TaskScore(1, null), s_task.Score(sample.GoldJson, sample.TargetResponse));
        }
    }

    [Fact]
    public void A_wrong_number_key_or_value_is_no_hit()
    {
        const string gold = """{"answers":[["a-b","c-d"],["e-f","g-h"]]}""";
        Assert.Equal(0.5, s_task.Score(gold, "<answer>1. The answer for a-b is C-D.\n2. The answer for e-f is g-i.</answer>").Score);
        Assert.Equal(0.0, s_task.Score(gold, "<answer>2. The answer for a-b is c-d.\n1. The answer for e-f is g-h.</answer>").Score);
        Assert.Equal(0.0, s_task.Score(gold, "<answer>1. The answer for A-B is c-d.</answer>").Score);
    }

    [Fact]
    public void The_kind_of_format_failure_is_told()
    {
        const string gold = """{"answers":[["a-b","c-d"]]}""";
        Assert.Equal(new TaskScore(0, "Empty"), s_task.Score(gold, " \n"));
        Assert.Equal(new TaskScore(0, "Empty"), s_task.Score(gold, "<answer>\n</answer>"));
        Assert.Equal(new TaskScore(0, "Unparsable"), s_task.Score(gold, "<answer>c-d</answer>"));
        Assert.Equal(new TaskScore(0, "NoAnswerTag"), s_task.Score(gold, "I do not know."));
        Assert.Equal(new TaskScore(1, "NoAnswerTag"), s_task.Score(gold, "1. The answer for a-b is c-d."));
    }
}
