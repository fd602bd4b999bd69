using System.Text.Json.Nodes;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Peers;

/// <summary>PyTorch and Transformers in a child process (python3).</summary>
internal sealed class PyTorch : IDisposable
{
    private readonly PeerProcess _process;

    private PyTorch(PeerProcess process) => _process = process;

    /// <summary>Starts the child process and says which versions it runs; null where Python or PyTorch is missing.</summary>
    public static PyTorch? TryStart(BenchmarkReport report)
    {
        try
        {
            if (PeerProcess.TryStart("python3", "torch-peer.py") is { } process)
            {
                report.AddPeer("PyTorch", (string)process.Ask(new JsonObject { ["op"] = "version" })["version"]!);
                return new PyTorch(process);
            }
        }
        catch (InvalidOperationException)
        {
            // Python without PyTorch.
        }

        report.Note("PyTorch is missing (python3 with torch and transformers).");
        return null;
    }

    /// <summary>torch.nn.functional.linear.</summary>
    public Contender Linear(string name, int rows, int outputs, int inputs, DataType type) =>
        _process.Load(
            name,
            2.0 * rows * outputs * inputs,
            new JsonObject { ["op"] = "linear", ["rows"] = rows, ["outputs"] = outputs, ["inputs"] = inputs, ["type"] = type.ToString() });

    /// <summary>Causal scaled_dot_product_attention of a whole prompt.</summary>
    public Contender Attention(string name, int queryHeads, int kvHeads, int length, int dimension) =>
        _process.Load(
            name,
            2.0 * queryHeads * length * length * dimension,
            new JsonObject { ["op"] = "attention", ["queryHeads"] = queryHeads, ["kvHeads"] = kvHeads, ["length"] = length, ["dimension"] = dimension });

    /// <summary>Transformers reads a prompt and gives the last logits.</summary>
    public Contender Prefill(string name, string model, int length, DataType type) =>
        _process.Load(name, 0, new JsonObject { ["op"] = "prefill", ["model"] = model, ["length"] = length, ["type"] = type.ToString() });

    /// <summary>Transformers runs one token after a prompt, in a batch of equal sequences.</summary>
    public Contender Decode(string name, string model, int length, int batch, DataType type) =>
        _process.Load(name, 0, new JsonObject { ["op"] = "decode", ["model"] = model, ["length"] = length, ["batch"] = batch, ["type"] = type.ToString() });

    /// <inheritdoc/>
    public void Dispose() => _process.Dispose();
}
