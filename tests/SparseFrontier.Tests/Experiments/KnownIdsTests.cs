using System.Globalization;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Slurm;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Ids to choose from: the newest, few, and never an error.</summary>
public sealed class KnownIdsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Runs_are_named_with_what_they_are()
    {
        IReadOnlyList<SparseAttentionResult> rows = Sweeps.Run(_folder.Path, [Sweeps.Specification(), Sweeps.Specification("BlockSparse", 0.5)]).Rows;
        var runs = KnownIds.Runs([_folder.Path], "").ToDictionary(r => r.Id, r => r.Description);
        Assert.Equal(rows.Select(r => r.RunId).Order(StringComparer.Ordinal), runs.Keys.Order(StringComparer.Ordinal));
        Assert.Matches(@"^BlockSparse at sparsity 0\.5, Niah at 800 tokens on hash, seed 1: score [01]\.[0-9]{3} of 3 samples$", runs[rows.Single(r => r.Method == "BlockSparse").RunId]);
        Assert.StartsWith("Dense, Niah", runs[rows.Single(r => r.Method == "Dense").RunId], StringComparison.Ordinal);

        // By all of an id, and by a part of it, in the folder and in the run's own.
        string id = rows[0].RunId;
        Assert.Equal([id], KnownIds.Runs([_folder.Path], id).Select(r => r.Id));
        Assert.Equal([id], KnownIds.Runs([_folder.Path], id[..3].ToUpperInvariant()).Select(r => r.Id));
        Assert.Equal([id], KnownIds.Runs([rows[0].Path!], "").Select(r => r.Id));
        Assert.Empty(KnownIds.Runs([_folder.Path], id + "0"));
    }

    [Fact]
    public void What_cannot_be_read_is_left_out()
    {
        Assert.Empty(KnownIds.Runs([_folder.File("none")], ""));
        Assert.Empty(KnownIds.Jobs([_folder.File("none")], ""));
        string id = Assert.Single(Sweeps.Run(_folder.Path, [Sweeps.Specification()]).Rows).RunId;
        Directory.CreateDirectory(_folder.File("20991231T000000Z-quest-niah-960-00000000"));
        File.WriteAllText(_folder.File("20991231T000000Z-quest-niah-960-00000000/spec.json"), "{");
        Assert.Equal([id], KnownIds.Runs([_folder.Path], "").Select(r => r.Id));
    }

    // Who presses Tab in a folder of thousands waits for a hundred.
    [Fact]
    public void Of_many_runs_the_newest_are_read()
    {
        SparseAttentionResult row = Assert.Single(Sweeps.Run(_folder.File("one"), [Sweeps.Specification()]).Rows);
        string specification = File.ReadAllText(Path.Combine(row.Path!, "spec.json"));
        for (int i = 0; i < 300; i++)
        {
            string id = i.ToString("x8", CultureInfo.InvariantCulture) + "00000000";
            string directory = _folder.File($"many/20260101T0{i / 60:D2}{i % 60:D2}00Z-dense-niah-800-{id[..8]}");
            Directory.CreateDirectory(directory);
            File.WriteAllText(Path.Combine(directory, "spec.json"), specification.Replace(row.RunId, id, StringComparison.Ordinal));
        }

        string[] runs = [.. KnownIds.Runs([_folder.File("many")], "").Select(r => r.Id)];
        Assert.InRange(runs.Length, 1, 100);
        Assert.Equal(runs.OrderDescending(StringComparer.Ordinal), runs);
        Assert.Equal(299.ToString("x8", CultureInfo.InvariantCulture) + "00000000", runs[0]);

        // One that is not among the newest is found by its name.
        (string _, string description) = Assert.Single(KnownIds.Runs([_folder.File("many")], "00000007"));
        Assert.EndsWith(": not finished", description, StringComparison.Ordinal);
    }

    [Fact]
    public void Jobs_are_named_without_asking_Slurm()
    {
        for (int i = 1; i <= 2; i++)
        {
            var submission = Submission.Next(_folder.Path, $"night{i}", new DateTimeOffset(2026, 1, i, 0, 0, 0, TimeSpan.Zero));
            Directory.CreateDirectory(submission.Path);
            submission.Write(new StoredSubmission { JobId = $"471{i}", Name = $"night{i}", TaskCount = 3, RunCount = 12 });
        }

        Directory.CreateDirectory(_folder.File("jobs/20260103T000000Z-refused"));
        var jobs = KnownIds.Jobs([_folder.Path], "");
        Assert.Equal(["4712", "4711"], jobs.Select(j => j.Id));
        Assert.Matches("^night2, submitted .*: 12 runs in 3 elements$", jobs[0].Description);
        Assert.Equal(["4711"], KnownIds.Jobs([_folder.Path], "4711").Select(j => j.Id));
    }
}
