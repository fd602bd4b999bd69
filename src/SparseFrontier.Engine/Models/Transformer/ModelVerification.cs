using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Transformer.Cuda;
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

    /// <summary>Device that computed the logits.</summary>
    public string Device { get; init; } = "";

    /// <summary>Prompt tokens compared, each with all its logits.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Largest |logit difference|.</summary>
    public double MaximumLogitDifference { get; init; }

    /// <summary>Largest difference allowed.</summary>
    public double Tolerance { get; init; }

    /// <summary>Root of the summed squares of all logit differences, over that of the golden logits.</summary>
    public double RelativeError { get; init; }

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
        $"{Model}: |logit difference| <= {MaximumLogitDifference:G3} (tolerance {Tolerance:G3}), relative error {RelativeError:G3}, greedy {GreedyAgreement:P1} of {GreedyTokens}, rotary frequencies in {FrequencyType}, on {Device}, {(Passed ? "passed" : "FAILED")}");
}

/// <summary>
/// Compares a checkpoint with golden logits: one causal forward over the prompt, then the greedy continuation through prefill and decode. Goldens
/// are computed in float32, so the processor's cache is float32 here, whatever runs use with the checkpoint. A GPU rounds to 16 bits as it does in runs.
/// </summary>
public static class ModelVerification
{
    /// <summary>Tolerance for float32 arithmetic on the stored weights.</summary>
    public const double DefaultTolerance = 2e-3;

    /// <summary>
    /// Tolerance for a GPU's 16-bit arithmetic, as a share of the root mean square of the golden logits: two to three times the largest difference of the trained models and
    /// of the fixtures' goldens (docs/kernels.md). Rounding grows with depth: for a deep model give what another 16-bit implementation is off by.
    /// </summary>
    public const double DefaultDeviceTolerance = 0.25;

    /// <summary>
    /// Loads a checkpoint and compares it. A golden that was made by casting a whole PyTorch model to the type of its weights and back
    /// (<c>model.to(bfloat16).float()</c>) was computed with rotary frequencies rounded to that type, because they are a buffer of the model;
    /// <c>from_pretrained</c>, and every forward here, keeps them in float32. Where float32 frequencies miss the golden and rounded ones meet
    /// it, the result says so in <see cref="ModelVerificationResult.FrequencyType"/>.
    /// </summary>
    /// <param name="directory">Checkpoint directory.</param>
    /// <param name="goldenPath">Safetensors file: input_ids I64 [tokens], logits F32 [tokens, vocabulary], greedy I64 [continuation].</param>
    /// <param name="tolerance">Largest |logit difference| allowed; null: <see cref="DefaultTolerance"/>, and on a GPU <see cref="DefaultDeviceTolerance"/>.</param>
    /// <param name="device">The GPU to compute on; null: the processor.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <exception cref="SparseFrontierException">What loading throws; CheckpointInvalid: the golden file does not fit the checkpoint.</exception>
    public static ModelVerificationResult Verify(
        string directory,
        string goldenPath,
        double? tolerance = null,
        CudaDevice? device = null,
        CancellationToken cancellationToken = default)
    {
        if (!(tolerance is null or >= 0))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"A tolerance is a number from 0, not {tolerance}."), tolerance);
        }

        if (device is not null)
        {
            using var gpu = new OnDevice(CudaModel.Load(directory, device), cancellationToken);
            return Compare(gpu, goldenPath, tolerance, DataType.F32);
        }

        using var model = new OnProcessor(TransformerModel.Load(directory, null, roundFrequencies: false, DataType.F32), cancellationToken);
        ModelVerificationResult result = Compare(model, goldenPath, tolerance, DataType.F32);
        DataType stored = model.DataType;
        if (result.Passed || stored == DataType.F32)
        {
            return result;
        }

        using var rounded = new OnProcessor(TransformerModel.Load(directory, null, roundFrequencies: true, DataType.F32), cancellationToken);
        ModelVerificationResult second = Compare(rounded, goldenPath, tolerance, stored);

        // What rounding explains is told with it; wrong weights it does not explain.
        return second.Passed || second.MaximumLogitDifference < 0.1 * result.MaximumLogitDifference ? second : result;
    }

    private static ModelVerificationResult Compare(VerifiedModel model, string goldenPath, double? asked, DataType frequencyType)
    {
        using var golden = SafetensorsFile.Open(goldenPath);
        int vocabulary = model.VocabularySize;
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

        (double largest, double squares, double goldenSquares) = Differences(expected, model.Logits(tokens));
        double tolerance = asked ?? (model.Device == "cpu" ? DefaultTolerance : DefaultDeviceTolerance * Math.Sqrt(goldenSquares / expected.Length));
        (int equal, int mismatches) = CompareGreedy(model, tokens, greedy, tolerance);
        return new ModelVerificationResult
        {
            Model = model.Name,
            Path = model.Directory,
            GoldenPath = goldenPath,
            Device = model.Device,
            PromptTokens = tokens.Length,
            MaximumLogitDifference = largest,
            Tolerance = tolerance,
            RelativeError = Math.Sqrt(squares / goldenSquares),
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

    // The largest |difference|, and the summed squares of the differences and of what is expected.
    private static (double Largest, double Squares, double Expected) Differences(float[] expected, float[] actual)
    {
        double largest = 0;
        double squares = 0;
        double all = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)expected[i] - actual[i]);
            largest = difference <= largest ? largest : double.IsNaN(difference) ? double.PositiveInfinity : difference;
            squares += difference * difference;
            all += (double)expected[i] * expected[i];
        }

        return (largest, squares, all);
    }

    // The golden tokens are fed whatever is chosen here, so that one near-tie does not count for all tokens after it. Both implementations
    // may be off by the tolerance, each in its own direction.
    private static (int Equal, int Mismatches) CompareGreedy(VerifiedModel model, int[] tokens, int[] greedy, double tolerance)
    {
        float[] logits = model.Start(tokens, greedy.Length);
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

            logits = model.Next(token);
        }

        return (equal, mismatches);
    }

    private static PrefillRequest Request(int more)
    {
        var dense = new DenseDecode();
        return new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(dense, dense.CreateParameters())], MaximumOutputTokens = more };
    }

    /// <summary>What a comparison needs of a loaded checkpoint.</summary>
    private abstract class VerifiedModel : IDisposable
    {
        public abstract string Name { get; }

        public abstract string Directory { get; }

        public abstract string Device { get; }

        public abstract int VocabularySize { get; }

        /// <summary>[tokens, vocabulary] of one causal forward.</summary>
        public abstract float[] Logits(int[] tokens);

        /// <summary>Reads a prompt that so many tokens will follow, and gives its last logits.</summary>
        public abstract float[] Start(int[] tokens, int more);

        /// <summary>Feeds a token and gives the logits after it.</summary>
        public abstract float[] Next(int token);

        public abstract void Dispose();
    }

    private sealed class OnProcessor(TransformerModel model, CancellationToken cancellationToken) : VerifiedModel
    {
        private PromptState? _prompt;
        private DecodeSequence? _sequence;

        public override string Name => model.Name;

        public override string Directory => model.Directory;

        public override string Device => "cpu";

        public override int VocabularySize => model.Configuration.VocabularySize;

        public DataType DataType => model.DataType;

        public override float[] Logits(int[] tokens) => model.ForwardLogits(tokens, cancellationToken: cancellationToken);

        public override float[] Start(int[] tokens, int more)
        {
            _prompt = model.Prefill(tokens, Request(more), cancellationToken);
            _sequence = _prompt.StartSequence(0);
            return _prompt.LastLogits;
        }

        public override float[] Next(int token)
        {
            float[] logits = new float[VocabularySize];
            model.Step([new StepRow(_sequence!, token)], logits, cancellationToken);
            return logits;
        }

        public override void Dispose()
        {
            _sequence?.Dispose();
            _prompt?.Dispose();
            model.Dispose();
        }
    }

    private sealed class OnDevice(CudaModel model, CancellationToken cancellationToken) : VerifiedModel
    {
        private CudaPrompt? _prompt;
        private CudaSequence? _sequence;

        public override string Name => model.Name;

        public override string Directory => model.Directory;

        public override string Device => model.Device.Name;

        public override int VocabularySize => model.Configuration.VocabularySize;

        public override float[] Logits(int[] tokens) => model.ForwardLogits(tokens, cancellationToken);

        public override float[] Start(int[] tokens, int more)
        {
            _prompt = model.Prefill(tokens, Request(more), cancellationToken);
            _sequence = _prompt.StartSequence(0);
            return _prompt.LastLogits;
        }

        public override float[] Next(int token)
        {
            float[] logits = new float[VocabularySize];
            model.Step([(_sequence!, token)], logits, cancellationToken);
            return logits;
        }

        public override void Dispose()
        {
            _sequence?.Dispose();
            _prompt?.Dispose();
            model.Dispose();
        }
    }
}
