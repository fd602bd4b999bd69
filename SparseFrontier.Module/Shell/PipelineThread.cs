namespace SparseFrontier.Shell;

/// <summary>
/// The pipeline thread that the running operation belongs to: where a user's script blocks run, since PowerShell runs them on one thread.
/// The value travels with the execution context from the pump to whatever the operation calls.
/// </summary>
internal static class PipelineThread
{
    private static readonly AsyncLocal<Action<Action>?> s_post = new();

    /// <summary>Says, on an operation's own thread, how to run something on its pipeline thread and wait for it.</summary>
    public static void Enter(Action<Action> send) => s_post.Value = send;

    /// <summary>Runs something on the pipeline thread and returns what it gives.</summary>
    /// <param name="what">What needs it, for the error.</param>
    /// <param name="call">Runs there.</param>
    /// <exception cref="SparseFrontierException">PowerShellRequired: the caller does not belong to a pipeline.</exception>
    public static T Invoke<T>(string what, Func<T> call)
    {
        Action<Action> send = s_post.Value ?? throw new SparseFrontierException(
            ErrorIds.PowerShellRequired,
            $"{what} is a script block, which runs only in a PowerShell pipeline. Run it with Invoke-SparseAttentionRun, or register a C# type instead.",
            what);
        T result = default!;
        send(() => result = call());
        return result;
    }
}
