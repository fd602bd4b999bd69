using System.Text.Json.Nodes;
using SparseFrontier.Kernels.Measurement;

namespace SparseFrontier.Benchmarks.Peers;

/// <summary>ONNX Runtime in a child process (node, onnxruntime-node).</summary>
internal sealed class OnnxRuntime : IDisposable
{
    private readonly PeerProcess _process;

    private OnnxRuntime(PeerProcess process) => _process = process;

    /// <summary>Starts the child process and says which version it runs; null where node or the package is missing.</summary>
    public static OnnxRuntime? TryStart(BenchmarkReport report)
    {
        string modules = Path.Combine(PeerFolder.Path, "node_modules");
        if (!Directory.Exists(Path.Combine(modules, "onnxruntime-node")) || PeerProcess.TryStart("node", "onnx-peer.cjs", ("NODE_PATH", modules)) is not { } process)
        {
            report.Note("ONNX Runtime is missing (tests/SparseFrontier.Benchmarks/fetch-peers.sh, and node): compared without it.");
            return null;
        }

        report.AddPeer("ONNX Runtime", (string)process.Ask(new JsonObject { ["op"] = "version" })["version"]!);
        return new OnnxRuntime(process);
    }

    /// <summary>Input[rows, inputs] times a constant matrix [inputs, outputs], which the library packs when it loads.</summary>
    public Contender MatMul(string name, int rows, int outputs, int inputs) =>
        _process.Load(name, 2.0 * rows * outputs * inputs, new JsonObject { ["op"] = "matmul", ["rows"] = rows, ["outputs"] = outputs, ["inputs"] = inputs });

    /// <summary>Causal GroupQueryAttention of a whole prompt: [1, length, heads · dimension], no past, no rotation. It also writes the present keys and values.</summary>
    public Contender GroupQueryAttention(string name, int queryHeads, int kvHeads, int length, int dimension) =>
        _process.Load(
            name,
            2.0 * queryHeads * length * length * dimension,
            new JsonObject { ["op"] = "attention", ["queryHeads"] = queryHeads, ["kvHeads"] = kvHeads, ["length"] = length, ["dimension"] = dimension });

    /// <inheritdoc/>
    public void Dispose() => _process.Dispose();
}
