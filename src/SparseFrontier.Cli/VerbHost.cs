using System.CommandLine;
using SparseFrontier.Cli.Output;

namespace SparseFrontier.Cli;

/// <summary>Runs the body of a verb: errors to standard error, Ctrl-C to cancellation, both to an exit code.</summary>
internal static class VerbHost
{
    /// <summary>Gives a command its body.</summary>
    public static Command Does(this Command command, Action<ParseResult, ConsoleSink, CancellationToken> body)
    {
        command.SetAction(parsed => Execute(parsed, body));
        return command;
    }

    private static int Execute(ParseResult parsed, Action<ParseResult, ConsoleSink, CancellationToken> body)
    {
        using var interrupt = new Interrupt();
        TextWriter output = StandardStreams.OpenOutput();
        var sink = new ConsoleSink(output, Console.Error, parsed.GetValue(CommonOptions.Json)) { ShowVerbose = parsed.GetValue(CommonOptions.Verbose) };
        try
        {
            body(parsed, sink, interrupt.Token);
            output.Flush();
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            sink.ClearProgress();
            Console.Error.WriteLine("Stopped. What is finished is kept; the same command goes on from there.");
            return interrupt.ExitCode;
        }
        catch (SparseFrontierException e)
        {
            sink.Error(e);
        }
        catch (OutOfMemoryException e)
        {
            sink.Error(SparseFrontierException.OfMemory(e));
        }
        catch (IOException e)
        {
            // Every other file access names its path.
            sink.Error(new SparseFrontierException(
                ErrorIds.ResultWriteFailed, $"Standard output cannot be written: {e.Message.TrimEnd('.')}. Runs that had finished are kept in the results folder.", "standard output", e));
        }
        finally
        {
            sink.ClearProgress();
        }

        return sink.HasErrors ? ExitCodes.Failed : ExitCodes.Success;
    }
}
