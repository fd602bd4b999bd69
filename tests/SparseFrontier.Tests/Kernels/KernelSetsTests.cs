using SparseFrontier.Kernels;
using Xunit;

namespace SparseFrontier.Tests.Kernels;

public class KernelSetsTests
{
    [Fact]
    public void The_fastest_kernels_are_the_default()
    {
        Assert.Equal(["Cpu", "Reference"], KernelSets.All.Select(k => k.Name));
        Assert.Equal("Cpu", KernelSets.Choose(null).Name);
        Assert.Equal("Cpu", KernelSets.Choose("").Name);
    }

    [Fact]
    public void The_environment_can_choose_in_any_case() => Assert.Equal("Reference", KernelSets.Choose("reference").Name);

    [Fact]
    public void An_unknown_name_is_an_error_that_lists_the_known_ones()
    {
        var error = Assert.Throws<SparseFrontierException>(() => KernelSets.Choose("Fastest"));
        Assert.Equal(ErrorIds.KernelNotFound, error.ErrorId);
        Assert.Contains("Cpu, Reference", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_instruction_set_has_a_name() => Assert.Contains(KernelSets.InstructionSet, (string[])["AVX-512", "AVX2", "128-bit SIMD", "scalar"]);
}
