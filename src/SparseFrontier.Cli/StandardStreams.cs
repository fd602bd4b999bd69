using System.Text;

namespace SparseFrontier.Cli;

/// <summary>Standard input and output in UTF-8, whatever the locale says.</summary>
internal static class StandardStreams
{
    private static readonly UTF8Encoding s_encoding = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Standard input.</summary>
    public static TextReader OpenInput() => new StreamReader(Console.OpenStandardInput(), s_encoding);

    /// <summary>All of standard input. Waiting for it ends by Ctrl-C.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static byte[] ReadInput(CancellationToken cancellationToken)
    {
        using Stream input = Console.OpenStandardInput();
        using var content = new MemoryStream();
        try
        {
            Task.Run(() => input.CopyTo(content), CancellationToken.None).Wait(cancellationToken);
        }
        catch (AggregateException e) when (e.InnerException is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"Standard input cannot be read: {e.InnerException.Message}", "-", e.InnerException);
        }

        return content.ToArray();
    }

    /// <summary>Standard output; written when flushed.</summary>
    public static TextWriter OpenOutput() => new StreamWriter(Console.OpenStandardOutput(), s_encoding) { NewLine = "\n" };
}
