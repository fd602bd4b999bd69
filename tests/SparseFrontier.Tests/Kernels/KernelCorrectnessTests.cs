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
            float[] expected = KernelCorrectness.Expect(test, 1);
            foreach (int width in KernelWidths.All)
            {
                KernelCorrectnessResult result = KernelCorrectness.Compare(KernelWidths.Get(width), test, expected, 1);
                if (!result.Passed)
                {
                    failed.Add($"{width} bits: {result}");
                }
            }
        }

        Assert.Empty(failed);
    }

    [Fact]
    public void The_default_kernels_pass_with_another_seed()
    {
        IEnumerable<KernelCorrectnessResult> results = KernelCorrectness.Cases
            .Where((_, i) => i % 10 == 0)
            .Select(c => KernelCorrectness.Run(KernelSets.All[0], c, seed: 2));
        Assert.All(results, r => Assert.True(r.Passed, r.ToString()));
    }

    [Theory]
    [InlineData(float.NaN, false)]
    [InlineData(1.1f, false)]
    [InlineData(1.00001f, false)]
    [InlineData(1.0000001f, true)]
    public void A_case_fails_exactly_when_an_element_is_beyond_the_tolerance(float value, bool passes)
    {
        var test = new KernelCorrectnessCase("Test", "[2]", DataType.F32, 1e-6, (kernels, _) => kernels is ReferenceKernels ? [0, 1] : [0, value]);
        Assert.Equal(passes, KernelCorrectness.Run(KernelSets.All[0], test).Passed);
    }
}
