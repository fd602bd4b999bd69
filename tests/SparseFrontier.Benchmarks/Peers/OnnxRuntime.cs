using System.Diagnostics;
using System.Text.Json.Nodes;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Peers;

/// <summary>
/// ONNX Runtime in a child process (node, onnxruntime-node), spoken to in lines of JSON. It times itself, so that the pipe does not count, with
/// as many threads as ours.
/// </summary>
internal sealed class OnnxRuntime : IDisposable
{
    private static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(60);

    private readonly Process _process;

    private OnnxRuntime(Process process) => _process = process;

    /// <summary>Starts the child process and says which version it runs; null where node or the package is missing.</summary>
    public static OnnxRuntime? TryStart(BenchmarkReport report)
    {
        string modules = Path.Combine(PeerFolder.Path, "node_modules");
        if (!Directory.Exists(Path.Combine(modules, "onnxruntime-node")))
        {
            report.Note("ONNX Runtime is missing (tests/SparseFrontier.Benchmarks/fetch-peers.sh): compared without it.");
            return null;
        }

        var start = new ProcessStartInfo("node", Path.Combine(AppContext.BaseDirectory, "Peers", "onnx-peer.cjs"))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            Environment = { ["NODE_PATH"] = modules },
        };
        try
        {
            var peer = new OnnxRuntime(Process.Start(start)!);
            report.AddPeer("ONNX Runtime", (string)peer.Ask(new JsonObject { ["op"] = "version" })["version"]!);
            return peer;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            report.Note("ONNX Runtime needs node, which is missing: compared without it.");
            return null;
        }
    }

    /// <summary>Input[rows, inputs] times a constant matrix [inputs, outputs], which the library packs when it loads.</summary>
    public Contender MatMul(string name, int rows, int outputs, int inputs) =>
        Load(name, 2.0 * rows * outputs * inputs, new JsonObject { ["op"] = "matmul", ["rows"] = rows, ["outputs"] = outputs, ["inputs"] = inputs });

    /// <summary>Causal GroupQueryAttention of a whole prompt: [1, length, heads · dimension], no past, no rotation. It also writes the present keys and values.</summary>
    public Contender GroupQueryAttention(string name, int queryHeads, int kvHeads, int length, int dimension) =>
        Load(
            name,
            2.0 * queryHeads * length * length * dimension,
            new JsonObject { ["op"] = "attention", ["queryHeads"] = queryHeads, ["kvHeads"] = kvHeads, ["length"] = length, ["dimension"] = dimension });

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private Contender Load(string name, double operations, JsonObject request)
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

    private JsonNode Ask(JsonObject request)
    {
        _process.StandardInput.WriteLine(request.ToJsonString());
        string line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The ONNX Runtime process ended; its message is above.");
        JsonNode answer = JsonNode.Parse(line)!;
        return answer["error"] is JsonNode error ? throw new InvalidOperationException($"ONNX Runtime: {error}") : answer;
    }
}
