using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace SparseFrontier.Experiments;

/// <summary>
/// The right to write into a run's directory: a file that says who has it, held under an exclusive lock. A claim whose process is gone is
/// taken over; on another host that cannot be known, so there it stands until somebody deletes the file.
/// </summary>
internal sealed class RunClaim : IDisposable
{
    private readonly string _path;
    private readonly FileStream _stream;

    private RunClaim(string path, FileStream stream)
    {
        _path = path;
        _stream = stream;
    }

    /// <summary>Takes the claim of a run's directory.</summary>
    /// <exception cref="SparseFrontierException">RunBusy: another process has it. ResultWriteFailed.</exception>
    public static RunClaim Take(string directory)
    {
        string path = Path.Combine(directory, "claim");
        FileStream? stream = StoreIO.Write(path, () => TryOpen(path, FileMode.CreateNew));
        if (stream is null)
        {
            byte[] held = StoreIO.ReadAll(path) ?? [];
            ThrowIfHeld(path, held);
            stream = StoreIO.Write(path, () => TryOpen(path, FileMode.OpenOrCreate)) ?? throw Busy(path, "another process");

            // Between the look and the lock somebody else may have taken it over, and gone again.
            byte[] now = new byte[stream.Length];
            stream.ReadExactly(now);
            if (!now.AsSpan().SequenceEqual(held))
            {
                try
                {
                    ThrowIfHeld(path, now);
                }
                catch
                {
                    stream.Dispose();
                    throw;
                }
            }
        }

        var claim = new RunClaim(path, stream);
        try
        {
            StoreIO.Write(path, () =>
            {
                stream.SetLength(0);
                stream.Write(JsonSerializer.SerializeToUtf8Bytes(Own(), LineJson.Default.StoredClaim));
                stream.Flush(flushToDisk: true);
            });
        }
        catch
        {
            claim.Dispose();
            throw;
        }

        return claim;
    }

    /// <summary>Gives the claim back.</summary>
    public void Dispose()
    {
        try
        {
            File.Delete(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A claim that stays behind names this process and is taken over when it has ended.
        }

        _stream.Dispose();
    }

    private static StoredClaim Own()
    {
        using Process process = Process.GetCurrentProcess();
        return new StoredClaim
        {
            Host = Environment.MachineName,
            ProcessId = Environment.ProcessId,
            ProcessStartedAt = process.StartTime.ToUniversalTime(),
            SlurmJobId = Environment.GetEnvironmentVariable("SLURM_JOB_ID"),
        };
    }

    /// <summary>Opens the file under an exclusive lock; null if it exists and should not, or is locked.</summary>
    private static FileStream? TryOpen(string path, FileMode mode)
    {
        try
        {
            return new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException) && File.Exists(path))
        {
            return null;
        }
    }

    private static void ThrowIfHeld(string path, byte[] content)
    {
        StoredClaim? claim;
        try
        {
            claim = JsonSerializer.Deserialize(content, LineJson.Default.StoredClaim);
        }
        catch (JsonException)
        {
            // Killed between creating the file and writing it; if its maker lives, the lock says so.
            return;
        }

        if (claim is null)
        {
            return;
        }

        if (!string.Equals(claim.Host, Environment.MachineName, StringComparison.OrdinalIgnoreCase))
        {
            throw Busy(path, $"process {claim.ProcessId} on host {claim.Host}");
        }

        if (IsAlive(claim))
        {
            throw Busy(path, $"process {claim.ProcessId}");
        }
    }

    private static bool IsAlive(StoredClaim claim)
    {
        try
        {
            using Process process = Process.GetProcessById(claim.ProcessId);

            // Process ids are reused; the start time tells whether it is the same process (it is known to a few hundredths of a second).
            return !process.HasExited && (process.StartTime.ToUniversalTime() - claim.ProcessStartedAt.UtcDateTime).Duration() < TimeSpan.FromSeconds(2);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
        catch (Win32Exception)
        {
            // It exists but belongs to somebody else.
            return true;
        }
    }

    private static SparseFrontierException Busy(string path, string holder) => new(
        ErrorIds.RunBusy,
        $"Another run works on '{Path.GetDirectoryName(path)}': {holder} holds the claim. Wait for it; if it is gone for good, delete '{path}'.",
        path);
}
