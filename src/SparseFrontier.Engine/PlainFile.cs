using System.Runtime.InteropServices;
using System.Text;

namespace SparseFrontier;

/// <summary>
/// Reads files that others may have made. A folder from anywhere may hold pipes, which wait for somebody to write, and links to devices, which have no end: neither is opened. No more is read than
/// the file had when it was opened.
/// </summary>
internal static partial class PlainFile
{
    // Of Linux's struct statx, which is the same on all processors.
    private const int CurrentFolder = -100;
    private const int TypeAndMode = 3;
    private const int ModeOffset = 28;
    private const int StatusSize = 256;
    private const int TypeMask = 0xF000;
    private const int OrdinaryType = 0x8000;
    private const int FolderType = 0x4000;

    /// <summary>The content.</summary>
    /// <exception cref="IOException">There is no such file, it cannot be read, it is a pipe or a device, or it is longer than an array.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read, or is a folder.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        using Stream stream = Open(path);
        if (stream.Length > Array.MaxLength)
        {
            throw new IOException(FormattableString.Invariant($"It has {stream.Length} bytes, more than can be read at once."));
        }

        byte[] bytes = new byte[stream.Length];
        int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return read == bytes.Length ? bytes : bytes[..read];
    }

    /// <summary>The lines of a content in UTF-8.</summary>
    public static IEnumerable<string> Lines(byte[] content)
    {
        using var reader = new StreamReader(new MemoryStream(content), Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }

    /// <summary>Opens a file that another process may be writing; <see cref="Stream.Null"/> for one without content.</summary>
    /// <inheritdoc cref="ThrowIfNone"/>
    public static Stream Open(string path) =>
        Directory.Exists(path) ? throw new UnauthorizedAccessException("It is a folder, and a file is needed.")
        : IsEmpty(path) ? Stream.Null
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>
    /// Whether a file, or what a link leads to, is there and has no size. Nothing needs to be opened to read it, and must not: files of the kernel have none (/proc/kmsg waits), and where the system
    /// cannot be asked for a file's type neither have pipes and devices.
    /// </summary>
    /// <inheritdoc cref="ThrowIfNone"/>
    public static bool IsEmpty(string path)
    {
        ThrowIfNone(path);
        return new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) is { Exists: true, Length: 0 };
    }

    /// <summary>Refuses what is there and is no ordinary file, without opening it.</summary>
    /// <exception cref="IOException">A pipe, a device or a socket, or a link to one.</exception>
    public static void ThrowIfNone(string path)
    {
        if (OperatingSystem.IsLinux() && TypeOf(path) is not (0 or OrdinaryType or FolderType))
        {
            throw new IOException("It is a pipe or a device, and only ordinary files are read. Write what it gives to a file first.");
        }
    }

    /// <summary>
    /// The files of a folder and of those within it, in no order. Links to folders are entered, and links within those are not: links in circles come to an end.
    /// </summary>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A folder may not be read.</exception>
    public static IEnumerable<string> Enumerate(string folder, string pattern)
    {
        var waiting = new Stack<(string Path, bool ByLink)>([(folder, false)]);
        while (waiting.TryPop(out (string Path, bool ByLink) next))
        {
            foreach (string file in Directory.EnumerateFiles(next.Path, pattern))
            {
                yield return file;
            }

            foreach (DirectoryInfo within in new DirectoryInfo(next.Path).EnumerateDirectories())
            {
                bool isLink = within.LinkTarget is not null;
                if (!(isLink && next.ByLink))
                {
                    waiting.Push((Path.Combine(next.Path, within.Name), isLink || next.ByLink));
                }
            }
        }
    }

    // The type of what a path leads to; 0 where it cannot be told, and opening will say why.
    private static int TypeOf(string path)
    {
        Span<byte> status = stackalloc byte[StatusSize];
        try
        {
            return Status(CurrentFolder, path, 0, TypeAndMode, status) == 0 ? BitConverter.ToUInt16(status[ModeOffset..]) & TypeMask : 0;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library of before 2018.
            return 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(int folder, string path, int flags, uint mask, Span<byte> status);
}
