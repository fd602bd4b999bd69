using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using SparseFrontier.Cli;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>The command line as users run it: as a process.</summary>
public class CommandLineTests
{
    public static TheoryData<string> Verbs => [.. AllVerbs];

    internal static IEnumerable<string> AllVerbs => Leaves(Root.Create(), "");

    [Fact]
    public void The_stable_surface_is_there() => Assert.Equal(
        [
            "attend", "bundle export", "bundle import", "claim", "compare", "cost", "devices", "effect", "export", "findings", "import", "job stop", "jobs", "kernels measure",
            "kernels test", "mask", "merge", "methods", "model verify", "models", "pareto", "pattern", "recommend", "report", "results", "run", "scaling",
            "submit", "task generate", "task score", "tasks", "tokenize", "tolerance", "trace",
        ],
        AllVerbs.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_verb_has_help(string verb)
    {
        (int code, string output, string error) = Run($"{verb} --help");
        Assert.Equal(0, code);
        Assert.Empty(error);
        Assert.Contains($"sparsefrontier {verb}", output, StringComparison.Ordinal);
        Assert.Contains("--json", output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_option_is_described(string verb)
    {
        Command command = verb.Split(' ').Aggregate((Command)Root.Create(), (c, part) => c.Subcommands.Single(s => s.Name == part));
        Assert.All(command.Options, o => Assert.False(string.IsNullOrWhiteSpace(o.Description), o.Name));
        Assert.All(command.Arguments, a => Assert.False(string.IsNullOrWhiteSpace(a.Description), a.Name));
        Assert.False(string.IsNullOrWhiteSpace(command.Description));
    }

    // What the README gives bash.
    [Theory]
    [InlineData("sparsefrontier rec", "recommend")]
    [InlineData("sparsefrontier run --decode-me", "--decode-method")]
    [InlineData("sparsefrontier run --method Qu", "Quest")]
    [InlineData("sparsefrontier run --decode-method ", "SnapKV")]
    [InlineData("sparsefrontier results --task StoryF", "StoryFiltering")]
    [InlineData("sparsefrontier recommend --model ", "frontier-3m")]
    [InlineData("sparsefrontier submit --preset ab", "ablation")]
    [InlineData("sparsefrontier run --method Dense,Ver", "Dense,VerticalSlash")]
    [InlineData("sparsefrontier run --method 'Dense, Ver", "Dense, VerticalSlash")]
    [InlineData("sparsefrontier run --task Niah --method dense,VerticalSlash,", "dense,VerticalSlash,Quest")]
    [InlineData("sparsefrontier findings --name Qu", "QuestOverAdaSnapKV")]
    [InlineData("sparsefrontier claim Qu", "Quest over SnapKV")]
    [InlineData("sparsefrontier claim 'Quest o", "Quest over SnapKV")]
    [InlineData("sparsefrontier claim Quest\\ not", "Quest not below SnapKV")]
    public void Shells_are_told_how_a_line_may_go_on(string line, string expected)
    {
        string[] offered = [.. ShellCompletion.Suggest([$"[suggest:{line.Length}]", line + " --json"])];
        Assert.Contains(expected, offered);
        Assert.DoesNotContain(offered, o => o.EndsWith(",Dense", StringComparison.Ordinal));
    }

    // Help would list what an argument is completed to, all pairs of methods in place of CLAIM, and be as wide as that.
    [Fact]
    public void Help_names_arguments_and_not_what_they_are_completed_to()
    {
        string help = Run("--help").Output;
        Assert.Contains("claim <CLAIM>", help, StringComparison.Ordinal);
        Assert.DoesNotContain("Quest over", help, StringComparison.Ordinal);
        Assert.All(help.Split('\n'), l => Assert.InRange(l.Length, 0, 300));
        Assert.Contains("claim <CLAIM>", Run("claim --help").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Bash_completes_by_what_the_README_gives_it()
    {
        Assert.SkipUnless(File.Exists("/bin/bash"), "There is no bash.");
        string readme = File.ReadAllText(Path.Combine(LayerTests.Root(), "README.md"));
        string script = readme[readme.IndexOf("_sparsefrontier() {", StringComparison.Ordinal)..readme.IndexOf("complete -o default -F", StringComparison.Ordinal)];
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            // Folders are named by anybody: nothing of a name is run.
            foreach (string name in (string[])["my model", "my $(touch obeyed)"])
            {
                Directory.CreateDirectory(Path.Combine(folder, name));
                File.WriteAllText(Path.Combine(folder, name, "config.json"), "{}");
            }

            string Complete(string line, string word)
            {
                string program = $"sparsefrontier() {{ dotnet '{Path.Combine(AppContext.BaseDirectory, "sparsefrontier.dll")}' \"$@\"; }}";
                var start = new ProcessStartInfo("/bin/bash", ["-c", $"{program}\n{script}\nCOMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=(\"$2\") COMP_CWORD=0; _sparsefrontier; printf '%s\\n' \"${{COMPREPLY[@]}}\"", "bash", line, word])
                {
                    RedirectStandardOutput = true,
                    WorkingDirectory = folder,
                };
                start.Environment["SPARSEFRONTIER_MODELS"] = folder;
                using Process process = Process.Start(start)!;
                string output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                return output;
            }

            Assert.Equal("my\\ \\$\\(touch\\ obeyed\\)\nmy\\ model\n", Complete("sparsefrontier run --model m", "m"));
            Assert.Equal("frontier-3m,my\\ model\n", Complete("sparsefrontier run --model frontier-3m,my\\ m", "frontier-3m,my\\ m"));
            Assert.Equal("my model\n", Complete("sparsefrontier run --model \"my m", "\"my m"));

            // Between quotes nothing is put before what a shell would run or end the quotes at: such a name is not offered there.
            Assert.Equal("my model\n", Complete("sparsefrontier run --model \"my ", "\"my "));
            Assert.Equal("my model\n", Complete("sparsefrontier run --model 'my ", "'my "));
            Assert.False(File.Exists(Path.Combine(folder, "obeyed")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Every_preset_is_completed_listed_and_read()
    {
        string[] words = ["paper", "ablation", "findings", "findings-small"];
        const string Line = "sparsefrontier run --preset ";
        Assert.Equal(words.Order(StringComparer.Ordinal), Run($"\"[suggest:{Line.Length}]\" \"{Line}\"").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Order(StringComparer.Ordinal));
        Assert.Contains($"<{string.Join('|', words)}>", Run("run --help").Output, StringComparison.Ordinal);
        Assert.Equal(words.Length, Enum.GetValues<SweepPreset>().Length);
        foreach ((string word, SweepPreset preset) in words.Zip(Enum.GetValues<SweepPreset>()))
        {
            Assert.Contains($"The preset {preset} has no run of Nix*.", Run($"run --preset {word} --method Nix* --what-if").Error, StringComparison.Ordinal);
            Assert.Contains($"The preset {preset} has no run of Nix*.", Run($"run --preset {preset} --method Nix* --what-if").Error, StringComparison.Ordinal);
        }

        Assert.Contains("ParameterInvalid: 'papers' of --preset is none of its values. Did you mean Paper?", Run("run --preset papers --what-if").Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run --sparsity lots", "ParameterInvalid")]
    [InlineData("run --nonsense", "ParameterInvalid")]
    [InlineData("run --method", "ParameterInvalid")]
    [InlineData("run --method \"\"", "ParameterInvalid")]
    [InlineData("run --length \"\"", "ParameterInvalid")]
    [InlineData("results --nonsense", "ParameterInvalid")]
    [InlineData("results -- --nonsense", "FileNotFound")]
    [InlineData("task generate --task Niah --length x --tokenizer TOKENIZER", "ParameterInvalid")]
    [InlineData("task generate --tokenizer TOKENIZER", "ParameterInvalid")]
    [InlineData("pareto TOKENIZER/../../docs/findings.jsonl.br --output-tokens 2147483647", "ParameterInvalid")]
    [InlineData("task generate --task Niah --length 2147483647 --tokenizer TOKENIZER", "SequenceTooLong")]
    [InlineData("kernels measure BlockSparse --iterations 2147483647", "ParameterInvalid")]
    [InlineData("kernels measure BlockSparse --length 1048576 --query-heads 2000000 --kv-heads 1000", "DeviceOutOfMemory")]
    [InlineData("frobnicate", "ParameterInvalid")]
    [InlineData("run --method Qest", "MethodNotFound")]
    [InlineData("run --task Niha", "TaskNotFound")]
    [InlineData("run --method Quest --sparsity 1.5", "SparsityOutOfRange")]
    [InlineData("run --method Quest --parameter PageSize=-3", "MethodParameterInvalid")]
    [InlineData("run --model ./no/such/model", "ModelNotFound")]
    [InlineData("tolerance ./no/such/folder", "FileNotFound")]
    [InlineData("compare ./no/such/folder", "FileNotFound")]
    [InlineData("claim \"Quest over SnapKV\" ./no/such/folder", "FileNotFound")]
    [InlineData("cost --formula Guess", "ParameterInvalid")]
    [InlineData("cost NoSuchModel", "ModelNotFound")]
    [InlineData("methods NoSuchMethod", "MethodNotFound")]
    [InlineData("tasks NoSuchTask", "TaskNotFound")]
    [InlineData("results ./no/such/folder", "FileNotFound")]
    [InlineData("kernels test NoSuchKernel", "KernelNotFound")]
    [InlineData("kernels test NoSuch*", "KernelNotFound")]
    [InlineData("run --input ./no/such/file", "FileNotFound")]
    [InlineData("run --input -", "RunSpecificationInvalid")]
    [InlineData("run --input .", "ResultUnreadable: '.' cannot be read: It is a folder")]
    [InlineData("claim Quest over SnapKV", "ParameterInvalid: 'Quest' is not of the form of a claim")]
    [InlineData("run --preset findings --method Nix* --what-if", "ParameterInvalid: The preset Findings has no run of Nix*.")]
    [InlineData("run --preset ablation --method Nix* --what-if", "ParameterInvalid: The preset Ablation has no run of Nix*.")]
    [InlineData("run --preset paper --task Nix* --what-if", "ParameterInvalid: The preset Paper has no run of Nix*.")]
    [InlineData("recommend --length -5", "SequenceLengthInvalid")]
    [InlineData("run --input ./no/such/file --method Quest", "ParameterInvalid")]
    [InlineData("submit --worker ./no/such/file", "FileNotFound")]
    [InlineData("submit --time-limit 2:00", "ParameterInvalid")]
    [InlineData("jobs 4711", "JobNotFound")]
    [InlineData("merge ./no/such/folder", "FileNotFound")]
    [InlineData("tokenize --tokenizer ./no/such/file", "TokenizerMissing")]
    public void A_wrong_command_fails_with_a_documented_id(string arguments, string id)
    {
        (int code, string output, string error) = Run(arguments.Replace("TOKENIZER", $"\"{Path.Combine(LayerTests.Root(), "models", "frontier-3m")}\"", StringComparison.Ordinal));
        Assert.Equal(1, code);
        Assert.Empty(output.Trim());
        Assert.Contains($"error {id}{(id.Contains(':', StringComparison.Ordinal) ? "" : ": ")}", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Errors_are_JSON_when_asked_for()
    {
        (int code, _, string error) = Run("methods NoSuchMethod --json");
        Assert.Equal(1, code);
        JsonElement detail = JsonDocument.Parse(error).RootElement;
        Assert.Equal("MethodNotFound", detail.GetProperty("errorId").GetString());
        Assert.Contains("NoSuchMethod", detail.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("methods", "Quest")]
    [InlineData("tasks", "Niah")]
    [InlineData("devices", "cpu")]
    public void Lists_are_JSON_lines_and_tables(string verb, string name)
    {
        // Beside the devices, what is missing for others is said on the error stream.
        bool quiet = verb != "devices";
        (int code, string lines, string error) = Run($"{verb} --json");
        Assert.Equal((0, ""), (code, quiet ? error : ""));
        string?[] names = [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("Name").GetString())];
        Assert.Contains(name, names);
        (code, string table, error) = Run(verb);
        Assert.Equal((0, ""), (code, quiet ? error : ""));
        Assert.Contains(name, table, StringComparison.Ordinal);
        Assert.All(table.Split('\n'), l => Assert.InRange(l.Length, 0, 100));
    }

    // As after every option that takes a list.
    [Theory]
    [InlineData("methods Quest,SnapKV")]
    [InlineData("methods Quest SnapKV")]
    [InlineData("kernels measure Quest,SnapKV --length 1024 --sparsity 0.5 --iterations 1")]
    public void Names_are_separated_by_blanks_or_commas(string arguments)
    {
        (int code, string table, string error) = Run(arguments);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Quest", table, StringComparison.Ordinal);
        Assert.Contains("SnapKV", table, StringComparison.Ordinal);
    }

    [Fact]
    public void A_checkpoint_is_verified_and_a_tolerance_can_fail()
    {
        string checkpoint = SparseFrontier.Tests.Fixtures.Golden(Path.Combine("checkpoints", "qwen3-hub-float16"));
        string verify = $"model verify \"{checkpoint}\" --golden \"{Path.Combine(checkpoint, "golden.safetensors")}\"";
        Assert.Equal(0, Run(verify).Code);
        (int code, string output, _) = Run($"{verify} --tolerance 0 --json");
        Assert.Equal(1, code);
        Assert.False(JsonDocument.Parse(output).RootElement.GetProperty("Passed").GetBoolean());
    }

    [Fact]
    public void Responses_are_scored_line_by_line()
    {
        JsonElement sample = JsonDocument.Parse(SparseFrontier.Tests.Fixtures.Decompress("scores-dev.json.br"))
            .RootElement.GetProperty("Niah").EnumerateArray().First(e => e.GetProperty("score").ValueKind == JsonValueKind.Number && e.GetProperty("score").GetDouble() > 0);
        string line = JsonSerializer.Serialize(sample);
        (int code, string output, string error) = Run("task score --task Niah --reference-scoring", $"{line}\n{line}\n");
        Assert.True(code == 0, error);
        string[] scores = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, scores.Length);
        Assert.Equal(sample.GetProperty("score").GetDouble(), JsonDocument.Parse(scores[1]).RootElement.GetProperty("score").GetDouble());
        Assert.Equal(JsonValueKind.Null, JsonDocument.Parse(scores[1]).RootElement.GetProperty("formatFailure").ValueKind);
        Assert.Contains("TaskDataInvalid", Run("task score --task Squad", "nonsense\n").Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run --method Nix*", "There is nothing to run: nothing matches 'Nix*'.")]
    [InlineData("submit --task Nix* --what-if", "There is nothing to run: nothing matches 'Nix*'.")]
    [InlineData("kernels measure Nix*", "There is nothing to measure: no method matches 'Nix*'.")]
    [InlineData("tasks Nix*", "")]
    public void Wildcards_that_match_nothing_leave_nothing_to_do_and_say_so(string arguments, string warning)
    {
        (int code, string output, string error) = Run(arguments);
        Assert.Equal((0, "", warning.Length > 0 ? $"warning: {warning}" : ""), (code, output, error.Trim()));
    }

    [Fact]
    public void What_if_lists_runs_and_writes_nothing()
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        (int code, string output, string error) = Run($"run --method Quest,SnapKV --task Niah --length 2048 --sparsity 0.5,0.9 --what-if --results {folder} --json");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(4, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.False(Directory.Exists(folder));

        // Thirteen runs that are wrong in one way are one error.
        Assert.Single(Run("run --what-if --model ./no/such/model --json").Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void A_plan_is_run_from_standard_input_and_on_another_device()
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        (int code, string plan, string error) = Run($"run --method Quest --sparsity 0.5,0.9 --what-if --results {folder} --json");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal((0, plan, ""), Run($"run --input - --what-if --results {folder} --json", plan));
        Assert.Equal((0, plan, ""), Run($"run --input - --what-if --results {folder} --json", "\uFEFF" + plan));
        string away = plan.Replace("\"cpu\"", "\"tpu:0\"", StringComparison.Ordinal);
        Assert.Contains("DeviceNotFound", Run($"run --input - --what-if --results {folder}", away).Error, StringComparison.Ordinal);
        Assert.Equal((0, plan, ""), Run($"run --input - --device cpu --what-if --results {folder} --json", away));
        Assert.Contains("DeviceNotFound", Run($"run --input - --device tpu:0 --what-if --results {folder}", plan).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Messages_name_the_folder_that_nobody_named()
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-").FullName;
        try
        {
            Assert.Contains($"There is no folder of results '{Path.Combine(folder, "results")}'", Run("pareto", folder: folder).Error, StringComparison.Ordinal);
            Directory.CreateDirectory(Path.Combine(folder, "results"));
            (int code, _, string error) = Run("recommend", folder: folder);
            Assert.Equal(1, code);
            Assert.Contains($"no completed results to advise from in '{Path.Combine(folder, "results")}'", error, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("methods")]
    [InlineData("methods --json")]
    [InlineData("task generate --task Niah --length 1200 --samples 3 --short-instructions --tokenizer TOKENIZER")]
    [InlineData("task generate --task Niah --length 1200 --samples 3 --short-instructions --tokenizer TOKENIZER --output /dev/full --force")]
    public void A_full_disk_is_an_error_with_an_id(string arguments)
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "/dev/full stands for a full disk; it is not here");
        string tokenizer = Path.Combine(LayerTests.Root(), "models", "frontier-3m");
        string executable = Path.Combine(AppContext.BaseDirectory, "sparsefrontier.dll");
        string command = $"dotnet '{executable}' {arguments.Replace("TOKENIZER", $"'{tokenizer}'", StringComparison.Ordinal)} > /dev/full";
        using Process process = Process.Start(new ProcessStartInfo("sh", ["-c", command]) { RedirectStandardError = true })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("ResultWriteFailed", error, StringComparison.Ordinal);
        Assert.Matches("No space left on device[^.]*\\. [A-Z]", error);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    // It would stand in the way of the next.
    [Fact]
    public void Of_a_report_that_the_disk_does_not_hold_nothing_is_left()
    {
        Assert.SkipUnless(File.Exists("/bin/sh") && OperatingSystem.IsLinux(), "A limit on the size of files needs a Linux shell.");
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-").FullName;
        try
        {
            // 100 blocks of 512 bytes; memory that code is compiled into is a file too.
            string command = $"trap '' XFSZ; ulimit -f 100; DOTNET_EnableWriteXorExecute=0 exec dotnet '{Path.Combine(AppContext.BaseDirectory, "sparsefrontier.dll")}' report '{Path.Combine(LayerTests.Root(), "docs", "findings.jsonl.br")}' --output new/report.html";
            using Process process = Process.Start(new ProcessStartInfo("sh", ["-c", command]) { RedirectStandardError = true, WorkingDirectory = folder })!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(1, process.ExitCode);
            Assert.Contains("ResultWriteFailed", error, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories));

            // And one that is there stays.
            File.WriteAllText(Path.Combine(folder, "new", "report.html"), "before");
            using Process again = Process.Start(new ProcessStartInfo("sh", ["-c", command + " --force"]) { RedirectStandardError = true, WorkingDirectory = folder })!;
            again.StandardError.ReadToEnd();
            again.WaitForExit();
            Assert.Equal(1, again.ExitCode);
            Assert.Equal("before", File.ReadAllText(Assert.Single(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void What_files_say_is_shown_and_not_obeyed()
    {
        string folder = Directory.CreateTempSubdirectory("sparsefrontier-").FullName;
        try
        {
            string run = Directory.CreateDirectory(Path.Combine(folder, "run")).FullName;
            const string hostile = @"a\u001b[2J\u009b31m\rb";
            File.WriteAllText(
                Path.Combine(run, "spec.json"),
                """{"RunId":"0123456789abcdef","Specification":{"Task":"HOSTILE","Method":"HOSTILE","Model":"HOSTILE","SequenceLength":1024,"SampleCount":1}}""".Replace("HOSTILE", hostile, StringComparison.Ordinal));
            File.WriteAllText(
                Path.Combine(run, "samples-0001.jsonl"), $$"""{"RunId":"0123456789abcdef","Index":0,"Score":1,"Output":"{{hostile}}","FormatFailure":"{{hostile}}"}""" + "\nno sample\n");
            File.WriteAllText(Path.Combine(run, "state.json"), $$"""{"Status":"Failed","Message":"{{hostile}}"}""");
            foreach (string arguments in (string[])[$"results {folder}", $"results {folder} --samples", $"results {folder} --json", $"results {folder} --samples --json", $"results {folder}/\u001b[2Jnone"])
            {
                (_, string output, string error) = Run(arguments);
                Assert.DoesNotContain(output + error, c => char.IsControl(c) && c is not ('\n' or '\r'));
                Assert.DoesNotContain(output + error, c => c == '\r' && !OperatingSystem.IsWindows());
                Assert.Contains("[2J", output + error, StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    internal static (int Code, string Output, string Error) Run(string arguments, string input = "", string? folder = null)
    {
        string executable = Path.Combine(AppContext.BaseDirectory, "sparsefrontier.dll");
        var start = new ProcessStartInfo("dotnet", $"\"{executable}\" {arguments}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }

    private static IEnumerable<string> Leaves(Command command, string prefix) =>
        command.Subcommands.Count == 0
            ? [prefix]
            : command.Subcommands.SelectMany(s => Leaves(s, prefix.Length == 0 ? s.Name : $"{prefix} {s.Name}"));
}
