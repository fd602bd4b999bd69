namespace SparseFrontier;

/// <summary>Programs whose results can be imported.</summary>
public enum ResultFormat
{
    /// <summary>Told by what the files hold.</summary>
    Auto,

    /// <summary>lm-evaluation-harness: a results file, and its samples files where they were logged.</summary>
    LmEvaluationHarness,

    /// <summary>kvpress: the folder of an evaluation with its config.yaml, metrics.json and predictions.csv.</summary>
    KVPress,

    /// <summary>The code of The Sparse Frontier: its evaluation_results files, with predictions and data where they are beside them.</summary>
    SparseFrontierReference,
}
