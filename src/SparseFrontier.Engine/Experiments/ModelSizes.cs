namespace SparseFrontier.Experiments;

/// <summary>Parameters of models, computed once from their sizes.</summary>
internal sealed class ModelSizes
{
    private readonly Dictionary<string, double?> _sizes = [];

    /// <summary>Parameters of a row's model; null where its sizes are not known here.</summary>
    public double? Of(SparseAttentionResult row)
    {
        if (!_sizes.TryGetValue(row.Model, out double? size))
        {
            try
            {
                size = RequestCosts.ShapeOf(row).ParameterCount;
            }
            catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.DataInsufficient)
            {
                size = null;
            }

            _sizes.Add(row.Model, size);
        }

        return size;
    }
}
