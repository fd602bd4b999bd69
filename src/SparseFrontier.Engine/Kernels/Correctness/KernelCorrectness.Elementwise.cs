using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

// Element-wise operations and norms: every tail length, and more than one task.
public static unsafe partial class KernelCorrectness
{
    private static IEnumerable<KernelCorrectnessCase> Elementwise()
    {
        int[] lengths = [.. Enumerable.Range(1, 70), 576, 1031, 40_000];
        foreach (int length in lengths)
        {
            yield return AddCase(length);
            yield return GateCase(length, GateActivation.Silu);
            yield return GateCase(length, GateActivation.GeluTanh);
            if (length <= 1031)
            {
                yield return RmsNormCase(1 + (length % 4), length);
            }
        }

        foreach (int dimension in s_dimensions)
        {
            yield return RotateCase(5, 1, dimension);
            yield return RotateCase(dimension == 64 ? 130 : 5, 3, dimension);
        }
    }

    private static KernelCorrectnessCase AddCase(int length) => new("Add", $"[{length}]", DataType.F32, (kernels, random) =>
    {
        using var target = GuardedArray.Normal(random, length);
        using var source = GuardedArray.Normal(random, length);
        kernels.Add(target.Pointer, source.Pointer, length);
        return [target.Read()];
    })
    { IsExact = true };

    private static KernelCorrectnessCase GateCase(int length, GateActivation activation) => new(
        "Gate",
        $"[{length}] {activation}",
        DataType.F32,
        (kernels, random) =>
        {
            using var gate = GuardedArray.Normal(random, length, 4);
            using var up = GuardedArray.Normal(random, length);
            gate.Pointer[0] = length % 2 == 0 ? -200 : 200;
            gate.Pointer[length / 2] = 0;
            kernels.Gate(gate.Pointer, up.Pointer, length, activation);
            return [gate.Read()];
        });

    private static KernelCorrectnessCase RmsNormCase(int rows, int width) => new(
        "RmsNorm",
        $"[{rows}, {width}]",
        DataType.F32,
        (kernels, random) =>
        {
            using var input = GuardedArray.Normal(random, (long)rows * width, 3);
            using var weight = GuardedArray.Normal(random, width);
            using var output = GuardedArray.Poisoned((long)rows * width);
            kernels.RmsNorm(input.Pointer, rows, width, weight.Pointer, 1e-6f, output.Pointer);
            kernels.RmsNorm(input.Pointer, rows, width, weight.Pointer, 1e-6f, input.Pointer);
            return [output.Read(), input.Read()];
        });

    private static KernelCorrectnessCase RotateCase(int rows, int heads, int dimension) => new(
        "Rotate",
        $"[{rows}, {heads}, {dimension}]",
        DataType.F32,
        (kernels, random) =>
        {
            using var vectors = GuardedArray.Normal(random, (long)rows * heads * dimension);
            using var cosines = GuardedArray.Normal(random, (long)rows * dimension / 2);
            using var sines = GuardedArray.Normal(random, (long)rows * dimension / 2);
            kernels.Rotate(vectors.Pointer, rows, heads, dimension, cosines.Pointer, sines.Pointer);
            return [vectors.Read()];
        });
}
