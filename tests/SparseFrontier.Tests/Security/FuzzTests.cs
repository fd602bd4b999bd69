using SparseFrontier.Fuzz;
using SparseFrontier.Fuzz.Readers;
using Xunit;

namespace SparseFrontier.Tests.Security;

/// <summary>A short run of tests/SparseFrontier.Fuzz over every reader of files: what is changed is read or refused, and nothing else.</summary>
public class FuzzTests
{
    // As many as a second or so allows; slow readers get their share.
    private const int Cases = 300;

    // Not a figure of speed: what takes so long would never end.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    public static TheoryData<string> Readers => [.. FuzzReaders.Names];

    [Theory]
    [MemberData(nameof(Readers))]
    public void Changed_files_are_read_or_refused(string name)
    {
        using var folder = new TemporaryFolder();
        FuzzReader reader = FuzzReaders.Create(name);
        var run = new FuzzRun(reader, seed: 20261130, part: 0, folder.File("root"), folder.File("findings"), s_limit, isAlone: false);
        run.Run((int)Math.Max(20, Cases * Math.Min(1, reader.Weight)));
        Assert.Empty(run.Totals.Findings.Select(f => $"{f.Kind}: {f.What} at {f.Where}"));
        Assert.InRange(run.Totals.Refused, 0, run.Totals.Cases);
        Assert.True(run.Totals.Outcomes > 3, $"{run.Totals.Cases} cases had only {run.Totals.Outcomes} outcomes: nothing was tried.");
    }
}
