using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using SparseFrontier;
using SparseFrontier.Cli;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments;

if (args is [SampleWorker.Argument, string pipe])
{
    return SampleWorker.Serve(pipe);
}

if (ShellCompletion.IsAsked(args))
{
    foreach (string suggestion in ShellCompletion.Suggest(args))
    {
        Console.Out.WriteLine(suggestion);
    }

    return ExitCodes.Success;
}

ParseResult parsed = Root.Create().Parse(args);

// A verb that takes paths takes the name of an option that it does not have for one; after -- everything is meant as it is.
string[] unknown = args.Contains("--") ? []
    : [.. parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value).Where(t => t.Length > 2 && t.StartsWith("--", StringComparison.Ordinal)).Select(t => $"Unrecognized command or argument '{t}'.")];
if (parsed.Action is ParseErrorAction || unknown.Length > 0)
{
    var sink = new ConsoleSink(Console.Out, Console.Error, parsed.GetValue(CommonOptions.Json));
    foreach (string message in parsed.Errors.Select(e => e.Message).Concat(unknown).Distinct())
    {
        sink.Error(new SparseFrontierException(ErrorIds.ParameterInvalid, $"{message} See --help."));
    }

    return ExitCodes.Failed;
}

return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
