using System.CommandLine;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tasks;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier task generate</c>: samples as JSON lines, or batches of token ids for a trainer.</summary>
internal static class TaskGenerateVerb
{
    public static Command Create()
    {
        var task = new Option<string?>("--task") { Description = "Task.", HelpName = "T" };
        var length = new Option<int?>("--length") { Description = "Tokens of the templated prompt at most.", HelpName = "N" };
        var samples = new Option<int>("--samples") { Description = "Samples.", HelpName = "n", DefaultValueFactory = _ => 1 };
        var start = new Option<int>("--start") { Description = "Index of the first sample.", HelpName = "n" };
        var seed = new Option<long>("--seed") { Description = "Seed.", HelpName = "n", DefaultValueFactory = _ => 43 };
        Option<string> split = Options.Text("--split", "evaluation, calibration or training.", "S", "evaluation");
        Option<string> position = Options.Text("--question-position", "Where the question stands: Both, First or Last.", "P", "Both");
        var shortInstructions = new Option<bool>("--short-instructions") { Description = "Use the short form of the instructions." };
        Option<string[]> parameter = Options.Assignments("--task-parameter", "Parameters of the task.");
        var data = new Option<string?>("--task-data") { Description = "Data file or folder of the tasks that read one.", HelpName = "PATH" };
        var tokenizer = new Option<string>("--tokenizer") { Description = "Checkpoint directory, for tokenizer and chat template, or a tokenizer.json.", HelpName = "DIR", Required = true };
        var output = new Option<string?>("--output") { Description = "File to write; without it standard output.", HelpName = "data.jsonl" };
        var force = new Option<bool>("--force") { Description = "Overwrite the file." };
        var serve = new Option<bool>("--serve") { Description = "Answer requests for batches: one JSON object a line on standard input, binary batches on standard output (docs/tasks.md)." };
        var command = new Command("generate", "Writes samples of a task as JSON lines.")
        {
            task, length, samples, start, seed, split, position, shortInstructions, parameter, data, tokenizer, output, force, serve,
        };
        command.Validators.Add(result =>
        {
            // Whether they are there, not what they are: a value that is none has its own error.
            if (!result.GetValue(serve) && (result.GetResult(task) is null || result.GetResult(length) is null))
            {
                result.AddError("--task and --length are needed, or --serve.");
            }
        });
        return command.Does((parsed, sink, token) =>
        {
            if (parsed.GetValue(serve))
            {
                using Stream batches = Console.OpenStandardOutput();
                TaskStream.Serve(StandardStreams.OpenInput(), batches, SampleRequest.OpenEncoder(parsed.GetRequiredValue(tokenizer)), token);
                return;
            }

            new GenerateTaskOperation
            {
                Request = new SampleRequest
                {
                    Task = parsed.GetValue(task)!,
                    SequenceLength = parsed.GetValue(length)!.Value,
                    SampleCount = parsed.GetValue(samples),
                    Start = parsed.GetValue(start),
                    Seed = parsed.GetValue(seed),
                    Split = parsed.GetValue(split)!,
                    QuestionPosition = parsed.GetValue(position)!,
                    ShortInstructions = parsed.GetValue(shortInstructions),
                    TaskParameter = string.Join(';', parsed.GetValue(parameter)!),
                    TaskDataPath = parsed.GetValue(data),
                },
                Tokenizer = parsed.GetRequiredValue(tokenizer),
                Output = parsed.GetValue(output),
                Writer = sink.Output,
                Force = parsed.GetValue(force),
            }.Execute(sink, token);
        });
    }
}
