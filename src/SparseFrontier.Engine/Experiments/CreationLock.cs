using System.Diagnostics;

namespace SparseFrontier.Experiments;

/// <summary>The right to make directories of runs in a folder, for one process of a host at a time; the system drops it when the process ends.</summary>
internal sealed class CreationLock : IDisposable
{
    private const string Name = ".create.lock";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly string _path;
    private readonly FileStream _stream;

    private CreationLock(string path, FileStream stream)
    {
        _path = path;
        _stream = stream;
    }

    /// <summary>Takes it, after others. Null where it cannot be had: from a process that was stopped while it held it, or where a file system knows no locks.</summary>
    /// <param name="folder">The folder.</param>
    public static CreationLock? Take(string folder)
    {
        string path = Path.Combine(folder, Name);
        var waited = Stopwatch.StartNew();
        do
        {
            FileStream? stream = null;
            try
            {
                stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);

                // Whoever had it deleted the file: if that was between opening and locking it, the name is another file's by now, or nobody's, which a time of chance tells.
                DateTime mark = DateTime.UnixEpoch.AddSeconds(2L * Random.Shared.Next());
                File.SetLastWriteTimeUtc(stream.SafeFileHandle, mark);
                if (File.GetLastWriteTimeUtc(path) == mark)
                {
                    return new CreationLock(path, stream);
                }

                stream.Dispose();
            }
            catch (UnauthorizedAccessException)
            {
                stream?.Dispose();
                return null;
            }
            catch (IOException)
            {
                // A lock whose file takes no time of chance is given back: the next try would wait for this one's own.
                stream?.Dispose();
                Thread.Sleep(5);
            }
        }
        while (Directory.Exists(folder) && waited.Elapsed < s_patience);
        return null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // While it is held: afterwards the file would be the next one's.
        bool isGone = Delete();
        _stream.Dispose();
        if (!isGone)
        {
            // Windows deletes no file that is open; one that is the next one's stays.
            Delete();
        }
    }

    private bool Delete()
    {
        try
        {
            File.Delete(_path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
