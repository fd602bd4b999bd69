using System.Diagnostics;
using System.IO.Pipes;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace SparseFrontier.Experiments.Workers;

/// <summary>
/// One worker process, from the side of the one that started it. What it says is told on a thread of its own: its replies one after another, and once that it has
/// ended.
/// </summary>
internal sealed class WorkerProcess : IDisposable
{
    private const int LastLines = 4;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_partingTime = TimeSpan.FromSeconds(3);

    private readonly NamedPipeServerStream _stream;
    private readonly Process _process;
    private readonly Queue<string> _lastWords = new();
    private readonly List<string> _unsent = [];
    private readonly Lock _lock = new();
    private StreamWriter? _writer;

    /// <summary>Starts the process.</summary>
    /// <param name="program">How.</param>
    /// <param name="processorCount">Processors that it may use.</param>
    /// <param name="reply">Told each reply, and null at the end.</param>
    /// <exception cref="SparseFrontierException">DeviceFailed: it cannot be started.</exception>
    public WorkerProcess(WorkerProgram program, int processorCount, Action<WorkerProcess, WorkerReply?> reply)
    {
        string pipe = $"sf-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        _stream = new NamedPipeServerStream(pipe, PipeDirection.InOut, 1, PipeTransmissionMode.Byte, PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        var start = new ProcessStartInfo(program.FileName)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            CreateNoWindow = true,
        };
        foreach (string argument in program.Arguments)
        {
            start.ArgumentList.Add(argument.Replace(WorkerProgram.Pipe, pipe, StringComparison.Ordinal));
        }

        // Workers share this machine's processors; one that the user set stays.
        start.Environment.TryAdd("DOTNET_PROCESSOR_COUNT", FormattableString.Invariant($"{processorCount}"));
        foreach ((string name, string value) in program.Environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            _process = Process.Start(start)!;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            _stream.Dispose();
            throw new SparseFrontierException(ErrorIds.DeviceFailed, $"The worker process '{program.FileName}' cannot be started: {e.Message} Name one device instead of several.", program.FileName, e);
        }

        _process.ErrorDataReceived += (_, line) => Remember(line.Data);
        _process.OutputDataReceived += (_, line) => Remember(line.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        _process.StandardInput.Close();
        new Thread(() => Read(reply)) { IsBackground = true, Name = "Worker" }.Start();
    }

    /// <summary>Number of the process.</summary>
    public int ProcessId => _process.Id;

    /// <summary>Sends a request; one that the process does not get because it has ended shows as its end.</summary>
    public void Send(WorkerRequest request)
    {
        string line = JsonSerializer.Serialize(request, StoreJson.Line);
        lock (_lock)
        {
            if (_writer is null)
            {
                _unsent.Add(line);
                return;
            }

            Write(line);
        }
    }

    /// <summary>How it ended, for a message: the exit code and what it said last.</summary>
    public string Ending()
    {
        string code = _process.WaitForExit(s_partingTime) ? FormattableString.Invariant($"exit code {_process.ExitCode}") : "its pipe was closed";
        lock (_lock)
        {
            return _lastWords.Count == 0 ? code : $"{code}: {string.Join(" ", _lastWords)}";
        }
    }

    /// <summary>Lets an idle process end, or ends one that computes: it has no files open.</summary>
    public void Stop(bool atOnce)
    {
        try
        {
            _stream.Dispose();
            if (atOnce || !_process.WaitForExit(s_partingTime))
            {
                _process.Kill(entireProcessTree: true);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception or IOException)
        {
            // It has ended meanwhile.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream.Dispose();
        _process.Dispose();
    }

    private void Read(Action<WorkerProcess, WorkerReply?> reply)
    {
        try
        {
            Connect();
            using var lines = new StreamReader(_stream, Encoding.UTF8, leaveOpen: true);
            while (lines.ReadLine() is { } line)
            {
                reply(this, JsonSerializer.Deserialize<WorkerReply>(line, StoreJson.Line));
            }
        }
#pragma warning disable CA1031 // An exception that leaves this thread would end the process.
        catch (Exception)
#pragma warning restore CA1031
        {
            // The pipe was closed, on this side or the other, or never opened (a socket's, a stream's or a process's exception): the worker is gone, whichever it was.
        }

        reply(this, null);
    }

    // A process that ends before it connects must not be waited for.
    private void Connect()
    {
        using var patience = new CancellationTokenSource(s_patience);
        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => Cancel(patience);
        if (_process.HasExited)
        {
            throw new IOException("The worker ended before it connected.");
        }

        _stream.WaitForConnectionAsync(patience.Token).GetAwaiter().GetResult();
        lock (_lock)
        {
            _writer = new StreamWriter(_stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n", AutoFlush = true };
            _unsent.ForEach(Write);
        }

        static void Cancel(CancellationTokenSource source)
        {
            try
            {
                source.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It connected, and ended later.
            }
        }
    }

    private void Write(string line)
    {
        try
        {
            _writer!.WriteLine(line);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The reading thread tells the end.
        }
    }

    private void Remember(string? line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        lock (_lock)
        {
            _lastWords.Enqueue(line.Trim());
            while (_lastWords.Count > LastLines)
            {
                _lastWords.Dequeue();
            }
        }
    }
}
