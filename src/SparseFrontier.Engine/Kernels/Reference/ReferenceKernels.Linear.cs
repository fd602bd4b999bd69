using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Reference;

// Products: y[r, o] = Σ_i x[r, i] W[o, i] + b[o]. Cost: rows · outputs · inputs multiplications.
public sealed unsafe partial class ReferenceKernels
{
    /// <inheritdoc/>
    public override void MatMul(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken)
    {
        for (int r = 0; r < rows; r++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            MatVec(input + ((long)r * weight.Columns), 1, weight, bias, output + ((long)r * weight.Rows));
        }
    }

    /// <inheritdoc/>
    public override void MatVec(float* input, int rows, WeightMatrix weight, float* bias, float* output)
    {
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < weight.Rows; o++)
            {
                double sum = bias == null ? 0 : bias[o];
                for (int i = 0; i < weight.Columns; i++)
                {
                    sum += (double)input[((long)r * weight.Columns) + i] * Element(weight, ((long)o * weight.Columns) + i);
                }

                output[((long)r * weight.Rows) + o] = (float)sum;
            }
        }
    }

    /// <inheritdoc/>
    public override void MatMulTransposed(float* left, long leftStride, int rows, float* right, long rightStride, int columns, int depth, float* output)
    {
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                output[((long)r * columns) + c] = (float)Dot(left + (r * leftStride), right + (c * rightStride), depth);
            }
        }
    }

    private static double Dot(float* a, float* b, int length)
    {
        double sum = 0;
        for (int i = 0; i < length; i++)
        {
            sum += (double)a[i] * b[i];
        }

        return sum;
    }

    private static double Element(WeightMatrix weight, long index) => weight.DataType switch
    {
        DataType.F32 => ((float*)weight.Data)[index],
        DataType.F16 => (double)((Half*)weight.Data)[index],
        _ => BitConverter.UInt32BitsToSingle((uint)((ushort*)weight.Data)[index] << 16),
    };
}
