using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier task score</c>: gold and response in, score out, a line each.</summary>
internal static class TaskScoreVerb
{
    public static Command Create()
    {
        var task = new Option<string>("--task") { Description = "Task.", HelpName = "T", Required = true };
        var reference = new Option<bool>("--reference-scoring") { Description = "Score as the paper's code does, its defects included." };
        return new Command("score", "Reads JSON lines {\"gold\", \"response\"} and writes JSON lines {\"score\", \"formatFailure\"}.") { task, reference }.Does((parsed, sink, token) =>
        {
            sink.Receiver = score => sink.Output.WriteLine(Json.Line(score));
            new ScoreTaskOperation { Task = parsed.GetRequiredValue(task), Input = StandardStreams.OpenInput(), ReferenceScoring = parsed.GetValue(reference) }.Execute(sink, token);
        });
    }
}
