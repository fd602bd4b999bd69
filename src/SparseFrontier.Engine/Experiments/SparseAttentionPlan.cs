namespace SparseFrontier;

/// <summary>
/// What a specification would run and what that would cost, found without loading the model. It is a specification itself, so that plans can
/// be filtered and run.
/// </summary>
public sealed class SparseAttentionPlan : RunSpecification
{
    /// <summary>Whether the prompt length can hold the budget, which else makes a row with Status Infeasible, and a sample of the task, which else is an error of the run.</summary>
    public bool IsFeasible { get; init; }

    /// <summary>Of an infeasible run, the most sparsity that the length can hold.</summary>
    public double? MaximumFeasibleSparsity { get; init; }

    /// <summary>Why the run is infeasible, or what else there is to say.</summary>
    public string Message { get; init; } = "";

    /// <summary>Sparsity of the prefill that the solved budget gives; what was asked where it is calibrated; null where only a run can tell.</summary>
    public double? ExpectedSparsity { get; init; }

    /// <summary>Sparsity of a decode step right after the prompt that the solved budget gives.</summary>
    public double? ExpectedDecodeSparsity { get; init; }

    /// <summary>Parameters of the prefill method with the budget for a prompt of the full length; empty where it is calibrated or dense.</summary>
    public string SolvedParameters { get; init; } = "";

    /// <summary>Parameters of the decode method with the budget for a prompt of the full length; empty where it is dense.</summary>
    public string SolvedDecodeParameters { get; init; } = "";

    /// <summary>Whether the prefill budget is found by measuring calibration samples, unless the folder of results knows it already.</summary>
    public bool NeedsCalibration { get; init; }

    /// <summary>Number of the prefill that the run uses; runs of equal numbers share it. Null of an infeasible run.</summary>
    public int? PrefillGroup { get; init; }

    /// <summary>Runs that share the prefill, this one among them.</summary>
    public int PrefillRunCount { get; init; }

    /// <summary>Prompt tokens of all samples, at most.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Output tokens of all samples, at most.</summary>
    public long OutputTokens { get; init; }

    /// <summary>Floating-point operations of reading the prompts of all samples, if the run were alone; null where the sparsity is unknown.</summary>
    public double? PrefillOperations { get; init; }

    /// <summary>The run's part of them where runs share a prefill: the sum over a plan is what the plan computes.</summary>
    public double? SharedPrefillOperations { get; init; }

    /// <summary>Bytes of keys, values and index that generation reads, if every output is as long as allowed.</summary>
    public double? BytesRead { get; init; }

    /// <summary>Bytes of a sequence's KV cache after the longest output.</summary>
    public double? CacheBytes { get; init; }

    /// <summary>
    /// Seconds that the run adds to a plan on the device: its part of the reading of prompts and its generation, from runs measured on this machine in the folder of results.
    /// Loading, calibration and making samples come on top. Null where nothing was measured that says it; <see cref="PredictionMessage"/> says why.
    /// </summary>
    public double? PredictedSeconds { get; init; }

    /// <summary>What the predicted seconds are taken from, or why there are none.</summary>
    public string PredictionMessage { get; init; } = "";

    /// <summary>
    /// The smallest true difference to another run's mean score that a paired one-sided test at 5 % finds in four of five cases with this many
    /// samples, if the two runs' scores are 0 or 1, half of each, and unrelated. Scores that go together differ less, so that smaller differences
    /// are found. Null where none of at most 1 is.
    /// </summary>
    public double? DetectableDifference { get; init; }
}
