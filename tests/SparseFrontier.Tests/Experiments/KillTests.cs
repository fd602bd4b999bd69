using System.Diagnostics;
using System.Globalization;
using System.Text;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>SIGKILL at random moments: SPARSEFRONTIER_TEST_KILLS asks for more than the few of every test run.</summary>
public class KillTests
{
    [Fact]
    public void Killed_runs_lose_no_finished_sample_and_end_as_unbroken_ones()
    {
        int kills = int.Parse(Environment.GetEnvironmentVariable("SPARSEFRONTIER_TEST_KILLS") ?? "8", CultureInfo.InvariantCulture);
        using var whole = new TemporaryFolder();
        Sweeps.Run(whole.Path, ChildSweep.Specifications);
        string expected = ResultExport.Canonical(whole.Path);

        var random = new RandomSource("test/kill", kills);
        int killed = 0;
        while (killed < kills)
        {
            using var folder = new TemporaryFolder();
            int finished = 0;
            while (true)
            {
                using Process child = ChildSweep.Start(folder.Path);

                // Killed some samples and some milliseconds after it took its claims, or not at all once there were enough kills.
                var stopwatch = Stopwatch.StartNew();
                int samples = killed < kills ? finished + random.Next(6) : int.MaxValue;
                bool claimed = false;
                while (!child.HasExited && !(claimed && Read(folder.Path) >= samples))
                {
                    Assert.InRange(stopwatch.Elapsed.TotalSeconds, 0, 120);
                    claimed = claimed || Directory.EnumerateFiles(folder.Path, "claim", SearchOption.AllDirectories).Any(c => Names(c, child.Id));
                    Read(folder.Path);
                    Thread.Sleep(1);
                }

                Thread.Sleep(random.Next(40));
                bool ended = child.HasExited;
                if (!ended)
                {
                    child.Kill();
                    killed++;
                }

                child.WaitForExit();
                int now = Read(folder.Path);
                Assert.InRange(now, finished, int.MaxValue);
                finished = now;
                if (ended)
                {
                    Assert.True(child.ExitCode == 0, child.StandardError.ReadToEnd());
                    break;
                }
            }

            Assert.Equal(expected, ResultExport.Canonical(folder.Path));
        }
    }

    private static bool Names(string claim, int process) =>
        Encoding.UTF8.GetString(StoreIO.ReadAll(claim) ?? []).Contains($"\"ProcessId\":{process},", StringComparison.Ordinal);

    /// <summary>Reads everything there is and returns the number of samples; whatever moment the writer is at, nothing may be wrong with it.</summary>
    private static int Read(string folder)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [folder] }.Execute(sink, default);
        var samples = new RecordingSink();
        new GetResultOperation { Path = [folder], Sample = true }.Execute(samples, default);
        Assert.Empty(sink.Warnings.Concat(samples.Warnings));
        Assert.Empty(sink.Errors.Concat(samples.Errors));
        return samples.Objects.Count;
    }
}
