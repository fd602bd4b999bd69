using SparseFrontier.Analysis;
using SparseFrontier.Experiments.Findings;
using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Experiments;

/// <summary>Finds the sizes of a model, from its config.json or from what is published.</summary>
internal static class ModelShapes
{
    /// <summary>The shape of a checkpoint's directory, its config.json, a model known by name, or a published model.</summary>
    /// <exception cref="SparseFrontierException">ModelNotFound, CheckpointUnreadable, CheckpointInvalid, ArchitectureUnsupported.</exception>
    public static ModelShape Resolve(string model)
    {
        if (Path.GetFileName(model) == "config.json" && File.Exists(model))
        {
            return FromDirectory(Path.GetDirectoryName(Path.GetFullPath(model))!);
        }

        if (!Directory.Exists(model) && PublishedModels.Find(model) is { } published)
        {
            return published;
        }

        try
        {
            return FromDirectory(ModelCatalog.Resolve(model));
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.ModelNotFound)
        {
            if (FindingsGrid.IsOtherTraining(model) && FindingsGrid.EmbeddedOf(model) is { } embedded)
            {
                return FromDirectory(ModelCatalog.Resolve(embedded)) with { Name = model };
            }

            throw new SparseFrontierException(
                ErrorIds.ModelNotFound, $"{e.Message} Published shapes: {string.Join(", ", PublishedModels.All.Select(m => m.Name))}.", model, e);
        }
    }

    private static ModelShape FromDirectory(string directory) => ModelShape.From(ModelCatalog.NameOf(directory), ModelConfiguration.Load(directory));
}
