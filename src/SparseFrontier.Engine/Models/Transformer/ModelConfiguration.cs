using SparseFrontier.Kernels;

namespace SparseFrontier.Models.Transformer;

/// <summary>A checkpoint's config.json, older and newer forms, read into one shape.</summary>
public sealed record ModelConfiguration
{
    /// <summary>"llama", "qwen2", "qwen3", "mistral" or "gemma3_text".</summary>
    public required string Family { get; init; }

    /// <summary>Number of layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward layer.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Query heads of a layer.</summary>
    public required int QueryHeads { get; init; }

    /// <summary>KV heads of a layer.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Elements of one query, key or value.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Tokens that the configuration allows, with the rotary scaling that it names.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Tokens that the model was trained on before any YaRN scaling: 32,768 for Qwen checkpoints, as their authors say.</summary>
    public required int NativeContextLength { get; init; }

    /// <summary>Token ids that end a generation: those of generation_config.json, else those of config.json.</summary>
    public required IReadOnlyList<int> StopTokens { get; init; }

    /// <summary>By layer: 0 for global attention, else the sliding window in tokens.</summary>
    public required IReadOnlyList<int> SlidingWindows { get; init; }

    /// <summary>Rotary embedding of global layers.</summary>
    public required RotaryConfiguration Rotary { get; init; }

    /// <summary>Rotary embedding of sliding-window layers.</summary>
    public required RotaryConfiguration SlidingRotary { get; init; }

    /// <summary>Added to the mean square in norms.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Factor on query · key.</summary>
    public required float AttentionScale { get; init; }

    /// <summary>Activation of the gate.</summary>
    public required GateActivation Activation { get; init; }

    /// <summary>Whether the embedding is also the output projection.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Whether queries and keys are normalised by head before rotation.</summary>
    public bool QueryKeyNorms { get; init; }

    /// <summary>Whether query, key and value projections have a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the attention's output projection has a bias.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Whether the feed-forward projections have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Gemma: norms before and after attention and feed-forward, of weight 1 + w, and an embedding scaled by √hidden.</summary>
    public bool IsGemma { get; init; }

    /// <summary>Whether lengths beyond the native one are to be reached by a YaRN factor of the request, as for Qwen checkpoints trained on 32,768 tokens.</summary>
    public bool ExtendsByYarn { get; init; }

    /// <summary>Whether a layer attends to the whole sequence.</summary>
    public bool IsGlobal(int layer) => SlidingWindows[layer] == 0;

    /// <summary>Number of layers that attend to the whole sequence.</summary>
    public int GlobalLayerCount => SlidingWindows.Count(w => w == 0);

    /// <summary>Reads config.json and, where it is there, generation_config.json.</summary>
    /// <param name="directory">Checkpoint directory.</param>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable, CheckpointInvalid or ArchitectureUnsupported; the message names file and field.</exception>
    public static ModelConfiguration Load(string directory) => ModelConfigurationReader.Read(directory);

    /// <summary>
    /// The YaRN factor that the paper runs Qwen checkpoints with beyond 32,768 tokens, (input + output) / 32,768, and that their config.json
    /// does not say; null where none is due.
    /// </summary>
    /// <param name="tokens">Prompt and output tokens together.</param>
    public double? YarnFactorFor(int tokens) => ExtendsByYarn && tokens > NativeContextLength ? (double)tokens / NativeContextLength : null;

    /// <summary>Tokens that a sequence may have under a YaRN factor.</summary>
    /// <param name="yarnFactor">The factor of a request; null: as configured.</param>
    /// <exception cref="SparseFrontierException">As <see cref="RotaryFor"/>.</exception>
    public int MaximumLength(double? yarnFactor) => RotaryFor(yarnFactor) is { Scaling: RotaryScaling.Yarn } yarn && yarnFactor is not null
        ? (int)Math.Min(int.MaxValue, Math.Max(ContextLength, Math.Floor((yarn.Factor * NativeContextLength) + 1e-6)))
        : ContextLength;

    /// <summary>The rotary embedding of global layers under a YaRN factor.</summary>
    /// <param name="yarnFactor">The factor of a request, at least 1; null: as configured.</param>
    /// <exception cref="SparseFrontierException">ParameterInvalid: the factor is below 1 or the checkpoint is scaled in another way.</exception>
    public RotaryConfiguration RotaryFor(double? yarnFactor)
    {
        if (yarnFactor is not { } factor)
        {
            return Rotary;
        }

        if (!double.IsFinite(factor) || factor < 1)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"A YaRN factor is a number from 1, not {factor}."), factor);
        }

        return Rotary.Scaling is RotaryScaling.Default or RotaryScaling.Yarn
            ? new RotaryConfiguration { Scaling = RotaryScaling.Yarn, Base = Rotary.Base, Factor = factor, OriginalLength = NativeContextLength }
            : throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                $"A YaRN factor cannot replace the checkpoint's own rotary scaling '{Rotary.Scaling}'; leave the factor out.",
                factor);
    }
}
