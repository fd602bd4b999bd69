using System.ComponentModel;
using System.Diagnostics;

namespace SparseFrontier.Experiments.Slurm;

/// <summary>Slurm's commands as processes. Arguments are passed one by one, never through a shell.</summary>
/// <param name="folder">Folder of the commands; empty: the search path.</param>
internal sealed class SlurmCommands(string folder = "")
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>Submits a script and returns the job's id.</summary>
    /// <param name="directory">Folder that the job starts in.</param>
    /// <param name="script">File of the script, in that folder.</param>
    /// <param name="options">Options that are not in the script.</param>
    /// <exception cref="SparseFrontierException">SchedulerNotInstalled; SubmissionRejected with what sbatch says.</exception>
    public string Submit(string directory, string script, params string[] options)
    {
        (int code, string output, string error) = Run("sbatch", ["--parsable", .. options, script], directory);
        return code == 0
            ? SlurmText.JobId(output)
            : throw new SparseFrontierException(ErrorIds.SubmissionRejected, $"Slurm does not take the job: {Says(error, code)}", script);
    }

    /// <summary>What limits a submission.</summary>
    /// <exception cref="SparseFrontierException">SchedulerNotInstalled; SubmissionRejected where the controller does not answer.</exception>
    public SlurmLimits ReadLimits()
    {
        (int code, string configuration, string error) = Run("scontrol", ["show", "config"]);
        if (code != 0)
        {
            throw new SparseFrontierException(ErrorIds.SubmissionRejected, $"Slurm's controller does not answer: {Says(error, code)}", "scontrol");
        }

        // Limits of users are known where Slurm keeps accounts.
        int? perUser = null;
        int queued = 0;
        string user = Environment.UserName;
        if (TryRun("sacctmgr", ["--noheader", "--parsable2", "show", "association", $"user={user}", "format=MaxSubmitJobs"]) is { Code: 0 } accounts
            && SlurmText.Smallest(accounts.Output) is int most)
        {
            perUser = most;
            queued = SlurmText.Queue(Run("squeue", ["--noheader", "--array", $"--user={user}", $"--format={SlurmText.QueueFormat}"]).Output).Count;
        }

        int? all = SlurmText.Setting(configuration, "MaxJobCount");
        return new SlurmLimits(
            SlurmText.Setting(configuration, "MaxArraySize"),
            perUser is int own && all is int total ? Math.Min(own, total) : perUser ?? all,
            queued);
    }

    /// <summary>What is left in the queue of some jobs.</summary>
    /// <exception cref="SparseFrontierException">SchedulerNotInstalled; SubmissionRejected where the controller does not answer.</exception>
    public IReadOnlyList<SlurmTask> Queue(IReadOnlyCollection<string> jobIds)
    {
        if (jobIds.Count == 0)
        {
            return [];
        }

        (int code, string output, string error) = Run("squeue", ["--noheader", "--array", $"--format={SlurmText.QueueFormat}", $"--jobs={string.Join(',', jobIds)}"]);
        if (code != 0)
        {
            // A job that is long over is unknown; asked for alone it is an error.
            return error.Contains("Invalid job id", StringComparison.OrdinalIgnoreCase)
                ? []
                : throw new SparseFrontierException(ErrorIds.SubmissionRejected, $"Slurm does not show its queue: {Says(error, code)}", "squeue");
        }

        return [.. SlurmText.Queue(output).Where(t => jobIds.Contains(t.JobId))];
    }

    /// <summary>Whether Slurm says that a job, or an element by its own id, is over. False where it cannot be asked.</summary>
    public bool IsOver(string jobId)
    {
        if (jobId.Length == 0 || !jobId.All(char.IsAsciiDigit))
        {
            return false;
        }

        try
        {
            (int code, string output, string error) = Run("squeue", ["--noheader", "--format=%T", $"--jobs={jobId}"]);
            return code == 0 ? output.Trim().Length == 0 : error.Contains("Invalid job id", StringComparison.OrdinalIgnoreCase);
        }
        catch (SparseFrontierException)
        {
            return false;
        }
    }

    /// <summary>Cancels a job with all its elements.</summary>
    /// <exception cref="SparseFrontierException">SchedulerNotInstalled; SubmissionRejected with what scancel says.</exception>
    public void Cancel(string jobId)
    {
        (int code, _, string error) = Run("scancel", [jobId]);
        if (code != 0 && !error.Contains("Invalid job id", StringComparison.OrdinalIgnoreCase))
        {
            throw new SparseFrontierException(ErrorIds.SubmissionRejected, $"Slurm does not cancel job {jobId}: {Says(error, code)}", jobId);
        }
    }

    private static string Says(string error, int code) => error.Trim().Length > 0 ? error.Trim() : FormattableString.Invariant($"exit code {code}.");

    private (int Code, string Output, string Error)? TryRun(string command, string[] arguments)
    {
        try
        {
            return Run(command, arguments);
        }
        catch (SparseFrontierException)
        {
            return null;
        }
    }

    private (int Code, string Output, string Error) Run(string command, IEnumerable<string> arguments, string? directory = null)
    {
        var start = new ProcessStartInfo(folder.Length > 0 ? Path.Combine(folder, command) : command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = directory ?? "",
        };
        start.Environment["LC_ALL"] = "C";
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(s_patience))
            {
                process.Kill(entireProcessTree: true);
                throw new SparseFrontierException(
                    ErrorIds.SubmissionRejected, FormattableString.Invariant($"{command} does not answer within {s_patience.TotalSeconds} seconds. Is Slurm's controller up?"), command);
            }

            return (process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
        }
        catch (Win32Exception e)
        {
            throw new SparseFrontierException(
                ErrorIds.SchedulerNotInstalled, $"Slurm's command {command} is not here: {e.Message}. Submit from a login node of the cluster, or use Invoke-SparseAttentionRun.", command, e);
        }
    }
}
