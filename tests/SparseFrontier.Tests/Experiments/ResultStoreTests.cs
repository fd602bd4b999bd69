using System.Diagnostics;
using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class ResultStoreTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_those_who_create_a_run_at_once_all_get_one_directory_whatever_their_clocks_say(bool inNewFolders)
    {
        using var folder = new TemporaryFolder();
        var plan = PlannedRun.Create(Sweeps.Specification(), new HashEngineFactory());
        for (int round = 0; round < 30; round++)
        {
            string id = FormattableString.Invariant($"{round:x8}00000000");
            string results = inNewFolders ? folder.File(id) : folder.Path;
            using var start = new Barrier(4);
            string[] paths = new string[4];
            Thread[] threads = [.. Enumerable.Range(0, paths.Length).Select(i => new Thread(() =>
            {
                var specification = new StoredSpecification { RunId = id, Specification = plan.Specification, Identity = new JsonObject(), CreatedAt = DateTimeOffset.UnixEpoch.AddSeconds(100 - i) };
                start.SignalAndWait();
                Thread.Sleep(i);
                paths[i] = new ResultStore(results).FindOrCreate(specification).Path;
            }))];
            Array.ForEach(threads, t => t.Start());
            Array.ForEach(threads, t => t.Join());
            Assert.Single(paths.Distinct());
            Assert.Single(Directory.GetDirectories(results, $"*-{id[..8]}"));
        }

        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_torn_last_line_is_cut_off_and_its_sample_done_again()
    {
        using var folder = new TemporaryFolder();
        RunSpecification specification = Sweeps.Specification();
        string path = Sweeps.Run(folder.Path, [specification]).Rows[0].Path!;
        string expected = ResultExport.Canonical(folder.Path);
        string samples = Directory.GetFiles(path, "samples-*.jsonl").Single();
        byte[] bytes = File.ReadAllBytes(samples);
        for (int removed = 1; removed < 400; removed += 57)
        {
            Directory.GetFiles(path).ToList().ForEach(f => { if (!f.EndsWith("spec.json", StringComparison.Ordinal)) { File.Delete(f); } });
            File.WriteAllBytes(samples, bytes[..^removed]);
            RecordingSink read = Read(folder.Path);
            Assert.Equal((RunStatus.Partial, 2), (read.Rows[0].Status, read.Rows[0].SampleCount));
            Assert.Empty(read.Warnings);
            var engines = new HashEngineFactory();
            Sweeps.Run(folder.Path, [specification], engines);
            Assert.Equal(1, engines.Prefills);
            Assert.Equal(expected, ResultExport.Canonical(folder.Path));
            Assert.EndsWith("\n", File.ReadAllText(samples), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_a_finished_run_lost_with_a_torn_last_line_is_said_until_it_is_run_again()
    {
        using var folder = new TemporaryFolder();
        RunSpecification specification = Sweeps.Specification();
        string path = Sweeps.Run(folder.Path, [specification]).Rows[0].Path!;
        string expected = ResultExport.Canonical(folder.Path);
        string samples = Directory.GetFiles(path, "samples-*.jsonl").Single();
        File.WriteAllBytes(samples, File.ReadAllBytes(samples)[..^50]);
        RecordingSink read = Read(folder.Path);
        Assert.Equal(RunStatus.Completed, read.Rows[0].Status);
        string warning = Assert.Single(read.Warnings);
        Assert.Contains($"'{samples}' ends within a line: of the run's 3 samples 1 is lost (2).", warning, StringComparison.Ordinal);
        Assert.Contains("Run the same again", warning, StringComparison.Ordinal);
        Assert.Equal(2, Read(folder.Path, sample: true).Objects.Count);
        var merged = new RecordingSink();
        new MergeResultOperation { ResultPath = folder.Path }.Execute(merged, default);
        Assert.Equal(warning, Assert.Single(merged.Warnings));

        var engines = new HashEngineFactory();
        Assert.Empty(Sweeps.Run(folder.Path, [specification], engines).Warnings);
        Assert.Equal(1, engines.Prefills);
        Assert.Equal(expected, ResultExport.Canonical(folder.Path));
        Assert.Empty(Read(folder.Path).Warnings);

        // An attempt at more samples may just be writing its next: nothing of the finished run is lost.
        File.WriteAllText(Path.Combine(path, "samples-0009.jsonl"), "{\"RunId\":");
        Assert.Empty(Read(folder.Path).Warnings);
    }

    // Whoever starts a finished run over sets its samples aside one after the other; and they may be of somebody else.
    [Fact]
    public void The_row_of_a_finished_run_needs_no_samples()
    {
        using var folder = new TemporaryFolder();
        string path = Sweeps.Run(folder.Path, [Sweeps.Specification()]).Rows[0].Path!;
        string samples = Directory.GetFiles(path, "samples-*.jsonl").Single();
        File.Move(samples, samples + ".old");
        File.CreateSymbolicLink(samples, folder.File("nowhere"));
        RecordingSink read = Read(folder.Path);
        Assert.Empty(read.Warnings);
        Assert.Equal(RunStatus.Completed, Assert.Single(read.Rows).Status);
    }

    [Fact]
    public void A_damaged_line_is_warned_of_and_only_its_sample_done_again()
    {
        using var folder = new TemporaryFolder();
        RunSpecification specification = Sweeps.Specification();
        string path = Sweeps.Run(folder.Path, [specification]).Rows[0].Path!;
        string expected = ResultExport.Canonical(folder.Path);
        string samples = Directory.GetFiles(path, "samples-*.jsonl").Single();
        string[] lines = File.ReadAllLines(samples);
        lines[1] = lines[1][..40] + "\u0000\u0001";
        File.WriteAllText(samples, string.Join('\n', lines) + "\n");
        File.Delete(Path.Combine(path, "summary.json"));
        RecordingSink read = Read(folder.Path);
        Assert.Contains("Line 2", Assert.Single(read.Warnings), StringComparison.Ordinal);
        Assert.Equal(2, read.Rows[0].SampleCount);

        var engines = new HashEngineFactory();
        Assert.Single(Sweeps.Run(folder.Path, [specification], engines).Warnings);
        Assert.Equal(1, engines.Prefills);
        File.WriteAllText(samples, string.Join('\n', lines.Where((_, i) => i != 1)) + "\n");
        Assert.Equal(expected, ResultExport.Canonical(folder.Path));
    }

    [Fact]
    public void Equal_duplicates_merge_and_differing_ones_are_an_error()
    {
        using var folder = new TemporaryFolder();
        RunSpecification specification = Sweeps.Specification("SnapKV", 0.5);
        string path = Sweeps.Run(folder.Path, [specification]).Rows[0].Path!;
        string[] lines = File.ReadAllLines(Path.Combine(path, "samples-0001.jsonl"));
        string copy = Path.Combine(path, "samples-0002.jsonl");

        // Another time and another device are the same answer.
        File.WriteAllText(copy, lines[0].Replace("\"Device\":\"cpu\"", "\"Device\":\"cuda:0\"", StringComparison.Ordinal).Replace("\"PrefillSeconds\":", "\"PrefillSeconds\":1", StringComparison.Ordinal) + "\n");
        Assert.Equal(3, Read(folder.Path, sample: true).Objects.Count);

        // So is one that could be compared with a dense run; the comparison is kept.
        Assert.Contains("\"FirstDivergentToken\":null", lines[0], StringComparison.Ordinal);
        File.WriteAllText(copy, lines[0].Replace("\"FirstDivergentToken\":null", "\"FirstDivergentToken\":2", StringComparison.Ordinal) + "\n");
        Assert.Equal(2, ((SampleResult)Read(folder.Path, sample: true).Objects[0]).FirstDivergentToken);

        File.WriteAllText(copy, lines[0].Replace("\"OutputTokenCount\":", "\"OutputTokenCount\":1", StringComparison.Ordinal) + "\n");
        RecordingSink read = Read(folder.Path, sample: true);
        Assert.Empty(read.Objects);
        Assert.Contains("ResultRowInvalid", Assert.Single(read.Warnings), StringComparison.Ordinal);
        File.Delete(Path.Combine(path, "summary.json"));
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(Sweeps.Run(folder.Path, [specification]).Errors).ErrorId);
    }

    [Fact]
    public void A_results_path_under_a_file_is_a_clear_error()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("file"), "");
        var engines = new HashEngineFactory();
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Sweeps.Run(folder.File("file/results"), [Sweeps.Specification()], engines));
        Assert.Equal(ErrorIds.ResultWriteFailed, error.ErrorId);
        Assert.Contains(folder.File("file/results"), error.Message, StringComparison.Ordinal);
        Assert.Equal(0, engines.Opened);
    }

    [Fact]
    public void A_results_path_that_is_a_file_is_said_to_be_one()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("rows.jsonl"), "");
        var engines = new HashEngineFactory();
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Sweeps.Run(folder.File("rows.jsonl"), [Sweeps.Specification()], engines));
        Assert.Equal(ErrorIds.ResultWriteFailed, error.ErrorId);
        Assert.StartsWith($"'{folder.File("rows.jsonl")}' is a file, and results are written to a folder.", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, engines.Opened);
    }

    [Fact]
    public void A_folder_that_nobody_can_write_is_a_clear_error()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "There is no /proc.");
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Sweeps.Run("/proc/self/results", [Sweeps.Specification()]));
        Assert.Equal(ErrorIds.ResultWriteFailed, error.ErrorId);
        Assert.Contains("/proc/self/results", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_is_a_clear_error_and_nothing_is_lost()
    {
        Assert.SkipUnless(File.Exists("/bin/sh") && OperatingSystem.IsLinux(), "A limit on the size of files needs a Linux shell.");
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, ChildSweep.Specifications);
        using var folder = new TemporaryFolder();
        using (Process full = ChildSweep.Start(folder.Path, fileBlocks: 10))
        {
            string error = full.StandardError.ReadToEnd();
            full.WaitForExit();
            Assert.Equal(3, full.ExitCode);
            Assert.Contains("Results cannot be written to", error, StringComparison.Ordinal);
            Assert.Contains(folder.Path, error, StringComparison.Ordinal);
        }

        // What was written before the limit is there and whole.
        int there = Read(folder.Path, sample: true).Objects.Count;
        Assert.InRange(there, 1, 29);
        var engines = new HashEngineFactory();
        Assert.Empty(Sweeps.Run(folder.Path, ChildSweep.Specifications, engines).Errors);
        Assert.Equal(30, Read(folder.Path, sample: true).Objects.Count);
        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
    }

    [Fact]
    public void Rows_of_older_versions_stay_readable_and_of_newer_ones_are_refused()
    {
        using var folder = new TemporaryFolder();
        string path = Sweeps.Run(folder.Path, [Sweeps.Specification()]).Rows[0].Path!;
        string summary = Path.Combine(path, "summary.json");

        // Properties that are missing keep their defaults, unknown ones are ignored.
        File.WriteAllText(summary, """{ "RunId": "0123456789abcdef", "Method": "Quest", "Score": 0.5, "SomethingNew": { "A": [1] } }""");
        SparseAttentionResult row = Assert.Single(Read(folder.Path).Rows);
        Assert.Equal(("Quest", 0.5, 1), (row.Method, row.Score, row.SchemaVersion));
        Assert.Equal("", row.Model);
        Assert.Equal("", row.TaskParameters);

        File.WriteAllText(summary, """{ "SchemaVersion": 2, "RunId": "0123456789abcdef" }""");
        RecordingSink read = Read(folder.Path);
        Assert.Empty(read.Objects);
        Assert.Contains("newer version", Assert.Single(read.Warnings), StringComparison.Ordinal);

        File.WriteAllText(summary, "{");
        Assert.Contains("damaged", Assert.Single(Read(folder.Path).Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Results_are_filtered_by_wildcards()
    {
        using var folder = new TemporaryFolder();
        IReadOnlyList<SparseAttentionResult> rows = Sweeps.Run(folder.Path, Sweeps.Mixed(samples: 1)).Rows;
        Assert.Equal(2, Read(folder.Path, o => new GetResultOperation { Path = o, Method = ["block*"] }).Rows.Count);
        Assert.Equal("SnapKV", Assert.Single(Read(folder.Path, o => new GetResultOperation { Path = o, Method = ["SnapKV"] }).Rows).DecodeMethod);
        Assert.Equal(2, Read(folder.Path, o => new GetResultOperation { Path = o, DecodeMethod = ["quest"] }).Rows.Count);
        Assert.Empty(Read(folder.Path, o => new GetResultOperation { Path = o, Status = [RunStatus.Failed] }).Rows);
        Assert.Equal(5, Read(folder.Path, o => new GetResultOperation { Path = o, Task = ["N*"], Model = ["hash"], SequenceLength = [800] }).Rows.Count);
        Assert.Single(Read(folder.Path, o => new GetResultOperation { Path = o, RunId = [rows[2].RunId] }).Rows);
        Assert.Equal(ErrorIds.RunNotFound, Assert.Single(Read(folder.Path, o => new GetResultOperation { Path = o, RunId = ["nothing"] }).Errors).ErrorId);
        Assert.Empty(Read(folder.Path, o => new GetResultOperation { Path = o, RunId = ["nothing*"] }).Errors);
        Assert.Single(Read(rows[0].Path!).Rows);
        Assert.Equal(5, Read(folder.Path[..^3] + "*").Rows.Count);
        Assert.Equal(ErrorIds.FileNotFound, Assert.Throws<SparseFrontierException>(() => Read(folder.File("absent"))).ErrorId);
    }

    private static RecordingSink Read(string path, bool sample = false) => Read(path, folders => new GetResultOperation { Path = folders, Sample = sample });

    private static RecordingSink Read(string path, Func<IReadOnlyList<string>, GetResultOperation> operation)
    {
        var sink = new RecordingSink();
        operation([path]).Execute(sink, default);
        return sink;
    }
}
