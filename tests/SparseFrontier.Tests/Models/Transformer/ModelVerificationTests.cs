using SparseFrontier.Experiments;
using SparseFrontier.Models.Safetensors;
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

    [Fact]
    public void The_default_model_computes_what_Transformers_computed()
    {
        ModelVerificationResult result = ModelVerification.Verify(
            Path.Combine(Fixtures.Root, "models", ModelCatalog.DefaultName), Fixtures.Golden(Path.Combine("embedded", $"{ModelCatalog.DefaultName}.safetensors")));
        Assert.True(result.Passed, result.ToString());
        Assert.Equal(24, result.GreedyTokens);
    }

    [Fact]
    public void Wrong_weights_do_not_pass()
    {
        string source = Checkpoints.Find("qwen3-hub-float16")!;
        using var damaged = new EditedCheckpoint(source).ChangeWeights(tensors =>
        {
            byte[] bytes = tensors["model.layers.1.mlp.down_proj.weight"].Bytes;
            Array.Clear(bytes, 0, bytes.Length / 2);
        });
        ModelVerificationResult result = ModelVerification.Verify(damaged.Directory, Path.Combine(source, "golden.safetensors"));
        Assert.False(result.Passed);
        Assert.Equal("F32", result.FrequencyType);
        Assert.True(result.MaximumLogitDifference > 10 * result.Tolerance, result.ToString());
    }

    [Fact]
    public void A_golden_of_another_checkpoint_is_refused()
    {
        string source = Checkpoints.Find("qwen3-hub-float16")!;
        using var folder = new TemporaryFolder();
        string path = folder.File("golden.safetensors");
        Refuse("logits", [1L, 2], [3L], new float[2 * 100]);
        Refuse("input_ids", [1L, 512], [3L], new float[2 * 512]);
        Refuse("greedy", [1L, 2], [-3L], new float[2 * 512]);
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => ModelVerification.Verify(source, path, double.NaN)).ErrorId);

        void Refuse(string named, long[] tokens, long[] greedy, float[] logits)
        {
            var writer = new SafetensorsWriter();
            writer.Add("input_ids", [tokens.Length], tokens);
            writer.Add("greedy", [greedy.Length], greedy);
            writer.Add("logits", [tokens.Length, logits.Length / tokens.Length], logits);
            writer.Write(path);
            var error = Assert.Throws<SparseFrontierException>(() => ModelVerification.Verify(source, path));
            Assert.Equal(ErrorIds.CheckpointInvalid, error.ErrorId);
            Assert.Contains(named, error.Message, StringComparison.Ordinal);
        }
    }
}
