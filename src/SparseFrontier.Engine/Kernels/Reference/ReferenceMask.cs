namespace SparseFrontier.Kernels.Reference;

/// <summary>An attention plan written out as a boolean mask: what all counting of pairs is compared with.</summary>
public static class ReferenceMask
{
    /// <summary>[rows, keys]: whether a row (first index) attends to a key.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="slidingWindow">0, or the number of latest keys (its own included) that a row may see.</param>
    public static bool[,] Create(AttentionPlan plan, int slidingWindow = 0)
    {
        bool[,] mask = new bool[plan.RowCount, plan.KeyCount];
        for (int row = 0; row < plan.RowCount; row++)
        {
            for (int key = 0; key < plan.KeyCount; key++)
            {
                mask[row, key] = Attends(plan, slidingWindow, row, key);
            }
        }

        return mask;
    }

    /// <summary>Whether a row attends to a key.</summary>
    public static bool Attends(AttentionPlan plan, int slidingWindow, int row, int key)
    {
        int position = plan.FirstPosition + row;
        if (key > position || (slidingWindow > 0 && key <= position - slidingWindow))
        {
            return false;
        }

        int tile = row / plan.TileRows;
        for (int i = plan.RangeOffsets[tile]; i < plan.RangeOffsets[tile + 1]; i++)
        {
            if (key >= plan.Ranges[i].Start && key < plan.Ranges[i].End)
            {
                return true;
            }
        }

        return Array.BinarySearch(plan.Columns, key) >= 0;
    }
}
