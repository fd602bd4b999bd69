namespace SparseFrontier.Kernels.Measurement;

/// <summary>
/// A counter that takes long to ask (NVIDIA's library: 3 ms, several steps of a small model): it is asked a few times a second and beside the work. In between the mean power
/// of the time between the last two answers is taken to go on.
/// </summary>
/// <param name="inner">The counter; may be asked by any thread.</param>
/// <param name="clock">What the time is.</param>
internal sealed class PacedEnergy(EnergyCounter inner, TimeProvider clock) : EnergyCounter
{
    // Several of the counter's own steps.
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    // After such a pause the power is another: whoever asks then waits for an answer.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private bool _isKnown;
    private bool _isAsking;
    private long _time;
    private double _joules;
    private double _watts;
    private double _told;

    /// <inheritdoc/>
    public override double ReadJoules()
    {
        lock (_lock)
        {
            TimeSpan age = clock.GetElapsedTime(_time);
            if (!_isKnown || age > s_pause)
            {
                Take(inner.ReadJoules());
                age = TimeSpan.Zero;
            }
            else if (age > s_interval && !_isAsking)
            {
                _isAsking = true;
                ThreadPool.QueueUserWorkItem(_ => Ask());
            }

            // Never less than before, where the power fell meanwhile.
            return _told = Math.Max(_told, _joules + (_watts * age.TotalSeconds));
        }
    }

    private void Ask()
    {
        double joules = inner.ReadJoules();
        lock (_lock)
        {
            Take(joules);
            _isAsking = false;
        }
    }

    private void Take(double joules)
    {
        long now = clock.GetTimestamp();
        double seconds = clock.GetElapsedTime(_time, now).TotalSeconds;
        _watts = _isKnown && seconds > 0 ? Math.Max(0, (joules - _joules) / seconds) : 0;
        _joules = Math.Max(_joules, joules);
        _time = now;
        _isKnown = true;
    }
}
