using SparseFrontier.Kernels;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public class KernelCorrectnessTests
{
    public static TheoryData<int, string> WidthsAndKernels()
    {
        var data = new TheoryData<int, string>();
        foreach (int width in (int[])[512, 256, 128])
        {
            foreach (string kernel in KernelCorrectness.Cases.Select(c => c.Kernel).Distinct())
            {
                data.Add(width, kernel);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(WidthsAndKernels))]
    public void Cpu_kernels_agree_with_the_reference(int width, string kernel)
    {
        KernelSet kernels = KernelWidths.Get(width);
        IEnumerable<KernelCorrectnessResult> failed = KernelCorrectness.Cases
            .Where(c => c.Kernel == kernel)
            .Select(c => KernelCorrectness.Run(kernels, c))
            .Where(r => !r.Passed);
        Assert.Empty(failed);
    }
}
