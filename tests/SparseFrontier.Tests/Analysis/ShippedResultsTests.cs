using SparseFrontier.Analysis;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Findings;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Analysis;

/// <summary>The summary of results that comes with the engine, and advice from it.</summary>
public class ShippedResultsTests
{
    private static readonly ResultSummary s_made = Made();

    [Fact]
    public void Without_results_advice_is_from_the_summary_and_says_so()
    {
        SparsityRecommendation advice = Assert.Single(Recommend(new RecommendOperation { Results = null, Shipped = s_made, Task = ["Niah"], SequenceLength = [1024], MaximumDrop = 0.05 }).Rows);
        Assert.Equal(("small", "Quest", 0.8, "cpu"), (advice.Model, advice.DecodeMethod, advice.Sparsity, advice.Device));
        Assert.Equal("the shipped summary: small, 200 samples a run, seed 43, computed on NVIDIA Test by version 1.2.3, 2026-01-02; speed of kernels: Test CPU", advice.Source);
        Assert.EndsWith($"From {advice.Source}.", advice.Reason, StringComparison.Ordinal);
        Assert.Equal((2.0, "attention"), (Math.Round(advice.SpeedUp!.Value, 9), advice.SpeedUpOf));

        // Runs may have fewer samples than the dense one that they are compared with.
        advice = Assert.Single(Recommend(new RecommendOperation { Results = null, Shipped = s_made with { Rows = [Row(1024, null, 2), Row(1024, 0.8, 2, samples: 150)] } }).Rows);
        Assert.StartsWith("the shipped summary: small, 150 to 200 samples a run, ", advice.Source, StringComparison.Ordinal);

        // Another device's kernels are not here; kernels of one's own are taken instead.
        advice = Assert.Single(Recommend(new RecommendOperation { Results = null, Shipped = s_made, Task = ["Niah"], SequenceLength = [1024], Device = "cuda:0" }).Rows);
        Assert.Null(advice.SpeedUp);
        Assert.EndsWith("speed of kernels: not measured on cuda:0", advice.Source, StringComparison.Ordinal);
        KernelMeasurement[] mine = [.. s_made.Kernels.Select(k => k with { Device = "cuda:0", SpeedUp = 3 })];
        advice = Assert.Single(Recommend(new RecommendOperation { Results = null, Shipped = s_made, Task = ["Niah"], SequenceLength = [1024], Device = "cuda:0", Kernel = mine }).Rows);
        Assert.Equal(3, advice.SpeedUp!.Value, 1e-9);
        Assert.EndsWith("speed of kernels: yours", advice.Source, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_summary_does_not_hold_is_refused_or_warned_of()
    {
        SparseFrontierException error = Assert.Throws<SparseFrontierException>(() => Recommend(new RecommendOperation { Results = null, Shipped = s_made, Model = ["Qwen2.5-7B"] }));
        Assert.Equal(ErrorIds.DataInsufficient, error.ErrorId);
        Assert.StartsWith("The summary that comes with this version has no result of Qwen2.5-7B; it has of small.", error.Message, StringComparison.Ordinal);
        Assert.Throws<SparseFrontierException>(() => Recommend(new RecommendOperation { Results = null, Shipped = s_made, Task = ["Squad"] }));

        (SparsityRecommendation[] rows, IReadOnlyList<string> warnings) = Recommend(new RecommendOperation { Results = null, Shipped = s_made, Task = ["Niah"], SequenceLength = [512, 1500, 4096] });
        Assert.True(Assert.Single(rows) is { SequenceLength: 1500, IsInterpolated: true });
        Assert.Equal([true, true], warnings.Select(w => w.Contains("nothing is extrapolated", StringComparison.Ordinal)));
    }

    [Fact]
    public void Other_trainings_in_the_summary_are_not_advised_on()
    {
        SparseAttentionResult[] rows = [.. new[] { "frontier-7m", "frontier-7m-2" }.SelectMany(m => new double?[] { null, 0.8 }.Select(s => Row(1024, s, 2, m)))];
        ResultSummary summary = s_made with { Rows = rows };
        Assert.Equal(["frontier-7m"], Recommend(new RecommendOperation { Results = null, Shipped = summary }).Rows.Select(r => r.Model));
        Assert.EndsWith("it has of frontier-7m. What holds for one model does not hold for another: run a sweep of your own, such as: Invoke-SparseAttentionRun Dense, Quest, SnapKV Niah -SequenceLength 2048 -Sparsity 0.5, 0.8, 0.9 -SampleCount 100 -Model DIRECTORY, and pipe its rows here.", Assert.Throws<SparseFrontierException>(() => Recommend(new RecommendOperation { Results = null, Shipped = summary, Model = ["frontier-7m-2"] })).Message, StringComparison.Ordinal);
        Assert.Equal(["frontier-7m", "frontier-7m-2"], Recommend(new RecommendOperation { Results = rows }).Rows.Select(r => r.Model));
    }

    [Fact]
    public void Results_that_are_given_count_alone()
    {
        // An empty pipeline is no wish for the summary.
        Assert.Equal(ErrorIds.DataInsufficient, Assert.Throws<SparseFrontierException>(() => Recommend(new RecommendOperation { Results = [], Shipped = s_made })).ErrorId);
        SparseAttentionResult[] own = [.. s_made.Rows];
        Assert.All(Recommend(new RecommendOperation { Results = own, Shipped = s_made }).Rows, r => Assert.Equal(("", null), (r.Source, r.SpeedUp)));
    }

    [Fact]
    public void A_summary_is_read_as_it_was_written()
    {
        Assert.Equal(["Niah", "Niah", "Niah", "Niah", "Niah", "Niah"], s_made.Rows.Select(r => r.Task));
        Assert.Equal(198, s_made.Rows[1].Samples!.Sum(s => s.Score));
        Assert.Equal("TokenBudget=208", s_made.Rows[1].Samples![7].DecodeParameters);
        Assert.Equal((6, 4), (s_made.Header.RunCount, s_made.Header.KernelCount));
        Assert.Equal(2, s_made.Kernels[3].SpeedUp);
    }

    [Fact]
    public void The_summary_that_is_shipped_is_of_the_models_that_are_shipped()
    {
        // Other trainings of a size, for claims about sizes, have no weights here.
        ResultSummary shipped = ResultSummary.Embedded;
        Assert.All(shipped.Header.Checkpoints.Where(c => !FindingsGrid.IsOtherTraining(c.Key)), c =>
        {
            using var model = TransformerModel.Load(Path.Combine(Fixtures.Root, "models", c.Key));
            Assert.Equal(model.ContentHash, c.Value);
        });
        Assert.Equal(shipped.Header.Checkpoints.Keys.Order(StringComparer.Ordinal), shipped.Rows.Select(r => r.Model).Distinct().Order(StringComparer.Ordinal));
        Assert.Contains(ModelCatalog.DefaultName, shipped.Header.Checkpoints.Keys);
        SparseAttentionResult[] complete = [.. shipped.Rows.Where(Pareto.Includes)];
        Assert.All(complete, r => Assert.True(r.Samples!.Count == r.SampleCount && Math.Abs(r.Samples.Average(s => s.Score!.Value) - r.Score!.Value) < 1e-5, r.ToString()));
        Assert.DoesNotContain(complete.SelectMany(r => r.Samples!), s => s.GoldJson == "000000");
        Assert.All(complete.Select(r => r.Device).Distinct(), d => Assert.Contains(d, shipped.Header.Devices.Keys));
        Assert.All(shipped.Kernels.Select(k => k.Device).Distinct(), d => Assert.Contains(d, shipped.Header.KernelDevices.Keys));
        Assert.All(complete.GroupBy(r => (r.Model, r.Task, r.SequenceLength, r.Seed, Protocol.Key(r))), cell => Assert.Single(cell, r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod)));
        Assert.InRange(new FileInfo(Path.Combine(Fixtures.Root, "docs", "findings.jsonl.br")).Length, 1, 1_600_000);

        // The issue's own question gets an answer.
        Assert.NotEmpty(Recommend(new RecommendOperation { Results = null, Model = [ModelCatalog.DefaultName], Task = ["Niah"], SequenceLength = [2048], MaximumDrop = 0.02 }).Rows);
    }

    private static (SparsityRecommendation[] Rows, IReadOnlyList<string> Warnings) Recommend(RecommendOperation operation)
    {
        var sink = new RecordingSink();
        operation.Execute(sink, default);
        return ([.. sink.Objects.Cast<SparsityRecommendation>()], sink.Warnings);
    }

    private static ResultSummary Made()
    {
        SparseAttentionResult[] rows =
        [
            .. new[] { 1024, 2048 }.SelectMany(n => new[] { Row(n, null, 0), Row(n, 0.8, 2), Row(n, 0.9, 80) }),
        ];
        KernelMeasurement[] kernels = [.. from n in new[] { 1024, 2048 } from s in new[] { 0.7, 0.9 } select new KernelMeasurement { Phase = "Decode", Method = "Quest", SequenceLength = n, Sparsity = s, SpeedUp = 2, Device = "cpu" }];
        var header = new ResultSummaryHeader
        {
            ModuleVersion = "1.2.3",
            Date = "2026-01-02",
            Devices = new Dictionary<string, string> { ["cuda:0"] = "NVIDIA Test" },
            KernelDevices = new Dictionary<string, string> { ["cpu"] = "Test CPU" },
        };
        using var folder = new TemporaryFolder();
        string file = folder.File("made.jsonl.gz");
        ResultSummaryFile.Write(file, new ResultSummary(header, rows, kernels));
        return ResultSummaryFile.Read(File.ReadAllBytes(file), file, null);
    }

    private static SparseAttentionResult Row(int length, double? sparsity, int lost, string model = "small", int samples = 200)
    {
        double[] scores = StoredScores.Lost(samples, lost);
        return new SparseAttentionResult
        {
            RunId = FormattableString.Invariant($"{model}-{length}-{sparsity}"),
            Method = "Dense",
            DecodeMethod = sparsity is null ? "Dense" : "Quest",
            Task = "Niah",
            Model = model,
            SequenceLength = length,
            Seed = 43,
            PrefillSparsity = 0,
            DecodeSparsity = sparsity ?? 0,
            CacheSparsity = sparsity ?? 0,
            RequestedDecodeSparsity = sparsity,
            DecodeParameters = sparsity is { } s ? FormattableString.Invariant($"TokenBudget={Math.Ceiling((1 - s) * length / 16 - 1e-6) * 16}") : "",
            Score = scores.Average(),
            SampleCount = scores.Length,
            Device = "cuda:0",
            Samples = [.. scores.Select((score, i) => new SampleResult { Index = i, Score = score })],
        };
    }
}
