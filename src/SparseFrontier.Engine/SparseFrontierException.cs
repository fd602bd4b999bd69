namespace SparseFrontier;

/// <summary>
/// An error that the user can do something about. <see cref="ErrorId"/> is part of the public contract: it is what a PowerShell error record
/// and the command line's JSON carry (docs/errors.md lists all).
/// </summary>
public class SparseFrontierException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="errorId">One of <see cref="ErrorIds"/>.</param>
    /// <param name="message">What is wrong, why, and what to do. What a terminal would obey is made visible: names in it come from files.</param>
    /// <param name="target">The value that is wrong.</param>
    /// <param name="innerException">The cause.</param>
    public SparseFrontierException(string errorId, string message, object? target = null, Exception? innerException = null)
        : base(VisibleText.Message(message ?? ""), innerException)
    {
        ErrorId = errorId;
        Target = target;
    }

    /// <summary>The error of memory that the host refused where no run was under way that could be given up.</summary>
    /// <param name="cause">What was refused.</param>
    public static SparseFrontierException OfMemory(OutOfMemoryException cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
        return new SparseFrontierException(ErrorIds.DeviceOutOfMemory, $"The host's memory does not hold what was asked for. {cause.Message} Ask for less: shorter prompts, fewer heads or samples, a smaller model.", null, cause);
    }

    /// <summary>Documented identifier.</summary>
    public string ErrorId { get; }

    /// <summary>The value that is wrong.</summary>
    public object? Target { get; }
}
