namespace SparseFrontier.Kernels.Reference;

// Operations of one pass over their operands. Cost: a few operations an element.
public unsafe partial class ReferenceKernels
{
    /// <inheritdoc/>
    public override void RmsNorm(float* input, int rows, int width, float* weight, float epsilon, float* output)
    {
        for (int r = 0; r < rows; r++)
        {
            float* x = input + ((long)r * width);
            float* y = output + ((long)r * width);
            double scale = 1 / Math.Sqrt((Dot(x, x, width) / width) + epsilon);
            for (int i = 0; i < width; i++)
            {
                y[i] = (float)(x[i] * scale * weight[i]);
            }
        }
    }

    /// <inheritdoc/>
    public override void Rotate(float* vectors, int rows, int heads, int dimension, float* cosines, float* sines)
    {
        int half = dimension / 2;
        for (int r = 0; r < rows; r++)
        {
            for (int h = 0; h < heads; h++)
            {
                float* x = vectors + ((((long)r * heads) + h) * dimension);
                for (int i = 0; i < half; i++)
                {
                    double cosine = cosines[((long)r * half) + i];
                    double sine = sines[((long)r * half) + i];
                    double first = x[i];
                    double second = x[i + half];
                    x[i] = (float)((first * cosine) - (second * sine));
                    x[i + half] = (float)((second * cosine) + (first * sine));
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void Gate(float* gate, float* up, long count, GateActivation activation)
    {
        for (long i = 0; i < count; i++)
        {
            double x = gate[i];
            double activated = activation switch
            {
                GateActivation.Silu => x / (1 + Math.Exp(-x)),
                GateActivation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
                _ => throw new ArgumentOutOfRangeException(nameof(activation)),
            };
            gate[i] = (float)(activated * up[i]);
        }
    }

    /// <inheritdoc/>
    public override void Add(float* target, float* source, long count)
    {
        for (long i = 0; i < count; i++)
        {
            target[i] += source[i];
        }
    }
}
