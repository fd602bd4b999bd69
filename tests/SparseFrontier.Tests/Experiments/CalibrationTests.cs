using SparseFrontier.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

public class CalibrationTests
{
    [Theory]
    [InlineData("VerticalSlash", 0.4)]
    [InlineData("FlexPrefill", 0.3)]
    public void Methods_without_a_closed_form_reach_the_sparsity_asked_for(string method, double sparsity)
    {
        using var folder = new TemporaryFolder();
        RunSpecification specification = Specification(method, sparsity);
        var first = new HashEngineFactory();
        RecordingSink sink = Sweeps.Run(folder.Path, [specification], first);
        Assert.Empty(sink.Errors);
        SparseAttentionResult row = Assert.Single(sink.Rows);
        Assert.Equal(sparsity, row.PrefillSparsity!.Value, 0.03);

        StoredCalibration stored = StoreIO.ReadJson<StoredCalibration>(Path.Combine(row.Path!, "calibration.json"))!;
        Assert.Equal((method, sparsity, 8), (stored.Method, stored.RequestedSparsity, stored.SampleCount));

        // Budgets are whole numbers, and at this length and on random queries each is worth some hundredths.
        Assert.Equal(sparsity, stored.MeasuredSparsity, 0.02);
        Assert.Equal(row.Parameters, stored.Parameters);

        // The engine's sparse prefills are a tenth denser than dense ones let expect, so the first estimate must have been corrected.
        Assert.InRange(stored.Refinements, 1, 6);

        // Two dense prefills, for each estimate one of every sample, and the run's own.
        Assert.Equal(2 + (8 * (1 + stored.Refinements)) + 1, first.Prefills);

        // Found again for more samples, for another seed, and in another folder the same.
        var engines = new HashEngineFactory();
        Sweeps.Run(folder.Path, [Specification(method, sparsity, seed: 2)], engines);
        Assert.Equal(1, engines.Prefills);
        string calibration = File.ReadAllText(Path.Combine(row.Path!, "calibration.json"));
        using var other = new TemporaryFolder();
        string path = Sweeps.Run(other.Path, [specification]).Rows[0].Path!;
        Assert.Equal(calibration, File.ReadAllText(Path.Combine(path, "calibration.json")));
        Assert.Equal(ResultExport.Canonical(path), ResultExport.Canonical(row.Path!));
    }

    [Fact]
    public void A_sparsity_beyond_what_is_always_kept_is_infeasible()
    {
        using var folder = new TemporaryFolder();
        RecordingSink sink = Sweeps.Run(folder.Path, [Specification("VerticalSlash", 0.99)]);
        SparseAttentionResult row = Assert.Single(sink.Rows);
        Assert.Equal(RunStatus.Infeasible, row.Status);
        Assert.InRange(row.MaximumFeasibleSparsity!.Value, 0.3, 0.98);
    }

    [Theory]
    [InlineData(0.012)]
    [InlineData(0.02)]
    public void A_sparsity_that_dense_prefills_alone_promise_is_infeasible(double beyond)
    {
        using var folder = new TemporaryFolder();
        double most = Sweeps.Run(folder.Path, [Specification("VerticalSlash", 0.99)]).Rows[0].MaximumFeasibleSparsity!.Value;
        SparseAttentionResult row = Assert.Single(Sweeps.Run(folder.Path, [Specification("VerticalSlash", Math.Round(most + beyond, 4))]).Rows);
        Assert.Equal(RunStatus.Infeasible, row.Status);
        Assert.Equal(most, row.MaximumFeasibleSparsity!.Value, 1e-9);
    }

    private static RunSpecification Specification(string method, double sparsity, long seed = 1) =>
        Sweeps.Specification(method, sparsity, samples: 1, length: 600, parameters: "Window=32", seed: seed);
}
