using System.Text.Json;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

public class QuestionAnsweringTests
{
    private static readonly PromptEncoder s_encoder = TestEncoders.Runs();

    [Theory]
    [InlineData("Squad", "squad.json")]
    [InlineData("Quality", "quality.jsonl")]
    [InlineData("Toefl", "toeflqa.jsonl")]
    public void A_directory_or_the_file_itself_is_read(string name, string file)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        TaskOptions options = GenerationTests.Options(name);
        Assert.Equal(Fixtures.Golden(Path.Combine("qa", file)), task.DataFile(options));
        TaskSample fromFile = task.Open(options with { DataPath = Fixtures.Golden(Path.Combine("qa", file)) }, s_encoder).Generate(0);
        Assert.Equal(task.Open(options, s_encoder).Generate(0).Prompt, fromFile.Prompt);
    }

    [Fact]
    public void The_question_names_the_document_that_holds_the_answer()
    {
        TaskSource source = TaskRegistry.Find("Squad").Open(GenerationTests.Options("Squad"), s_encoder);
        var numbers = new HashSet<int>();
        for (int i = 0; i < source.Count; i++)
        {
            TaskSample sample = source.Generate(i);
            int number = int.Parse(sample.Prompt.Split("The question is on document ")[1].Split('.')[0]);
            string document = sample.Prompt.Split($"Document {number}:\n")[1].Split("\n\n")[0];
            using JsonDocument gold = JsonDocument.Parse(sample.GoldJson);
            Assert.False(gold.RootElement.GetProperty("is_mcq").GetBoolean());
            Assert.Contains(gold.RootElement.GetProperty("gold_answer").EnumerateArray(), a => document.Contains(a.GetString()!, StringComparison.Ordinal));
            numbers.Add(number);
        }

        Assert.True(numbers.Count > 1);
    }

    [Fact]
    public void Impossible_and_repeated_questions_are_left_out_and_splits_share_none()
    {
        int total = 0;
        foreach (string split in new[] { "evaluation", "calibration", "training" })
        {
            total += TaskRegistry.Find("Squad").Open(GenerationTests.Options("Squad") with { Split = split }, s_encoder).Count!.Value;
        }

        Assert.Equal(17, total);
        Assert.Equal(17, QuestionAnsweringData.ReadSquad(Fixtures.Golden(Path.Combine("qa", "squad.json"))).Questions.Count);
    }

    [Fact]
    public void Letters_are_sorted_and_the_questions_prefix_is_cut()
    {
        QuestionAnsweringData quality = QuestionAnsweringData.ReadMultipleChoice(Fixtures.Golden(Path.Combine("qa", "quality.jsonl")));
        Assert.Contains(quality.Questions, q => q.Answers[0] == "AD");
        QuestionAnsweringData toefl = QuestionAnsweringData.ReadMultipleChoice(Fixtures.Golden(Path.Combine("qa", "toeflqa.jsonl")));
        Assert.Contains(toefl.Questions, q => q.Answers[0] == "AC");
        Assert.All(toefl.Questions, q => Assert.False(q.Question.StartsWith("Question", StringComparison.Ordinal)));
    }

    [Fact]
    public void Missing_data_say_where_to_get_them()
    {
        foreach (string? path in new[] { null, Path.Combine(Fixtures.Root, "no-such-folder"), Fixtures.Root })
        {
            foreach ((string name, string origin) in new[] { ("Squad", "rajpurkar"), ("Quality", "nyu-mll/quality"), ("Toefl", "TOEFL-QA") })
            {
                SparseFrontierException exception = Assert.Throws<SparseFrontierException>(
                    () => TaskRegistry.Find(name).Open(new TaskOptions { SequenceLength = 4096, DataPath = path }, s_encoder));
                Assert.Equal(ErrorIds.TaskDataMissing, exception.ErrorId);
                Assert.Contains(origin, exception.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("Quality", """{"context":"c","questions":["q"],"answer":["A"]}""" + "\n{\"context\":\"c\"}\n", "at line 2")]
    [InlineData("Quality", "\n\nnot json\n", "at line 3")]
    [InlineData("Toefl", """{"context":"c","questions":["q","r"],"answer":["A"]}""", "2 questions and 1 answer at line 1")]
    [InlineData("Toefl", """{"context":"c","questions":["q"],"answer":["E"]}""", "answer 1 is 'E'")]
    [InlineData("Toefl", """{"context":7,"questions":["q"],"answer":["A"]}""", "at line 1")]
    [InlineData("Toefl", "", "no answerable question")]
    [InlineData("Squad", "{\n\"data\": [\n}", "at line 3")]
    [InlineData("Squad", """{"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q"}]}]}]}""", "data[0].paragraphs[0].qas[0]")]
    [InlineData("Squad", """{"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q","answers":[]}]}]}]}""", "no answers")]
    [InlineData("Squad", """{"data":[]}""", "no answerable question")]
    public void Malformed_files_are_refused_with_the_place(string name, string content, string expected)
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.json");
        try
        {
            File.WriteAllText(path, content);
            SparseFrontierException exception = Assert.Throws<SparseFrontierException>(
                () => TaskRegistry.Find(name).Open(new TaskOptions { SequenceLength = 4096, DataPath = path }, s_encoder));
            Assert.Equal(ErrorIds.TaskDataInvalid, exception.ErrorId);
            Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Lengths_beyond_the_documents_and_samples_beyond_the_questions_are_refused()
    {
        EvaluationTask squad = TaskRegistry.Find("Squad");
        Assert.Equal(
            ErrorIds.SequenceLengthInvalid,
            Assert.Throws<SparseFrontierException>(() => squad.Open(GenerationTests.Options("Squad") with { SequenceLength = 100_000 }, s_encoder)).ErrorId);
        TaskSource source = squad.Open(GenerationTests.Options("Squad"), s_encoder);
        Assert.Equal(ErrorIds.TaskDataMissing, Assert.Throws<SparseFrontierException>(() => source.Generate(source.Count!.Value)).ErrorId);
    }
}
