using System.IO.Compression;

namespace SparseFrontier.Experiments;

/// <summary>
/// Writes runs as one zip archive: equal runs give equal bytes. Entries are in order of their names, have one time, and are stored rather than compressed, so that no
/// version of a compressor matters and a reader may refuse what grows when it is unpacked.
/// </summary>
internal static class BundleWriter
{
    // The first time that a zip archive can hold, and a plain file that everybody may read.
    private static readonly DateTimeOffset s_time = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private const int PlainFile = unchecked((int)0x81A40000);

    /// <summary>Writes the archive, all or nothing.</summary>
    /// <param name="path">File to write; replaced if it is there.</param>
    /// <param name="runs">Directories by run id.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>SHA-256 of the manifest.</returns>
    /// <exception cref="SparseFrontierException">ResultWriteFailed. ResultUnreadable: a file is a link, or no ordinary file. ResultRowInvalid: a file is not what its name says.</exception>
    public static string Write(string path, IReadOnlyDictionary<string, RunDirectory> runs, CancellationToken cancellationToken)
    {
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach ((string id, RunDirectory directory) in runs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            IReadOnlyList<string> names = directory.OwnFiles();

            // Nothing is carried away that is no part of a run. Specification and samples were read by whoever found the run.
            StoreIO.ReadJson<StoredEnvironment>(directory.File("environment.json"));
            directory.ReadCalibration();
            directory.ReadState();
            directory.ReadSummary();
            foreach (string file in names)
            {
                if (StoreIO.ReadAll(directory.File(file)) is { } bytes)
                {
                    files.Add($"runs/{id}/{file}", file.EndsWith(".jsonl", StringComparison.Ordinal) ? WholeLines(bytes) : bytes);
                }
            }
        }

        byte[] manifest = new BundleManifest
        {
            Format = BundleManifest.CurrentFormat,
            Files = [.. files.Select(f => new BundledFile { Name = f.Key, Size = f.Value.Length, Sha256 = BundleManifest.Hash(f.Value) })],
        }.ToBytes();
        StoreIO.Write(path, () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            string temporary = $"{path}.{Environment.ProcessId}.tmp";
            try
            {
                using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
                {
                    using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
                    {
                        Add(archive, BundleManifest.FileName, manifest);
                        foreach ((string name, byte[] bytes) in files)
                        {
                            cancellationToken.ThrowIfCancellationRequested();
                            Add(archive, name, bytes);
                        }
                    }

                    stream.Flush(flushToDisk: true);
                }

                File.Move(temporary, path, overwrite: true);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
        });
        return BundleManifest.Hash(manifest);
    }

    private static void Add(ZipArchive archive, string name, byte[] bytes)
    {
        ZipArchiveEntry entry = archive.CreateEntry(name, CompressionLevel.NoCompression);
        entry.LastWriteTime = s_time;
        entry.ExternalAttributes = PlainFile;
        using Stream stream = entry.Open();
        stream.Write(bytes);
    }

    // A line that a kill cut off is no line of the run.
    private static byte[] WholeLines(byte[] bytes) => bytes[..(bytes.AsSpan().LastIndexOf((byte)'\n') + 1)];
}
