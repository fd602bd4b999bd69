using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SparseFrontier.Experiments.Slurm;

/// <summary>What the scripts of a submission say. Everything that comes from outside is either checked to be harmless or quoted.</summary>
internal sealed partial class SlurmScript
{
    // A run that needs longer for one sample than an element may last would be requeued for ever.
    private const int MaximumRestarts = 100;

    private static readonly string[] s_ownOptions =
        ["--array", "--job-name", "--output", "--error", "--open-mode", "--signal", "--requeue", "--no-requeue", "--dependency", "--wrap", "--parsable", "--chdir", "--nodes", "--ntasks", "--partition", "--account", "--time", "--cpus-per-task", "--gres"];

    public required string Name { get; init; }

    public required string Worker { get; init; }

    /// <summary>Folder of the submission, known when the name has been checked.</summary>
    public string Folder { get; set; } = "";

    public required string ResultPath { get; init; }

    public required int TaskCount { get; init; }

    public required int RunCount { get; init; }

    public int MaximumConcurrency { get; init; }

    public int CpuCount { get; init; }

    public int GpuCount { get; init; }

    public string Partition { get; init; } = "";

    public string Account { get; init; } = "";

    public TimeSpan? TimeLimit { get; init; }

    public IReadOnlyList<string> Options { get; init; } = [];

    /// <summary>Refuses values that a directive could not hold as they are.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public void Check()
    {
        Require(NameText().IsMatch(Name), "Name", Name, "letters, digits, dots, dashes and underscores, 64 at most");
        Require(Partition.Length == 0 || ListText().IsMatch(Partition), "Partition", Partition, "a name or several with commas between");
        Require(Account.Length == 0 || NameText().IsMatch(Account), "Account", Account, "a name");
        Require(CpuCount >= 0, "CpuCount", CpuCount, "at least 1");
        Require(GpuCount >= 0, "GpuCount", GpuCount, "at least 0");
        Require(MaximumConcurrency >= 0, "MaximumConcurrency", MaximumConcurrency, "at least 1");
        Require(TimeLimit is null || TimeLimit >= TimeSpan.FromMinutes(1), "TimeLimit", TimeLimit, "at least one minute");
        foreach (string option in Options)
        {
            Require(OptionText().IsMatch(option), "SchedulerOption", option, "a long option of sbatch, such as --qos=long");
            Require(!s_ownOptions.Contains(option.Split('=')[0]), "SchedulerOption", option, "none of those that the script sets itself; several have a parameter of their own");
        }
    }

    /// <summary>The script of the array.</summary>
    public string Array()
    {
        var text = new StringBuilder();
        text.Append("#!/bin/bash\n");
        Directive(text, "job-name", Name);
        Directive(text, "array", string.Create(CultureInfo.InvariantCulture, $"0-{TaskCount - 1}{(MaximumConcurrency > 0 ? $"%{MaximumConcurrency}" : "")}"));
        Common(text);
        if (CpuCount > 0)
        {
            Directive(text, "cpus-per-task", CpuCount.ToString(CultureInfo.InvariantCulture));
        }

        if (GpuCount > 0)
        {
            Directive(text, "gres", string.Create(CultureInfo.InvariantCulture, $"gpu:{GpuCount}"));
        }

        if (TimeLimit is TimeSpan limit)
        {
            Directive(text, "signal", string.Create(CultureInfo.InvariantCulture, $"B:USR1@{(int)Math.Clamp(limit.TotalSeconds / 4, 20, 120)}"));
        }

        Own(text);
        text.Append(CultureInfo.InvariantCulture, $"\n# {Counted.Of(RunCount, "run")} in {Counted.Of(TaskCount, "element")}: each runs the file packs/N.jsonl. Made by sparsefrontier {ModuleInformation.Version}.\n");
        Variables(text);
        text.Append(ArrayBody.Replace("{restarts}", MaximumRestarts.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        return text.ToString().ReplaceLineEndings("\n");
    }

    /// <summary>The script of the job that runs when all elements have ended, however they ended.</summary>
    public string Merge()
    {
        var text = new StringBuilder();
        text.Append("#!/bin/bash\n");
        Directive(text, "job-name", $"{Name}-merge");
        Common(text);
        Own(text);
        text.Append("\n# Completes what the attempts of all elements hold together. Running it again changes nothing.\n");
        Variables(text);
        text.Append(MergeBody);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private const string ArrayBody = """
        task=$SLURM_ARRAY_TASK_ID
        pack="$submission/packs/$task.jsonl"
        exec >>"$submission/logs/$task.log" 2>&1 </dev/null
        echo "== $(date -u +%FT%TZ) element $task, restart ${SLURM_RESTART_COUNT:-0}, on $(hostname)"
        [ -z "${SLURM_CPUS_PER_TASK:-}" ] || export DOTNET_PROCESSOR_COUNT=$SLURM_CPUS_PER_TASK

        # USR1 comes before the time limit, TERM when the job is cancelled or preempted. Every finished sample is on the disk already.
        stop='' child='' code=143
        trap 'stop=limit; [ -z "$child" ] || kill -TERM "$child"' USR1
        trap 'stop=cancel; [ -z "$child" ] || kill -TERM "$child"' TERM

        # A worker that dies is started again; it gives a run up by itself that ended it three times without finishing a sample.
        tries=$((3 * $(wc -l <"$pack") + 1))
        while [ -z "$stop" ]; do
            "$worker" run --input "$pack" --results "$results" &
            child=$!
            [ -z "$stop" ] || kill -TERM "$child"
            wait "$child"
            code=$?
            while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
            child=''
            tries=$((tries - 1))
            if [ "$code" -lt 128 ] || [ "$tries" -le 0 ]; then break; fi
            [ -n "$stop" ] || echo "== the worker ended with $code and is started again"
        done

        if [ "$stop" = limit ] && [ "$code" -ne 0 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt {restarts} ]; then
            echo "== the time is up: requeued"
            scontrol requeue "$SLURM_JOB_ID" && exit 0
        fi

        echo "== $(date -u +%FT%TZ) ended with $code"
        echo "$code" >"$submission/status/$task.$$.tmp" && mv "$submission/status/$task.$$.tmp" "$submission/status/$task"
        exit "$code"

        """;

    private const string MergeBody = """
        exec >>"$submission/logs/merge.log" 2>&1 </dev/null
        "$worker" merge --results "$results"
        code=$?
        echo "$code" >"$submission/status/merge.$$.tmp" && mv "$submission/status/merge.$$.tmp" "$submission/status/merge"
        exit "$code"

        """;

    private static void Directive(StringBuilder text, string name, string value) => text.Append(CultureInfo.InvariantCulture, $"#SBATCH --{name}={value}\n");

    private void Common(StringBuilder text)
    {
        text.Append("#SBATCH --nodes=1\n#SBATCH --ntasks=1\n");
        if (Partition.Length > 0)
        {
            Directive(text, "partition", Partition);
        }

        if (Account.Length > 0)
        {
            Directive(text, "account", Account);
        }

        if (TimeLimit is TimeSpan limit)
        {
            Directive(text, "time", SlurmText.Duration(limit));
        }

        // The log is opened by the script: names of folders need no quoting there that only Slurm knows.
        text.Append("#SBATCH --requeue\n#SBATCH --output=/dev/null\n");
    }

    private void Own(StringBuilder text)
    {
        foreach (string option in Options)
        {
            text.Append("#SBATCH ").Append(option).Append('\n');
        }
    }

    private void Variables(StringBuilder text) => text
        .Append("worker=").Append(SlurmText.Quote(Worker)).Append('\n')
        .Append("results=").Append(SlurmText.Quote(ResultPath)).Append('\n')
        .Append("submission=").Append(SlurmText.Quote(Folder)).Append("\n\n");

    private static void Require(bool fulfilled, string name, object? value, string allowed)
    {
        if (!fulfilled)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, FormattableString.Invariant($"{name} is {allowed}, not '{value}'."), value);
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex NameText();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._,-]*\z")]
    private static partial Regex ListText();

    [GeneratedRegex(@"\A--[a-z][a-z0-9-]*(=[A-Za-z0-9._,:%+*/@=\[\]&|-]+)?\z")]
    private static partial Regex OptionText();
}
