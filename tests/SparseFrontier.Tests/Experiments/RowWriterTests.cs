using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Rows that are written beside the computation.</summary>
public class RowWriterTests
{
    [Fact]
    public void A_row_counts_when_the_disk_has_it_and_a_runs_rows_keep_their_order()
    {
        using var folder = new TemporaryFolder();
        ActiveRun[] runs = Open(folder.Path, 11);
        var told = new List<(string RunId, int Index)>();
        using (var writer = new RowWriter(runs.Length, (run, row) =>
        {
            Assert.Contains(row.Index, OnDisk(run).Select(r => r.Index));
            run.Keep(row);
            told.Add((run.RunId, row.Index));
        }))
        {
            for (int index = 0; index < 30; index++)
            {
                foreach (ActiveRun run in runs)
                {
                    writer.Add(run, Row(run, index));
                    Assert.NotNull(run.Find(index));
                }
            }

            writer.Drain();
            Assert.Equal(330, told.Count);
        }

        foreach (ActiveRun run in runs)
        {
            Assert.Equal(Enumerable.Range(0, 30), told.Where(t => t.RunId == run.RunId).Select(t => t.Index));
            Assert.Equal(Enumerable.Range(0, 30), OnDisk(run).Select(r => r.Index));
            Assert.Equal(30, run.Samples.Count);
            run.Dispose();
        }
    }

    [Fact]
    public void A_row_that_cannot_be_written_is_an_error_and_does_not_count_and_the_others_do()
    {
        using var folder = new TemporaryFolder();
        ActiveRun[] runs = Open(folder.Path, 3);
        var told = new List<string>();

        // As a file that was closed under the writer's hands.
        runs[1].Dispose();
        var writer = new RowWriter(runs.Length, (run, row) =>
        {
            run.Keep(row);
            told.Add(run.RunId);
        });
        Assert.ThrowsAny<Exception>(() =>
        {
            Array.ForEach(runs, run => writer.Add(run, Row(run, 0)));
            writer.Drain();
        });
        writer.Dispose();
        Assert.Equal([runs[0].RunId, runs[2].RunId], told.Order(StringComparer.Ordinal));
        Assert.Empty(runs[1].Samples);
        Assert.Empty(OnDisk(runs[1]));
        Array.ForEach(runs, r => r.Dispose());
    }

    private static ActiveRun[] Open(string folder, int count)
    {
        var store = new ResultStore(folder);
        store.Prepare();
        var plan = PlannedRun.Create(Sweeps.Specification(samples: 30), new HashEngineFactory());
        ActiveRun[] runs = [.. Enumerable.Range(0, count).Select(i => new ActiveRun(plan, new StoredSpecification
        {
            RunId = FormattableString.Invariant($"{i:x8}00000000"),
            Specification = plan.Specification,
            Identity = new JsonObject { ["Number"] = i },
        }))];
        Array.ForEach(runs, r => r.Open(store, startOver: false, Assert.Fail));
        return runs;
    }

    private static SampleResult Row(ActiveRun run, int index) => new() { RunId = run.RunId, Index = index, Output = new string('x', 500) };

    private static IEnumerable<SampleResult> OnDisk(ActiveRun run) => SampleFile.List(run.Directory!.Path).SelectMany(f => SampleFile.Read(f, Assert.Fail));
}
