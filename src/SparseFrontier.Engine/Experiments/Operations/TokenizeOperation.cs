using System.Text.Json;
using SparseFrontier.Models.Tokenizers;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Turns texts into token ids: one JSON string a line in, one <c>int[]</c> each out.</summary>
public sealed class TokenizeOperation
{
    /// <summary>Path of tokenizer.json or of the directory that holds it.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>Lines to read; empty ones are passed over.</summary>
    public required TextReader Input { get; init; }

    /// <summary>Whether the tokenizer adds its special tokens.</summary>
    public bool AddSpecialTokens { get; init; }

    /// <summary>Emits the ids of every line.</summary>
    /// <exception cref="SparseFrontierException">TokenizerMissing, TokenizerInvalid, TokenizerUnsupported; ParameterInvalid: a line is not a JSON string.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        Tokenizer tokenizer = Models.Tokenizers.Tokenizer.Load(Tokenizer);
        for (int number = 1; Input.ReadLine() is { } line; number++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (line.Length > 0)
            {
                sink.Object(tokenizer.Encode(Parse(line, number), AddSpecialTokens));
            }
        }
    }

    private static string Parse(string line, int number)
    {
        try
        {
            return JsonSerializer.Deserialize<string>(line) ?? throw new JsonException("null is no text");
        }
        catch (JsonException e)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"Line {number} is not a JSON string such as \"text\": {e.Message}", line, e);
        }
    }
}
