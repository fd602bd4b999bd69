using System.Text.Json;

namespace SparseFrontier.Tasks;

/// <summary>A question on one of the contexts of a file.</summary>
internal sealed record QuestionEntry(int Context, string Question, string[] Answers);

/// <summary>
/// Contexts and questions of a file (paper, section 4.1): contexts without duplicates in ordinal order, questions in the file's order without
/// those that repeat another on the same context (case ignored).
/// </summary>
internal sealed class QuestionAnsweringData
{
    private QuestionAnsweringData(string[] contexts, IReadOnlyList<QuestionEntry> questions)
    {
        Contexts = contexts;
        Questions = questions;
    }

    /// <summary>Contexts.</summary>
    public string[] Contexts { get; }

    /// <summary>Questions.</summary>
    public IReadOnlyList<QuestionEntry> Questions { get; }

    /// <summary>Reads SQuAD 2.0 JSON; questions without an answer are passed over.</summary>
    /// <exception cref="SparseFrontierException">TaskDataMissing: it cannot be read. TaskDataInvalid.</exception>
    public static QuestionAnsweringData ReadSquad(string path)
    {
        var entries = new List<(string Context, string Question, string[] Answers)>();
        string where = "";
        try
        {
            using JsonDocument document = JsonDocument.Parse(new MemoryStream(ReadAll(path)));
            foreach ((JsonElement article, int a) in Items(document.RootElement, "data"))
            {
                foreach ((JsonElement paragraph, int p) in Items(article, "paragraphs"))
                {
                    where = $" at data[{a}].paragraphs[{p}]";
                    string context = Text(paragraph, "context");
                    foreach ((JsonElement question, int q) in Items(paragraph, "qas"))
                    {
                        where = $" at data[{a}].paragraphs[{p}].qas[{q}]";
                        if (question.TryGetProperty("is_impossible", out JsonElement impossible) && impossible.GetBoolean())
                        {
                            continue;
                        }

                        string[] answers = [.. Items(question, "answers").Select(i => Text(i.Item, "text"))];
                        entries.Add(answers.Length > 0
                            ? (context, Text(question, "question"), answers)
                            : throw new FormatException("an answerable question has no answers"));
                    }
                }
            }
        }
        catch (JsonException exception)
        {
            throw Invalid(path, "SQuAD 2.0 JSON", $" at line {exception.LineNumber + 1}", exception);
        }
        catch (Exception exception) when (exception is FormatException or InvalidOperationException or KeyNotFoundException)
        {
            throw Invalid(path, "SQuAD 2.0 JSON", where, exception);
        }

        return Create(path, entries);
    }

    /// <summary>
    /// Reads JSON lines, a context on each: "context", "questions" with the options inline, "answer" with a string of letters for each question.
    /// </summary>
    /// <exception cref="SparseFrontierException">TaskDataMissing: it cannot be read. TaskDataInvalid.</exception>
    public static QuestionAnsweringData ReadMultipleChoice(string path)
    {
        const string prefix = "Question: ";
        var entries = new List<(string Context, string Question, string[] Answers)>();
        int number = 0;
        foreach (string line in PlainFile.Lines(ReadAll(path)))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                string context = Text(document.RootElement, "context");
                string[] questions = [.. Items(document.RootElement, "questions").Select(i => Text(i.Item))];
                string[] answers = [.. Items(document.RootElement, "answer").Select(i => Text(i.Item))];
                if (questions.Length != answers.Length)
                {
                    throw new FormatException($"there are {Counted.Of(questions.Length, "question")} and {Counted.Of(answers.Length, "answer")}");
                }

                for (int i = 0; i < questions.Length; i++)
                {
                    string letters = new([.. answers[i].Trim().ToUpperInvariant().Order()]);
                    if (letters.Length == 0 || letters.AsSpan().ContainsAnyExceptInRange('A', 'D') || letters.Distinct().Count() != letters.Length)
                    {
                        throw new FormatException($"answer {i + 1} is '{answers[i]}', not different letters from A to D");
                    }

                    string question = questions[i].StartsWith(prefix, StringComparison.Ordinal) ? questions[i][prefix.Length..] : questions[i];
                    entries.Add((context, question.Trim(), [letters]));
                }
            }
            catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
            {
                throw Invalid(path, "JSON lines with context, questions and answer", $" at line {number}", exception);
            }
        }

        return Create(path, entries);
    }

    private static byte[] ReadAll(string path)
    {
        try
        {
            return PlainFile.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.TaskDataMissing, $"The task's data '{path}' cannot be read: {e.Message}", path, e);
        }
    }

    private static QuestionAnsweringData Create(string path, List<(string Context, string Question, string[] Answers)> entries)
    {
        if (entries.Count == 0)
        {
            throw new SparseFrontierException(ErrorIds.TaskDataInvalid, $"{path} holds no answerable question.", path);
        }

        string[] contexts = [.. entries.Select(e => e.Context).Distinct().Order(StringComparer.Ordinal)];
        Dictionary<string, int> index = contexts.Select((c, i) => (c, i)).ToDictionary(c => c.c, c => c.i);
        return new QuestionAnsweringData(
            contexts,
            [.. entries
                .Select(e => new QuestionEntry(index[e.Context], e.Question, e.Answers))
                .DistinctBy(e => (e.Context, e.Question.Trim().ToLowerInvariant()))]);
    }

    private static IEnumerable<(JsonElement Item, int Index)> Items(JsonElement element, string property) =>
        element.GetProperty(property).EnumerateArray().Select((item, i) => (item, i));

    private static string Text(JsonElement element, string property) => Text(element.GetProperty(property));

    private static string Text(JsonElement element) => element.GetString() ?? throw new FormatException("null stands where a text is expected");

    private static SparseFrontierException Invalid(string path, string format, string where, Exception exception) => new(
        ErrorIds.TaskDataInvalid, $"{path} is not {format}: {exception.Message.TrimEnd('.')}{where}.", path, exception);
}
