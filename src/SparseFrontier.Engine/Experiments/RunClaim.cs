using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using SparseFrontier.Experiments.Slurm;

namespace SparseFrontier.Experiments;

/// <summary>
/// The right to write into a run's directory: a file that says who has it. A claim whose process is gone is taken over (its id names no process, or one
/// that started at another time, or the machine was started since; from another container of the machine, the lock that it held is free). No clock
/// decides. On another host it cannot be known, so there a claim stands until somebody deletes the file, unless Slurm knows: a job that it has requeued takes
/// over from its own earlier attempt, even where that still runs unseen on a lost node (both then finish, in samples files of their own), and so does anybody
/// from a job that is over.
/// </summary>
internal sealed class RunClaim : IDisposable
{
    private readonly string _path;
    private readonly byte[] _content;
    private readonly FileStream? _held;

    private RunClaim(string path, byte[] content, FileStream? held, bool earlierMayLive)
    {
        _path = path;
        _content = content;
        _held = held;
        EarlierMayLive = earlierMayLive;
    }

    /// <summary>Id of the Slurm job that this process belongs to; an array's element has its own. Null outside Slurm.</summary>
    public static string? SlurmJobId => Environment.GetEnvironmentVariable("SLURM_JOB_ID") is { Length: > 0 } id ? id : null;

    /// <summary>How often Slurm has restarted that job; null outside Slurm.</summary>
    public static int? SlurmRestartCount => SlurmJobId is null ? null :
        int.TryParse(Environment.GetEnvironmentVariable("SLURM_RESTART_COUNT"), NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : 0;

    /// <summary>Whether the claim was taken from a process that may still be writing.</summary>
    public bool EarlierMayLive { get; }

    /// <summary>Takes the claim of a run's directory.</summary>
    /// <exception cref="SparseFrontierException">RunBusy: another process has it. ResultWriteFailed.</exception>
    public static RunClaim Take(string directory) => Take(directory, SlurmJobId, SlurmRestartCount);

    /// <summary>Takes the claim of a run's directory as a process of a Slurm job.</summary>
    internal static RunClaim Take(string directory, string? slurmJobId, int? slurmRestartCount)
    {
        string path = Path.Combine(directory, "claim");

        // Processes of this host look and take one after another; the system drops the lock of one that dies.
        using FileStream guard = Lock(path);
        bool earlierMayLive = false;
        if (StoreIO.ReadAll(path) is { } held)
        {
            earlierMayLive = ThrowIfHeld(path, held, slurmJobId, slurmRestartCount);
            StoreIO.Write(path, () => File.Delete(path));
        }

        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        byte[] own = JsonSerializer.SerializeToUtf8Bytes(Own(slurmJobId, slurmRestartCount), StoreJson.Line);
        StoreIO.Write(path, () => File.WriteAllBytes(temporary, own));
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

        return new RunClaim(path, own, Hold(path), earlierMayLive);
    }

    /// <summary>Gives the claim back.</summary>
    public void Dispose()
    {
        try
        {
            // A requeued job may have taken it over meanwhile.
            if (StoreIO.ReadAll(_path) is { } content && content.AsSpan().SequenceEqual(_content))
            {
                File.Delete(_path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SparseFrontierException)
        {
            // A claim that stays behind names this process and is taken over when it has ended.
        }

        _held?.Dispose();
    }

    /// <summary>A lock that the system drops when the process ends; null while an earlier attempt holds it.</summary>
    private static FileStream? Hold(string path)
    {
        try
        {
            return new FileStream(path + ".held", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether the lock beside a claim is held, or was never there.</summary>
    private static bool IsHeld(string path)
    {
        using FileStream? held = File.Exists(path + ".held") ? Hold(path) : null;
        return held is null;
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
            catch (IOException e) when (IsInUse(e))
            {
                // Whoever takes a claim has it for milliseconds, unless it was stopped just then.
                throw Busy(path, "a process that is taking it, or was stopped while it did,");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw StoreIO.WriteFailed(file, e);
            }
        }
    }

    // Linux's and macOS's word for a lock that is held, and Windows' for a file that is not shared.
    private static bool IsInUse(IOException e) => e.HResult is 11 or 35 or unchecked((int)0x80070020);

    private static StoredClaim Own(string? slurmJobId, int? slurmRestartCount)
    {
        using Process process = Process.GetCurrentProcess();
        return new StoredClaim
        {
            Host = Environment.MachineName,
            ProcessId = Environment.ProcessId,
            ProcessStartedAt = process.StartTime.ToUniversalTime(),
            ProcessStart = ProcessIdentity.Start,
            ProcessNamespace = ProcessIdentity.Namespace,
            SlurmJobId = slurmJobId,
            SlurmRestartCount = slurmRestartCount,
        };
    }

    /// <summary>Refuses a claim that stands; whether its holder may still be writing although it does not.</summary>
    private static bool ThrowIfHeld(string path, byte[] content, string? slurmJobId, int? slurmRestartCount)
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

        if (claim.SlurmJobId is not null && claim.SlurmJobId == slurmJobId && claim.SlurmRestartCount < slurmRestartCount)
        {
            return true;
        }

        if (!string.Equals(claim.Host, Environment.MachineName, StringComparison.OrdinalIgnoreCase))
        {
            return claim.SlurmJobId is string job && new SlurmCommands().IsOver(job)
                ? true
                : throw Busy(path, $"process {claim.ProcessId} on host {claim.Host}{(claim.SlurmJobId is null ? "" : $" (Slurm job {claim.SlurmJobId})")}");
        }

        // Ids of processes mean something to those that see the same ones.
        bool mayLive = !ProcessIdentity.IsOfEarlierBoot(claim.ProcessStart)
            && (claim.ProcessNamespace == ProcessIdentity.Namespace ? ProcessIdentity.MayBeRunning(claim.ProcessId, claim.ProcessStart) : IsHeld(path));
        return mayLive ? throw Busy(path, $"process {claim.ProcessId}") : false;
    }

    private static SparseFrontierException Busy(string path, string holder) => new(
        ErrorIds.RunBusy,
        $"Another run works on '{Path.GetDirectoryName(path)}': {holder} holds the claim. Wait for it; if it is gone for good, delete '{path}'.",
        path);
}
