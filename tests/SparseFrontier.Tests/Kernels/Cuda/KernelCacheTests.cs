using SparseFrontier.Kernels.Cuda;
using Xunit;

namespace SparseFrontier.Tests.Kernels.Cuda;

public sealed class KernelCacheTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"sparsefrontier-kernels-{Guid.NewGuid():N}");

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    [Fact]
    public void What_was_written_is_read_and_nothing_else_lies_beside_it()
    {
        var cache = new KernelCache(_folder);
        Assert.Null(cache.Read("key"));
        cache.Write("key", [1, 2, 3]);
        cache.Write("key", [4, 5]);
        Assert.Equal([4, 5], cache.Read("key")!);
        Assert.Single(Directory.EnumerateFiles(_folder));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(33)]
    public void A_damaged_entry_counts_as_absent_and_can_be_written_again(int position)
    {
        var cache = new KernelCache(_folder);
        cache.Write("key", [1, 2, 3]);
        string path = Directory.EnumerateFiles(_folder).Single();
        byte[] file = File.ReadAllBytes(path);
        file[position] ^= 1;
        File.WriteAllBytes(path, file);
        Assert.Null(cache.Read("key"));
        File.WriteAllBytes(path, file[..20]);
        Assert.Null(cache.Read("key"));
        cache.Write("key", [1, 2, 3]);
        Assert.Equal([1, 2, 3], cache.Read("key")!);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_only_costs_time()
    {
        File.WriteAllText(_folder, "a file where the folder should be");
        try
        {
            var cache = new KernelCache(_folder);
            cache.Write("key", [1]);
            Assert.Null(cache.Read("key"));
        }
        finally
        {
            File.Delete(_folder);
        }
    }

    [Fact]
    public void The_key_depends_on_everything_that_affects_the_kernel()
    {
        var headers = new Dictionary<string, string> { ["a.cuh"] = "x" };
        string key = KernelCompiler.Key("source", headers, ["-DA=1", "-DB=2"], "nvrtc 13.0");
        string[] others =
        [
            KernelCompiler.Key("source ", headers, ["-DA=1", "-DB=2"], "nvrtc 13.0"),
            KernelCompiler.Key("source", new Dictionary<string, string> { ["a.cuh"] = "y" }, ["-DA=1", "-DB=2"], "nvrtc 13.0"),
            KernelCompiler.Key("source", headers, ["-DA=1", "-DB=3"], "nvrtc 13.0"),
            KernelCompiler.Key("source", headers, ["-DA=1-DB=2"], "nvrtc 13.0"),
            KernelCompiler.Key("source", headers, ["-DA=1", "-DB=2"], "nvrtc 13.1"),
        ];
        Assert.Equal(key, KernelCompiler.Key("source", headers, ["-DA=1", "-DB=2"], "nvrtc 13.0"));
        Assert.Equal(5, others.Append(key).Distinct().Count() - 1);
    }
}
