using System.Text;

namespace SparseFrontier.Models;

/// <summary>
/// Reads whole files of a checkpoint. A folder from anywhere may hold links to devices and pipes, which have no end or wait for somebody to write: they have no size, and what has none is read as
/// empty without being opened.
/// </summary>
internal static class CheckpointFile
{
    /// <summary>The content.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static byte[] ReadAllBytes(string path) => IsEmpty(path) ? [] : File.ReadAllBytes(path);

    /// <summary>The content as text.</summary>
    /// <inheritdoc cref="ReadAllBytes"/>
    public static string ReadAllText(string path) => IsEmpty(path) ? "" : File.ReadAllText(path, Encoding.UTF8);

    /// <summary>Whether the file, or what a link leads to, has no size.</summary>
    public static bool IsEmpty(string path) => new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) is { Exists: true, Length: 0 };
}
