using SparseFrontier.Attention;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>Whether a checkpoint computes what another implementation computed.</summary>
public sealed class ModelVerificationResult
{
    /// <summary>Name of the checkpoint.</summary>
    public string Model { get; init; } = "";

    /// <summary>Directory of the checkpoint.</summary>
    public string Path { get; init; } = "";

    /// <summary>File with the other implementation's logits.</summary>
    public string GoldenPath { get; init; } = "";

    /// <summary>Prompt tokens compared, each with all its logits.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Largest |logit difference|.</summary>
    public double MaximumLogitDifference { get; init; }

    /// <summary>Largest difference allowed.</summary>
    public double Tolerance { get; init; }

    /// <summary>Greedy tokens compared.</summary>
    public int GreedyTokens { get; init; }

    /// <summary>Share of them that are equal.</summary>
    public double GreedyAgreement { get; init; }

    /// <summary>Greedy tokens that differ although the two candidates' logits differ by more than the tolerance allows.</summary>
    public int GreedyMismatches { get; init; }

    /// <summary>Type of the rotary frequencies under which the comparison was made: F32, or the type of the weights where only that meets the golden.</summary>
    public string FrequencyType { get; init; } = "";

    /// <summary>Whether the logits lie within the tolerance and no greedy token is a mismatch.</summary>
    public bool Passed { get; init; }

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant(
        $"{Model}: |logit difference| <= {MaximumLogitDifference:G3} (tolerance {Tolerance:G3}), greedy {GreedyAgreement:P1} of {GreedyTokens}, rotary frequencies in {FrequencyType}, {(Passed ? "passed" : "FAILED")}");
}

/// <summary>
/// Compares a checkpoint with golden logits: one causal forward over the prompt, then the greedy continuation through prefill and decode. Goldens
/// are computed in float32, so the cache is float32 here, whatever runs use with the checkpoint.
/// </summary>
public static class ModelVerification
{
    /// <summary>Tolerance for float32 arithmetic on the stored weights.</summary>
    public const double DefaultTolerance = 2e-3;

    /// <summary>
    /// Loads a checkpoint and compares it. A golden that was made by casting a whole PyTorch model to the type of its weights and back
    /// (<c>model.to(bfloat16).float()</c>) was computed with rotary frequencies rounded to that type, because they are a buffer of the model;
    /// <c>from_pretrained</c>, and every forward here, keeps them in float32. Where float32 frequencies miss the golden and rounded ones meet
    /// it, the result says so in <see cref="ModelVerificationResult.FrequencyType"/>.
    /// </summary>
    /// <param name="directory">Checkpoint directory.</param>
    /// <param name="goldenPath">Safetensors file: input_ids I64 [tokens], logits F32 [tokens, vocabulary], greedy I64 [continuation].</param>
    /// <param name="tolerance">Largest |logit difference| allowed.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <exception cref="SparseFrontierException">What loading throws; CheckpointInvalid: the golden file does not fit the checkpoint.</exception>
    public static ModelVerificationResult Verify(
        string directory,
        string goldenPath,
        double tolerance = DefaultTolerance,
        CancellationToken cancellationToken = default)
    {
        if (!(tolerance >= 0))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"A tolerance is a number from 0, not {tolerance}."), tolerance);
        }

        using var model = TransformerModel.Load(directory, null, roundFrequencies: false, DataType.F32);
        ModelVerificationResult result = Compare(model, goldenPath, tolerance, DataType.F32, cancellationToken);
        DataType stored = model.DataType;
        if (result.Passed || stored == DataType.F32)
        {
            return result;
        }

        using var rounded = TransformerModel.Load(directory, null, roundFrequencies: true, DataType.F32);
        ModelVerificationResult second = Compare(rounded, goldenPath, tolerance, stored, cancellationToken);

        // What rounding explains is told with it; wrong weights it does not explain.
        return second.Passed || second.MaximumLogitDifference < 0.1 * result.MaximumLogitDifference ? second : result;
    }

    private static ModelVerificationResult Compare(
        TransformerModel model,
        string goldenPath,
        double tolerance,
        DataType frequencyType,
        CancellationToken cancellationToken)
    {
        using var golden = SafetensorsFile.Open(goldenPath);
        int vocabulary = model.Configuration.VocabularySize;
        int[] tokens = Tokens(golden, "input_ids", vocabulary);
        int[] greedy = Tokens(golden, "greedy", vocabulary);
        float[] expected = golden.Tensor("logits").ToSingles();
        if (expected.Length != (long)tokens.Length * vocabulary)
        {
            throw new SparseFrontierException(
                ErrorIds.CheckpointInvalid,
                $"'{goldenPath}' holds logits {golden.Tensor("logits").ShapeText} for {tokens.Length} tokens, but '{model.Name}' has a vocabulary of {vocabulary}; it was made for another checkpoint.",
                goldenPath);
        }

        double largest = LargestDifference(expected, model.ForwardLogits(tokens, cancellationToken: cancellationToken));
        (int equal, int mismatches) = CompareGreedy(model, tokens, greedy, tolerance, cancellationToken);
        return new ModelVerificationResult
        {
            Model = model.Name,
            Path = model.Directory,
            GoldenPath = goldenPath,
            PromptTokens = tokens.Length,
            MaximumLogitDifference = largest,
            Tolerance = tolerance,
            GreedyTokens = greedy.Length,
            GreedyAgreement = greedy.Length == 0 ? 1 : (double)equal / greedy.Length,
            GreedyMismatches = mismatches,
            FrequencyType = frequencyType.ToString(),
            Passed = largest <= tolerance && mismatches == 0,
        };
    }

    private static int[] Tokens(SafetensorsFile golden, string name, int vocabulary) => [.. golden.Tensor(name).ToIntegers().Select(t => t >= 0 && t < vocabulary
        ? (int)t
        : throw golden.Invalid(name, $"holds {t}, which is no token of a vocabulary of {vocabulary}."))];

    private static double LargestDifference(float[] expected, float[] actual)
    {
        double largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)expected[i] - actual[i]);
            largest = difference <= largest ? largest : double.IsNaN(difference) ? double.PositiveInfinity : difference;
        }

        return largest;
    }

    // The golden tokens are fed whatever is chosen here, so that one near-tie does not count for all tokens after it. Both implementations
    // may be off by the tolerance, each in its own direction.
    private static (int Equal, int Mismatches) CompareGreedy(TransformerModel model, int[] tokens, int[] greedy, double tolerance, CancellationToken cancellationToken)
    {
        var dense = new DenseDecode();
        var request = new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(dense, dense.CreateParameters())], MaximumOutputTokens = greedy.Length };
        using PromptState prompt = model.Prefill(tokens, request, cancellationToken);
        using DecodeSequence sequence = prompt.StartSequence(0);
        float[] logits = prompt.LastLogits;
        int equal = 0;
        int mismatches = 0;
        foreach (int token in greedy)
        {
            int chosen = LogitMath.ArgMax(logits);
            if (chosen == token)
            {
                equal++;
            }
            else if (!(logits[chosen] - logits[token] <= 2 * tolerance))
            {
                mismatches++;
            }

            logits = new float[model.Configuration.VocabularySize];
            model.Step([new StepRow(sequence, token)], logits, cancellationToken);
        }

        return (equal, mismatches);
    }
}
