using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>The weights of a checkpoint in the memory of a GPU, or of several, each with a range of layers: matrices as F16 where they are stored so, else as BF16; norms and biases as float32.</summary>
internal sealed class CudaWeights : ModelWeights<CudaMatrix, CudaMemory>
{
    /// <summary>Loads the weights of a directory.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid; DeviceOutOfMemory.</exception>
    public CudaWeights(string directory, ModelConfiguration configuration, IReadOnlyList<CudaStage> stages)
        : this(directory, configuration, stages, new Loader(stages))
    {
    }

    private CudaWeights(string directory, ModelConfiguration configuration, IReadOnlyList<CudaStage> stages, StageLoader loader)
        : base(directory, configuration, loader)
    {
        ElementType = Loader.TypeOf(Embedding.Tensor);
        loader.BeginLayer(0);
        try
        {
            EmbeddingMatrix = configuration.TiedEmbeddings && stages.Count == 1 ? Output : loader.Matrix(Embedding.Tensor, configuration.VocabularySize, configuration.HiddenSize);
        }
        catch
        {
            base.Dispose();
            throw;
        }
    }

    /// <summary>Weights of a checkpoint's shape, drawn on the device from a seed, the same ones wherever they lie: the checkpoint's elements are not read. Norms and biases are 1.</summary>
    public static CudaWeights Random(string directory, ModelConfiguration configuration, IReadOnlyList<CudaStage> stages, ulong seed) =>
        new(directory, configuration, stages, new RandomLoader(stages, seed));

    /// <summary>BF16 or F16: type of matrices, of what lies between additions to the residual stream, and of the cache.</summary>
    public DataType ElementType { get; }

    /// <summary>[vocabulary, hidden], on the first GPU; the output's where tied and on the same one.</summary>
    public CudaMatrix EmbeddingMatrix { get; }

    /// <inheritdoc/>
    public override void Dispose()
    {
        EmbeddingMatrix?.Dispose();
        base.Dispose();
    }

    // Where the layer that is being read lies.
    private abstract class StageLoader(IReadOnlyList<CudaStage> stages) : WeightLoader<CudaMatrix, CudaMemory>
    {
        protected CudaDevice Device { get; private set; } = stages[0].Device;

        public override void BeginLayer(int layer) => Device = stages.First(s => layer < s.End).Device;
    }

    private sealed unsafe class Loader(IReadOnlyList<CudaStage> stages) : StageLoader(stages)
    {
        public static DataType TypeOf(SafetensorsTensor tensor) => tensor.DataType == DataType.F16 ? DataType.F16 : DataType.BF16;

        public override CudaMatrix Matrix(SafetensorsTensor tensor, int rows, int columns)
        {
            var matrix = new CudaMatrix(Device, TypeOf(tensor), rows, columns);
            matrix.Upload(tensor.Data, tensor.DataType);
            Device.Synchronize();
            return matrix;
        }

        public override CudaMemory Vector(ReadOnlySpan<float> values) => CudaMemory.From(Device, values);
    }

    private sealed class RandomLoader(IReadOnlyList<CudaStage> stages, ulong seed) : StageLoader(stages)
    {
        private readonly Dictionary<string, ulong> _numbers = [];

        public override CudaMatrix Matrix(SafetensorsTensor tensor, int rows, int columns)
        {
            if (!_numbers.TryGetValue(tensor.Name, out ulong number))
            {
                _numbers[tensor.Name] = number = seed + (ulong)_numbers.Count;
            }

            var matrix = new CudaMatrix(Device, Loader.TypeOf(tensor), rows, columns);
            long count = (long)rows * columns;
            Device.Function("decoder.cu", "fillRandom", ("TYPE", CudaVectors.TypeValue(matrix.Type))).Launch(
                (CudaDecoder.Blocks(count), 1, 1), 256, 0, matrix.Memory, count, number << 40, 1.7f / MathF.Sqrt(columns));
            return matrix;
        }

        public override CudaMemory Vector(ReadOnlySpan<float> values)
        {
            float[] ones = new float[values.Length];
            Array.Fill(ones, 1);
            return CudaMemory.From<float>(Device, ones);
        }
    }
}
