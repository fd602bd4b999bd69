using System.CommandLine;
using SparseFrontier.Cli.Output;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier tokenize</c>: JSON strings in, arrays of ids out, a line each.</summary>
internal static class TokenizeVerb
{
    public static Command Create()
    {
        var tokenizer = new Option<string>("--tokenizer") { Description = "tokenizer.json, or the directory that holds it.", HelpName = "PATH", Required = true };
        var special = new Option<bool>("--special") { Description = "Add the special tokens that the tokenizer adds." };
        return new Command("tokenize", "Reads one JSON string a line and writes one JSON array of token ids a line.") { tokenizer, special }.Does((parsed, sink, token) =>
        {
            sink.Receiver = ids => sink.Output.WriteLine(Json.Line(ids));
            new TokenizeOperation
            {
                Tokenizer = parsed.GetRequiredValue(tokenizer),
                Input = StandardStreams.OpenInput(),
                AddSpecialTokens = parsed.GetValue(special),
            }.Execute(sink, token);
        });
    }
}
