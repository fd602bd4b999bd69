using System.Text;

namespace SparseFrontier.Cli;

/// <summary>Standard input and output in UTF-8, whatever the locale says.</summary>
internal static class StandardStreams
{
    private static readonly UTF8Encoding s_encoding = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Standard input.</summary>
    public static TextReader OpenInput() => new StreamReader(Console.OpenStandardInput(), s_encoding);

    /// <summary>Standard output; written when flushed.</summary>
    public static TextWriter OpenOutput() => new StreamWriter(Console.OpenStandardOutput(), s_encoding) { NewLine = "\n" };
}
