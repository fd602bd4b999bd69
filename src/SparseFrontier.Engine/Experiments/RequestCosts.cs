using SparseFrontier.Analysis;

namespace SparseFrontier.Experiments;

/// <summary>Computed costs of rows: finds each row's checkpoint and the sizes of each model, once.</summary>
internal sealed class RequestCosts(int batchSize, int outputTokenCount)
{
    private readonly Dictionary<(string Model, string? Directory), RequestCost> _costs = [];
    private readonly Dictionary<string, string?> _directories = [];

    /// <summary>A cost of a row.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: the sizes of the row's model are not known. MethodNotFound.</exception>
    public double? Of(SparseAttentionResult row, string name)
    {
        string? directory = ModelPath(row);
        if (!_costs.TryGetValue((row.Model, directory), out RequestCost? cost))
        {
            cost = new RequestCost(Shape(row, directory), batchSize, outputTokenCount);
            _costs.Add((row.Model, directory), cost);
        }

        return cost.Of(row, name);
    }

    /// <summary>The sizes of a row's model.</summary>
    /// <exception cref="SparseFrontierException">DataInsufficient: they are not known here.</exception>
    public static ModelShape ShapeOf(SparseAttentionResult row) => Shape(row, row.Path is { Length: > 0 } path ? ReadModelPath(path) : null);

    /// <summary>What names a row's model to a run: the directory of its checkpoint where that is known, else its name.</summary>
    public static string ModelOf(SparseAttentionResult row) => (row.Path is { Length: > 0 } path ? ReadModelPath(path) : null) ?? row.Model;

    private static ModelShape Shape(SparseAttentionResult row, string? directory)
    {
        try
        {
            return ModelShapes.Resolve(directory ?? row.Model);
        }
        catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ModelNotFound or ErrorIds.CheckpointUnreadable or ErrorIds.CheckpointInvalid or ErrorIds.ArchitectureUnsupported)
        {
            throw new SparseFrontierException(
                ErrorIds.DataInsufficient,
                $"The sizes of the model '{row.Model}' are not known here, so its costs cannot be computed: {e.Message} Take a measured cost, PrefillSeconds or of runs that stepped alone (SequencesPerStep 1) DecodeSeconds, or Density.",
                row.Model,
                e);
        }
    }

    private string? ModelPath(SparseAttentionResult row)
    {
        if (row.Path is not { Length: > 0 } path)
        {
            return null;
        }

        if (!_directories.TryGetValue(path, out string? directory))
        {
            directory = ReadModelPath(path);
            _directories.Add(path, directory);
        }

        return directory;
    }

    // A run's specification says where its checkpoint was.
    private static string? ReadModelPath(string path)
    {
        if (!Directory.Exists(path))
        {
            return null;
        }

        string? model;
        try
        {
            model = new RunDirectory(path).ReadSpecification()?.Specification.Model;
        }
        catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.ResultRowInvalid or ErrorIds.ResultUnreadable)
        {
            // A specification that was lost or damaged names no place; the model may still be found by its name.
            return null;
        }

        return model is { Length: > 0 } && Directory.Exists(model) ? model : null;
    }
}
