using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Kernels.Cuda;

public class CudaStatusTests
{
    [Fact]
    public void Without_a_usable_gpu_the_reason_is_said_and_the_processor_named_instead()
    {
        Assert.SkipWhen(CudaStatus.Missing(0) is null, "this machine has a usable GPU");
        SparseFrontierException missing = CudaStatus.Missing(0)!;
        Assert.Contains("cpu", missing.Message, StringComparison.Ordinal);
        Assert.Contains(missing.ErrorId, (string[])[ErrorIds.CudaNotInstalled, ErrorIds.DeviceUnsupported]);
        Assert.Equal(missing.ErrorId, Assert.Throws<SparseFrontierException>(() => CudaDevice.Get(0)).ErrorId);
        Assert.Equal(missing.Message, Assert.Throws<SparseFrontierException>(() => Devices.Require("cuda")).Message);

        var sink = new RecordingSink();
        new GetDeviceOperation { Kind = "Cuda" }.Execute(sink, default);
        Assert.Empty(sink.Objects);
        Assert.Equal([missing.Message], sink.Warnings);
    }

    [Fact]
    public void A_gpu_that_is_not_there_is_an_error_that_says_how_many_there_are()
    {
        Assert.SkipUnless(CudaStatus.HasDevices, CudaStatus.Missing(0)?.Message ?? "");
        Assert.Equal(ErrorIds.DeviceNotFound, Assert.Throws<SparseFrontierException>(() => Devices.Require("cuda:99")).ErrorId);
    }

    [Theory]
    [InlineData("cuda", 0)]
    [InlineData("CUDA:3", 3)]
    [InlineData("cuda:-1", null)]
    [InlineData("cuda:x", null)]
    [InlineData("cpu", null)]
    public void Names_of_gpus_have_numbers(string name, int? ordinal) => Assert.Equal(ordinal, Devices.CudaOrdinal(name));
}
