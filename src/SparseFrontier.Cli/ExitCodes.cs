namespace SparseFrontier.Cli;

/// <summary>Exit codes of the process.</summary>
internal static class ExitCodes
{
    /// <summary>All went well.</summary>
    public const int Success = 0;

    /// <summary>Something failed or was wrong; standard error says what.</summary>
    public const int Failed = 1;

    /// <summary>Stopped by Ctrl-C.</summary>
    public const int Interrupted = 130;

    /// <summary>Stopped by SIGTERM.</summary>
    public const int Terminated = 143;
}
