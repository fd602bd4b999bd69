using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

// Matrix products: all row counts to 70, tails of outputs and inputs, all weight types.
public static unsafe partial class KernelCorrectness
{
    private static IEnumerable<KernelCorrectnessCase> Linear()
    {
        for (int rows = 1; rows <= 70; rows++)
        {
            yield return Multiply("MatMul", rows, 51, 37, s_weightTypes[rows % 3], rows % 2 == 0);
        }

        (int Rows, int Outputs, int Inputs)[] shapes =
        [
            (1, 1, 1), (8, 48, 16), (9, 49, 17), (64, 48, 512), (65, 97, 513), (70, 24, 600), (16, 193, 511), (12, 200, 1030), (130, 12, 9), (33, 25, 1024),
        ];
        foreach ((int rows, int outputs, int inputs) in shapes)
        {
            foreach (DataType type in s_weightTypes)
            {
                yield return Multiply("MatMul", rows, outputs, inputs, type, outputs % 2 == 0);
                yield return Multiply("MatMulAdd", Math.Min(rows, 9), outputs, inputs, type, false);
            }
        }

        for (int inputs = 1; inputs <= 70; inputs++)
        {
            yield return Multiply("MatMul", 1 + (inputs % 7), 1 + (inputs % 11), inputs, s_weightTypes[inputs % 3], inputs % 2 == 0);
        }

        for (int outputs = 1; outputs <= 135; outputs += outputs < 68 ? 1 : 5)
        {
            yield return Multiply("MatMulAdd", 1 + (outputs % 13), outputs, 515, s_weightTypes[outputs % 3], false);
        }
    }

    private static KernelCorrectnessCase Multiply(string kernel, int rows, int outputs, int inputs, DataType type, bool hasBias) => new(
        kernel,
        $"[{rows}, {inputs}] x [{outputs}, {inputs}]ᵀ{(hasBias ? " + bias" : "")}",
        type,
        (kernels, random) =>
        {
            using var input = GuardedArray.Normal(random, (long)rows * inputs);
            using var bias = GuardedArray.Normal(random, outputs);
            using var output = kernel == "MatMul" ? GuardedArray.Poisoned((long)rows * outputs) : GuardedArray.Normal(random, (long)rows * outputs);
            using var data = new NativeArray<byte>((long)outputs * inputs * type.SizeInBytes());
            for (long i = 0; i < (long)outputs * inputs; i++)
            {
                float value = (float)(random.NextNormal() / Math.Sqrt(inputs));
                switch (type)
                {
                    case DataType.F32:
                        ((float*)data.Pointer)[i] = value;
                        break;
                    case DataType.F16:
                        // Every tenth subnormal.
                        ((Half*)data.Pointer)[i] = (Half)(i % 10 == 0 ? value * 1e-5f : value);
                        break;
                    default:
                        ((ushort*)data.Pointer)[i] = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
                        break;
                }
            }

            using var weight = new WeightMatrix(data.Pointer, type, outputs, inputs);
            float* biases = hasBias ? bias.Pointer : null;
            if (kernel == "MatMul")
            {
                kernels.MatMul(input.Pointer, rows, weight, biases, output.Pointer, CancellationToken.None);
            }
            else
            {
                kernels.MatMulAdd(input.Pointer, rows, weight, output.Pointer, CancellationToken.None);
            }

            return [output.Read()];
        });
}
