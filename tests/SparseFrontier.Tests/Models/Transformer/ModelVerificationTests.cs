using SparseFrontier.Models.Transformer;
using Xunit;

namespace SparseFrontier.Tests.Models.Transformer;

public class ModelVerificationTests
{
    public static TheoryData<string> Names => [.. Checkpoints.All];

    [Theory]
    [MemberData(nameof(Names))]
    public void Checkpoints_compute_what_Transformers_computed(string name)
    {
        string? directory = Checkpoints.Find(name);
        Assert.SkipWhen(directory is null, "The shared fixtures are not beside the checkout.");
        ModelVerificationResult result = ModelVerification.Verify(directory!, Path.Combine(directory!, "golden.safetensors"));
        TestContext.Current.TestOutputHelper!.WriteLine(result.ToString());
        Assert.True(result.MaximumLogitDifference <= ModelVerification.DefaultTolerance, result.ToString());
        Assert.True(result.Passed, result.ToString());
        Assert.Equal(24, result.GreedyTokens);
    }
}
