using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Compares a checkpoint with another implementation's logits and emits a <see cref="ModelVerificationResult"/>.</summary>
public sealed class VerifyModelOperation
{
    /// <summary>Checkpoint directory.</summary>
    public required string Path { get; init; }

    /// <summary>Safetensors file with input_ids, logits and greedy of the other implementation.</summary>
    public required string GoldenPath { get; init; }

    /// <summary>Largest |logit difference| allowed; null: what float32 arithmetic, or a GPU's 16 bits, explain.</summary>
    public double? Tolerance { get; init; }

    /// <summary>Device that computes.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Runs the comparison.</summary>
    /// <exception cref="SparseFrontierException">What loading throws; CheckpointInvalid: the golden file does not fit the checkpoint; DeviceNotFound.</exception>
    public ModelVerificationResult Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(sink);
        Devices.Require(Device);
        CudaDevice? device = Devices.CudaOrdinal(Device) is int ordinal ? CudaDevice.Get(ordinal) : null;
        ModelVerificationResult result = ModelVerification.Verify(Path, GoldenPath, Tolerance, device, cancellationToken);
        sink.Object(result);
        return result;
    }
}
