using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Runs as one file: written the same every time, scored again from what is stored, refused when it is not what was written.</summary>
public class BundleTests
{
    [Fact]
    public void Equal_runs_give_equal_bytes_whatever_their_order_and_folders()
    {
        using var folder = new TemporaryFolder();
        Export(folder, "first.zip");
        Directory.Move(folder.File("results"), folder.File("elsewhere"));
        SparseAttentionResult[] rows = [.. Rows(folder.File("elsewhere")).Reverse()];
        Write(rows, folder.File("second.zip"));
        Assert.Equal(File.ReadAllBytes(folder.File("first.zip")), File.ReadAllBytes(folder.File("second.zip")));
    }

    [Fact]
    public void Stored_outputs_score_as_stored_and_rows_are_what_their_samples_give()
    {
        using var folder = new TemporaryFolder();
        SparseAttentionBundle bundle = Export(folder, "b.zip");
        RecordingSink sink = Import(folder.File("b.zip"));
        BundledRun[] runs = [.. sink.Objects.Cast<BundledRun>()];
        Assert.Empty(sink.Warnings);
        Assert.Empty(sink.Errors);
        Assert.Equal(Rows(folder.File("results")).Select(r => r.RunId).Order(), runs.Select(r => r.RunId));
        Assert.All(runs, r => Assert.Equal((RescoringVerdict.Reproduced, "", r.StoredScore, 0, bundle.BundleId), (r.Verdict, r.Message, r.Score, r.ChangedScoreCount, r.BundleId)));
        Assert.Equal((5, 15), (bundle.RunCount, bundle.SampleCount));

        RescoredSample[] samples = [.. Import(folder.File("b.zip"), sample: true).Objects.Cast<RescoredSample>()];
        Assert.Equal(15, samples.Length);
        Assert.All(samples, s => Assert.Equal((false, s.StoredScore), (s.IsChanged, s.Score)));
    }

    [Fact]
    public void An_infeasible_run_and_one_without_a_summary_are_taken_as_they_are()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.File("results"), [Sweeps.Specification("SnapKV", 0.999), Sweeps.Specification("Quest", 0.5)]);
        SparseAttentionResult quest = Rows(folder.File("results")).Single(r => r.DecodeMethod == "Quest");
        File.Delete(Path.Combine(quest.Path!, "summary.json"));
        File.AppendAllText(Directory.GetFiles(quest.Path!, "samples-*.jsonl")[0], "{\"RunId\":\"torn");
        RecordingSink written = Write(Rows(folder.File("results")), folder.File("b.zip"));
        Assert.Contains("Partial", Assert.Single(written.Warnings), StringComparison.Ordinal);
        BundledRun[] runs = [.. Import(folder.File("b.zip")).Objects.Cast<BundledRun>()];
        Assert.All(runs, r => Assert.Equal((RescoringVerdict.Reproduced, ""), (r.Verdict, r.Message)));
        Assert.Equal([RunStatus.Partial, RunStatus.Infeasible], runs.Select(r => r.Status).Order());
    }

    [Fact]
    public void A_changed_score_and_a_changed_row_are_named()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.File("results"), [Sweeps.Specification()]);
        string run = Rows(folder.File("results"))[0].Path!;
        string samples = Directory.GetFiles(run, "samples-*.jsonl").Single();
        string[] lines = File.ReadAllLines(samples);
        JsonObject second = JsonNode.Parse(lines[1])!.AsObject();
        second["Score"] = 0.25;
        lines[1] = second.ToJsonString();
        File.WriteAllText(samples, string.Join('\n', lines) + "\n");
        Write(Rows(folder.File("results")), folder.File("b.zip"));
        RecordingSink sink = Import(folder.File("b.zip"));
        BundledRun row = Assert.IsType<BundledRun>(Assert.Single(sink.Objects));
        Assert.Equal((RescoringVerdict.Changed, 1), (row.Verdict, row.ChangedScoreCount));
        Assert.Contains("1 of 3 samples score otherwise: 1; the row is not what its samples give: Score,", row.Message, StringComparison.Ordinal);
        Assert.Contains(row.Message, Assert.Single(sink.Warnings), StringComparison.Ordinal);
        Assert.Equal([1], Import(folder.File("b.zip"), sample: true).Objects.Cast<RescoredSample>().Where(s => s.IsChanged == true).Select(s => s.Index));
    }

    [Fact]
    public void A_run_id_that_is_not_that_of_the_stored_identity_is_named_and_an_unknown_task_not_scored()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.File("results"), [Sweeps.Specification()]);
        string run = Rows(folder.File("results"))[0].Path!;
        string specification = Path.Combine(run, "spec.json");
        string original = File.ReadAllText(specification);
        Edit(specification, spec => spec["Identity"]!["Checkpoint"] = "another");
        Write(Rows(folder.File("results")), folder.File("b.zip"));
        BundledRun row = Import(folder.File("b.zip")).Objects.Cast<BundledRun>().Single();
        Assert.Equal((RescoringVerdict.Changed, "the run id is not the hash of the stored identity"), (row.Verdict, row.Message));

        File.WriteAllText(specification, original);
        Edit(specification, spec => spec["Specification"]!["Task"] = "Theirs");
        File.Delete(Path.Combine(run, "summary.json"));
        Write(Rows(folder.File("results")), folder.File("c.zip"));
        row = Import(folder.File("c.zip")).Objects.Cast<BundledRun>().Single();
        Assert.Null(row.Score);
        Assert.Contains("the stored identity is of another task", row.Message, StringComparison.Ordinal);
        Assert.Contains("the task Theirs is not known here", row.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Runs_are_added_to_a_folder_once_and_read_there_as_they_were()
    {
        using var folder = new TemporaryFolder();
        Export(folder, "b.zip");
        BundledRun[] added = [.. Import(folder.File("b.zip"), folder.File("theirs")).Objects.Cast<BundledRun>()];
        Assert.Equal(ResultExport.Canonical(folder.File("results")), ResultExport.Canonical(folder.File("theirs")));
        BundledRun[] again = [.. Import(folder.File("b.zip"), folder.File("theirs")).Objects.Cast<BundledRun>()];
        Assert.Equal(added.Select(r => r.Path), again.Select(r => r.Path));
        Assert.Equal(5, Directory.GetDirectories(folder.File("theirs")).Length);

        // More samples may be added to them, as to any run.
        Assert.Equal(0, Prefills(folder.File("theirs"), 3));
        Assert.True(Prefills(folder.File("theirs"), 4) > 0);

        RecordingSink other = Import(folder.File("b.zip"), folder.File("theirs"));
        Assert.All(other.Errors, e => Assert.Equal(ErrorIds.OutputFileExists, e.ErrorId));
        Assert.NotEmpty(other.Errors);

        var asked = new RecordingSink { Process = false };
        new ImportBundleOperation { Path = [folder.File("b.zip")], ResultPath = folder.File("none") }.Execute(asked, TestContext.Current.CancellationToken);
        Assert.Equal(5, asked.Asked.Count);
        Assert.False(Directory.Exists(folder.File("none")));
    }

    [Theory]
    [InlineData("spec.json")]
    [InlineData("summary.json")]
    [InlineData("environment.json")]
    [InlineData("calibration.json")]
    [InlineData("state.json")]
    [InlineData("samples-0002.jsonl")]
    public void A_link_of_a_run_is_not_followed(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need rights.");
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.File("results"), [Sweeps.Specification()]);
        SparseAttentionResult[] rows = Rows(folder.File("results"));
        string file = Path.Combine(rows[0].Path!, name);

        // As somebody's folder may hold it: what it leads to is well-formed, and not theirs.
        string secret = folder.File("secret.json");
        File.WriteAllText(secret, File.Exists(file) ? File.ReadAllText(file) : name.EndsWith(".jsonl", StringComparison.Ordinal) ? "" : "{\"Secret\":\"1234\"}");
        File.Delete(file);
        File.CreateSymbolicLink(file, secret);
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => Write(rows, folder.File("b.zip")));
        Assert.Equal(ErrorIds.ResultUnreadable, exception.ErrorId);
        Assert.Contains($"{name}' is a link to '{secret}'", exception.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("b.zip")));
    }

    [Theory]
    [InlineData("summary.json")]
    [InlineData("environment.json")]
    [InlineData("calibration.json")]
    [InlineData("state.json")]
    public void A_file_that_is_not_what_its_name_says_is_not_taken(string name)
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.File("results"), [Sweeps.Specification()]);
        SparseAttentionResult[] rows = Rows(folder.File("results"));
        File.WriteAllText(Path.Combine(rows[0].Path!, name), "password: 1234\n");
        Assert.Equal(ErrorIds.ResultRowInvalid, Refusal(() => Write(rows, folder.File("b.zip"))));
        Assert.False(File.Exists(folder.File("b.zip")));
    }

    [Fact]
    public void A_folder_may_be_reached_by_a_link()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need rights.");
        using var folder = new TemporaryFolder();
        Export(folder, "b.zip");
        Directory.CreateSymbolicLink(folder.File("linked"), folder.File("results"));
        Write(Rows(folder.File("linked")), folder.File("c.zip"));
        Assert.Equal(File.ReadAllBytes(folder.File("b.zip")), File.ReadAllBytes(folder.File("c.zip")));
    }

    [Fact]
    public void Names_of_a_specification_are_no_path()
    {
        using var folder = new TemporaryFolder();
        Sweeps.Run(folder.File("results"), [Sweeps.Specification()]);
        string run = Rows(folder.File("results"))[0].Path!;
        Edit(Path.Combine(run, "spec.json"), spec => spec["Specification"]!["Method"] = "../../out");
        File.Delete(Path.Combine(run, "summary.json"));
        Write(Rows(folder.File("results")), folder.File("b.zip"));
        BundledRun row = Import(folder.File("b.zip"), folder.File("deep/theirs")).Objects.Cast<BundledRun>().Single();
        Assert.Equal(folder.File("deep/theirs"), Path.GetDirectoryName(row.Path));
        Assert.Contains("-______out-", Path.GetFileName(row.Path), StringComparison.Ordinal);
    }

    [Fact]
    public void An_existing_file_is_kept_and_rows_without_samples_are_refused()
    {
        using var folder = new TemporaryFolder();
        Export(folder, "b.zip");
        SparseAttentionResult[] rows = Rows(folder.File("results"));
        Assert.Equal(ErrorIds.OutputFileExists, Refusal(() => Write(rows, folder.File("b.zip"))));
        Assert.Equal(ErrorIds.DataInsufficient, Refusal(() => Write([], folder.File("c.zip"))));
        Assert.Equal(ErrorIds.DataInsufficient, Refusal(() => Write([new SparseAttentionResult { RunId = "0123456789abcdef" }], folder.File("c.zip"))));
        Copy(folder.File("results"), folder.File("copy"));
        Assert.Equal(ErrorIds.DataInsufficient, Refusal(() => Write([.. rows, .. Rows(folder.File("copy"))], folder.File("c.zip"))));
        File.WriteAllText(Directory.GetFiles(rows[0].Path!, "samples-*.jsonl")[0], "broken\n");
        Assert.Equal(ErrorIds.ResultRowInvalid, Refusal(() => Write(rows, folder.File("c.zip"))));
        Assert.False(File.Exists(folder.File("c.zip")));
    }

    public static TheoryData<string, string> Attacks => new()
    {
        { "climbing", "'runs/../../evil' is no name" },
        { "absolute", "'/etc/evil' is no name" },
        { "backslash", @"'..\evil' is no name" },
        { "control", "'runs/?[31mred' is no name" },
        { "folder", "'runs/' is no name" },
        { "link", "spec.json is a link" },
        { "twice", "is there twice" },
        { "case", "'RUNS/" },
        { "compressed", "is compressed, which bundles never are" },
        { "extra", "samples-0009.jsonl is not in the manifest" },
        { "missing", "is missing" },
        { "nomanifest", "manifest.json is missing" },
        { "format", "its format is 'sparsefrontier-bundle/2'" },
        { "nulls", "manifest.json cannot be read" },
        { "badjson", "manifest.json cannot be read" },
        { "tampered", "spec.json was changed; runs/" },
        { "truncated", "is no zip archive" },
        { "text", "is no zip archive" },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void What_is_not_a_bundle_is_refused_as_a_whole(string attack, string message)
    {
        using var folder = new TemporaryFolder();
        Export(folder, "b.zip");
        string path = folder.File("b.zip");
        Attack(path, attack);
        RecordingSink sink = Import(path, folder.File("theirs"));
        SparseFrontierException error = Assert.Single(sink.Errors);
        Assert.Equal(ErrorIds.BundleInvalid, error.ErrorId);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', error.Message);
        Assert.Empty(sink.Objects);
        Assert.False(Directory.Exists(folder.File("theirs")));
    }

    [Fact]
    public void Entries_that_share_bytes_are_refused_before_they_are_read()
    {
        // All entries of the directory point to the first run's bytes, which are large: one megabyte becomes many.
        using var folder = new TemporaryFolder();
        string path = folder.File("bomb.zip");
        using (var archive = new ZipArchive(File.Create(path), ZipArchiveMode.Create))
        {
            for (int i = 0; i < 20; i++)
            {
                using Stream stream = archive.CreateEntry(FormattableString.Invariant($"runs/{i:x16}/spec.json"), CompressionLevel.NoCompression).Open();
                stream.Write(new byte[i == 0 ? 1 << 20 : 10]);
            }
        }

        byte[] bytes = File.ReadAllBytes(path);
        List<int> records = [.. Enumerable.Range(0, bytes.Length - 4).Where(i => bytes.AsSpan(i, 4).SequenceEqual("PK\u0001\u0002"u8))];
        foreach (int record in records)
        {
            // Checksum, sizes and the place of the entry.
            bytes.AsSpan(records[0] + 16, 12).CopyTo(bytes.AsSpan(record + 16));
            bytes.AsSpan(records[0] + 42, 4).CopyTo(bytes.AsSpan(record + 42));
        }

        File.WriteAllBytes(path, bytes);
        SparseFrontierException error = Assert.Single(Import(path).Errors);
        Assert.Equal(ErrorIds.BundleInvalid, error.ErrorId);
        Assert.Contains("it would unpack to 20971520 bytes", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"RunId": null, "Specification": null, "Identity": null}""")]
    [InlineData("""{"Specification": {"Task": null, "Method": null}}""")]
    [InlineData("null")]
    [InlineData("[]")]
    public void A_specification_that_lacks_what_is_always_written_is_an_error_of_the_bundle(string specification)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("0123456789abcdef"));
        File.WriteAllText(folder.File("0123456789abcdef/spec.json"), specification);
        BundleWriter.Write(folder.File("b.zip"), new Dictionary<string, RunDirectory> { ["0123456789abcdef"] = new(folder.File("0123456789abcdef")) }, TestContext.Current.CancellationToken);
        RecordingSink sink = Import(folder.File("b.zip"), folder.File("theirs"));
        Assert.Equal(ErrorIds.BundleInvalid, Assert.Single(sink.Errors).ErrorId);
        Assert.Empty(sink.Objects);
    }

    private static void Attack(string path, string attack)
    {
        if (attack is "truncated" or "text")
        {
            File.WriteAllBytes(path, attack == "text" ? "no archive"u8.ToArray() : File.ReadAllBytes(path)[..^200]);
            return;
        }

        using ZipArchive archive = ZipFile.Open(path, ZipArchiveMode.Update);
        ZipArchiveEntry specification = archive.Entries.First(e => e.Name == "spec.json");
        ZipArchiveEntry manifest = archive.GetEntry("manifest.json")!;
        string run = specification.FullName[..^"spec.json".Length];
        switch (attack)
        {
            case "climbing":
                Add(archive, "runs/../../evil");
                break;
            case "absolute":
                Add(archive, "/etc/evil");
                break;
            case "backslash":
                Add(archive, @"..\evil");
                break;
            case "control":
                Add(archive, "runs/\u001b[31mred");
                break;
            case "folder":
                archive.CreateEntry("runs/");
                break;
            case "link":
                specification.ExternalAttributes = unchecked((int)0xA1FF0000);
                break;
            case "twice":
                Add(archive, specification.FullName);
                break;
            case "case":
                Add(archive, specification.FullName.Replace("runs", "RUNS", StringComparison.Ordinal));
                break;
            case "compressed":
                Add(archive, run + "samples-0009.jsonl", CompressionLevel.Optimal);
                break;
            case "extra":
                Add(archive, run + "samples-0009.jsonl");
                break;
            case "missing":
                specification.Delete();
                break;
            case "nomanifest":
                manifest.Delete();
                break;
            case "format":
                Replace(archive, manifest, Read(manifest).Replace("bundle/1", "bundle/2", StringComparison.Ordinal));
                break;
            case "nulls":
                Replace(archive, manifest, """{"Format": "sparsefrontier-bundle/1", "Files": [null, {"Name": null}]}""");
                break;
            case "badjson":
                Replace(archive, manifest, "{");
                break;
            case "tampered":
                // Of the same size, so that only the hash can tell; and one of another size.
                string text = Read(specification);
                ZipArchiveEntry other = archive.Entries.Last(e => e.Name == "summary.json");
                Replace(archive, other, Read(other) + " ");
                Replace(archive, specification, text.Replace("Niah", "niah", StringComparison.Ordinal));
                break;
            default:
                throw new InvalidOperationException(attack);
        }
    }

    private static void Add(ZipArchive archive, string name, CompressionLevel level = CompressionLevel.NoCompression)
    {
        using Stream stream = archive.CreateEntry(name, level).Open();
        stream.Write(Encoding.UTF8.GetBytes(new string('x', 1000)));
    }

    private static string Read(ZipArchiveEntry entry)
    {
        using var reader = new StreamReader(entry.Open());
        return reader.ReadToEnd();
    }

    private static void Replace(ZipArchive archive, ZipArchiveEntry entry, string text)
    {
        string name = entry.FullName;
        entry.Delete();
        using Stream stream = archive.CreateEntry(name, CompressionLevel.NoCompression).Open();
        stream.Write(Encoding.UTF8.GetBytes(text));
    }

    private static void Edit(string path, Action<JsonNode> change)
    {
        JsonNode node = JsonNode.Parse(File.ReadAllText(path))!;
        change(node);
        File.WriteAllText(path, node.ToJsonString());
    }

    private static void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private static string? Refusal(Action action) => Record.Exception(action) is SparseFrontierException e ? e.ErrorId : null;

    private static int Prefills(string folder, int samples)
    {
        var engines = new HashEngineFactory();
        Sweeps.Run(folder, Sweeps.Mixed(samples), engines);
        return engines.Prefills;
    }

    private static SparseAttentionResult[] Rows(string folder)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [folder] }.Execute(sink, TestContext.Current.CancellationToken);
        return [.. sink.Rows];
    }

    private static SparseAttentionBundle Export(TemporaryFolder folder, string name)
    {
        Sweeps.Run(folder.File("results"), Sweeps.Mixed());
        return Write(Rows(folder.File("results")), folder.File(name)).Objects.Cast<SparseAttentionBundle>().Single();
    }

    private static RecordingSink Write(IReadOnlyList<SparseAttentionResult> rows, string path)
    {
        var sink = new RecordingSink();
        new ExportBundleOperation { Results = rows, Path = path }.Execute(sink, TestContext.Current.CancellationToken);
        return sink;
    }

    private static RecordingSink Import(string path, string results = "", bool sample = false)
    {
        var sink = new RecordingSink();
        new ImportBundleOperation { Path = [path], ResultPath = results, Sample = sample }.Execute(sink, TestContext.Current.CancellationToken);
        return sink;
    }
}
