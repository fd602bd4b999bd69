namespace SparseFrontier.Experiments.Slurm;

/// <summary>
/// Divides runs among the elements of a job array. The runs of one cell (a model, task, length, seed and protocol) stay together: they share
/// prompts and prefills, and are compared with their dense run.
/// </summary>
internal static class SlurmPacks
{
    /// <summary>The runs of each element, runs of one model next to each other.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="runsPerTask">Cells of one model are joined until an element has so many runs.</param>
    /// <param name="maximumTasks">Elements at most; more are joined where there would be more.</param>
    public static IReadOnlyList<IReadOnlyList<PlannedRun>> Create(IReadOnlyList<PlannedRun> runs, int runsPerTask, int maximumTasks)
    {
        List<List<PlannedRun>> cells = [.. runs
            .GroupBy(r => (r.ModelDirectory, r.Specification.Device))
            .SelectMany(model => model.GroupBy(CellKey).Select(cell => cell.ToList()))];
        for (int most = runsPerTask; ; most = (int)Math.Min(int.MaxValue, 2L * most))
        {
            List<List<PlannedRun>> packs = Join(cells, most, acrossModels: false);
            if (packs.Count <= maximumTasks)
            {
                return packs;
            }

            if (most >= runs.Count)
            {
                // More models than elements.
                return Join(cells, (runs.Count + maximumTasks - 1) / maximumTasks, acrossModels: true);
            }
        }
    }

    // The folder stands for the checkpoint's content, and the data's path for the data's: only loading would tell.
    private static string CellKey(PlannedRun run) => RunIdentity.Cell(run, new ModelIdentity(run.ModelDirectory, "", null), run.TaskOptions.DataPath).ToJsonString();

    private static List<List<PlannedRun>> Join(List<List<PlannedRun>> cells, int runsPerTask, bool acrossModels)
    {
        var packs = new List<List<PlannedRun>>();
        foreach (List<PlannedRun> cell in cells)
        {
            if (packs.Count > 0 && packs[^1].Count < runsPerTask && (acrossModels || IsSameModel(packs[^1][0], cell[0])))
            {
                packs[^1].AddRange(cell);
            }
            else
            {
                packs.Add([.. cell]);
            }
        }

        return packs;
    }

    private static bool IsSameModel(PlannedRun one, PlannedRun other) =>
        one.ModelDirectory == other.ModelDirectory && one.Specification.Device == other.Specification.Device;
}
