using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace SparseFrontier.Experiments;

/// <summary>File access of the store: every failure becomes an error that names the path.</summary>
internal static partial class StoreIO
{
    private const int Interrupted = 4;
    private const int NotSupported = 22;

    private static int s_replaced;

    /// <summary>Does something that writes.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public static T Write<T>(string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw WriteFailed(path, e);
        }
    }

    /// <summary>The error of a path that cannot be written.</summary>
    public static SparseFrontierException WriteFailed(string path, Exception cause)
    {
        string? parent = Path.GetDirectoryName(path);
        while (!string.IsNullOrEmpty(parent) && !File.Exists(parent))
        {
            parent = Path.GetDirectoryName(parent);
        }

        string why = string.IsNullOrEmpty(parent) ? $"{cause.Message.TrimEnd('.')}." : $"'{parent}' is a file, not a folder.";
        return new SparseFrontierException(
            ErrorIds.ResultWriteFailed,
            $"Results cannot be written to '{path}': {why} What was written before is kept; free space or choose another folder, and run the same again to go on.",
            path,
            cause);
    }

    /// <inheritdoc cref="Write{T}(string, Func{T})"/>
    public static void Write(string path, Action action) => Write(path, () =>
    {
        action();
        return true;
    });

    /// <summary>Replaces a file as a whole: written beside it, flushed to the disk, renamed.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        byte[] bytes = content.ToArray();
        Write(path, () =>
        {
            // A name of its own, and open to readers: whoever looks for a lost rename must not get in the way.
            string temporary = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}-{Interlocked.Increment(ref s_replaced)}.tmp");
            try
            {
                using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
                {
                    stream.Write(bytes);
                    stream.Flush(flushToDisk: true);
                }

                File.Move(temporary, path, overwrite: true);
                FlushFolder(Path.GetDirectoryName(path)!);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
        });
    }

    /// <summary>Writes a file that somebody named, in a folder that is made where it is missing: it appears when it is whole, in the place of one with content too. Links are followed, and what holds nothing (a device too) is written in place.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public static void WriteOutput(string path, byte[] content)
    {
        var file = new FileInfo(path);
        if (file.LinkTarget is not null || file is { Exists: true, Length: 0 })
        {
            Write(path, () => File.WriteAllBytes(path, content));
            return;
        }

        Write(path, () => Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!));
        Replace(path, content);
    }

    /// <summary>
    /// Waits until the disk has the names that a folder holds: a flushed file is there after a loss of power only if its name is. Windows does so by itself, and
    /// some file systems cannot be asked.
    /// </summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        int folder = Open(path, 0);
        if (folder < 0)
        {
            // A folder that can be written but not listed.
            return;
        }

        try
        {
            int error;
            do
            {
                error = Flush(folder) == 0 ? 0 : Marshal.GetLastPInvokeError();
            }
            while (error == Interrupted);
            if (error is not (0 or NotSupported))
            {
                throw new IOException($"The names in '{path}' cannot be brought to the disk: {Marshal.GetPInvokeErrorMessage(error)}.");
            }
        }
        finally
        {
            _ = Close(folder);
        }
    }

    /// <summary>Replaces a file by a value's JSON.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public static void ReplaceJson<T>(string path, T value) =>
        Replace(path, Encoding.UTF8.GetBytes(JsonSerializer.Serialize(value, StoreJson.File) + "\n"));

    /// <summary>Reads a file's JSON; null if there is no file.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable, or ResultRowInvalid if it is not the JSON that it should be.</exception>
    public static T? ReadJson<T>(string path)
        where T : class
    {
        byte[]? bytes = ReadAll(path);
        if (bytes is null)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<T>(bytes, StoreJson.File) ?? throw new JsonException("the file holds null.");
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            // ArgumentException: a name stands twice in a part that is kept as JSON.
            throw new SparseFrontierException(ErrorIds.ResultRowInvalid, $"'{path}' is damaged: {e.Message} Delete the file, or restore it from a copy.", path, e);
        }
    }

    /// <summary>Reads a file that another process may be writing; null if there is none.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static byte[]? ReadAll(string path)
    {
        try
        {
            return PlainFile.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
    }

    /// <summary>Refuses a pipe or a device without opening it.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static void ThrowIfNone(string path)
    {
        try
        {
            PlainFile.ThrowIfNone(path);
        }
        catch (IOException e)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
