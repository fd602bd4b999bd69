using System.CommandLine;
using System.Globalization;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier submit</c>: a grid as a job array of Slurm.</summary>
internal static class SubmitVerb
{
    public static Command Create()
    {
        var sweep = new SweepOptions();
        Option<string> results = Options.Text("--results", "Folder of results that the nodes share; without it SPARSEFRONTIER_RESULTS, else the folder results here.", "DIR");
        Option<string> worker = Options.Text("--worker", "This program, or its published folder, where the nodes find it; without it SPARSEFRONTIER_WORKER, else this very program.", "PATH");
        Option<string> name = Options.Text("--name", "Name of the job.", "NAME", "sparsefrontier");
        Option<string> partition = Options.Text("--partition", "Partitions, with commas between; without it Slurm's default.", "P");
        Option<string> account = Options.Text("--account", "Account; without it Slurm's default.", "A");
        var cpus = new Option<int>("--cpus") { Description = "Processors of an element; without it Slurm's default.", HelpName = "n" };
        var gpus = new Option<int>("--gpus") { Description = "GPUs of an element.", HelpName = "n" };
        var time = new Option<string?>("--time-limit") { Description = "Time of an element as hours:minutes:seconds, after which it is requeued and goes on.", HelpName = "h:m:s" };
        var concurrency = new Option<int>("--maximum-concurrency") { Description = "Elements that run at the same time at most; without it as many as Slurm starts.", HelpName = "n" };
        var runs = new Option<int>("--runs-per-task") { Description = "Runs of an element at least; all runs of one model, task, length and seed stay together in any case.", HelpName = "n", DefaultValueFactory = _ => 1 };
        Option<string[]> scheduler = new("--scheduler-option") { Description = "Further options of sbatch, such as --scheduler-option=--qos=long; repeat it for several.", HelpName = "OPTION", DefaultValueFactory = _ => [] };
        var whatIf = new Option<bool>("--what-if") { Description = "Only say what would be submitted, with the script." };
        var command = new Command("submit", "Submits a grid to Slurm: a job array that runs it, and a job that merges what the array did.");
        sweep.AddWithInputTo(command);
        foreach (Option option in (Option[])[results, worker, name, partition, account, cpus, gpus, time, concurrency, runs, scheduler, whatIf])
        {
            command.Options.Add(option);
        }

        return command.Does((parsed, sink, token) =>
        {
            sink.WhatIf = parsed.GetValue(whatIf);
            new SubmitRunOperation
            {
                Specifications = sweep.Runs(parsed, sink, token),
                ResultPath = parsed.GetValue(results)!,
                WorkerPath = parsed.GetValue(worker)!,
                Name = parsed.GetValue(name)!,
                Partition = parsed.GetValue(partition)!,
                Account = parsed.GetValue(account)!,
                CpuCount = parsed.GetValue(cpus),
                GpuCount = parsed.GetValue(gpus),
                TimeLimit = parsed.GetValue(time) is string text ? ReadTime(text) : null,
                MaximumConcurrency = parsed.GetValue(concurrency),
                RunsPerTask = parsed.GetValue(runs),
                SchedulerOptions = parsed.GetValue(scheduler)!,
            }.Execute(sink, token);
            sink.WriteTable<SparseAttentionJob>(Tables.Jobs);
        });
    }

    // "2:00" would be two minutes to Slurm and two hours to .NET: only the full form is taken.
    private static TimeSpan ReadTime(string text)
    {
        string[] parts = text.Split(':');
        return parts.Length == 3 && parts.All(p => int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            ? new TimeSpan(int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture), int.Parse(parts[2], CultureInfo.InvariantCulture))
            : throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"'{text}' of --time-limit is no time: give hours:minutes:seconds, such as 36:00:00.", text);
    }
}
