using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>Looks each model of a plan up once, and reads its configuration and tokenizer once, however many runs name it.</summary>
internal sealed class PlanningFactory(EngineFactory inner) : EngineFactory
{
    private readonly Dictionary<string, string> _directories = [];
    private readonly Dictionary<string, ModelConfiguration> _configurations = [];
    private readonly Dictionary<string, DataType> _cacheTypes = [];
    private readonly Dictionary<string, PromptEncoder> _encoders = [];

    /// <inheritdoc/>
    public override string Resolve(string model) => Once(_directories, model, inner.Resolve);

    /// <inheritdoc/>
    public override ModelConfiguration ReadConfiguration(string directory) => Once(_configurations, directory, inner.ReadConfiguration);

    /// <inheritdoc/>
    public override DataType ReadCacheType(string directory) => Once(_cacheTypes, directory, inner.ReadCacheType);

    /// <inheritdoc/>
    public override PromptEncoder OpenEncoder(string directory) => Once(_encoders, directory, inner.OpenEncoder);

    /// <inheritdoc/>
    public override SampleEngine Open(string directory, string device) => inner.Open(directory, device);

    private static T Once<T>(Dictionary<string, T> known, string key, Func<string, T> read)
    {
        if (!known.TryGetValue(key, out T? value))
        {
            known.Add(key, value = read(key));
        }

        return value;
    }
}
