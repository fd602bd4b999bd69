namespace SparseFrontier.Kernels.Reference;

// Operations of one pass over their operands. Cost: a few operations an element.
public abstract unsafe partial class ReferenceKernels<TNumber>
{
    /// <inheritdoc/>
    public override void RmsNorm(float* input, int rows, int width, float* weight, float epsilon, float* output)
    {
        for (int r = 0; r < rows; r++)
        {
            float* x = input + ((long)r * width);
            float* y = output + ((long)r * width);
            TNumber scale = TNumber.One / TNumber.Sqrt((Dot(x, x, width) / Number(width)) + Number(epsilon));
            for (int i = 0; i < width; i++)
            {
                y[i] = Narrow(Number(x[i]) * scale * Number(weight[i]));
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
                    TNumber cosine = Number(cosines[((long)r * half) + i]);
                    TNumber sine = Number(sines[((long)r * half) + i]);
                    TNumber first = Number(x[i]);
                    TNumber second = Number(x[i + half]);
                    x[i] = Narrow((first * cosine) - (second * sine));
                    x[i + half] = Narrow((second * cosine) + (first * sine));
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void Gate(float* gate, float* up, long count, GateActivation activation)
    {
        for (long i = 0; i < count; i++)
        {
            TNumber x = Number(gate[i]);
            TNumber activated = activation switch
            {
                GateActivation.Silu => x / (TNumber.One + TNumber.Exp(-x)),
                GateActivation.GeluTanh => Number(0.5) * x * (TNumber.One + TNumber.Tanh(Number(Math.Sqrt(2 / Math.PI)) * (x + (Number(0.044715) * x * x * x)))),
                _ => throw new ArgumentOutOfRangeException(nameof(activation)),
            };
            gate[i] = Narrow(activated * Number(up[i]));
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
