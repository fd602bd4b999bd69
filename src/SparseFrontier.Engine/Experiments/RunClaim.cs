using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace SparseFrontier.Experiments;

/// <summary>
/// The right to write into a run's directory: a file that says who has it. A claim whose process is gone is taken over; on another host that
/// cannot be known, so there it stands until somebody deletes the file.
/// </summary>
internal sealed class RunClaim : IDisposable
{
    private readonly string _path;

    private RunClaim(string path) => _path = path;

    /// <summary>Takes the claim of a run's directory.</summary>
    /// <exception cref="SparseFrontierException">RunBusy: another process has it. ResultWriteFailed.</exception>
    public static RunClaim Take(string directory)
    {
        string path = Path.Combine(directory, "claim");

        // Processes of this host look and take one after another; the system drops the lock of one that dies.
        using FileStream guard = Lock(path);
        if (StoreIO.ReadAll(path) is { } held)
        {
            ThrowIfHeld(path, held);
            StoreIO.Write(path, () => File.Delete(path));
        }

        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        StoreIO.Write(path, () => File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(Own(), StoreJson.Line)));
        try
        {
            // Appears as a whole, or not at all if another host was faster.
            File.Move(temporary, path, overwrite: false);
        }
        catch (IOException)
        {
            File.Delete(temporary);
            throw Busy(path, "another host");
        }

        return new RunClaim(path);
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
    }

    private static FileStream Lock(string path)
    {
        var waited = Stopwatch.StartNew();
        string file = path + ".lock";
        while (true)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException) && File.Exists(file) && waited.Elapsed < TimeSpan.FromSeconds(10))
            {
                Thread.Sleep(10);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw StoreIO.WriteFailed(file, e);
            }
        }
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

    private static void ThrowIfHeld(string path, byte[] content)
    {
        StoredClaim? claim;
        try
        {
            claim = JsonSerializer.Deserialize<StoredClaim>(content, StoreJson.Line);
        }
        catch (JsonException)
        {
            // Whoever wrote this is no version of this program.
            throw Busy(path, "an unknown process");
        }

        if (claim is null)
        {
            throw Busy(path, "an unknown process");
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
