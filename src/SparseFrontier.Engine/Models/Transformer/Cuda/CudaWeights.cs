using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>The weights of a checkpoint in a GPU's memory: matrices as F16 where they are stored so, else as BF16; norms and biases as float32.</summary>
internal sealed class CudaWeights : ModelWeights<CudaMatrix, CudaMemory>
{
    /// <summary>Loads the weights of a directory.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid; DeviceOutOfMemory.</exception>
    public CudaWeights(string directory, ModelConfiguration configuration, CudaDevice device)
        : this(directory, configuration, new Loader(device))
    {
    }

    private CudaWeights(string directory, ModelConfiguration configuration, WeightLoader<CudaMatrix, CudaMemory> loader)
        : base(directory, configuration, loader)
    {
        ElementType = Loader.TypeOf(Embedding.Tensor);
        EmbeddingMatrix = configuration.TiedEmbeddings ? Output : loader.Matrix(Embedding.Tensor, configuration.VocabularySize, configuration.HiddenSize);
    }

    /// <summary>Weights of a checkpoint's shape, drawn on the device from a seed: the checkpoint's elements are not read. Norms and biases are 1.</summary>
    public static CudaWeights Random(string directory, ModelConfiguration configuration, CudaDevice device, ulong seed) =>
        new(directory, configuration, new RandomLoader(device, seed));

    /// <summary>BF16 or F16: type of matrices, of what lies between additions to the residual stream, and of the cache.</summary>
    public DataType ElementType { get; }

    /// <summary>[vocabulary, hidden]; the output's where tied.</summary>
    public CudaMatrix EmbeddingMatrix { get; }

    /// <inheritdoc/>
    public override void Dispose()
    {
        EmbeddingMatrix?.Dispose();
        base.Dispose();
    }

    private sealed unsafe class Loader(CudaDevice device) : WeightLoader<CudaMatrix, CudaMemory>
    {
        public static DataType TypeOf(SafetensorsTensor tensor) => tensor.DataType == DataType.F16 ? DataType.F16 : DataType.BF16;

        public override CudaMatrix Matrix(SafetensorsTensor tensor, int rows, int columns)
        {
            var matrix = new CudaMatrix(device, TypeOf(tensor), rows, columns);
            matrix.Upload(tensor.Data, tensor.DataType);
            device.Synchronize();
            return matrix;
        }

        public override CudaMemory Vector(ReadOnlySpan<float> values) => CudaMemory.From(device, values);
    }

    private sealed class RandomLoader(CudaDevice device, ulong seed) : WeightLoader<CudaMatrix, CudaMemory>
    {
        private ulong _next = seed;

        public override CudaMatrix Matrix(SafetensorsTensor tensor, int rows, int columns)
        {
            var matrix = new CudaMatrix(device, Loader.TypeOf(tensor), rows, columns);
            long count = (long)rows * columns;
            device.Function("decoder.cu", "fillRandom", ("TYPE", CudaVectors.TypeValue(matrix.Type))).Launch(
                (CudaDecoder.Blocks(count), 1, 1), 256, 0, matrix.Memory, count, _next++ << 40, 1.7f / MathF.Sqrt(columns));
            return matrix;
        }

        public override CudaMemory Vector(ReadOnlySpan<float> values)
        {
            float[] ones = new float[values.Length];
            Array.Fill(ones, 1);
            return CudaMemory.From<float>(device, ones);
        }
    }
}
