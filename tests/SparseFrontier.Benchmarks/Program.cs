using System.Globalization;
using SparseFrontier.Benchmarks;
using SparseFrontier.Benchmarks.Suites;

// dotnet run -c Release --project tests/SparseFrontier.Benchmarks -- <suite> [--output FILE]
(string Name, string Description, Action<BenchmarkReport> Run)[] suites =
[
    ("roofs", "peak of multiply-adds, bandwidth of reading and copying", RoofSuite.Run),
    ("attention", "dense causal attention of a prompt, against ONNX Runtime", AttentionSuite.Run),
    ("block-sparse", "attention over key blocks, against dense attention", BlockSparseSuite.Run),
    ("vertical-slash", "attention over columns and scattered diagonals, against dense attention", VerticalSlashSuite.Run),
    ("index", "each method's choice, against dense attention", IndexSuite.Run),
    ("matmul", "products of many rows with a weight matrix (prefill), against OpenBLAS and ONNX Runtime", MatMulSuite.Run),
    ("decode", "attention of one step: dense against the read roof, Quest against what its bytes allow", DecodeSuite.Run),
    ("sweep", "one sample under 30 decode configurations, against a dense prefill and 30 separate decodes", SweepSuite.Run),
    ("matvec", "products of few rows with a weight matrix (decode), against OpenBLAS and the read roof", MatVecSuite.Run),
    ("threads", "handing out the iterations of a loop, against Parallel.For", ThreadSuite.Run),
    ("first-calls", "first calls of kernels with and without tiered compilation", FirstCallSuite.Run),
    ("libtorch", "attention of a prompt and linear layers, against LibTorch in this process", LibTorchSuite.Run),
    ("pytorch", "linear layers, attention, prefill and decode of a model, against PyTorch and Transformers", PyTorchSuite.Run),
    ("prediction", "seconds that plans predict, against what then was measured", PredictionSuite.Run),
    ("prefill-memory", "resident memory of processes that read long prompts, against what is promised", PrefillMemorySuite.Run),
    ("cuda-model", "a random checkpoint of Qwen2.5-7B's shape on a GPU: prefill and decode by method", CudaModelSuite.Run),
    ("cuda-layers", "a random checkpoint of Qwen2.5-32B's shape, its layers spread over all GPUs, against one GPU", CudaLayersSuite.Run),
    ("cuda-agreement", "why a GPU's generated tokens differ from the processor's: kept tokens, margins, logits", CudaAgreementSuite.Run),
    ("cuda-step", "steps of the same checkpoint, for profilers too", CudaStepSuite.Run),
];

if (args is [FirstCallSuite.ChildArgument])
{
    FirstCallSuite.RunChild();
    return 0;
}

if (args is [PrefillMemorySuite.ChildArgument, string folder, string method, string length])
{
    PrefillMemorySuite.RunChild(folder, int.Parse(method, CultureInfo.InvariantCulture), int.Parse(length, CultureInfo.InvariantCulture));
    return 0;
}

if (args is ["block-sparse-loop", string sparsity, string seconds])
{
    BlockSparseSuite.Loop(double.Parse(sparsity, CultureInfo.InvariantCulture), double.Parse(seconds, CultureInfo.InvariantCulture));
    return 0;
}

if (args is ["shipped-patterns", string means, string measured])
{
    ShippedPatternsWriter.Write(means, measured);
    return 0;
}

if (args is ["shipped-results", string summary, .. string[] parts])
{
    ShippedResultsWriter.Write(summary, parts);
    return 0;
}

string? output = args is [_, "--output", string file] ? file : null;
(string Name, string Description, Action<BenchmarkReport> Run) suite = suites.FirstOrDefault(s => args.Length > 0 && s.Name == args[0]);
if (suite.Run is null || (args.Length > 1 && output is null))
{
    Console.Error.WriteLine("Usage: <suite> [--output FILE]");
    Console.Error.WriteLine("FILE gets the figures as JSON, and the tables as text beside it (.txt). Suites:");
    foreach ((string name, string description, _) in suites)
    {
        Console.Error.WriteLine($"  {name,-16}{description}");
    }

    return 2;
}

var report = new BenchmarkReport(suite.Name, Console.Out);
suite.Run(report);
if (output is not null)
{
    report.Save(output);
}

return 0;
