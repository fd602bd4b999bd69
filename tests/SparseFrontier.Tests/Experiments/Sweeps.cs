using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Small sweeps on the hash engine.</summary>
internal static class Sweeps
{
    /// <summary>A specification that runs in milliseconds.</summary>
    public static RunSpecification Specification(
        string method = "Dense",
        double? sparsity = null,
        string decode = "Dense",
        double? decodeSparsity = null,
        int samples = 3,
        int length = 800,
        string parameters = "",
        string decodeParameters = "",
        string compressBefore = "None",
        bool allowDenseFallback = false,
        long seed = 1) => new()
        {
            Model = "hash",
            Method = method,
            Sparsity = sparsity,
            DecodeMethod = decode,
            DecodeSparsity = decodeSparsity,
            Parameters = parameters,
            DecodeParameters = decodeParameters,
            Task = "Niah",
            TaskParameters = "KeyGroups=1;Queries=2",
            SequenceLength = length,
            SampleCount = samples,
            MaximumOutputTokens = 40,
            ShortInstructions = true,
            CompressBefore = compressBefore,
            AllowDenseFallback = allowDenseFallback,
            Seed = seed,
        };

    /// <summary>Dense and several sparse runs of both phases.</summary>
    public static IReadOnlyList<RunSpecification> Mixed(int samples = 3, int length = 800) =>
    [
        Specification("BlockSparse", 0.5, samples: samples, length: length),
        Specification("SnapKV", 0.5, samples: samples, length: length),
        Specification("Quest", 0.6, samples: samples, length: length),
        Specification("BlockSparse", 0.5, "Quest", 0.6, samples: samples, length: length),
        Specification("Dense", samples: samples, length: length),
    ];

    /// <summary>Runs specifications and returns what was emitted.</summary>
    public static RecordingSink Run(
        string folder,
        IReadOnlyList<RunSpecification> specifications,
        EngineFactory? engines = null,
        bool force = false,
        int batch = 8,
        RecordingSink? sink = null,
        CancellationToken cancellationToken = default)
    {
        sink ??= new RecordingSink();
        new InvokeRunOperation
        {
            Specifications = specifications,
            ResultPath = folder,
            Force = force,
            BatchSize = batch,
            Engines = engines ?? new HashEngineFactory(),
        }.Execute(sink, cancellationToken);
        return sink;
    }
}
