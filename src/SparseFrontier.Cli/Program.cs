using System.CommandLine;
using System.CommandLine.Invocation;
using SparseFrontier;
using SparseFrontier.Cli;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments;

if (args is [SampleWorker.Argument, string pipe])
{
    return SampleWorker.Serve(pipe);
}

ParseResult parsed = Root.Create().Parse(args);
if (parsed.Action is ParseErrorAction)
{
    var sink = new ConsoleSink(Console.Out, Console.Error, parsed.GetValue(CommonOptions.Json));
    foreach (System.CommandLine.Parsing.ParseError error in parsed.Errors)
    {
        sink.Error(new SparseFrontierException(ErrorIds.ParameterInvalid, $"{error.Message} See --help."));
    }

    return ExitCodes.Failed;
}

return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
