using System.Globalization;
using System.Text;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Models.Safetensors;

public sealed class SafetensorsFileTests : IDisposable
{
    private const string Good = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Written_tensors_are_read_back()
    {
        string path = _folder.File("x.safetensors");
        var writer = new SafetensorsWriter();
        writer.AddMetadata("format", "pt");
        writer.Add("bytes", [3], new byte[] { 1, 2, 255 });
        writer.Add("floats", [2, 2], new[] { 1f, -2f, float.NaN, float.PositiveInfinity });
        writer.Add("integers", [2], new[] { -5, 7 });
        writer.Add("longs", [], new[] { long.MinValue });
        writer.Add("none", [0, 4], ReadOnlySpan<float>.Empty);
        writer.Add("halves", DataType.F16, [2], [0x00, 0x3c, 0x01, 0x00]);
        writer.Add("brains", DataType.BF16, [2], [0x80, 0x3f, 0x49, 0x40]);
        writer.Add("doubles", DataType.F64, [1], BitConverter.GetBytes(0.5));
        writer.Write(path);

        using var file = SafetensorsFile.Open(path);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(8, file.Tensors.Count);
        Assert.Equal([1f, -2f, float.NaN, float.PositiveInfinity], file.Tensor("floats").ToSingles());
        Assert.Equal([2L, 2L], file.Tensor("floats").Shape);
        Assert.Equal([-5L, 7L], file.Tensor("integers").ToIntegers());
        Assert.Equal([long.MinValue], file.Tensor("longs").ToIntegers());
        Assert.Equal([1L, 2L, 255L], file.Tensor("bytes").ToIntegers());
        Assert.Equal([1f, 5.9604645e-8f], file.Tensor("halves").ToSingles());
        Assert.Equal([1f, 3.140625f], file.Tensor("brains").ToSingles());
        Assert.Equal([0.5f], file.Tensor("doubles").ToSingles());
        Assert.Empty(file.Tensor("none").ToSingles());
        var error = Assert.Throws<SparseFrontierException>(() => file.Tensor("bytes").ToSingles());
        Assert.Contains("'bytes'", error.Message, StringComparison.Ordinal);
        Assert.Throws<SparseFrontierException>(() => file.Tensor("floats").ToIntegers());
        Assert.Throws<SparseFrontierException>(() => file.Tensor("absent"));
    }

    [Fact]
    public void Memory_of_a_tensor_is_given_back_and_its_elements_are_read_again()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "There is no /proc.");
        string path = _folder.File("large.safetensors");
        float[] values = new float[2_000_000];
        Array.Fill(values, 1.5f);
        var writer = new SafetensorsWriter();
        writer.Add("large", [values.Length], values);
        writer.Write(path);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(values, file.Tensor("large").ToSingles());
        Assert.InRange(ResidentKilobytes(path), 7_000, 9_000);
        file.Tensor("large").ReleaseMemory();
        Assert.InRange(ResidentKilobytes(path), 0, 500);
        Assert.Equal(values, file.Tensor("large").ToSingles());
    }

    // Of the mapping of a file, as the system tells.
    private static long ResidentKilobytes(string path) => File.ReadLines("/proc/self/smaps")
        .SkipWhile(l => !l.EndsWith(path, StringComparison.Ordinal))
        .First(l => l.StartsWith("Rss:", StringComparison.Ordinal))
        .Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Skip(1)
        .Select(n => long.Parse(n, CultureInfo.InvariantCulture))
        .First();

    [Fact]
    public void The_writer_refuses_names_used_twice_and_wrong_lengths()
    {
        var writer = new SafetensorsWriter();
        writer.Add("a", [1], new[] { 1f });
        Assert.Throws<ArgumentException>(() => writer.Add("a", [1], new[] { 1f }));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [2], new[] { 1f }));
        Assert.Throws<ArgumentException>(() => writer.Add("__metadata__", [1], new[] { 1f }));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "end at 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[7,11]}}""", "inside the tensor before")]
    [InlineData("""{"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""", "belong to none")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}""", "outside")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "outside")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "takes 12 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}""", "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}""", "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", "shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", "has no shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", "instead of 2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,"8"]}}""", "data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", "has no data_offsets")]
    [InlineData("""{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}""", "dtype 'F4'")]
    [InlineData("""{"a":{"dtype":"0","shape":[2],"data_offsets":[0,8]}}""", "dtype '0'")]
    [InlineData("""{"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}""", "dtype 'f32'")]
    [InlineData("""{"a":{"dtype":0,"shape":[2],"data_offsets":[0,8]}}""", "no dtype")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", "no dtype")]
    [InlineData("""{"a":[]}""", "JSON object")]
    [InlineData("""[]""", "no JSON object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""", "a")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\u0061":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""", "a")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"U8","shape":[2],"data_offsets":[0,8]}}""", "dtype")]
    [InlineData("""{"__metadata__":[],"a":{"dtype":"U8","shape":[11],"data_offsets":[0,11]}}""", "__metadata__")]
    [InlineData("""{"__metadata__":{"x":1},"a":{"dtype":"U8","shape":[11],"data_offsets":[0,11]}}""", "__metadata__")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[11],"data_offsets":[0,11]}}""", "JSON")]
    [InlineData("""{"a":""", "JSON")]
    [InlineData("", "JSON")]
    public void A_wrong_header_is_refused_with_its_cause(string header, string cause)
    {
        string path = WriteRaw(header, 11);
        var error = Assert.Throws<SparseFrontierException>(() => SafetensorsFile.Open(path).Dispose());
        Assert.Equal(ErrorIds.CheckpointInvalid, error.ErrorId);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(cause, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Absent_and_odd_files_are_unreadable_or_invalid()
    {
        Assert.Equal(ErrorIds.CheckpointUnreadable, OpenError(_folder.File("absent.safetensors")).ErrorId);
        Assert.Equal(ErrorIds.CheckpointUnreadable, OpenError(_folder.Path).ErrorId);
        File.WriteAllText(_folder.File("lfs"), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
        Assert.Contains("Git LFS", OpenError(_folder.File("lfs")).Message, StringComparison.Ordinal);
        File.WriteAllBytes(_folder.File("empty"), []);
        Assert.Equal(ErrorIds.CheckpointInvalid, OpenError(_folder.File("empty")).ErrorId);
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        byte[] whole = File.ReadAllBytes(WriteRaw(Good, 11));
        string path = _folder.File("cut");
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Equal(ErrorIds.CheckpointInvalid, OpenError(path).ErrorId);
        }
    }

    [Fact]
    public void Random_mutations_are_read_within_bounds_or_refused()
    {
        byte[] whole = File.ReadAllBytes(WriteRaw(Good, 11));
        string path = _folder.File("mutated");
        var random = new RandomSource("test/safetensors/mutations", 1);
        int read = 0;
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = (byte[])whole.Clone();
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                // Digits and structure, which matter, more often than other bytes.
                bytes[random.Next(bytes.Length)] = random.Next(2) == 0 ? (byte)"0123456789,:[]{}\"\\-e"[random.Next(20)] : (byte)random.Next(256);
            }

            File.WriteAllBytes(path, bytes);
            try
            {
                using var file = SafetensorsFile.Open(path);
                foreach (SafetensorsTensor tensor in file.Tensors.Values)
                {
                    _ = tensor.DataType is DataType.F32 or DataType.F16 or DataType.BF16 or DataType.F64 ? tensor.ToSingles().Length : tensor.ToIntegers().Length;
                }

                read++;
            }
            catch (SparseFrontierException e)
            {
                Assert.Equal(ErrorIds.CheckpointInvalid, e.ErrorId);
            }
        }

        Assert.InRange(read, 1, 2999);
    }

    private static SparseFrontierException OpenError(string path) => Assert.Throws<SparseFrontierException>(() => SafetensorsFile.Open(path).Dispose());

    private string WriteRaw(string header, int dataLength)
    {
        string path = _folder.File("raw.safetensors");
        byte[] json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((ulong)json.Length), .. json, .. new byte[dataLength]]);
        return path;
    }
}
