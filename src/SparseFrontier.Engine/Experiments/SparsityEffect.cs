namespace SparseFrontier;

/// <summary>What the error of a method is looked at against.</summary>
public enum EffectAxis
{
    /// <summary>Prompt tokens, for one model.</summary>
    Length,

    /// <summary>Parameters of the model, at one length.</summary>
    Size,
}

/// <summary>The error of a method at one length or model size and one sparsity. Flat, so that it survives JSON, CSV and remoting.</summary>
public sealed record SparsityEffect
{
    /// <summary>What the error is looked at against.</summary>
    public EffectAxis By { get; init; }

    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Parameters of the model; null where its sizes are not known.</summary>
    public double? ParameterCount { get; init; }

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>How the samples were asked where that is not as usual, as "Column=value; ...".</summary>
    public string Protocol { get; init; } = "";

    /// <summary>Prefill method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Decode method.</summary>
    public string DecodeMethod { get; init; } = "";

    /// <summary>Parameters other than the budget.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>Tasks that the scores are means of: those run at every length or size.</summary>
    public int TaskCount { get; init; }

    /// <summary>Sparsity.</summary>
    public double Sparsity { get; init; }

    /// <summary>Tokens that it keeps of the prompt: (1 - sparsity) times the length.</summary>
    public double Budget { get; init; }

    /// <summary>Whether a score lies between measured sparsities and is interpolated.</summary>
    public bool IsInterpolated { get; init; }

    /// <summary>Mean score of dense attention.</summary>
    public double DenseScore { get; init; }

    /// <summary>Mean score of the method.</summary>
    public double Score { get; init; }

    /// <summary>Dense score minus score.</summary>
    public double AbsoluteError { get; init; }

    /// <summary>The same over the dense score; null where that is 0.</summary>
    public double? RelativeError { get; init; }

    /// <summary>Lower end of the relative error's 95 % interval, from resampling samples; null where they are not here.</summary>
    public double? RelativeErrorLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? RelativeErrorHigh { get; init; }

    /// <summary>The relative error that the needed budget is for.</summary>
    public double TargetError { get; init; }

    /// <summary>Share of the prompt that must be kept at this length or size for the target error, interpolated; null where no tested sparsity exceeds it.</summary>
    public double? NeededDensity { get; init; }

    /// <summary>The same in tokens.</summary>
    public double? NeededTokens { get; init; }

    /// <summary>Exponent of the needed tokens as a power of the length, over all lengths: 0 a fixed budget, 1 a fixed share. Null below two lengths.</summary>
    public double? Exponent { get; init; }

    /// <summary>Lower end of the exponent's 95 % interval by regression; null below three lengths.</summary>
    public double? ExponentLow { get; init; }

    /// <summary>Upper end.</summary>
    public double? ExponentHigh { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Method}+{DecodeMethod} {Model}@{SequenceLength} sparsity {Sparsity:F2}: relative error {RelativeError:F3}");
}
