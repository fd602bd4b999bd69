using System.IO.Compression;

namespace SparseFrontier.Tests;

/// <summary>Where golden files lie: those committed, and the larger ones that may stand beside the checkout.</summary>
internal static class Fixtures
{
    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Path of a committed golden file or directory.</summary>
    public static string Golden(string name) => Path.Combine(Root, "tests", "golden", name);

    /// <summary>A committed golden file that is kept compressed.</summary>
    public static Stream Decompress(string name) => new GZipStream(File.OpenRead(Golden(name)), CompressionMode.Decompress);

    /// <summary>Path of a file in SPARSEFRONTIER_FIXTURES or in ../shared/fixtures beside the checkout; null where it is absent.</summary>
    public static string? Shared(string name)
    {
        string?[] folders = [Environment.GetEnvironmentVariable("SPARSEFRONTIER_FIXTURES"), Path.Combine(Root, "..", "shared", "fixtures")];
        return folders.Where(f => !string.IsNullOrEmpty(f)).Select(f => Path.Combine(f!, name)).FirstOrDefault(Path.Exists);
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
