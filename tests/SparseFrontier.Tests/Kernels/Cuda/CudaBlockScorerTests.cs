using SparseFrontier.Kernels.Cuda;
using Xunit;

namespace SparseFrontier.Tests.Kernels.Cuda;

public class CudaBlockScorerTests
{
    // What a thread block may have at most, in KiB: 99 on cards of compute capability 8.6, 8.9 and 12.0, 163 on 8.0, 227 on 9.0.
    [Theory]
    [InlineData(99, 128, 64, true)]
    [InlineData(99, 176, 64, true)]
    [InlineData(99, 192, 64, true)]
    [InlineData(99, 208, 64, false)]
    [InlineData(99, 256, 16, false)]
    [InlineData(163, 256, 64, true)]
    [InlineData(227, 256, 2, true)]
    [InlineData(227, 64, 128, false)]
    public void Exact_attention_is_summed_where_shared_memory_holds_its_tiles(int sharedKilobytes, int dimension, int blockSize, bool expected) =>
        Assert.Equal(expected, CudaBlockScorer.CanSumMass(new CudaDeviceProperties("any", 8, 6, 84, 24L << 30, sharedKilobytes << 10, 6 << 20), dimension, blockSize));
}
