using System.Runtime.InteropServices;

namespace SparseFrontier.Cli;

/// <summary>
/// Turns Ctrl-C and SIGTERM into cancellation. Work that does not end soon is left: everything finished is on disk by then, so leaving at any
/// moment is safe, and a user who presses Ctrl-C waits half a second at most.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(400);

    private readonly CancellationTokenSource _cancellation = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private Timer? _lastResort;

    public Interrupt()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _cancellation.Token;

    /// <summary>Exit code that tells which signal it was.</summary>
    public int ExitCode { get; private set; } = ExitCodes.Interrupted;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _lastResort?.Dispose();
        _cancellation.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        ExitCode = context.Signal == PosixSignal.SIGTERM ? ExitCodes.Terminated : ExitCodes.Interrupted;
        if (_cancellation.IsCancellationRequested)
        {
            Environment.Exit(ExitCode);
        }

        _lastResort = new Timer(_ => Environment.Exit(ExitCode), null, s_patience, Timeout.InfiniteTimeSpan);
        _cancellation.Cancel();
    }
}
