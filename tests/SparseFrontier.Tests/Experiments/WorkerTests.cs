using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Experiments.Workers;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Samples spread over worker processes, on the hash engine: what comes out is what one process gives, whatever happens to the workers.</summary>
[Collection(CudaCollection.Name)]
public class WorkerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static IReadOnlyList<RunSpecification> Calibrated { get; } =
    [
        .. Sweeps.Mixed(samples: 5),
        Sweeps.Specification("VerticalSlash", 0.5, samples: 5, parameters: "Window=32"),
        Sweeps.Specification("VerticalSlash", 0.5, "Quest", 0.6, samples: 4, parameters: "Window=32"),
        Sweeps.Specification("FlexPrefill", 0.4, samples: 5, parameters: "Window=32"),
        Sweeps.Specification("BlockSparse", 0.999, samples: 5),
    ];

    [Fact]
    public void Two_workers_give_what_one_process_gives()
    {
        using var one = new TemporaryFolder();
        using var two = new TemporaryFolder();
        RecordingSink alone = Sweeps.Run(one.Path, Calibrated, cancellationToken: Cancel);
        RecordingSink spread = Run(two.Path, Calibrated, ChildWorker.Program());
        Assert.Empty(spread.Errors);
        Assert.Equal(ResultExport.Canonical(one.Path), ResultExport.Canonical(two.Path));
        Assert.Equal(
            alone.Rows.Select(r => (r.RunId, r.Status, r.SampleCount, r.RequestedSparsity)).Order(),
            spread.Rows.Select(r => (r.RunId, r.Status, r.SampleCount, r.RequestedSparsity)).Order());
        Assert.Contains(spread.Updates, u => u.Status.EndsWith(" of 44 samples", StringComparison.Ordinal));
        Assert.Contains(spread.Decisions, d => d.Contains("spread over cpu and cpu", StringComparison.Ordinal));

        // Nothing is left to do.
        Assert.Equal(spread.Rows.Count, Run(two.Path, Calibrated, ChildWorker.Program()).Rows.Count);
    }

    [Fact]
    public void A_worker_that_dies_loses_no_finished_row_and_counts_none_twice()
    {
        using var one = new TemporaryFolder();
        using var two = new TemporaryFolder();
        using var markers = new TemporaryFolder();
        IReadOnlyList<RunSpecification> sweep = Sweeps.Mixed(samples: 6);
        Sweeps.Run(one.Path, sweep, cancellationToken: Cancel);
        RecordingSink spread = Run(two.Path, sweep, ChildWorker.Program($"die {Path.Combine(markers.Path, "dead")}"));
        Assert.Empty(spread.Errors);
        string warning = Assert.Single(spread.Warnings, w => w.Contains("worker", StringComparison.Ordinal));
        Assert.Contains("It is started again; to be computed again: sample", warning, StringComparison.Ordinal);
        Assert.Equal(ResultExport.Canonical(one.Path), ResultExport.Canonical(two.Path));
        Assert.Equal(30, Directory.EnumerateFiles(two.Path, "samples-*.jsonl", SearchOption.AllDirectories).Sum(f => File.ReadAllLines(f).Length));
    }

    [Fact]
    public void A_sample_that_ends_three_workers_fails_its_run_and_the_sweep_goes_on()
    {
        using var one = new TemporaryFolder();
        using var two = new TemporaryFolder();
        IReadOnlyList<RunSpecification> good = Sweeps.Mixed();
        Sweeps.Run(one.Path, good, cancellationToken: Cancel);
        RecordingSink spread = Run(two.Path, [Sweeps.Specification(length: 1500, samples: 1), .. good], ChildWorker.Program("poison 1000"));
        SparseFrontierException error = Assert.Single(spread.Errors);
        Assert.Equal(ErrorIds.DeviceFailed, error.ErrorId);
        Assert.Contains("3 worker processes ended while they computed sample", error.Message, StringComparison.Ordinal);
        Assert.Contains("exit code 7", error.Message, StringComparison.Ordinal);
        Assert.Equal(RunStatus.Failed, Assert.Single(spread.Rows, r => r.SequenceLength == 1500).Status);
        Assert.Equal(ResultExport.Canonical(one.Path), Canonical(two.Path, 800));
    }

    [Fact]
    public void An_error_of_a_worker_is_the_error_of_the_run()
    {
        using var folder = new TemporaryFolder();
        RecordingSink spread = Run(folder.Path, [Sweeps.Specification(length: 1500), .. Sweeps.Mixed()], ChildWorker.Program("fail 1000"));
        SparseFrontierException error = Assert.Single(spread.Errors);
        Assert.Equal((ErrorIds.DeviceOutOfMemory, "Too long for this GPU."), (error.ErrorId, error.Message));
        Assert.Equal(5, spread.Rows.Count(r => r.Status == RunStatus.Completed));
        Assert.DoesNotContain(spread.Warnings, w => w.Contains("worker", StringComparison.Ordinal));
    }

    [Fact]
    public void Workers_that_never_start_are_an_error_with_their_last_words()
    {
        using var folder = new TemporaryFolder();
        SparseFrontierException error = Assert.Single(Run(folder.Path, Sweeps.Mixed(), ChildWorker.Program("never")).Errors);
        Assert.Equal(ErrorIds.DeviceFailed, error.ErrorId);
        Assert.Contains("exit code 9: no such luck", error.Message, StringComparison.Ordinal);
        error = Assert.Single(Run(folder.Path, Sweeps.Mixed(), new WorkerProgram("/nowhere/program", [])).Errors);
        Assert.Contains("cannot be started", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancelled_sweep_keeps_its_rows_and_goes_on_later()
    {
        using var one = new TemporaryFolder();
        using var two = new TemporaryFolder();
        IReadOnlyList<RunSpecification> sweep = Sweeps.Mixed(samples: 8);
        Sweeps.Run(one.Path, sweep, cancellationToken: Cancel);
        using var stop = new CancellationTokenSource();
        var sink = new StoppingSink(() => Directory.EnumerateFiles(two.Path, "samples-*.jsonl", SearchOption.AllDirectories).Any(f => new FileInfo(f).Length > 0), stop);
        Assert.Throws<OperationCanceledException>(() => Run(two.Path, sweep, ChildWorker.Program("slow"), sink, stop.Token));
        int kept = Directory.EnumerateFiles(two.Path, "samples-*.jsonl", SearchOption.AllDirectories).Sum(f => File.ReadAllLines(f).Length);
        Assert.InRange(kept, 1, 39);
        RecordingSink rest = Run(two.Path, sweep, ChildWorker.Program());
        Assert.Empty(rest.Errors);
        Assert.Equal(ResultExport.Canonical(one.Path), ResultExport.Canonical(two.Path));
    }

    [Fact]
    public void A_run_that_fails_in_a_worker_fails_alone()
    {
        using var folder = new TemporaryFolder();
        RecordingSink spread = Run(folder.Path, Sweeps.Mixed(samples: 4), ChildWorker.Program("refuse SnapKV"));
        SparseFrontierException error = Assert.Single(spread.Errors);
        Assert.Equal("Not this one.", error.Message);
        Assert.Equal(["Failed SnapKV", "Completed Dense", "Completed Dense", "Completed Quest", "Completed Quest"], spread.Rows.Select(r => $"{r.Status} {r.DecodeMethod}").OrderDescending().OrderBy(t => t.Split(' ')[1] switch { "SnapKV" => 0, "Dense" => 1, _ => 2 }));
    }

    [Theory]
    [InlineData("cpu", "cpu")]
    [InlineData("CUDA", "cuda:0")]
    [InlineData("cuda:01", "cuda:1")]
    [InlineData("cuda:0, cuda:1", "cuda:0|cuda:1")]
    [InlineData("cuda:3,CUDA:1,cuda", "cuda:3|cuda:1|cuda:0")]
    [InlineData("cuda:0+cuda:1", "cuda:0+cuda:1")]
    [InlineData("cuda:0+cuda:1,cuda:2 + cuda:3", "cuda:0+cuda:1|cuda:2+cuda:3")]
    [InlineData("cuda:all", "cuda:0|cuda:1|cuda:2")]
    [InlineData("Cuda:All", "cuda:0|cuda:1|cuda:2")]
    [InlineData("abacus", "abacus")]
    public void Devices_are_read_from_a_list(string text, string expected) =>
        Assert.Equal(expected, string.Join('|', DeviceList.Parse(text, () => ["cuda:0", "cuda:1", "cuda:2"])));

    [Theory]
    [InlineData("cuda:0,cuda:0", "names cuda:0 twice")]
    [InlineData("cuda,cuda:0", "names cuda:0 twice")]
    [InlineData("cuda:0+cuda:1,cuda:1", "names cuda:1 twice")]
    [InlineData("cpu,cuda:0", "'cpu' stands in a list")]
    [InlineData("cuda:0,", "'' stands in a list")]
    [InlineData("cuda:0,cuda:all", "'cuda:all' stands in a list")]
    [InlineData("cuda:0,cuda:-1", "'cuda:-1' stands in a list")]
    public void Lists_that_mean_nothing_are_refused(string text, string message)
    {
        var error = Assert.Throws<SparseFrontierException>(() => DeviceList.Parse(text, () => []));
        Assert.Equal(ErrorIds.ParameterInvalid, error.ErrorId);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_is_started_as_the_process_that_asks()
    {
        WorkerProgram program = WorkerProgram.Find("/opt/sf/sparsefrontier", "/opt/sf/sparsefrontier.dll", "/opt/sf/SparseFrontier.Engine.dll");
        Assert.Equal(("/opt/sf/sparsefrontier", $"{SampleWorker.Argument} {WorkerProgram.Pipe}"), (program.FileName, string.Join(' ', program.Arguments)));
        program = WorkerProgram.Find("/usr/bin/dotnet", "/opt/sf/sparsefrontier.dll", "");
        Assert.Equal($"/opt/sf/sparsefrontier.dll {SampleWorker.Argument} {WorkerProgram.Pipe}", string.Join(' ', program.Arguments));
        program = WorkerProgram.Find("/opt/microsoft/powershell/7/pwsh", "/opt/microsoft/powershell/7/pwsh.dll", "/home/o'neill/SparseFrontier.Engine.dll");
        Assert.Contains("'/home/o''neill/SparseFrontier.Engine.dll'", program.Arguments[^1], StringComparison.Ordinal);
        Assert.Contains($"[SparseFrontier.Experiments.SampleWorker]::Serve('{WorkerProgram.Pipe}')", program.Arguments[^1], StringComparison.Ordinal);
        string[] powerShell = [.. program.Arguments];
        program = WorkerProgram.Find("/usr/bin/dotnet", "/home/o'neill/.dotnet/tools/pwsh.dll", "/home/o'neill/SparseFrontier.Engine.dll");
        Assert.Equal("/usr/bin/dotnet", program.FileName);
        Assert.Equal(["/home/o'neill/.dotnet/tools/pwsh.dll", .. powerShell], program.Arguments);
        var error = Assert.Throws<SparseFrontierException>(() => WorkerProgram.Find("/usr/bin/editor", "", ""));
        Assert.Equal(ErrorIds.PowerShellRequired, error.ErrorId);
    }

    private static RecordingSink Run(string folder, IReadOnlyList<RunSpecification> specifications, WorkerProgram program, RecordingSink? sink = null, CancellationToken? token = null)
    {
        sink ??= new RecordingSink();
        Execute(folder, specifications, program, sink, token ?? Cancel);
        return sink;
    }

    private static void Run(string folder, IReadOnlyList<RunSpecification> specifications, WorkerProgram program, IPipelineSink sink, CancellationToken token) =>
        Execute(folder, specifications, program, sink, token);

    private static void Execute(string folder, IReadOnlyList<RunSpecification> specifications, WorkerProgram program, IPipelineSink sink, CancellationToken token) =>
        new InvokeRunOperation
        {
            Specifications = specifications,
            ResultPath = folder,
            Engines = new HashEngineFactory(),
            Worker = program,
            DevicesOf = _ => ["cpu", "cpu"],
        }.Execute(sink, token);

    // Without the runs of other lengths.
    private static string Canonical(string folder, int length)
    {
        foreach (string run in Directory.EnumerateDirectories(folder).Where(d => File.Exists(Path.Combine(d, "spec.json"))))
        {
            if (!File.ReadAllText(Path.Combine(run, "spec.json")).Contains($"\"SequenceLength\": {length}", StringComparison.Ordinal))
            {
                Directory.Delete(run, recursive: true);
            }
        }

        return ResultExport.Canonical(folder);
    }

    /// <summary>Stops the operation at the first progress after something is there.</summary>
    private sealed class StoppingSink(Func<bool> isThere, CancellationTokenSource stop) : IPipelineSink
    {
        public void Object(object value)
        {
        }

        public void Error(SparseFrontierException error)
        {
        }

        public void Warning(string message)
        {
        }

        public void Verbose(string message)
        {
        }

        public void Information(string message)
        {
        }

        public void Progress(ProgressUpdate update)
        {
            if (isThere())
            {
                stop.Cancel();
            }
        }

        public bool ShouldProcess(string target, string action) => true;
    }
}
