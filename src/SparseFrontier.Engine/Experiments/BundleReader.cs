using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;

namespace SparseFrontier.Experiments;

/// <summary>
/// Unpacks a bundle that may come from anywhere. Only names of the format's own are written, links and doubled names are refused, and since bundles are stored
/// and not compressed, no more bytes are written than the file has.
/// </summary>
internal sealed class BundleReader
{
    private const int MaximumManifestSize = 64 << 20;
    private const int LinkType = 0xA000;
    private const int PlainType = 0x8000;
    private const int TypeMask = 0xF000;

    private readonly string _path;
    private readonly List<string> _problems = [];

    private BundleReader(string path) => _path = path;

    /// <summary>Checks the archive and unpacks its runs, a folder each.</summary>
    /// <param name="path">The bundle.</param>
    /// <param name="directory">An empty folder to unpack to.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>SHA-256 of the manifest, and the run ids in order.</returns>
    /// <exception cref="SparseFrontierException">FileNotFound, ResultUnreadable. BundleInvalid: the message names what is wrong, every changed file among it.</exception>
    public static (string BundleId, IReadOnlyList<string> RunIds) Unpack(string path, string directory, CancellationToken cancellationToken)
    {
        try
        {
            using Stream stream = PlainFile.Open(path);
            using var archive = new ZipArchive(stream, ZipArchiveMode.Read);
            return new BundleReader(path).Unpack(archive, stream.Length, directory, cancellationToken);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no bundle '{path}'.", path, e);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new SparseFrontierException(ErrorIds.BundleInvalid, $"'{path}' is no zip archive, or a damaged one: {e.Message.TrimEnd('.')}. Get it again.", path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
    }

    private (string BundleId, IReadOnlyList<string> RunIds) Unpack(ZipArchive archive, long size, string directory, CancellationToken cancellationToken)
    {
        Dictionary<string, ZipArchiveEntry> entries = Check(archive, size);
        if (!entries.Remove(BundleManifest.FileName, out ZipArchiveEntry? manifestEntry))
        {
            _problems.Add($"{BundleManifest.FileName} is missing");
        }

        Refuse("It is not what Export-SparseAttentionBundle writes");
        byte[] manifestBytes = ReadManifest(manifestEntry!);
        Dictionary<string, BundledFile> listed = List(manifestBytes);
        _problems.AddRange(entries.Keys.Where(n => !listed.ContainsKey(n)).Select(n => $"{n} is not in the manifest"));
        _problems.AddRange(listed.Keys.Where(n => !entries.ContainsKey(n)).Select(n => $"{n} is missing"));
        Refuse("Its content is not that of its manifest");
        foreach ((string name, BundledFile file) in listed)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string target = Path.Combine(directory, name["runs/".Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (!Copy(entries[name], file, target))
            {
                _problems.Add($"{name} was changed");
            }
        }

        Refuse("Its content is not that of its manifest");
        return (BundleManifest.Hash(manifestBytes), [.. listed.Keys.Select(n => n.Split('/')[1]).Distinct().Order(StringComparer.Ordinal)]);
    }

    private Dictionary<string, ZipArchiveEntry> Check(ZipArchive archive, long size)
    {
        var entries = new Dictionary<string, ZipArchiveEntry>(StringComparer.OrdinalIgnoreCase);
        long total = 0;
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            string name = entry.FullName;
            int type = (entry.ExternalAttributes >> 16) & TypeMask;
            if (name != BundleManifest.FileName && !BundleManifest.IsRunFile(name))
            {
                _problems.Add($"'{Printable(name)}' is no name of a file of a run");
            }
            else if (type is not (0 or PlainType))
            {
                _problems.Add($"{name} is {(type == LinkType ? "a link" : "no plain file")}");
            }
            else if (entry.Length != entry.CompressedLength)
            {
                _problems.Add($"{name} is compressed, which bundles never are");
            }
            else if (!entries.TryAdd(name, entry))
            {
                _problems.Add($"{name} is there twice");
            }

            total += entry.Length;
        }

        // Entries that share bytes would make more of a file than it holds.
        if (total > size)
        {
            _problems.Add(FormattableString.Invariant($"it would unpack to {total} bytes, but has {size}"));
        }

        return entries;
    }

    private byte[] ReadManifest(ZipArchiveEntry entry)
    {
        if (entry.Length > MaximumManifestSize)
        {
            _problems.Add(FormattableString.Invariant($"{BundleManifest.FileName} has {entry.Length} bytes, more than {MaximumManifestSize}"));
            Refuse("It is not what Export-SparseAttentionBundle writes");
        }

        byte[] bytes = new byte[entry.Length];
        using Stream stream = entry.Open();
        stream.ReadExactly(bytes);
        return bytes;
    }

    private Dictionary<string, BundledFile> List(byte[] bytes)
    {
        var listed = new Dictionary<string, BundledFile>(StringComparer.OrdinalIgnoreCase);
        try
        {
            BundleManifest manifest = JsonSerializer.Deserialize<BundleManifest>(bytes, StoreJson.File) ?? new();
            if (manifest.Format != BundleManifest.CurrentFormat)
            {
                _problems.Add($"its format is '{Printable(manifest.Format ?? "")}', and this version reads '{BundleManifest.CurrentFormat}'");
            }

            // JSON may hold null anywhere.
            foreach (BundledFile? file in manifest.Files ?? [])
            {
                string name = file?.Name ?? "";
                if (!BundleManifest.IsRunFile(name) || !listed.TryAdd(name, file!))
                {
                    _problems.Add($"the manifest lists '{Printable(name)}', which is twice there or no name of a file of a run");
                }
            }
        }
        catch (JsonException e)
        {
            _problems.Add($"{BundleManifest.FileName} cannot be read: {e.Message}");
        }

        Refuse("It is not what Export-SparseAttentionBundle writes");
        return listed;
    }

    // Whether the file is the one that the manifest lists. No more is read than the manifest says.
    private static bool Copy(ZipArchiveEntry entry, BundledFile file, string target)
    {
        if (entry.Length != file.Size)
        {
            return false;
        }

        using Stream source = entry.Open();
        using var output = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 16];
        long left = file.Size;
        int read;
        while ((read = source.Read(buffer)) > 0)
        {
            left -= read;
            if (left < 0)
            {
                return false;
            }

            hash.AppendData(buffer, 0, read);
            output.Write(buffer, 0, read);
        }

        return left == 0 && Convert.ToHexStringLower(hash.GetHashAndReset()) == file.Sha256;
    }

    private void Refuse(string why)
    {
        if (_problems.Count > 0)
        {
            string rest = _problems.Count > 8 ? FormattableString.Invariant($"; {_problems.Count - 8} more") : "";
            throw new SparseFrontierException(
                ErrorIds.BundleInvalid, $"'{_path}' is refused, and nothing of it is taken. {why}: {string.Join("; ", _problems.Take(8))}{rest}.", _path);
        }
    }

    // What a stranger wrote goes to a terminal only as plain text.
    private static string Printable(string text) =>
        string.Concat(text.Take(120).Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) == System.Globalization.UnicodeCategory.Format ? '?' : c));
}
