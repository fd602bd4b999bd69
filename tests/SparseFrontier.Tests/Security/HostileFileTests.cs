using System.Diagnostics;
using System.Text.Json.Nodes;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Experiments.Slurm;
using SparseFrontier.Fuzz.Readers;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Reporting.Report;
using SparseFrontier.Tasks;
using SparseFrontier.Tests.Experiments;
using SparseFrontier.Tests.Models.Tokenizers;
using SparseFrontier.Tests.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Security;

/// <summary>What was found in files that ended the program, took its memory or its time.</summary>
public sealed class HostileFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model/vocab", """{"a":2147483647}""", "far beyond its")]
    [InlineData("model/vocab", """{"a":1000000000}""", "far beyond its")]
    [InlineData("model/merges", "[null]", "null stands where a text must")]
    [InlineData("model/merges", """[[null,"a"]]""", "null stands where a text must")]
    [InlineData("added_tokens", """[{"content":null}]""", "null stands where a text must")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"String":null},"content":"a"}""", "null stands where a text must")]
    [InlineData("pre_tokenizer", """{"type":null}""", "null stands where a text must")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":""},"content":"LONG"}""", "times longer")]
    [InlineData("decoder", """{"type":"Replace","pattern":{"String":"a"},"content":"LONG"}""", "times longer")]
    public void Tokenizers_that_ask_for_the_impossible_are_refused(string place, string json, string named)
    {
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => Load(place, json.Replace("LONG", new string('b', 2000), StringComparison.Ordinal)));
        Assert.Equal(ErrorIds.TokenizerInvalid, exception.ErrorId);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"Replace","pattern":{"String":"a"},"content":"aa"}""", "normalizer", "normalizers")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}""", "pre_tokenizer", "pretokenizers")]
    [InlineData("""{"type":"NFKC"}""", "normalizer", "normalizers")]
    public void Steps_that_double_a_text_do_so_only_a_few_times(string step, string place, string list)
    {
        string Sequence(int count) => $$"""{"type":"Sequence","{{list}}":[{{string.Join(',', Enumerable.Repeat(step, count))}}]}""";
        Assert.NotEmpty(Load(place, Sequence(2)).Encode("aé"));
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => Load(place, Sequence(40)));
        Assert.Contains("times longer", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pattern_that_backtracks_without_end_is_given_up()
    {
        Tokenizer tokenizer = Load("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"(?:a|aa)+b"},"behavior":"Isolated"}""");
        Assert.NotEmpty(tokenizer.Encode("aaab"));
        SparseFrontierException exception = Assert.Throws<SparseFrontierException>(() => tokenizer.Encode(new string('a', 100)));
        Assert.Equal(ErrorIds.TokenizerUnsupported, exception.ErrorId);
        Assert.Contains("takes too long", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"RunId":null}""")]
    [InlineData("""{"RunId":"abc"}""")]
    [InlineData("""{"RunId":"../../../../../x"}""")]
    [InlineData("""{"RunId":"0123456789abcdef","Specification":null}""")]
    [InlineData("""{"RunId":"0123456789abcdef","Specification":{"Task":null}}""")]
    [InlineData("""{"RunId":"0123456789abcdef","Specification":{"SampleCount":-1}}""")]
    [InlineData("""{"RunId":"0123456789abcdef","YarnFactor":1e999}""")]
    [InlineData("""{"RunId":"0123456789abcdef","RunId":"0123456789abcdef","Specification":{}}""")]
    [InlineData("""{"RunId":"0123456789abcdef","Specification":{},"Identity":{"Task":"Niah","Task":"Niah"}}""")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("")]
    public void Specifications_that_are_none_leave_the_run_out(string specification)
    {
        string run = Directory.CreateDirectory(_folder.File("results/run")).FullName;
        File.WriteAllText(Path.Combine(run, "spec.json"), specification);
        var sink = new RecordingSink();
        new GetResultOperation { Path = [_folder.File("results")] }.Execute(sink, CancellationToken.None);
        Assert.Empty(sink.Objects);
        Assert.Contains("is damaged", Assert.Single(sink.Warnings), StringComparison.Ordinal);
        var merged = new RecordingSink();
        new MergeResultOperation { Path = [_folder.File("results")], ResultPath = _folder.File("mine") }.Execute(merged, CancellationToken.None);
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(merged.Errors).ErrorId);
    }

    [Fact]
    public void A_list_of_attempts_with_nothing_in_it_is_left_out()
    {
        SparseAttentionResult row = Sweeps.Run(_folder.File("results"), [Sweeps.Specification()]).Rows.Single();
        File.WriteAllText(Path.Combine(row.Path!, "environment.json"), """{"SchemaVersion":1,"Attempts":[null]}""");
        var merged = new RecordingSink();
        new MergeResultOperation { Path = [_folder.File("results")], ResultPath = _folder.File("mine") }.Execute(merged, CancellationToken.None);
        Assert.Empty(merged.Errors);
        Assert.Equal(row.SampleCount, Assert.Single(merged.Rows).SampleCount);
        new ExportReportOperation { Results = [row], Path = _folder.File("report.html") }.Execute(new RecordingSink(), CancellationToken.None);
        Assert.Contains("Niah", File.ReadAllText(_folder.File("report.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void Samples_with_numbers_that_cannot_be_written_again_are_no_samples()
    {
        SparseAttentionResult row = Sweeps.Run(_folder.File("results"), [Sweeps.Specification()]).Rows.Single();
        File.Delete(Path.Combine(row.Path!, "summary.json"));
        string samples = Directory.GetFiles(row.Path!, "samples-*.jsonl").Single();
        string[] lines = File.ReadAllLines(samples);
        JsonObject second = JsonNode.Parse(lines[1])!.AsObject();
        second["Score"] = 12345;
        lines[1] = second.ToJsonString().Replace("12345", "1e999", StringComparison.Ordinal);
        lines[2] = lines[2].Replace("\"Device\":\"", "\"Device\":null,\"Other\":\"", StringComparison.Ordinal);
        File.WriteAllText(samples, string.Join('\n', lines) + "\n");
        var sink = new RecordingSink();
        new GetResultOperation { Path = [_folder.File("results")] }.Execute(sink, CancellationToken.None);
        Assert.Equal(1, Assert.Single(sink.Rows).SampleCount);
        Assert.Equal(2, sink.Warnings.Count(w => w.Contains("is not a sample", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("\"date\": 1767323045.5", "\"date\": 1e999")]
    [InlineData("\"sample_len\": 100", "\"sample_len\": 1e999")]
    [InlineData("\"16384,none\": -1.0", "\"99999999999999999999,none\": 0.5")]
    [InlineData("\"lm_eval_version\": \"0.4.9\"", "\"lm_eval_version\": \"\\ud800\"")]
    [InlineData("\"single\": {\"alias\"", "\"\\udfff\": {\"alias\"")]
    [InlineData("\"single\": {\"alias\"", "\"a\\u0000b\": {\"alias\"")]
    [InlineData("\"single\": {\"alias\"", "\"../../../../etc/passwd\": {\"alias\"")]
    public void Results_of_other_programs_are_imported_or_refused(string part, string changed)
    {
        string path = ForeignResults.Harness(_folder.File("source"));
        string text = File.ReadAllText(path);
        Assert.Contains(part, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(part, changed, StringComparison.Ordinal));
        var sink = new RecordingSink();
        new ImportResultOperation { Path = [path], ResultPath = _folder.File("results"), Method = "BlockSparse", Sparsity = 0.5, Metric = ["exact_match:strict", "acc"] }.Execute(sink, CancellationToken.None);
        Assert.True(sink.Rows.Count + sink.Errors.Count > 0);
        Assert.Equal(Directory.Exists(_folder.File("results")) ? ["results", "source"] : ["source"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_name_that_stands_twice_in_a_sample_of_another_program_is_refused()
    {
        string path = ForeignResults.Reference(_folder.File("source"), "quest", "token_budget@1024+page_size@16", 0.5, samples: 4, lost: 1, predictions: true);
        string data = Directory.GetFiles(_folder.File("source"), "data.jsonl", SearchOption.AllDirectories).Single();
        File.WriteAllText(data, File.ReadAllText(data).Replace("\"input_text\"", "\"gold_answer\":\"B\",\"input_text\"", StringComparison.Ordinal));
        var sink = new RecordingSink();
        new ImportResultOperation { Path = [path], ResultPath = _folder.File("results") }.Execute(sink, CancellationToken.None);
        SparseFrontierException error = Assert.Single(sink.Errors);
        Assert.Equal(ErrorIds.ResultRowInvalid, error.ErrorId);
        Assert.Contains("gold_answer", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void White_space_in_files_of_python_takes_no_square_of_its_length()
    {
        string path = ForeignResults.Harness(_folder.File("source"));
        File.WriteAllText(path, File.ReadAllText(path) + "{" + new string(' ', 2_000_000));
        var sink = new RecordingSink();
        new ImportResultOperation { Path = [path], ResultPath = _folder.File("results"), Method = "Dense" }.Execute(sink, CancellationToken.None);
        Assert.Equal(ErrorIds.ResultRowInvalid, Assert.Single(sink.Errors).ErrorId);
    }

    [Theory]
    [InlineData("Niah", """{"answers":[[]]}""")]
    [InlineData("Niah", """{"answers":[null]}""")]
    [InlineData("Niah", """{"answers":[["1",null]]}""")]
    [InlineData("Niah", """{"answers":[["\udc00","1"]]}""")]
    [InlineData("Squad", """{"gold_answer":[null]}""")]
    [InlineData("Squad", """{"gold_answer":["\ud800"]}""")]
    [InlineData("StoryFiltering", """{"gold_answer":"\ud800"}""")]
    [InlineData("CommonWords", """{"common_words":[null]}""")]
    public void Golds_with_nothing_in_them_are_refused(string task, string gold) =>
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => TaskRegistry.Find(task).Score(gold, "<answer>1. x</answer>")).ErrorId);

    // A response of a million characters, on which scanning from every place would take minutes.
    [Theory]
    [InlineData("<answer>")]
    [InlineData("1")]
    [InlineData("1. ")]
    [InlineData("1.  a ")]
    [InlineData(" ")]
    [InlineData("VAR ")]
    [InlineData("Chapter 1")]
    [InlineData("A")]
    public void Long_responses_are_scored_by_every_task(string repeated)
    {
        string response = string.Concat(Enumerable.Repeat(repeated, 1_000_000 / repeated.Length));
        foreach (EvaluationTask task in TaskRegistry.Tasks.Where(t => t.CodeHash is null))
        {
            string gold = task.Name switch
            {
                "Niah" => """{"answers":[["a","1"]]}""",
                "CommonWords" => """{"common_words":["a"]}""",
                "Squad" => """{"gold_answer":["a"]}""",
                _ => """{"gold_answer":"a"}""",
            };
            foreach (bool reference in (bool[])[false, true])
            {
                Assert.InRange(task.Score(gold, response, reference).Score ?? 0, 0, 1);
                Assert.InRange(task.Score(gold, $"<answer>{response}</answer>", reference).Score ?? 0, 0, 1);
            }
        }
    }

    [Fact]
    public void A_submission_that_says_to_have_two_thousand_million_elements_is_listed()
    {
        string job = Directory.CreateDirectory(_folder.File("results/jobs/20260102T030405Z-x/status")).Parent!.FullName;
        File.WriteAllText(Path.Combine(job, "submission.json"), """{"JobId":"12","TaskCount":2147483647}""");
        File.WriteAllText(Path.Combine(job, "status", "7"), "0");
        File.WriteAllText(Path.Combine(job, "status", "8"), "1");
        (Submission submission, StoredSubmission stored) = Assert.Single(GetJobOperation.Find([], _folder.File("results"), new RecordingSink()));
        SparseAttentionJob row = JobReader.Read(submission, stored, []);
        Assert.Equal((1, int.MaxValue - 1, JobState.Failed), (row.CompletedCount, row.FailedCount, row.State));
    }

    // A pipe would wait for ever, a device never end.
    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Links_to_devices_and_pipes_are_not_read(string kind)
    {
        string checkpoint = Directory.CreateDirectory(_folder.File("checkpoint")).FullName;
        foreach (string name in (string[])["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "model.safetensors.index.json"])
        {
            Put(Path.Combine(checkpoint, name), kind);
        }

        await Refused(ErrorIds.CheckpointUnreadable, () => ModelConfiguration.Load(checkpoint));
        await Refused(ErrorIds.CheckpointUnreadable, () => SafetensorsCheckpoint.Open(checkpoint));
        await Refused(ErrorIds.CheckpointUnreadable, () => SafetensorsFile.Open(Path.Combine(checkpoint, "model.safetensors")));
        await Refused(ErrorIds.TokenizerInvalid, () => Tokenizer.Load(checkpoint));
        await Refused(ErrorIds.TokenizerInvalid, () => ChatTemplate.Load(checkpoint));
        File.Delete(Path.Combine(checkpoint, "tokenizer_config.json"));
        Put(Path.Combine(checkpoint, "chat_template.jinja"), kind);
        await Refused(ErrorIds.TokenizerInvalid, () => ChatTemplate.Load(checkpoint));
    }

    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Runs_of_others_with_devices_and_pipes_are_left_out(string kind)
    {
        foreach (string name in (string[])["spec.json", "summary.json", "environment.json", "samples-0001.jsonl"])
        {
            string results = _folder.File($"results-{name}");
            SparseAttentionResult row = Sweeps.Run(results, [Sweeps.Specification()]).Rows.Single();
            Put(Path.Combine(row.Path!, name), kind);
            RecordingSink read = await Within(sink => new GetResultOperation { Path = [results], Sample = true }.Execute(sink, CancellationToken.None));
            RecordingSink merged = await Within(sink => new MergeResultOperation { Path = [results], ResultPath = _folder.File("mine") }.Execute(sink, CancellationToken.None));
            Assert.Equal(ErrorIds.ResultUnreadable, Assert.Single(merged.Errors).ErrorId);
            await Refused(ErrorIds.ResultUnreadable, () => new ExportBundleOperation { Results = [row], Path = _folder.File("b.zip") }.Execute(new RecordingSink(), CancellationToken.None));
            Assert.False(File.Exists(_folder.File("b.zip")));
            await Within(sink => new ExportReportOperation { Results = [row], Path = _folder.File("report.html"), Force = true }.Execute(sink, CancellationToken.None));

            // Where a run was computed is no part of its row.
            if (name != "environment.json")
            {
                Assert.Empty(read.Objects);
                Assert.Contains("ResultUnreadable", Assert.Single(read.Warnings), StringComparison.Ordinal);
                Assert.Contains("is a pipe or a device", read.Warnings[0], StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Data_of_tasks_are_no_devices_and_pipes(string kind)
    {
        foreach ((string task, string file) in ((string, string)[])[("Squad", "squad.json"), ("Quality", "quality.jsonl"), ("Toefl", "toeflqa.jsonl")])
        {
            string data = Directory.CreateDirectory(_folder.File(task)).FullName;
            Put(Path.Combine(data, file), kind);
            var options = new TaskOptions { SequenceLength = 1024, DataPath = data };
            await Refused(ErrorIds.TaskDataMissing, () => TaskRegistry.Find(task).Open(options, TestEncoders.Runs()).Generate(0));
            await Refused(ErrorIds.TaskDataMissing, () => RunIdentity.HashData(data));
        }
    }

    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Results_of_other_programs_are_no_devices_and_pipes(string kind)
    {
        (string Name, Func<string, string> Make)[] programs =
        [
            ("harness", ForeignResults.Harness),
            ("kvpress", folder => ForeignResults.KVPress(folder, "snapkv", "0.5", 4, 1)),
            ("reference", folder => ForeignResults.Reference(folder, "quest", "token_budget@1024+page_size@16", 0.5, samples: 4, lost: 1, predictions: true)),
        ];
        foreach ((string name, Func<string, string> make) in programs)
        {
            make(_folder.File(name));
            foreach (string file in Directory.GetFiles(_folder.File(name), "*", SearchOption.AllDirectories))
            {
                byte[] content = File.ReadAllBytes(file);
                Put(file, kind);
                RecordingSink sink = await Within(sink => new ImportResultOperation
                {
                    Path = [_folder.File(name)],
                    ResultPath = _folder.File("results"),

                    // The others say it themselves.
                    Method = name == "harness" ? "SnapKV" : "",
                    Sparsity = name == "harness" ? 0.5 : null,
                    Metric = name == "harness" ? ["exact_match:strict", "acc"] : [],
                }.Execute(sink, CancellationToken.None));
                Assert.Contains(sink.Errors, e => e.ErrorId == ErrorIds.ResultUnreadable);
                File.Delete(file);
                File.WriteAllBytes(file, content);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Endless))]
    public async Task Bundles_tables_and_lists_are_no_devices_and_pipes(string kind)
    {
        string file = _folder.File("file");
        Put(file, kind);
        RecordingSink bundle = await Within(sink => new ImportBundleOperation { Path = [file] }.Execute(sink, CancellationToken.None));
        Assert.Equal(ErrorIds.ResultUnreadable, Assert.Single(bundle.Errors).ErrorId);
        await Refused(ErrorIds.ResultUnreadable, () => RecommendOperation.ReadKernels(file));
        await Refused(ErrorIds.ResultUnreadable, () => new ReadRunsOperation { Path = file }.Execute(new RecordingSink(), CancellationToken.None));
        await Refused(
            ErrorIds.ResultUnreadable,
            () => new ExportReportOperation { Results = [], KernelMeasurementPaths = [file], Path = _folder.File("report.html") }.Execute(new RecordingSink(), CancellationToken.None));
    }

    // The kernel's files have no size: reading some of them waits, and others are this process's own.
    [Fact]
    public void Links_to_files_of_the_kernel_are_read_as_empty()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The system has no such files.");
        File.CreateSymbolicLink(_folder.File("squad.json"), "/proc/self/environ");
        Assert.NotEmpty(File.ReadAllBytes(_folder.File("squad.json")));
        Assert.Empty(PlainFile.ReadAllBytes(_folder.File("squad.json")));
    }

    // Of two links to their own folder, each step would enter both: 2 to the power of 40 folders, where Linux ends.
    [Fact]
    public async Task Links_to_folders_in_circles_come_to_an_end()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Links need rights elsewhere.");
        string folder = _folder.File("source");
        ForeignResults.Harness(folder);
        Directory.CreateSymbolicLink(Path.Combine(folder, "a"), ".");
        Directory.CreateSymbolicLink(Path.Combine(folder, "b"), folder);
        RecordingSink sink = await Within(sink => new ImportResultOperation { Path = [folder], ResultPath = _folder.File("results"), Method = "Dense" }.Execute(sink, CancellationToken.None));
        Assert.NotEmpty(sink.Rows);
        await Within(_ => Assert.NotNull(RunIdentity.HashData(folder)));

        // A folder that is linked is data like another.
        string data = Directory.CreateDirectory(_folder.File("data")).FullName;
        Directory.CreateDirectory(_folder.File("elsewhere/within"));
        File.WriteAllText(_folder.File("elsewhere/within/part.txt"), "text");
        Directory.CreateSymbolicLink(Path.Combine(data, "linked"), _folder.File("elsewhere"));
        Assert.Equal([Path.Combine(data, "linked", "within", "part.txt")], PlainFile.Enumerate(data, "*"));
    }

    /// <summary>A link to a device, a link to a pipe, and a pipe.</summary>
    public static TheoryData<string> Endless => ["device", "link", "pipe"];

    private void Put(string path, string kind)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The system has no such files.");
        File.Delete(path);
        string pipe = kind == "pipe" ? path : _folder.File("a-pipe");
        if (kind != "device" && !File.Exists(pipe))
        {
            using Process process = Process.Start("mkfifo", [pipe]);
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }

        if (kind != "pipe")
        {
            File.CreateSymbolicLink(path, kind == "device" ? "/dev/zero" : pipe);
        }
    }

    private static async Task Refused(string errorId, Action action) =>
        Assert.Equal(errorId, (await Assert.ThrowsAsync<SparseFrontierException>(() => Within(_ => action()))).ErrorId);

    // What waits for ever fails.
    private static async Task<RecordingSink> Within(Action<RecordingSink> action)
    {
        var sink = new RecordingSink();
        await Task.Run(() => action(sink), TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        return sink;
    }

    private static Tokenizer Load(string place, string json)
    {
        JsonObject file = TokenizerFiles.ByteLevel(WordScanner.Gpt2Pattern);
        string[] path = place.Split('/');
        JsonObject owner = path.Length == 1 ? file : file[path[0]]!.AsObject();
        owner[path[^1]] = JsonNode.Parse(json);
        return TokenizerFiles.Load(file);
    }
}
