using System.Text;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Writes samples of a task as JSON lines: index, templated prompt, prompt tokens, gold fields and a response that scores 1.</summary>
public sealed class GenerateTaskOperation
{
    /// <summary>The samples.</summary>
    public required SampleRequest Request { get; init; }

    /// <summary>Path of tokenizer.json or of the checkpoint directory that holds it, whose chat template is then used too.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>File to write; null: <see cref="Writer"/>.</summary>
    public string? Output { get; init; }

    /// <summary>Where lines go without <see cref="Output"/>.</summary>
    public TextWriter Writer { get; init; } = TextWriter.Null;

    /// <summary>Whether an existing file is overwritten.</summary>
    public bool Force { get; init; }

    /// <summary>Generates and writes.</summary>
    /// <exception cref="SparseFrontierException">What opening the tokenizer or the task throws; ParameterInvalid, OutputFileExists, ResultWriteFailed.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        PromptEncoder encoder = SampleRequest.OpenEncoder(Tokenizer);
        (TaskSource source, int count) = Request.Open(encoder, sink);
        if (Output is null)
        {
            TaskStream.WriteSamples(Writer, source, encoder, count, Request.Start, cancellationToken);
        }
        else if (sink.ShouldProcess(Output, $"Write {Counted.Of(count, "sample")} of {Request.Task}"))
        {
            WriteFile(Output, writer => TaskStream.WriteSamples(writer, source, encoder, count, Request.Start, cancellationToken));
        }
    }

    // A new file appears when it is whole; what exists (a device too) is written in place.
    private void WriteFile(string path, Action<TextWriter> write)
    {
        bool exists = File.Exists(path);
        if (exists && !Force)
        {
            throw new SparseFrontierException(ErrorIds.OutputFileExists, $"'{path}' exists already. Overwrite it with --force.", path);
        }

        string target = exists ? path : path + ".tmp";
        try
        {
            using (var writer = new StreamWriter(target, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)))
            {
                write(writer);
            }

            if (!exists)
            {
                File.Move(target, path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.ResultWriteFailed, $"'{path}' cannot be written: {e.Message.TrimEnd('.')}. Free space or name another file.", path, e);
        }
        finally
        {
            // Nothing is left after a move; after a failure or a stop half a file is.
            if (!exists && File.Exists(target))
            {
                File.Delete(target);
            }
        }
    }
}
