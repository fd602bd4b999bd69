using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>Ctrl-C ends the process soon, with the exit code that shells expect.</summary>
public partial class InterruptTests
{
    private const int SigInt = 2;
    private const int SigTerm = 15;

    [Theory]
    [InlineData(SigInt, 130)]
    [InlineData(SigTerm, 143)]
    public void A_signal_stops_work_that_does_not_stop_by_itself(int signal, int expected)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "signals are sent with kill(2)");
        Assert.SkipWhen(signal == SigInt && IgnoresInterrupt(), "SIGINT is ignored here, as in jobs that a script starts with &; a child inherits that");
        string executable = Path.Combine(AppContext.BaseDirectory, "sparsefrontier.dll");
        string tokenizer = WriteTokenizer();

        // Waits for a line on standard input that never comes.
        var start = new ProcessStartInfo("dotnet", $"\"{executable}\" tokenize --tokenizer \"{tokenizer}\"")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process waiting = Process.Start(start)!;
        waiting.StandardInput.WriteLine("\"a\"");
        waiting.StandardInput.Flush();
        Thread.Sleep(3000);
        Assert.False(waiting.HasExited, waiting.HasExited ? waiting.StandardError.ReadToEnd() : "");
        long sent = Environment.TickCount64;
        Assert.Equal(0, Kill(waiting.Id, signal));
        bool ended = waiting.WaitForExit(60_000);
        if (!ended)
        {
            waiting.Kill();
        }

        Assert.True(ended, "the signal was not heeded within a minute");

        // Half a second is promised; a busy machine may be late.
        Assert.InRange(Environment.TickCount64 - sent, 0, 3000);
        Assert.Equal(expected, waiting.ExitCode);
    }

    // Linux tells; elsewhere the wait below has an end.
    private static bool IgnoresInterrupt()
    {
        const string Status = "/proc/self/status";
        string? ignored = File.Exists(Status) ? File.ReadLines(Status).FirstOrDefault(l => l.StartsWith("SigIgn:", StringComparison.Ordinal)) : null;
        return ignored is not null && (Convert.ToUInt64(ignored["SigIgn:".Length..].Trim(), 16) & (1UL << (SigInt - 1))) != 0;
    }

    private static string WriteTokenizer()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".json");
        File.WriteAllText(
            path,
            """
            {"version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}
            """);
        return path;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
