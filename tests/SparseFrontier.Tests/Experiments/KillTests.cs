using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>
/// SIGKILL at random moments: SPARSEFRONTIER_TEST_KILLS asks for more than the few of every test run, SPARSEFRONTIER_TEST_KILLS_OUTPUT names a file for
/// what was counted.
/// </summary>
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
        var count = new Counts();
        while (count.Kills < kills)
        {
            using var folder = new TemporaryFolder();
            int finished = 0;
            while (true)
            {
                using Process child = ChildSweep.Start(folder.Path);
                count.Processes++;

                // Killed some samples and some milliseconds after it took its claims, or not at all once there were enough kills.
                var stopwatch = Stopwatch.StartNew();
                int samples = count.Kills < kills ? finished + random.Next(6) : int.MaxValue;
                bool claimed = false;
                while (!child.HasExited && !(claimed && Read(folder.Path) >= samples))
                {
                    Assert.InRange(stopwatch.Elapsed.TotalSeconds, 0, 600);
                    claimed = claimed || Directory.EnumerateFiles(folder.Path, "claim", SearchOption.AllDirectories).Any(c => Names(c, child.Id));
                    Read(folder.Path);
                    Thread.Sleep(1);
                }

                Thread.Sleep(random.Next(40));
                bool ended = child.HasExited;
                if (!ended)
                {
                    child.Kill();
                    count.Kills++;
                }

                child.WaitForExit();
                int now = Read(folder.Path);
                Assert.InRange(now, finished, int.MaxValue);
                finished = now;
                if (!ended)
                {
                    count.TornLines += Directory.EnumerateFiles(folder.Path, "samples-*.jsonl", SearchOption.AllDirectories).Count(IsTorn);
                    count.LostClaims += Directory.EnumerateFiles(folder.Path, "claim", SearchOption.AllDirectories).Count();
                    continue;
                }

                // Three kills in a row within one sample look like a run that kills: the user says to try again.
                string[] poisoned = [.. Results(folder.Path).Where(r => r.Status == RunStatus.Poisoned).Select(r => Path.Combine(r.Path!, "tries.json")).Where(File.Exists)];
                if (child.ExitCode == 2 && poisoned.Length > 0)
                {
                    count.Poisoned += poisoned.Length;
                    Array.ForEach(poisoned, File.Delete);
                    continue;
                }

                Assert.True(child.ExitCode == 0, child.StandardError.ReadToEnd());
                break;
            }

            count.Sweeps++;
            count.Samples += finished;
            Assert.Equal(expected, ResultExport.Canonical(folder.Path));
            if (Environment.GetEnvironmentVariable("SPARSEFRONTIER_TEST_KILLS_OUTPUT") is { Length: > 0 } output)
            {
                File.WriteAllText(output, JsonSerializer.Serialize(count) + "\n");
            }
        }
    }

    private static bool IsTorn(string samples) => StoreIO.ReadAll(samples) is { Length: > 0 } bytes && bytes[^1] != '\n';

    private static bool Names(string claim, int process) =>
        Encoding.UTF8.GetString(StoreIO.ReadAll(claim) ?? []).Contains($"\"ProcessId\":{process},", StringComparison.Ordinal);

    /// <summary>Reads everything there is and returns the number of samples; whatever moment the writer is at, nothing may be wrong with it.</summary>
    private static int Read(string folder)
    {
        Results(folder);
        var samples = new RecordingSink();
        new GetResultOperation { Path = [folder], Sample = true }.Execute(samples, default);
        Assert.Empty(samples.Warnings);
        Assert.Empty(samples.Errors);
        return samples.Objects.Count;
    }

    private static IReadOnlyList<SparseAttentionResult> Results(string folder)
    {
        var sink = new RecordingSink();
        new GetResultOperation { Path = [folder] }.Execute(sink, default);
        Assert.Empty(sink.Warnings);
        Assert.Empty(sink.Errors);
        return sink.Rows;
    }

    private sealed class Counts
    {
        /// <summary>Processes ended by SIGKILL.</summary>
        public int Kills { get; set; }

        /// <summary>Processes started.</summary>
        public int Processes { get; set; }

        /// <summary>Sweeps that ended, each compared with an unbroken one.</summary>
        public int Sweeps { get; set; }

        /// <summary>Samples in them.</summary>
        public int Samples { get; set; }

        /// <summary>Sample files whose last line a kill cut off.</summary>
        public int TornLines { get; set; }

        /// <summary>Claims that killed processes left behind.</summary>
        public int LostClaims { get; set; }

        /// <summary>Runs given up after three kills in a row within one sample, and tried again.</summary>
        public int Poisoned { get; set; }
    }
}
