using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// The correctness suite of all back ends: every operation at tail lengths, block edges, head groups and empty rows. An error against <see cref="ReferenceKernels"/> may be twice
/// that of the same formulas computed plainly in the kernels' own precision, term after term. The project's tests and the users' own check of their machine run the same table.
/// </summary>
public static unsafe partial class KernelCorrectness
{
    private const double SingleUnit = 1.0 / (1 << 23);
    private const int FewElements = 8;
    private const int FurtherDraws = 3;
    private static readonly int[] s_dimensions = [8, 20, 32, 64, 80, 96, 128, 256];
    private static readonly (int Query, int Kv)[] s_headGroups = [(2, 2), (4, 1), (7, 1), (14, 2), (8, 1)];
    private static readonly DataType[] s_weightTypes = [DataType.F32, DataType.F16, DataType.BF16];
    private static readonly DataType[] s_cacheTypes = [DataType.F32, DataType.BF16];
    private static readonly Lazy<KernelCorrectnessCase[]> s_cases = new(() => [.. Linear(), .. Elementwise(), .. Prefill(), .. Decode(), .. Scoring()]);

    /// <summary>All cases, operation by operation.</summary>
    public static IReadOnlyList<KernelCorrectnessCase> Cases => s_cases.Value;

    /// <summary>Runs one case.</summary>
    /// <param name="kernels">The kernel set to test.</param>
    /// <param name="test">The case.</param>
    /// <param name="seed">Seed of the inputs.</param>
    public static KernelCorrectnessResult Run(KernelSet kernels, KernelCorrectnessCase test, long seed = 1) =>
        Compare(kernels, test, Expect(test, seed, kernels.ElementType), seed);

    /// <summary>The exact outputs and those of the plain computation, to compare several kernel sets with.</summary>
    internal static (float[][] Exact, float[][] Plain) Expect(KernelCorrectnessCase test, long seed, DataType type = DataType.F32, int draw = 0) => (
        Execute(new RoundedReferenceKernels<double>(type, roundsOnTheWay: false), test, seed, draw), Execute(new RoundedReferenceKernels<float>(type, roundsOnTheWay: true), test, seed, draw));

    /// <summary>Runs one case whose expected outputs are known.</summary>
    internal static KernelCorrectnessResult Compare(KernelSet kernels, KernelCorrectnessCase test, (float[][] Exact, float[][] Plain) expected, long seed)
    {
        float[][] actual = Execute(kernels, test, seed);
        (double Absolute, double Relative)[] errors = [.. expected.Exact.Zip(actual, Errors)];
        double[] allowed = Allowed(kernels.ElementType, test, expected);

        // The largest of few errors is chance, the plain computation's too. Where it made less than half the kernel's, it is asked what it makes of other inputs of the same shape.
        for (int draw = 1; draw <= FurtherDraws && errors.Zip(allowed).Any(o => double.IsFinite(o.First.Relative) && o.First.Relative > o.Second); draw++)
        {
            allowed = [.. allowed.Zip(Allowed(kernels.ElementType, test, Expect(test, seed, kernels.ElementType, draw)), Math.Max)];
        }

        // Nearest to what is allowed, or most beyond it; NaN is never within.
        int worst = Enumerable.Range(0, errors.Length).MaxBy(i => double.IsNaN(errors[i].Relative) ? double.PositiveInfinity : errors[i].Relative / Math.Max(allowed[i], double.Epsilon));
        return new KernelCorrectnessResult
        {
            Kernel = test.Kernel,
            Backend = kernels.Name,
            Shape = test.Shape,
            DataType = (kernels.ElementType == DataType.F32 ? test.DataType : kernels.ElementType).ToString(),
            MaximumAbsoluteError = errors[worst].Absolute,
            MaximumRelativeError = errors[worst].Relative,
            Tolerance = allowed[worst],
            Passed = errors[worst].Relative <= allowed[worst],
            Seed = seed,
        };
    }

    private static double[] Allowed(DataType stored, KernelCorrectnessCase test, (float[][] Exact, float[][] Plain) expected) =>
        [.. expected.Exact.Zip(expected.Plain, (exact, plain) => (2 * Errors(exact, plain).Relative) + Floor(stored, test, plain))];

    // What is allowed beyond twice the plain error, in parts of the output's scale. The plain computation may by chance hit the exact result, above all of few elements, while
    // another order of the same sums misses it by a few units of the last place: 4 of float32. Where results are stored in 16 bits, half a unit of theirs: what storing the exact ones may
    // cost. Tensor cores cut sums off where float32 rounds them, once for every 16 products, and a GPU's exponentials are approximate: where the results of such products
    // stay float32, 2^-16, seven times what an H200 was seen to make.
    private static double Floor(DataType stored, KernelCorrectnessCase test, float[] plain) =>
        test.IsExact ? 0
        : stored == DataType.F32 ? 4 * SingleUnit
        : test.Kernel is "PrefillAttention" or "DecodeAttention" && Array.TrueForAll(plain, x => stored.Round(x).Equals(x)) ? (stored == DataType.BF16 ? 1.0 / 256 : 1.0 / 2048)
        : test.Kernel is "PrefillAttention" or "LastWindowAttention" ? 1.0 / (1 << 16)
        : 4 * SingleUnit;

    // The size of an output's elements: their root mean square, without zeros of empty rows. That of few may be small by chance, where terms cancel: then at least that of the inputs.
    private static double Scale(float[] exact)
    {
        float[] counted = [.. exact.Where(x => x != 0 && float.IsFinite(x))];
        return Math.Max(counted.Length < FewElements ? 1 : 0, counted.Length == 0 ? 0 : Math.Sqrt(counted.Average(x => (double)x * x)));
    }

    private static (double Absolute, double Relative) Errors(float[] exact, float[] actual)
    {
        double scale = Scale(exact);
        double absolute = 0;
        double relative = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            // Infinities too are equal to themselves.
            if (exact[i] != actual[i])
            {
                double error = Math.Abs((double)actual[i] - exact[i]);
                absolute = Math.Max(absolute, error);
                relative = Math.Max(relative, error / Math.Max(scale, Math.Abs(exact[i])));
            }
        }

        return (absolute, relative);
    }

    private static float[][] Execute(KernelSet kernels, KernelCorrectnessCase test, long seed, int draw = 0) =>
        test.Execute(kernels, new RandomSource(draw == 0 ? "kernels/correctness" : $"kernels/correctness/{draw}", seed));

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
