using System.Diagnostics;
using System.Text.Json;
using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Who may write into a run's directory: a living process keeps its claim whatever the clock says, a dead one loses it.</summary>
public class ClaimTests
{
    [Fact]
    public void A_claim_of_a_living_process_is_respected_and_of_a_dead_one_taken_over()
    {
        using var folder = new TemporaryFolder();
        using (RunClaim.Take(folder.Path))
        {
            SparseFrontierException busy = Assert.Throws<SparseFrontierException>(() => RunClaim.Take(folder.Path));
            Assert.Equal(ErrorIds.RunBusy, busy.ErrorId);
            Assert.Contains($"process {Environment.ProcessId}", busy.Message, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFiles(folder.Path, "claim"));
        Assert.Empty(Directory.GetFiles(folder.Path, "claim.held"));

        // Another host: nobody here can know.
        AssertBusy(Own() with { Host = "other-host", ProcessId = 1 });

        // The same id, but of a process that started at another time, or before the machine did: the id was reused.
        AssertTakenOver(Own() with { ProcessStart = OperatingSystem.IsLinux() ? ProcessIdentity.Start + "0" : "1" });
        if (OperatingSystem.IsLinux())
        {
            AssertTakenOver(Own() with { ProcessStart = "00000000-0000-0000-0000-000000000000" + ProcessIdentity.Start[ProcessIdentity.Start.IndexOf('/')..] });
        }

        AssertTakenOver(Own() with { ProcessId = int.MaxValue });

        // An older version says no more than when its process started by the clock: one that is there keeps it.
        AssertBusy(Own() with { ProcessStart = "" });

        void AssertBusy(Claim claim)
        {
            Write(folder, claim);
            Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => RunClaim.Take(folder.Path)).ErrorId);
        }

        void AssertTakenOver(Claim claim)
        {
            Write(folder, claim);
            using RunClaim taken = RunClaim.Take(folder.Path);
            Assert.False(taken.EarlierMayLive);
        }
    }

    [Theory]
    [InlineData(-1e9)]
    [InlineData(-3600)]
    [InlineData(1)]
    [InlineData(1e9)]
    public void A_jump_of_the_clock_changes_nothing(double seconds)
    {
        // What the clock says of this process's start when it was set by so much since the claim was taken, and of a dead one's.
        using var folder = new TemporaryFolder();
        Write(folder, Own() with { ProcessStartedAt = Own().ProcessStartedAt.AddSeconds(seconds) });
        Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => RunClaim.Take(folder.Path)).ErrorId);
        Write(folder, Own() with { ProcessId = int.MaxValue, ProcessStartedAt = DateTimeOffset.UtcNow.AddSeconds(seconds) });
        RunClaim.Take(folder.Path).Dispose();

        // Folders are named by the clock, and found by what is in them: an attempt that seems to have begun later, or long ago, goes on all the same.
        RunSpecification[] run = [Sweeps.Specification(samples: 1)];
        using var results = new TemporaryFolder();
        string path = Sweeps.Run(results.Path, run).Rows[0].Path!;
        string stamp = DateTimeOffset.UtcNow.AddSeconds(seconds).ToString("yyyyMMdd'T'HHmmss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        Directory.Move(path, Path.Combine(results.Path, stamp + Path.GetFileName(path)[16..]));
        var engines = new HashEngineFactory();
        Assert.Equal(3, Assert.Single(Sweeps.Run(results.Path, [Sweeps.Specification(samples: 3)], engines).Rows).SampleCount);
        Assert.Equal(2, engines.Prefills);
        Assert.Single(Directory.GetDirectories(results.Path));
    }

    [Fact]
    public void From_another_container_the_lock_of_a_claim_decides()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Other systems have one set of processes.");
        using var folder = new TemporaryFolder();

        // There the id names another process, or none.
        Claim elsewhere = Own() with { ProcessNamespace = "pid:[1]", ProcessId = int.MaxValue };
        Write(folder, elsewhere);
        using (new FileStream(folder.File("claim.held"), FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => RunClaim.Take(folder.Path)).ErrorId);
        }

        RunClaim.Take(folder.Path).Dispose();

        // Without a lock there is nothing to tell by.
        Write(folder, elsewhere);
        Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => RunClaim.Take(folder.Path)).ErrorId);
    }

    [Fact]
    public void Only_one_of_many_takes_a_claim()
    {
        using var folder = new TemporaryFolder();
        int taken = 0;
        Parallel.For(0, 16, _ =>
        {
            try
            {
                RunClaim.Take(folder.Path);
                Interlocked.Increment(ref taken);
            }
            catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.RunBusy)
            {
                // As it should be for all but one.
            }
        });
        Assert.Equal(1, taken);
    }

    [Fact]
    public void Two_processes_on_one_sweep_compute_every_sample_once()
    {
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, ChildSweep.Specifications);
        using var folder = new TemporaryFolder();
        Process[] children = [ChildSweep.Start(folder.Path), ChildSweep.Start(folder.Path), ChildSweep.Start(folder.Path)];
        foreach (Process child in children)
        {
            string error = child.StandardError.ReadToEnd();
            child.WaitForExit();
            Assert.True(child.ExitCode is 0 or 2, error);
            child.Dispose();
        }

        Sweeps.Run(folder.Path, ChildSweep.Specifications);

        Assert.Equal(ResultExport.Canonical(whole.Path), ResultExport.Canonical(folder.Path));
        Assert.Equal(30, Directory.GetFiles(folder.Path, "samples-*.jsonl", SearchOption.AllDirectories).Sum(f => File.ReadLines(f).Count()));
    }

    [Fact]
    public void A_run_whose_claim_is_being_taken_is_busy()
    {
        using var folder = new TemporaryFolder();
        using (new FileStream(folder.File("claim.lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            Assert.Equal(ErrorIds.RunBusy, Assert.Throws<SparseFrontierException>(() => RunClaim.Take(folder.Path)).ErrorId);
        }

        RunClaim.Take(folder.Path).Dispose();
    }

    [Fact]
    public void A_process_that_is_killed_loses_its_claims_at_once_and_a_stopped_one_does_not()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stopping and going on are Linux's.");
        using var folder = new TemporaryFolder();
        using Process child = ChildSweep.Start(folder.Path);
        while (Directory.GetFiles(folder.Path, "claim", SearchOption.AllDirectories).Length < 5)
        {
            Assert.False(child.HasExited);
            Thread.Sleep(1);
        }

        Signal("STOP");
        var engines = new HashEngineFactory();
        RecordingSink busy = Sweeps.Run(folder.Path, ChildSweep.Specifications, engines);
        Assert.Equal(5, busy.Errors.Count);
        Assert.All(busy.Errors, e => Assert.Equal(ErrorIds.RunBusy, e.ErrorId));
        Assert.Equal(0, engines.Prefills);
        child.Kill();
        child.WaitForExit();
        RecordingSink after = Sweeps.Run(folder.Path, ChildSweep.Specifications);
        Assert.Empty(after.Errors);
        Assert.All(after.Rows, r => Assert.Equal((RunStatus.Completed, 6), (r.Status, r.SampleCount)));

        void Signal(string name)
        {
            using var kill = Process.Start("/bin/sh", ["-c", $"kill -{name} {child.Id}"]);
            kill.WaitForExit();
        }
    }

    private static Claim Own()
    {
        using Process process = Process.GetCurrentProcess();
        return new Claim(Environment.MachineName, Environment.ProcessId, new DateTimeOffset(process.StartTime), ProcessIdentity.Start, ProcessIdentity.Namespace);
    }

    private static void Write(TemporaryFolder folder, Claim claim) => File.WriteAllText(folder.File("claim"), JsonSerializer.Serialize(claim));

    private sealed record Claim(string Host, int ProcessId, DateTimeOffset ProcessStartedAt, string ProcessStart, string ProcessNamespace);
}
