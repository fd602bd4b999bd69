using System.Text;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Fuzz.Mutation;
using SparseFrontier.Tasks;

namespace SparseFrontier.Fuzz.Readers;

/// <summary>SQuAD 2.0.</summary>
internal sealed class SquadReader(string golden) : FuzzReader
{
    public override string Name => "squad";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new(
            "squad.json",
            FuzzFormat.Json,
            """{"version":"v2.0","data":[{"title":"t","paragraphs":[{"context":"The tower was built in 1874.","qas":[{"id":"q1","question":"When?","is_impossible":false,"answers":[{"text":"1874","answer_start":23},{"text":"in 1874","answer_start":20}]},{"id":"q2","question":"Who?","is_impossible":true,"answers":[]}]}]}]}"""u8.ToArray(),
            File.ReadAllBytes(Path.Combine(golden, "qa", "squad.json")),
            """{"data":[{"paragraphs":[{"context":"a","qas":[{"question":"b","answers":[{"text":"c"}]},{"question":"B ","answers":[{"text":"d"}]}]},{"context":"e","qas":[]}]},{"paragraphs":[]}]}"""u8.ToArray()),
    ];

    public override int Read(string input, string output)
    {
        QuestionAnsweringData data = QuestionAnsweringData.ReadSquad(Path.Combine(input, "squad.json"));
        return HashCode.Combine(Magnitude(data.Contexts.Length), Magnitude(data.Questions.Count));
    }
}

/// <summary>QuALITY and TOEFL.</summary>
internal sealed class MultipleChoiceReader(string golden) : FuzzReader
{
    public override string Name => "multiple-choice";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new(
            "quality.jsonl",
            FuzzFormat.JsonLines,
            Encoding.UTF8.GetBytes("{\"context\":\"Maren sailed.\",\"questions\":[\"Question: Who?\\n(A) Maren (B) Nobody (C) x (D) y\",\"Why?\"],\"answer\":[\"A\",\"bd\"]}\n{\"context\":\"b\",\"questions\":[\"q\"],\"answer\":[\"C\"]}\n"),
            Encoding.UTF8.GetBytes(File.ReadLines(Path.Combine(golden, "qa", "toeflqa.jsonl")).First() + "\n")),
    ];

    public override int Read(string input, string output)
    {
        QuestionAnsweringData data = QuestionAnsweringData.ReadMultipleChoice(Path.Combine(input, "quality.jsonl"));
        return HashCode.Combine(Magnitude(data.Contexts.Length), Magnitude(data.Questions.Count));
    }
}

/// <summary>Responses to score, by every task.</summary>
internal sealed class ResponseReader : FuzzReader
{
    private static readonly EvaluationTask[] s_tasks = [.. TaskRegistry.Tasks.Where(t => t.CodeHash is null)];

    public override string Name => "responses";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new(
            "responses.jsonl",
            FuzzFormat.JsonLines,
            [.. s_tasks.Select(t => Encoding.UTF8.GetBytes("{\"task\":\"" + t.Name + "\",\"gold\":" + GoldOf(t) + ",\"response\":\"The answer is: <answer>\\n1. The answer for abc is 123.\\n2. x y z\\n</answer>\"}\n"))]),
    ];

    public override int Read(string input, string output)
    {
        string text = File.ReadAllText(Path.Combine(input, "responses.jsonl"));
        EvaluationTask task = s_tasks.FirstOrDefault(t => text.Contains($"\"task\":\"{t.Name}\"", StringComparison.Ordinal)) ?? s_tasks[0];
        var sink = new FuzzSink();
        new ScoreTaskOperation { Task = task.Name, Input = new StringReader(text), ReferenceScoring = text.Length % 2 == 0 }.Execute(sink, CancellationToken.None);
        return HashCode.Combine(task.Name.Length, task.Name[0], sink.Objects.OfType<ScoredResponse>().Select(s => s.FormatFailure?.Length ?? (s.Score > 0 ? -2 : -1)).FirstOrDefault());
    }

    private static string GoldOf(EvaluationTask task) => task.Name switch
    {
        "Niah" => """{"answers":[["abc","123"],["x","y"]]}""",
        "CommonWords" => """{"common_words":["abc","x"]}""",
        "Squad" => """{"gold_answer":["123","x y"]}""",
        "Quality" or "Toefl" => """{"gold_answer":"AB","is_mcq":true}""",
        "StoryRetrieval" => """{"gold_answer":"1. abc\n2. x y z"}""",
        "StoryFiltering" => """{"gold_answer":"1, 2, 3"}""",
        _ => """{"gold_answer":"abc","answer":"x"}""",
    };
}

/// <summary>Specifications of runs, as submissions write them.</summary>
internal sealed class RunsFileReader : FuzzReader
{
    public override string Name => "runs-file";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new("runs.jsonl", FuzzFormat.JsonLines, Seeds.Lines<RunSpecification>([new() { Model = "frontier-3m", Method = "BlockSparse", Sparsity = 0.5, Task = "Niah", SequenceLength = 1024, Parameters = "BlockSize=64" }, new() { Model = "x", DecodeMethod = "Quest", DecodeSparsity = 0.9, Task = "Squad", TaskDataPath = "/data/squad.json", DenseLayers = "0,1" }])),
    ];

    public override int Read(string input, string output)
    {
        var sink = new FuzzSink();
        new ReadRunsOperation { Path = Path.Combine(input, "runs.jsonl") }.Execute(sink, CancellationToken.None);
        foreach (RunSpecification run in sink.Objects.Cast<RunSpecification>())
        {
            _ = run.ToString();
            ParameterText.Parse(run.Parameters);
            ParameterText.Parse(run.TaskParameters);
        }

        return sink.Outcome;
    }
}

/// <summary>What `kernels measure --json` writes, by both that read it.</summary>
internal sealed class KernelRowsReader : FuzzReader
{
    public override string Name => "kernel-rows";

    public override IReadOnlyList<FuzzFile> Files { get; } =
    [
        new("kernels.jsonl", FuzzFormat.JsonLines, Seeds.Lines<KernelMeasurement>([new() { Phase = "Prefill", Method = "BlockSparse", DataType = "F32", Device = "cpu", SequenceLength = 4096, QueryHeads = 8, KvHeads = 2, HeadDimension = 64, Sparsity = 0.5, TotalMilliseconds = 3, SpeedUp = 1.5, IdealSpeedUp = 2 }])),
    ];

    public override int Read(string input, string output)
    {
        string path = Path.Combine(input, "kernels.jsonl");
        int count = RecommendOperation.ReadKernels(path).Count(k => k.ToString().Length > 0);
        return Magnitude(count);
    }
}
