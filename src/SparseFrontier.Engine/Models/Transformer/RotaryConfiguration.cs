namespace SparseFrontier.Models.Transformer;

/// <summary>How rotary position embeddings are scaled beyond the length a model was trained on.</summary>
public enum RotaryScaling
{
    /// <summary>Not at all.</summary>
    Default,

    /// <summary>All frequencies divided by the factor.</summary>
    Linear,

    /// <summary>Llama 3.1: low frequencies divided by the factor, a smooth passage to the high ones.</summary>
    Llama3,

    /// <summary>YaRN (Peng et al. 2023): a linear ramp between the two by rotations within the original length, and scaled attention.</summary>
    Yarn,
}

/// <summary>Constants of rotary position embeddings as a config.json gives them.</summary>
public sealed record RotaryConfiguration
{
    /// <summary>How frequencies are scaled.</summary>
    public RotaryScaling Scaling { get; init; }

    /// <summary>Base of the geometric series of frequencies (rope_theta).</summary>
    public required double Base { get; init; }

    /// <summary>Factor of the scaling.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Tokens that the model was trained on before scaling (Llama 3 and YaRN).</summary>
    public int OriginalLength { get; init; }

    /// <summary>Llama 3: wavelengths beyond the original length over this are divided by the factor.</summary>
    public double LowFrequencyFactor { get; init; } = 1;

    /// <summary>Llama 3: wavelengths below the original length over this stay.</summary>
    public double HighFrequencyFactor { get; init; } = 4;

    /// <summary>YaRN: rotations within the original length from which a frequency stays.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>YaRN: rotations within the original length up to which a frequency is divided by the factor.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>YaRN: whether the ramp's ends are rounded outwards to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>YaRN: factor on cosines and sines; null: 1 + 0.1 ln(factor).</summary>
    public double? AttentionFactor { get; init; }
}
