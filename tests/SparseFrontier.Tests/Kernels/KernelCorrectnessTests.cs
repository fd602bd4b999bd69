using System.Numerics;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Reference;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public class KernelCorrectnessTests
{
    public static TheoryData<string> Kernels() => [.. KernelCorrectness.Cases.Select(c => c.Kernel).Distinct()];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Cpu_kernels_of_every_width_agree_with_the_reference(string kernel)
    {
        var failed = new List<string>();
        foreach (KernelCorrectnessCase test in KernelCorrectness.Cases.Where(c => c.Kernel == kernel))
        {
            (float[][] Exact, float[][] Plain) expected = KernelCorrectness.Expect(test, 1);
            foreach (int width in KernelWidths.All)
            {
                KernelCorrectnessResult result = KernelCorrectness.Compare(KernelWidths.Get(width), test, expected, 1);
                if (!result.Passed)
                {
                    failed.Add($"{width} bits: {result}");
                }

                // Scores of 300 bring errors of that many units of the last place; no others come near.
                Assert.InRange(result.Tolerance, 0, test.Shape.Contains("large scores", StringComparison.Ordinal) ? 1e-3 : 2e-5);
            }
        }

        Assert.Empty(failed);
    }

    [Fact]
    public void Shapes_count_in_words_as_one_says_them() => Assert.All(KernelCorrectness.Cases, c => Assert.DoesNotMatch(@"(^|\[|, )1 \w+s\b", c.Shape));

    [Fact]
    public void The_default_kernels_pass_with_another_seed()
    {
        IEnumerable<KernelCorrectnessResult> results = KernelCorrectness.Cases
            .Where((_, i) => i % 10 == 0)
            .Select(c => KernelCorrectness.Run(KernelSets.All[0], c, seed: 2));
        Assert.All(results, r => Assert.True(r.Passed, r.ToString()));
    }

    // The plain computation of a sum of a thousand thirds is wrong by a few units of the last place; what is allowed beyond twice that are 4 of them.
    [Theory]
    [InlineData(0, true)]
    [InlineData(1.9, true)]
    [InlineData(2.1, false)]
    [InlineData(double.NaN, false)]
    [InlineData(double.PositiveInfinity, false)]
    public void A_case_fails_exactly_when_an_error_is_beyond_twice_the_plain_one(double times, bool passes)
    {
        const double Unit = 1.0 / (1 << 23);
        double exact = Sum<double>();
        double plain = Math.Abs(Sum<float>() - (float)exact);
        Assert.InRange(plain / exact / Unit, 4, 1000);
        var test = new KernelCorrectnessCase("Test", "[1]", DataType.F32, (kernels, _) => kernels.Name == "Cpu"
            ? [[(float)((float)exact + (times * (plain + (2 * exact * Unit))))]]
            : [[(float)(kernels is ReferenceKernels<float> ? Sum<float>() : exact)]]);
        KernelCorrectnessResult result = KernelCorrectness.Run(KernelSets.All[0], test);
        Assert.Equal(passes, result.Passed);
        Assert.Equal((2 * plain / (float)exact) + (4 * Unit), result.Tolerance, 1e-12);

        static double Sum<T>()
            where T : INumber<T>
        {
            T sum = T.Zero;
            for (int i = 0; i < 1000; i++)
            {
                sum += T.CreateTruncating(1 / 3f);
            }

            return double.CreateTruncating(sum);
        }
    }

    [Fact]
    public void An_exact_operation_has_one_result()
    {
        KernelCorrectnessCase test = new("Test", "[1]", DataType.F32, (kernels, _) => [[kernels.Name == "Cpu" ? MathF.BitIncrement(1) : 1]]);
        Assert.True(KernelCorrectness.Run(KernelSets.All[0], test).Passed);
        Assert.False(KernelCorrectness.Run(KernelSets.All[0], test with { IsExact = true }).Passed);
    }
}
