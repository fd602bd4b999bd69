using SparseFrontier.Models.Safetensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Safetensors;

public sealed class SafetensorsCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SafetensorsCheckpointTests()
    {
        WriteShard("one.safetensors", "a", 1);
        WriteShard("two.safetensors", "b", 2);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Shards_are_joined_by_the_index()
    {
        WriteIndex("""{"metadata":{"total_size":8},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");
        using var checkpoint = SafetensorsCheckpoint.Open(_folder.Path);
        Assert.Equal([1f], checkpoint.Tensors["a"].ToSingles());
        Assert.Equal([2f], checkpoint.Tensors["b"].ToSingles());
    }

    [Theory]
    [InlineData("../one.safetensors")]
    [InlineData("/etc/one.safetensors")]
    [InlineData("sub/one.safetensors")]
    [InlineData("..\\\\one.safetensors")]
    [InlineData("C:one.safetensors")]
    [InlineData("one.bin")]
    [InlineData(".safetensors")]
    [InlineData("")]
    public void A_shard_outside_the_directory_is_refused(string name)
    {
        WriteIndex("""{"weight_map":{"a":"NAME"}}""".Replace("NAME", name, StringComparison.Ordinal));
        Assert.Contains("'a'", OpenError(ErrorIds.CheckpointInvalid).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_shard_is_named()
    {
        WriteIndex("""{"weight_map":{"a":"one.safetensors","c":"three.safetensors"}}""");
        Assert.Contains("three.safetensors", OpenError(ErrorIds.CheckpointUnreadable).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_in_the_wrong_shard_is_named_with_both()
    {
        WriteIndex("""{"weight_map":{"a":"two.safetensors","b":"one.safetensors"}}""");
        string message = OpenError(ErrorIds.CheckpointInvalid).Message;
        Assert.Contains("'a'", message, StringComparison.Ordinal);
        Assert.Contains("it is in 'one.safetensors'", message, StringComparison.Ordinal);
        WriteIndex("""{"weight_map":{"a":"one.safetensors","z":"two.safetensors"}}""");
        Assert.Contains("no shard holds it", OpenError(ErrorIds.CheckpointInvalid).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("""{"weight_map":{"a":1}}""")]
    [InlineData("""{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}""")]
    [InlineData("""{"weight_map":""")]
    public void A_malformed_index_is_refused(string json)
    {
        WriteIndex(json);
        OpenError(ErrorIds.CheckpointInvalid);
    }

    [Fact]
    public void Pickles_are_never_read_and_the_message_says_so()
    {
        File.WriteAllBytes(_folder.File("pytorch_model.bin"), [0x80, 0x02]);
        Assert.Contains("pickle", OpenError(ErrorIds.CheckpointUnreadable).Message, StringComparison.Ordinal);
    }

    private SparseFrontierException OpenError(string id)
    {
        var error = Assert.Throws<SparseFrontierException>(() => SafetensorsCheckpoint.Open(_folder.Path).Dispose());
        Assert.Equal(id, error.ErrorId);
        return error;
    }

    private void WriteIndex(string json) => File.WriteAllText(_folder.File("model.safetensors.index.json"), json);

    private void WriteShard(string name, string tensor, float value)
    {
        var writer = new SafetensorsWriter();
        writer.Add(tensor, [1], new[] { value });
        writer.Write(_folder.File(name));
    }
}
