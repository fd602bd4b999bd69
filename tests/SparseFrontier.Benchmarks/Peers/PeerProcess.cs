using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Peers;

/// <summary>
/// A library in a child process, spoken to in lines of JSON: a request that makes ready some work is answered with its number, and the work
/// then runs on request. The process times itself, so that the pipe does not count.
/// </summary>
internal sealed class PeerProcess : IDisposable
{
    private static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(60);

    private readonly Process _process;

    private PeerProcess(Process process) => _process = process;

    /// <summary>Starts an interpreter on a script beside this program; null where there is no such interpreter.</summary>
    public static PeerProcess? TryStart(string interpreter, string script, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(interpreter, Path.Combine(AppContext.BaseDirectory, "Peers", script)) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            return new PeerProcess(Process.Start(start)!);
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>One request and its answer.</summary>
    /// <exception cref="InvalidOperationException">The process ended, or answered with an error.</exception>
    public JsonNode Ask(JsonObject request)
    {
        try
        {
            _process.StandardInput.WriteLine(request.ToJsonString());
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It ended; so does its output.
        }

        string line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The peer's process ended; its message is above.");
        JsonNode answer = JsonNode.Parse(line)!;
        return answer["error"] is JsonNode error ? throw new InvalidOperationException(error.ToString()) : answer;
    }

    /// <summary>Makes ready the work that a request describes, with as many threads as ours.</summary>
    public Contender Load(string name, double operations, JsonObject request)
    {
        request["threads"] = WorkerPool.ThreadCount;
        int session = (int)Ask(request)["session"]!;
        return new Contender(name, calls => (double)Ask(new JsonObject { ["op"] = "run", ["session"] = session, ["calls"] = calls })["seconds"]!)
        {
            Operations = operations,
            ProcessId = _process.Id,
            Rest = s_rest,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
