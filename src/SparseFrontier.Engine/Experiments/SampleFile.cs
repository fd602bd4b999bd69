using System.Globalization;
using System.Text.Json;

namespace SparseFrontier.Experiments;

/// <summary>Append-only samples of one attempt: a JSON line each, on the disk before <see cref="Append"/> returns.</summary>
internal sealed class SampleFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly string _path;

    private SampleFile(string path, FileStream stream)
    {
        _path = path;
        _stream = stream;
    }

    /// <summary>Name of the file.</summary>
    public string Name => Path.GetFileName(_path);

    /// <summary>Creates the next attempt's file in a run's directory.</summary>
    /// <param name="directory">The run's directory.</param>
    /// <param name="othersMayWrite">Whether an earlier attempt may still be writing; if not, torn last lines of earlier attempts are cut off.</param>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public static SampleFile CreateNext(string directory, bool othersMayWrite) => StoreIO.Write(directory, () =>
    {
        int attempt = 0;
        foreach (string file in List(directory))
        {
            if (!othersMayWrite)
            {
                CutTornLine(file);
            }

            if (int.TryParse(Path.GetFileNameWithoutExtension(file)["samples-".Length..], out int number))
            {
                attempt = Math.Max(attempt, number);
            }
        }

        while (true)
        {
            string path = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"samples-{++attempt:D4}.jsonl"));
            try
            {
                var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
                StoreIO.FlushFolder(directory);
                return new SampleFile(path, stream);
            }
            catch (IOException) when (File.Exists(path))
            {
                // Another attempt was faster.
            }
        }
    });

    /// <summary>Files of all attempts, the oldest first.</summary>
    public static IReadOnlyList<string> List(string directory) =>
        [.. Directory.EnumerateFiles(directory, "samples-*.jsonl").Order(StringComparer.Ordinal)];

    /// <summary>Whether a file ends within a line.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static bool IsTorn(string path)
    {
        try
        {
            using Stream stream = PlainFile.Open(path);
            if (stream.Length == 0)
            {
                return false;
            }

            stream.Seek(-1, SeekOrigin.End);
            return stream.ReadByte() != '\n';
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SparseFrontierException(ErrorIds.ResultUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
    }

    /// <summary>Reads the whole lines of a file; what is not a sample goes to <paramref name="damaged"/>. A last line without its end is no line.</summary>
    /// <exception cref="SparseFrontierException">ResultUnreadable.</exception>
    public static IEnumerable<SampleResult> Read(string path, Action<string> damaged)
    {
        byte[] bytes = StoreIO.ReadAll(path) ?? [];
        int start = 0;
        for (int number = 1; ; number++)
        {
            int length = bytes.AsSpan(start).IndexOf((byte)'\n');
            if (length < 0)
            {
                yield break;
            }

            ReadOnlyMemory<byte> line = bytes.AsMemory(start, length);
            start += length + 1;
            SampleResult? sample = null;
            try
            {
                sample = JsonSerializer.Deserialize<SampleResult>(line.Span, StoreJson.Line);
            }
            catch (JsonException)
            {
                // Reported below.
            }

            if (sample is null || sample.Index < 0 || sample.RunId.Length == 0)
            {
                damaged($"Line {number} of '{path}' is not a sample and is left out.");
            }
            else
            {
                yield return sample;
            }
        }
    }

    /// <summary>Writes samples and waits until the disk has them.</summary>
    /// <exception cref="SparseFrontierException">ResultWriteFailed; nothing of the samples stays in the file.</exception>
    public void Append(params IReadOnlyList<SampleResult> samples)
    {
        byte[] lines = [.. samples.SelectMany(s => JsonSerializer.SerializeToUtf8Bytes(s, StoreJson.Line).Append((byte)'\n'))];
        long end = _stream.Length;
        StoreIO.Write(_path, () =>
        {
            try
            {
                _stream.Write(lines);
                _stream.Flush(flushToDisk: true);
            }
            catch (IOException)
            {
                DiscardAfter(end);
                throw;
            }
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        bool empty = _stream.Length == 0;
        _stream.Dispose();
        if (empty)
        {
            File.Delete(_path);
        }
    }

    private void DiscardAfter(long end)
    {
        try
        {
            _stream.SetLength(end);
        }
        catch (IOException)
        {
            // The next attempt cuts the torn line off.
        }
    }

    private static void CutTornLine(string path)
    {
        byte[] bytes = StoreIO.ReadAll(path) ?? [];
        int end = bytes.AsSpan().LastIndexOf((byte)'\n') + 1;
        if (end < bytes.Length)
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read, bufferSize: 0);
            stream.SetLength(end);
            stream.Flush(flushToDisk: true);
        }
    }
}
