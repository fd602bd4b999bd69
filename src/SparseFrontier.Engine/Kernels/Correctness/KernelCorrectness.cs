using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// The correctness suite of all back ends: every operation at tail lengths, block edges, head groups and empty rows, against
/// <see cref="ReferenceKernels"/>. The project's tests and the users' own check of their machine run the same table.
/// </summary>
public static unsafe partial class KernelCorrectness
{
    private static readonly int[] s_dimensions = [8, 20, 32, 64, 80, 96, 128, 256];
    private static readonly (int Query, int Kv)[] s_headGroups = [(2, 2), (4, 1), (7, 1), (14, 2)];
    private static readonly DataType[] s_weightTypes = [DataType.F32, DataType.F16, DataType.BF16];
    private static readonly DataType[] s_cacheTypes = [DataType.F32, DataType.BF16];
    private static readonly ReferenceKernels s_reference = new();
    private static readonly Lazy<KernelCorrectnessCase[]> s_cases = new(() => [.. Linear(), .. Elementwise(), .. Prefill(), .. Decode(), .. Scoring()]);

    /// <summary>All cases, operation by operation.</summary>
    public static IReadOnlyList<KernelCorrectnessCase> Cases => s_cases.Value;

    /// <summary>Runs one case.</summary>
    /// <param name="kernels">The kernel set to test.</param>
    /// <param name="test">The case.</param>
    /// <param name="seed">Seed of the inputs.</param>
    /// <param name="tolerance">Replaces the case's own tolerance.</param>
    public static KernelCorrectnessResult Run(KernelSet kernels, KernelCorrectnessCase test, long seed = 1, double? tolerance = null) =>
        kernels.ElementType == DataType.F32
            ? Compare(kernels, test, Execute(s_reference, test, seed), seed, tolerance)
            : CompareRounded(kernels, test, seed, tolerance);

    /// <summary>The outputs of the reference kernels, to compare several kernel sets with.</summary>
    internal static float[] Expect(KernelCorrectnessCase test, long seed) => Execute(s_reference, test, seed);

    /// <summary>Runs one case whose expected outputs are known.</summary>
    internal static KernelCorrectnessResult Compare(KernelSet kernels, KernelCorrectnessCase test, float[] expected, long seed, double? tolerance = null)
    {
        float[] actual = Execute(kernels, test, seed);
        double absolute = 0;
        double relative = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs((double)actual[i] - expected[i]);
            absolute = Math.Max(absolute, error);
            relative = Math.Max(relative, error / Math.Max(1, Math.Abs(expected[i])));
        }

        double allowed = tolerance ?? test.Tolerance;
        return new KernelCorrectnessResult
        {
            Kernel = test.Kernel,
            Backend = kernels.Name,
            Shape = test.Shape,
            DataType = test.DataType.ToString(),
            MaximumAbsoluteError = absolute,
            MaximumRelativeError = relative,
            Tolerance = allowed,
            Passed = relative <= allowed,
            Seed = seed,
        };
    }

    // Of equally rounded operands. Storing results may cost twice what rounding the exact ones does; where they stay float32, tensor cores, which add up with
    // less care than the processor, may make ten times its error.
    private static KernelCorrectnessResult CompareRounded(KernelSet kernels, KernelCorrectnessCase test, long seed, double? tolerance)
    {
        float[] expected = Execute(new RoundedReferenceKernels(kernels.ElementType, roundsResults: false), test, seed);
        float[] rounded = Execute(new RoundedReferenceKernels(kernels.ElementType, roundsResults: true), test, seed);
        double storing = expected.Zip(rounded).Max(p => Math.Abs((double)p.First - p.Second) / Math.Max(1, Math.Abs(p.First)));
        return Compare(kernels, test with { DataType = kernels.ElementType }, expected, seed, tolerance ?? ((10 * test.Tolerance) + (2 * storing)));
    }

    private static float[] Execute(KernelSet kernels, KernelCorrectnessCase test, long seed) =>
        test.Execute(kernels, new RandomSource("kernels/correctness", seed));

    /// <summary>A random plan: some ranges by tile, some tiles without any, and some columns, in and outside the ranges.</summary>
    internal static AttentionPlan RandomPlan(RandomSource random, int rows, int tileRows, double density, int firstPosition = 0)
    {
        int tiles = (rows + tileRows - 1) / tileRows;
        int[] rangeOffsets = new int[tiles + 1];
        var ranges = new List<KeyRange>();
        for (int tile = 0; tile < tiles; tile++)
        {
            int end = firstPosition + Math.Min(rows, (tile + 1) * tileRows);
            bool empty = random.NextDouble() < 0.1;
            for (int key = 0; key < end && !empty;)
            {
                int length = Math.Min(1 + random.Next(20), end - key);
                if (random.NextDouble() < density)
                {
                    ranges.Add(new KeyRange(key, key + length));
                }

                key += length;
            }

            rangeOffsets[tile + 1] = ranges.Count;
        }

        int[] columns = [.. Enumerable.Range(0, firstPosition + rows).Where(_ => random.NextDouble() < density / 2)];
        return new AttentionPlan(rows, tileRows, rangeOffsets, [.. ranges], columns) { FirstPosition = firstPosition };
    }

    private static void Fill(RandomSource random, float* target, long count)
    {
        for (long i = 0; i < count; i++)
        {
            target[i] = (float)random.NextNormal();
        }
    }
}
