using System.Runtime.CompilerServices;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>Embeddings [vocabulary, hidden], read row by row where the checkpoint is mapped, so that only the rows of tokens in use take memory.</summary>
internal sealed unsafe class EmbeddingTable(SafetensorsTensor tensor)
{
    private readonly int _width = (int)tensor.Shape[1];

    /// <summary>Where the embeddings are mapped.</summary>
    public SafetensorsTensor Tensor => tensor;

    /// <summary>F32, F16 or BF16.</summary>
    public DataType DataType => tensor.DataType;

    /// <summary>Writes one row, multiplied by a factor.</summary>
    /// <param name="token">The row.</param>
    /// <param name="scale">The factor.</param>
    /// <param name="target">[hidden].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Read(int token, float scale, float* target)
    {
        DataType type = DataType;
        byte* row = tensor.Data + ((long)token * _width * type.SizeInBytes());
        for (int i = 0; i < _width; i++)
        {
            target[i] = scale * type switch
            {
                DataType.F32 => ((float*)row)[i],
                DataType.F16 => (float)((Half*)row)[i],
                _ => BFloat16.Widen(((ushort*)row)[i]),
            };
        }
    }
}
