using System.Collections.Concurrent;
using System.IO.Compression;

namespace SparseFrontier.Tests;

/// <summary>Where golden files lie: those committed, and the larger ones that may stand beside the checkout.</summary>
internal static class Fixtures
{
    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>What the name of a packed file ends with (tests/golden/pack.mjs).</summary>
    private const string Packed = ".planes.br";

    private static readonly ConcurrentDictionary<string, Lazy<string>> s_unpacked = new();

    /// <summary>Path of a committed golden file or directory; a copy of a packed file, or of a directory that has some.</summary>
    public static string Golden(string name)
    {
        string path = Path.Combine(Root, "tests", "golden", name);
        return File.Exists(path + Packed) || (Directory.Exists(path) && Directory.EnumerateFiles(path, "*" + Packed).Any())
            ? s_unpacked.GetOrAdd(path, p => new Lazy<string>(() => Unpack(p))).Value
            : path;
    }

    /// <summary>A committed golden file that is kept compressed.</summary>
    public static Stream Decompress(string name) => name.EndsWith(".br", StringComparison.Ordinal)
        ? new BrotliStream(File.OpenRead(Golden(name)), CompressionMode.Decompress)
        : new GZipStream(File.OpenRead(Golden(name)), CompressionMode.Decompress);

    /// <summary>Path of a file in SPARSEFRONTIER_FIXTURES or in ../shared/fixtures beside the checkout; null where it is absent.</summary>
    public static string? Shared(string name)
    {
        string?[] folders = [Environment.GetEnvironmentVariable("SPARSEFRONTIER_FIXTURES"), Path.Combine(Root, "..", "shared", "fixtures")];
        return folders.Where(f => !string.IsNullOrEmpty(f)).Select(f => Path.Combine(f!, name)).FirstOrDefault(Path.Exists);
    }

    private static string Unpack(string path)
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-golden-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        string unpacked = Path.Combine(folder, Path.GetFileName(path));
        if (File.Exists(path + Packed))
        {
            File.WriteAllBytes(unpacked, Content(path + Packed));
            return unpacked;
        }

        Directory.CreateDirectory(unpacked);
        foreach (string file in Directory.EnumerateFiles(path))
        {
            string name = Path.GetFileName(file);
            File.WriteAllBytes(Path.Combine(unpacked, name.EndsWith(Packed, StringComparison.Ordinal) ? name[..^Packed.Length] : name), name.EndsWith(Packed, StringComparison.Ordinal) ? Content(file) : File.ReadAllBytes(file));
        }

        return unpacked;
    }

    // Every fourth byte lies beside the one four before it.
    private static byte[] Content(string packed)
    {
        using var memory = new MemoryStream();
        using (var stream = new BrotliStream(File.OpenRead(packed), CompressionMode.Decompress))
        {
            stream.CopyTo(memory);
        }

        byte[] planes = memory.ToArray();
        byte[] content = new byte[BitConverter.ToInt64(planes)];
        int count = (planes.Length - sizeof(long)) / 4;
        for (int i = 0; i < content.Length; i++)
        {
            content[i] = planes[sizeof(long) + (i % 4 * count) + (i / 4)];
        }

        return content;
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "SparseFrontier.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("The tests do not run inside the repository.");
    }
}
