using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Import;

/// <summary>A run as the files of another program tell it. What they do not tell stays null: measured sparsities above all, and every time and cost.</summary>
internal sealed record ImportedRun
{
    /// <summary>Program, with its version where the files name it.</summary>
    public required string Program { get; init; }

    /// <summary>The file or folder that it was read from.</summary>
    public required string Source { get; init; }

    /// <summary>SHA-256 of what was read: other content, other run.</summary>
    public required string Content { get; init; }

    public required string Task { get; init; }

    /// <summary>What makes scores comparable besides the task: its parameters, the metric, the shots.</summary>
    public string TaskParameters { get; init; } = "";

    public required string Model { get; init; }

    /// <summary>Prompt tokens; 0 where the files do not say.</summary>
    public int SequenceLength { get; init; }

    public string Method { get; init; } = "Dense";

    public string DecodeMethod { get; init; } = "Dense";

    public string Parameters { get; init; } = "";

    public string DecodeParameters { get; init; } = "";

    /// <summary>What was asked for, or what the program's own formula says.</summary>
    public double? NominalSparsity { get; init; }

    public double? NominalDecodeSparsity { get; init; }

    /// <summary>Whether the nominal sparsities were asked for, and not computed from a budget.</summary>
    public bool IsAsked { get; init; }

    public string CompressBefore { get; init; } = "None";

    public bool ReferenceScoring { get; init; }

    /// <summary>0 where the files do not say.</summary>
    public int MaximumOutputTokens { get; init; }

    public long Seed { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Mean score, 0 to 1. Taken where there are no samples.</summary>
    public double? Score { get; init; }

    public double? StandardError { get; init; }

    /// <summary>Score of answers at random, where the files tell that answers are chosen among some; null: as the task says, else 0.</summary>
    public double? ChanceScore { get; init; }

    public int SampleCount { get; init; }

    public double? OutputTokenCount { get; init; }

    /// <summary>Samples by index; empty where the files hold none, or none whose scores are known.</summary>
    public IReadOnlyList<SampleResult> Samples { get; init; } = [];

    /// <summary>Sparsity of a phase as far as it is known without measuring: dense attention leaves nothing out.</summary>
    public double? PrefillSparsity => MethodRegistry.IsDense(Method) ? 0 : null;

    /// <inheritdoc cref="PrefillSparsity"/>
    public double? DecodeSparsity => MethodRegistry.IsDense(DecodeMethod) ? 0 : null;

    /// <summary>A name as this project has it where it has the method, else as it is.</summary>
    public static (string Prefill, string Decode) Methods(string method, string decodeMethod)
    {
        string prefill = method.Length == 0 ? "Dense" : MethodLookup.Prefill(method)?.Name ?? method;
        string decode = decodeMethod.Length == 0 ? "Dense" : MethodLookup.Decode(decodeMethod)?.Name ?? decodeMethod;
        return decodeMethod.Length == 0 && MethodLookup.Prefill(method) is null && MethodLookup.Decode(method) is { } alone ? ("Dense", alone.Name) : (prefill, decode);
    }
}
