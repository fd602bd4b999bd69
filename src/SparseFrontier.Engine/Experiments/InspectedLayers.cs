using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Experiments;

/// <summary>Layers and heads that are asked for, against those that a model has.</summary>
internal static class InspectedLayers
{
    /// <summary>Refuses what a run's model does not have, and runs that are not on the processor.</summary>
    /// <param name="run">The run.</param>
    /// <param name="engines">Reads the model's configuration.</param>
    /// <param name="layers">Layers asked for.</param>
    /// <param name="queryHeads">Query heads asked for.</param>
    /// <exception cref="SparseFrontierException">ParameterInvalid, DeviceUnsupported.</exception>
    public static void Require(PlannedRun run, EngineFactory engines, IEnumerable<int> layers, IEnumerable<int> queryHeads)
    {
        if (!run.Specification.Device.Equals("cpu", StringComparison.OrdinalIgnoreCase))
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceUnsupported, $"Models are looked into on the device cpu only, not on '{run.Specification.Device}'.", run.Specification.Device);
        }

        ModelConfiguration model = engines.ReadConfiguration(run.ModelDirectory);
        string name = ModelCatalog.NameOf(run.ModelDirectory);
        foreach (int layer in layers)
        {
            if (layer < 0 || layer >= model.LayerCount)
            {
                throw Invalid($"'{name}' has layers 0 to {model.LayerCount - 1}, not {layer}.", layer);
            }

            if (!model.IsGlobal(layer))
            {
                throw Invalid($"Layer {layer} of '{name}' attends to a sliding window, which no method changes. Name layers with global attention.", layer);
            }
        }

        foreach (int head in queryHeads)
        {
            if (head < 0 || head >= model.QueryHeads)
            {
                throw Invalid($"'{name}' has query heads 0 to {model.QueryHeads - 1}, not {head}.", head);
            }
        }
    }

    private static SparseFrontierException Invalid(string message, int target) => new(ErrorIds.ParameterInvalid, message, target);
}
