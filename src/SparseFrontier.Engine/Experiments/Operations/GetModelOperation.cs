using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Lists checkpoints as <see cref="SparseAttentionModel"/>, from their headers alone.</summary>
public sealed class GetModelOperation
{
    /// <summary>
    /// Checkpoint directories, folders of them, or names of embedded models; wildcards match. Empty: the embedded models and those in
    /// <c>SPARSEFRONTIER_MODELS</c>.
    /// </summary>
    public IReadOnlyList<string> Path { get; init; } = [];

    /// <summary>Emits the models; what cannot be read is an error on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        var seen = new HashSet<string>();
        foreach (string path in Path.DefaultIfEmpty("*"))
        {
            try
            {
                foreach (string directory in Expand(path).Where(seen.Add))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    EmitModel(directory, sink);
                }
            }
            catch (SparseFrontierException e)
            {
                sink.Error(e);
            }
        }
    }

    private static IEnumerable<string> Expand(string path)
    {
        if (!NameMatcher.IsPattern(path))
        {
            string directory = ModelCatalog.Resolve(path);
            return ModelCatalog.IsCheckpoint(directory)
                ? [directory]
                : Directory.EnumerateDirectories(directory).Where(ModelCatalog.IsCheckpoint).Order(StringComparer.Ordinal);
        }

        IEnumerable<string> named = ModelCatalog.All().Where(d => NameMatcher.Matches(ModelCatalog.NameOf(d), path));
        return named.Concat(PathPattern.Expand(path).Where(ModelCatalog.IsCheckpoint).Select(System.IO.Path.GetFullPath));
    }

    private static void EmitModel(string directory, IPipelineSink sink)
    {
        try
        {
            var configuration = ModelConfiguration.Load(directory);
            using var model = TransformerModel.Load(directory);
            sink.Object(new SparseAttentionModel
            {
                Name = ModelCatalog.NameOf(directory),
                Path = directory,
                Architecture = configuration.Family,
                ParameterCount = model.ParameterCount,
                LayerCount = configuration.LayerCount,
                HeadCount = configuration.QueryHeads,
                KvHeadCount = configuration.KvHeads,
                HeadDimension = configuration.HeadDimension,
                ContextLength = configuration.ContextLength,
                DataType = model.DataType.ToString(),
                SizeBytes = Directory.EnumerateFiles(directory, "*.safetensors").Sum(f => new FileInfo(f).Length),
                IsDefault = ModelCatalog.NameOf(directory) == ModelCatalog.DefaultName,
            });
        }
        catch (SparseFrontierException e)
        {
            sink.Error(e);
        }
    }
}
