using System.Text.Json;
using System.Text.Json.Nodes;

namespace SparseFrontier.Experiments;

/// <summary>What <c>spec.json</c> holds: everything needed to repeat a run and to describe its rows before a summary exists.</summary>
internal sealed class StoredSpecification
{
    public int SchemaVersion { get; init; } = 1;

    public string RunId { get; init; } = "";

    public string ModuleVersion { get; init; } = "";

    public DateTimeOffset CreatedAt { get; init; }

    public double? YarnFactor { get; init; }

    public string CacheType { get; init; } = "";

    /// <summary>The run as asked for, defaults filled in.</summary>
    public RunSpecification Specification { get; init; } = new();

    /// <summary>What the run id is the hash of.</summary>
    public JsonObject? Identity { get; init; }

    /// <summary>A copy made at another time, if that is known.</summary>
    public StoredSpecification With(DateTimeOffset? createdAt) => new()
    {
        RunId = RunId,
        ModuleVersion = ModuleVersion,
        CreatedAt = createdAt ?? CreatedAt,
        YarnFactor = YarnFactor,
        CacheType = CacheType,
        Specification = Specification,
        Identity = Identity,
    };
}

/// <summary>What <c>state.json</c> holds: why a run without a summary is not running.</summary>
internal sealed class StoredState
{
    public int SchemaVersion { get; init; } = 1;

    public RunStatus Status { get; init; }

    public string? Message { get; init; }

    public DateTimeOffset At { get; init; }
}

/// <summary>
/// What <c>tries.json</c> holds: that an attempt has given the run to the model, and what came of the attempts before. It is written before the
/// model begins, so that an attempt that takes its process with it is counted too.
/// </summary>
internal sealed class StoredTries
{
    public int SchemaVersion { get; init; } = 1;

    /// <summary>Attempts that the model was given the same next sample in, this one among them.</summary>
    public int Tries { get; init; }

    /// <summary>Samples that the directory held when the attempt began: with more, it got on.</summary>
    public int SampleCount { get; init; }

    public DateTimeOffset At { get; init; }

    public string Host { get; init; } = "";

    public int ProcessId { get; init; }
}

/// <summary>What <c>environment.json</c> holds: where each attempt ran.</summary>
internal sealed class StoredEnvironment
{
    public int SchemaVersion { get; init; } = 1;

    public List<StoredAttempt> Attempts
    {
        get;
        init => field = value.Contains(null!) ? throw new JsonException("null stands where an attempt must.") : value;
    }
    = [];
}

/// <summary>One attempt at a run.</summary>
internal sealed class StoredAttempt
{
    public string Samples { get; init; } = "";

    public DateTimeOffset StartedAt { get; init; }

    public string Host { get; init; } = "";

    public int ProcessId { get; init; }

    public string? SlurmJobId { get; init; }

    public int? SlurmRestartCount { get; init; }

    public string ModuleVersion { get; init; } = "";

    public string Runtime { get; init; } = "";

    public string OperatingSystem { get; init; } = "";

    public string Processor { get; init; } = "";

    public int ProcessorCount { get; init; }

    public string InstructionSet { get; init; } = "";

    public string Device { get; init; } = "";

    /// <summary>The attempt with its samples in another file.</summary>
    public StoredAttempt With(string samples) => new()
    {
        Samples = samples,
        StartedAt = StartedAt,
        Host = Host,
        ProcessId = ProcessId,
        SlurmJobId = SlurmJobId,
        SlurmRestartCount = SlurmRestartCount,
        ModuleVersion = ModuleVersion,
        Runtime = Runtime,
        OperatingSystem = OperatingSystem,
        Processor = Processor,
        ProcessorCount = ProcessorCount,
        InstructionSet = InstructionSet,
        Device = Device,
    };
}

/// <summary>What <c>claim</c> holds: who works on a run.</summary>
internal sealed class StoredClaim
{
    public string Host { get; init; } = "";

    public int ProcessId { get; init; }

    /// <summary>When the process started, by its clock: for people, nothing hangs on it.</summary>
    public DateTimeOffset ProcessStartedAt { get; init; }

    /// <summary><see cref="ProcessIdentity.Start"/>.</summary>
    public string ProcessStart { get; init; } = "";

    /// <summary><see cref="ProcessIdentity.Namespace"/>.</summary>
    public string ProcessNamespace { get; init; } = "";

    public string? SlurmJobId { get; init; }

    /// <summary>How often Slurm had restarted the job by then.</summary>
    public int? SlurmRestartCount { get; init; }
}

/// <summary>One value that a calibration found.</summary>
internal sealed class StoredCalibration
{
    public int SchemaVersion { get; init; } = 1;

    public string Key { get; init; } = "";

    public string Method { get; init; } = "";

    public double RequestedSparsity { get; init; }

    /// <summary>The value of the method's one-dimensional budget.</summary>
    public double Budget { get; init; }

    /// <summary>The parameters that the budget stands for.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>Mean sparsity that the calibration samples reach with it.</summary>
    public double MeasuredSparsity { get; init; }

    public int SampleCount { get; init; }

    /// <summary>Sparse prefills that were needed after the first estimate.</summary>
    public int Refinements { get; init; }
}
