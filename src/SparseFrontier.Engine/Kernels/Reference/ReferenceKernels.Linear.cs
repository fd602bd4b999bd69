namespace SparseFrontier.Kernels.Reference;

// Products: y[r, o] = b[o] + Σ_i x[r, i] W[o, i]. Cost: rows · outputs · inputs multiplications.
public abstract unsafe partial class ReferenceKernels<TNumber>
{
    /// <inheritdoc/>
    public override void MatMul(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken)
    {
        for (int r = 0; r < rows; r++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (int o = 0; o < weight.Rows; o++)
            {
                output[((long)r * weight.Rows) + o] = Narrow(Sum(bias == null ? 0 : bias[o], input + ((long)r * weight.Columns), weight, o));
            }
        }
    }

    /// <inheritdoc/>
    public override void MatMulAdd(float* input, int rows, WeightMatrix weight, float* output, CancellationToken cancellationToken)
    {
        for (int r = 0; r < rows; r++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (int o = 0; o < weight.Rows; o++)
            {
                float* element = output + ((long)r * weight.Rows) + o;
                *element = Narrow(Sum(*element, input + ((long)r * weight.Columns), weight, o));
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
                output[((long)r * columns) + c] = Narrow(Dot(left + (r * leftStride), right + (c * rightStride), depth));
            }
        }
    }

    private static TNumber Dot(float* a, float* b, int length)
    {
        TNumber sum = TNumber.Zero;
        for (int i = 0; i < length; i++)
        {
            sum += Number(a[i]) * Number(b[i]);
        }

        return sum;
    }

    private static TNumber Sum(float start, float* row, WeightMatrix weight, int output)
    {
        TNumber sum = Number(start);
        for (int i = 0; i < weight.Columns; i++)
        {
            sum += Number(row[i]) * Number(weight[output, i]);
        }

        return sum;
    }
}
