using System.Security.Cryptography;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Compiled kernels on disk, one file each: SHA-256 of the content, then the content. A file that does not match its hash counts as absent, so that it is
/// compiled again; a folder that cannot be written only costs time.
/// </summary>
internal sealed class KernelCache(string folder)
{
    /// <summary>The content of an entry; null where it is absent, damaged or unreadable.</summary>
    public byte[]? Read(string key)
    {
        try
        {
            byte[] file = File.ReadAllBytes(PathOf(key));
            return file.Length > SHA256.HashSizeInBytes && SHA256.HashData(file.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(file.AsSpan(0, SHA256.HashSizeInBytes))
                ? file[SHA256.HashSizeInBytes..]
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes an entry by rename, so that other processes see all of it or nothing.</summary>
    public void Write(string key, byte[] content)
    {
        string temporary = $"{PathOf(key)}.{Environment.ProcessId}-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllBytes(temporary, [.. SHA256.HashData(content), .. content]);
            File.Move(temporary, PathOf(key), overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A read-only folder holds nothing to delete.
        }
    }

    private string PathOf(string key) => Path.Combine(folder, key + ".cubin");
}
