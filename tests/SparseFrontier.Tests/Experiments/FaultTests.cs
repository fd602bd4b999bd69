using System.Diagnostics;
using System.Globalization;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Disks that are full or read-only, paths that cannot be folders, memory that is not there: a clear error, and nothing finished is lost (docs/reliability.md).</summary>
public class FaultTests
{
    [Fact]
    public void On_a_real_disk_that_fills_up_nothing_finished_is_lost()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, ChildSweep.Specifications);
        string expected = ResultExport.Canonical(whole.Path);
        using var folder = new TemporaryFolder();
        int refused = 0;
        int most = 0;

        // From no room for the first folder to room for nearly all of it.
        for (int kilobytes = 4; kilobytes <= 252; kilobytes += 8)
        {
            using Mount disk = Mount.Create(folder.File("disk"), kilobytes);
            string results = Path.Combine(folder.File("disk"), "results");
            try
            {
                Sweeps.Run(results, ChildSweep.Specifications);
            }
            catch (SparseFrontierException e)
            {
                Assert.Equal(ErrorIds.ResultWriteFailed, e.ErrorId);
                Assert.Contains("free space or choose another folder", e.Message, StringComparison.Ordinal);
                refused++;
            }

            // What is there can be read without a warning, and running the same again does the rest and nothing twice.
            int there = Directory.Exists(results) ? Samples(results) : 0;
            most = Math.Max(most, there);
            disk.Resize(4096);
            var engines = new HashEngineFactory();
            Assert.Empty(Sweeps.Run(results, ChildSweep.Specifications, engines).Errors);
            Assert.Equal(expected, ResultExport.Canonical(results));
            Assert.Equal(30, Directory.GetFiles(results, "samples-*.jsonl", SearchOption.AllDirectories).Sum(f => File.ReadLines(f).Count()));
            Assert.Empty(Directory.GetFiles(results, "*.tmp", SearchOption.AllDirectories));
        }

        Assert.InRange(refused, 10, 32);
        Assert.InRange(most, 20, 30);
    }

    [Fact]
    public void Results_on_a_read_only_disk_are_read_and_not_written()
    {
        using var folder = new TemporaryFolder();
        using Mount disk = Mount.Create(folder.File("disk"), 4096);
        string results = folder.File("disk");
        Sweeps.Run(results, [Sweeps.Specification(), Sweeps.Specification("Quest", 0.5)]);
        Sweeps.Run(results, [Sweeps.Specification("SnapKV", 0.5, samples: 2)]);
        disk.MakeReadOnly();
        Assert.Equal(8, Samples(results));
        var engines = new HashEngineFactory();
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Sweeps.Run(results, [Sweeps.Specification(seed: 2)], engines));
        Assert.Equal(ErrorIds.ResultWriteFailed, error.ErrorId);
        Assert.Contains(results, error.Message, StringComparison.Ordinal);
        Assert.Throws<SparseFrontierException>(() => Sweeps.Run(results, [Sweeps.Specification()], engines, force: true));
        Assert.Equal(0, engines.Opened);

        // What is finished needs nothing written, whatever is asked for beside it: more samples of another run, and a run that is not there.
        RecordingSink finished = Sweeps.Run(results, [Sweeps.Specification(), Sweeps.Specification("Quest", 0.5)], engines);
        Assert.Empty(finished.Errors);
        Assert.Equal(["Dense", "Quest"], finished.Rows.Select(r => r.DecodeMethod));
        var sink = new RecordingSink();
        Assert.Throws<SparseFrontierException>(() => Sweeps.Run(results, [Sweeps.Specification("SnapKV", 0.5), Sweeps.Specification("Quest", 0.5), Sweeps.Specification(seed: 2)], engines, sink: sink));
        Assert.Equal(("Quest", 3), (Assert.Single(sink.Rows).DecodeMethod, sink.Rows[0].SampleCount));
        Assert.Equal(0, engines.Prefills);
    }

    [Fact]
    public void On_a_read_only_disk_a_damaged_run_is_nothing_to_the_finished_ones()
    {
        using var folder = new TemporaryFolder();
        using Mount disk = Mount.Create(folder.File("disk"), 4096);
        string results = folder.File("disk");
        Sweeps.Run(results, [Sweeps.Specification()]);
        string damaged = Sweeps.Run(results, [Sweeps.Specification(seed: 2)]).Rows[0].Path!;
        File.WriteAllText(Path.Combine(damaged, "spec.json"), "{");
        disk.MakeReadOnly();
        RecordingSink sink = Sweeps.Run(results, [Sweeps.Specification()]);
        Assert.Empty(sink.Errors);
        Assert.Equal(RunStatus.Completed, Assert.Single(sink.Rows).Status);
    }

    [Theory]
    [InlineData("/dev/full")]
    [InlineData("/dev/full/results")]
    [InlineData("/dev/null/results")]
    public void A_device_is_no_folder(string path)
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "There is no /dev/full.");
        var engines = new HashEngineFactory();
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Sweeps.Run(path, [Sweeps.Specification()], engines));
        Assert.Equal(ErrorIds.ResultWriteFailed, error.ErrorId);
        Assert.Contains($"'{path}'", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, engines.Opened);
    }

    [Fact]
    public void A_run_that_is_refused_memory_fails_with_needed_and_free_and_the_sweep_goes_on()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Limits on the address space need a Linux shell.");
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, ChildSweep.Specifications);
        using var folder = new TemporaryFolder();
        using (Process child = ChildSweep.Start(folder.Path, greed: "BlockSparse+Quest"))
        {
            string error = child.StandardError.ReadToEnd();
            child.WaitForExit();
            Assert.True(child.ExitCode == 2, error);
        }

        var read = new RecordingSink();
        new GetResultOperation { Path = [folder.Path] }.Execute(read, default);
        SparseAttentionResult failed = Assert.Single(read.Rows, r => r.Status == RunStatus.Failed);
        Assert.Equal(("BlockSparse", "Quest"), (failed.Method, failed.DecodeMethod));
        Assert.Matches(@"^DeviceOutOfMemory: .*An allocation of 17179869184 bytes \(16384 MiB\) was refused\. [0-9]+ MiB of memory are free\. ", failed.Message);
        Assert.Equal(4, read.Rows.Count(r => r.Status == RunStatus.Completed));
        Assert.Empty(Sweeps.Run(folder.Path, ChildSweep.Specifications).Errors);
        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
    }

    [Fact]
    public void A_prompt_that_cannot_fit_is_refused_before_the_system_ends_the_process()
    {
        using var folder = new TemporaryFolder();
        using TransformerModel model = TransformerModel.Load(TinyCheckpoint.Create(folder));
        int[] tokens = [.. Enumerable.Range(3, 40)];
        var request = new PrefillRequest { DecodeConfigurations = [new DecodeConfiguration(MethodLookup.Decode("Dense")!, MethodLookup.Decode("Dense")!.CreateParameters())] };
        ModelConfiguration c = model.Configuration;
        long needed = (2L * c.LayerCount * c.KvHeads * c.HeadDimension * 40 * model.CacheType.SizeInBytes()) + (2L * 40 * c.HiddenSize * sizeof(float));
        model.FreeBytes = () => needed - 1;
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => model.Prefill(tokens, request));
        Assert.Equal(ErrorIds.DeviceOutOfMemory, error.ErrorId);
        Assert.Matches("needs at least [0-9]+ MiB beside the weights. [0-9]+ MiB of memory are free. Use shorter prompts", error.Message);
        model.FreeBytes = () => needed;
        model.Prefill(tokens, request).Dispose();
    }

    [Fact]
    public void Runs_that_memory_is_short_for_together_are_computed_alone_with_the_same_rows()
    {
        using var roomy = new TemporaryFolder();
        using var tight = new TemporaryFolder();
        Sweeps.Run(roomy.Path, Sweeps.Mixed());

        // A run alone has its own sequence, a dense one to be compared with, and one that tells the dense output.
        int refused = 0;
        HashEngineFactory engines = null!;
        engines = new HashEngineFactory
        {
            BeforeStep = () =>
            {
                if (engines.LiveSequences > 3)
                {
                    refused++;
                    throw new SparseFrontierException(ErrorIds.DeviceOutOfMemory, "Too little.");
                }
            },
        };
        var sink = new RecordingSink();
        new InvokeRunOperation { Specifications = Sweeps.Mixed(), ResultPath = tight.Path, BatchSize = 8, Engines = engines, DevicesOf = _ => ["cuda:0"] }.Execute(sink, TestContext.Current.CancellationToken);
        Assert.True(refused > 0, "samples shared a batch");
        Assert.Empty(sink.Errors);
        Assert.Equal(ResultExport.Canonical(roomy.Path), ResultExport.Canonical(tight.Path));
        Assert.Equal((0, 0), (engines.LivePrompts, engines.LiveSequences));
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("cuda:0")]
    public void Runs_that_fail_for_one_reason_are_one_error_with_their_number(string device)
    {
        using var folder = new TemporaryFolder();
        var engines = new HashEngineFactory { BeforePrefill = () => throw new SparseFrontierException(ErrorIds.DeviceOutOfMemory, "Too little.", 7) };
        for (int attempt = 0; attempt < 2; attempt++)
        {
            var sink = new RecordingSink();
            new InvokeRunOperation
            {
                Specifications = [.. Sweeps.Mixed(), .. Sweeps.Mixed(length: 900)],
                ResultPath = folder.Path,
                Engines = engines,
                DevicesOf = _ => [device],
            }.Execute(sink, TestContext.Current.CancellationToken);
            Assert.Equal(
                [
                    (ErrorIds.DeviceOutOfMemory, "Too little. This ended 5 runs of Niah at 800 tokens on hash.", 7),
                    (ErrorIds.DeviceOutOfMemory, "Too little. This ended 5 runs of Niah at 900 tokens on hash.", 7),
                ],
                sink.Errors.Select(e => (e.ErrorId, e.Message, (int)e.Target!)));
            Assert.Equal(10, sink.Rows.Count(r => r is { Status: RunStatus.Failed, Message: "Too little." }));
        }
    }

    [Fact]
    public void Free_memory_is_no_more_than_the_machine_has()
    {
        long free = HostMemory.FreeBytes();
        Assert.InRange(free, 1, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
    }

    [Fact]
    public void A_model_that_cannot_be_loaded_is_an_error_and_the_others_are_run()
    {
        using var folder = new TemporaryFolder();
        using var models = new TemporaryFolder();
        string good = TinyCheckpoint.Create(models);
        string bad = models.File("bad");
        Directory.CreateDirectory(bad);
        foreach (string file in Directory.GetFiles(good))
        {
            File.Copy(file, Path.Combine(bad, Path.GetFileName(file)));
        }

        File.Delete(Path.Combine(bad, "tokenizer.json"));
        RunSpecification[] runs = [Of(bad), Of(good)];
        RecordingSink sink = Sweeps.Run(folder.Path, runs, new TransformerEngineFactory());
        Assert.Equal(ErrorIds.TokenizerMissing, Assert.Single(sink.Errors).ErrorId);
        Assert.Equal(RunStatus.Completed, Assert.Single(sink.Rows).Status);
        Assert.Equal(ErrorIds.TokenizerMissing, Assert.Throws<SparseFrontierException>(() => Sweeps.Run(folder.Path, [Of(bad)], new TransformerEngineFactory())).ErrorId);

        static RunSpecification Of(string model) => new()
        {
            Model = model,
            Task = "Niah",
            TaskParameters = "KeyGroups=1;Queries=1",
            SequenceLength = 800,
            SampleCount = 1,
            MaximumOutputTokens = 4,
            ShortInstructions = true,
        };
    }

    /// <summary>Samples that the folder holds, read without a warning.</summary>
    private static int Samples(string results)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [results], Sample = true }.Execute(sink, default);
        Assert.Empty(sink.Warnings);
        Assert.Empty(sink.Errors);
        return sink.Objects.Count;
    }

    /// <summary>A file system in memory of a certain size, for tests of root on Linux.</summary>
    private sealed class Mount : IDisposable
    {
        private readonly string _path;

        private Mount(string path) => _path = path;

        public static Mount Create(string path, int kilobytes)
        {
            Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root can mount a small disk on Linux.");
            Directory.CreateDirectory(path);
            int code = Run("mount", "-t", "tmpfs", "-o", Size(kilobytes), "tmpfs", path);
            Assert.SkipUnless(code == 0, "This system does not let root mount a file system, as most containers do not.");
            return new Mount(path);
        }

        public void Resize(int kilobytes) => Assert.Equal(0, Run("mount", "-o", $"remount,{Size(kilobytes)}", _path));

        public void MakeReadOnly() => Assert.Equal(0, Run("mount", "-o", "remount,ro", _path));

        public void Dispose() => Run("umount", _path);

        private static string Size(int kilobytes) => string.Create(CultureInfo.InvariantCulture, $"size={kilobytes}k");

        private static int Run(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode;
        }
    }
}
