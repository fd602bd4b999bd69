using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>One sample under many configurations, on the shipped model.</summary>
[Collection(CudaCollection.Name)]
public class SampleRunnerTests
{
    private static readonly string s_model = Path.Combine(Fixtures.Root, "models", ModelCatalog.DefaultName);

    [Fact]
    public void A_row_does_not_depend_on_its_companions()
    {
        var factory = new TransformerEngineFactory();
        using SampleEngine engine = factory.Open(s_model, "cpu");
        SampleJob[] jobs = [.. Jobs(factory)];
        Assert.Equal(30, jobs.Length);
        Dictionary<string, string> together = Run(engine, jobs, 30);
        Assert.Equal(30, together.Values.Distinct().Count());
        foreach (int companions in (int[])[7, 2, 1])
        {
            // All that a batch of 30 held, where that is quick; else from the start, the middle and the end.
            int[] starts = companions == 1 ? [0, 11, 29] : [0, 14, 30 - companions];
            foreach (int start in starts)
            {
                foreach ((string id, string row) in Run(engine, jobs[start..(start + companions)], companions))
                {
                    Assert.Equal(together[id], row);
                }
            }
        }
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("cuda:0")]
    public void Rows_of_samples_side_by_side_are_those_of_samples_alone_and_come_in_order(string device)
    {
        Assert.SkipUnless(device == "cpu" || CudaStatus.Missing(0) is null, CudaStatus.Missing(0)?.Message ?? "");
        var factory = new TransformerEngineFactory();
        using SampleEngine engine = factory.Open(s_model, device);
        SampleJob[] jobs = [.. Jobs(factory).Where((_, i) => i % 10 == 4)];
        TaskSource source = jobs[0].Run.Task.Open(jobs[0].Run.TaskOptions, engine.Encoder);
        TaskSample[] samples = [.. Enumerable.Range(0, 5).Select(i => source.Generate(i))];
        var alone = new List<string>();
        Array.ForEach(samples, s => new SampleRunner(engine, 1, Cancel).Run(s, jobs, new DenseReference(true, []), (job, row) => alone.Add(Text(job, row))));
        alone.Sort(StringComparer.Ordinal);
        foreach (int batch in (int[])[1, 2, 7, 30])
        {
            var rows = new List<(int Index, string Text)>();
            using var runner = new SampleRunner(engine, batch, Cancel);
            foreach (TaskSample sample in samples)
            {
                runner.Add(sample, jobs, new DenseReference(true, []), (job, row) => rows.Add((sample.Index, Text(job, row))));
                Assert.True(rows.Count > 0 || batch > 1 || sample.Index < 1, "a batch that is full waits");
            }

            runner.Drain();
            Assert.Equal(rows.Select(r => r.Index).Order(), rows.Select(r => r.Index));
            Assert.Equal(alone, rows.Select(r => r.Text).Order(StringComparer.Ordinal));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void A_dense_output_that_another_process_computes_is_generated_to_compare_with(int batch)
    {
        var factory = new HashEngineFactory();
        using SampleEngine engine = factory.Open("hash", "cpu");
        SampleJob[] jobs = [Job(""), Job("SnapKV", "Capacity=200"), Job("Quest", "PageSize=16;TokenBudget=64")];
        TaskSample sample = jobs[0].Run.Task.Open(jobs[0].Run.TaskOptions, engine.Encoder).Generate(0);
        List<SampleResult> together = Rows(jobs), others = Rows(jobs[1..]);
        Assert.Equal(3, together.Count);
        Assert.Contains(together, r => r.FirstDivergentToken >= 0);
        Assert.Equal(together[1..].Select(r => ResultExport.OwnAnswerOf(r)), others.Select(r => ResultExport.OwnAnswerOf(r)));
        Assert.Equal(together[1..].Select(r => (r.FirstDivergentToken, r.DivergenceToDense)), others.Select(r => (r.FirstDivergentToken, r.DivergenceToDense)));
        Assert.All(others, r => Assert.NotNull(r.DivergenceToDense));
        Assert.Equal((0, 0), (factory.LivePrompts, factory.LiveSequences));

        List<SampleResult> Rows(SampleJob[] some)
        {
            var rows = new List<SampleResult>();
            new SampleRunner(engine, batch, Cancel).Run(sample, some, new DenseReference(true, null), (_, row) => rows.Add(row));
            return [.. rows.OrderBy(r => Array.FindIndex(jobs, j => j.RunId == r.RunId))];
        }

        SampleJob Job(string decode, string parameters = "")
        {
            var plan = PlannedRun.Create(decode.Length == 0 ? Sweeps.Specification() : Sweeps.Specification(decode: decode, decodeParameters: parameters), factory);
            return new SampleJob(plan, $"{decode} run", plan.PrefillParameters, plan.DecodeParameters);
        }
    }

    [Fact]
    public void Samples_under_way_are_given_up_together_when_a_step_fails()
    {
        int steps = 0;
        var factory = new HashEngineFactory { BeforeStep = () => _ = ++steps == 9 ? throw new SparseFrontierException(ErrorIds.DeviceFailed, "lost") : 0 };
        using SampleEngine engine = factory.Open("hash", "cpu");
        var plan = PlannedRun.Create(Sweeps.Specification(decode: "SnapKV", decodeParameters: "Capacity=200"), factory);
        SampleJob[] jobs = [new SampleJob(plan, "run", plan.PrefillParameters, plan.DecodeParameters)];
        TaskSource source = plan.Task.Open(plan.TaskOptions, engine.Encoder);
        using var runner = new SampleRunner(engine, 8, Cancel);
        for (int i = 0; i < 3; i++)
        {
            runner.Add(source.Generate(i), jobs, new DenseReference(true, []), (_, _) => { });
        }

        Assert.Equal((3, 6), (factory.LivePrompts, factory.LiveSequences));
        Assert.Throws<SparseFrontierException>(runner.Drain);
        Assert.Equal((0, 0), (factory.LivePrompts, factory.LiveSequences));
    }

    [Fact]
    public void Energy_is_shared_out_as_time_is_and_null_where_nothing_counts_it()
    {
        var factory = new TransformerEngineFactory();
        using SampleEngine engine = factory.Open(s_model, "cpu");
        SampleJob[] jobs = [.. Jobs(factory).Take(3)];
        TaskSample sample = Sample(engine, jobs[0].Run);
        var counted = new List<SampleResult>();
        var meter = new Ticking();
        new SampleRunner(engine, 3, Cancel) { Energy = meter }.Run(sample, jobs, new DenseReference(false, null), (_, row) => counted.Add(row));

        // A joule from one reading to the next. Steps share theirs among their sequences; of the prefill each has its part, and two readings make one joule.
        Assert.Equal(3, counted.Count);
        Assert.All(counted, r => Assert.True(r.Joules > 0));
        double steps = (meter.Readings / 2) - 1;
        Assert.InRange(counted.Sum(r => r.Joules!.Value), steps, steps + 3);
        var uncounted = new List<SampleResult>();
        new SampleRunner(engine, 3, Cancel).Run(sample, jobs, new DenseReference(false, null), (_, row) => uncounted.Add(row));
        Assert.All(uncounted, r => Assert.Null(r.Joules));
    }

    private sealed class Ticking : EnergyCounter
    {
        public int Readings { get; private set; }

        public override double ReadJoules() => Readings++;
    }

    [Fact]
    public void Gold_answer_is_scored_as_it_would_be_token_by_token()
    {
        var factory = new TransformerEngineFactory();
        using SampleEngine engine = factory.Open(s_model, "cpu");
        SampleJob[] jobs = [.. Jobs(factory).Where((_, i) => i % 10 == 3)];
        var dense = new DenseReference(true, []);
        TaskSample sample = Sample(engine, jobs[0].Run);
        var rows = new Dictionary<string, SampleResult>();
        new SampleRunner(engine, 3, Cancel).Run(sample, jobs, dense, (job, row) => rows.Add(job.RunId, row));

        int[] gold = engine.Encoder.Encode(sample.TargetResponse);
        int[] prompt = SamplePrompt.Create(sample, false, engine.Encoder).Prefill;
        var denseDecode = new DenseDecode();
        List<float[]> reference = Force(new DecodeConfiguration(denseDecode, denseDecode.CreateParameters()));
        foreach (SampleJob job in jobs)
        {
            List<float[]> logits = Force(new DecodeConfiguration(job.Run.Decode, job.Decode!));
            Assert.Equal(logits.Select((l, i) => LogitMath.LogProbability(l, gold[i])).Sum(), rows[job.RunId].GoldLogLikelihood);
            Assert.Equal(logits.Select((l, i) => LogitMath.Divergence(reference[i], l)).Sum() / gold.Length, rows[job.RunId].DivergenceToDense!.Value, 1e-12);
            Assert.True(rows[job.RunId].DivergenceToDense > 0);
        }

        List<float[]> Force(DecodeConfiguration configuration)
        {
            using EnginePrompt state = engine.Prefill(prompt, new PrefillRequest { DecodeConfigurations = [configuration] }, Cancel);
            using EngineSequence sequence = state.StartSequence(0);
            var logits = new List<float[]> { state.LastLogits };
            foreach (int token in gold[..^1])
            {
                float[] row = new float[engine.Configuration.VocabularySize];
                engine.Step([new EngineRow(sequence, token)], row, Cancel);
                logits.Add(row);
            }

            return logits;
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // Ten budgets of each decode method.
    private static IEnumerable<SampleJob> Jobs(EngineFactory factory)
    {
        foreach (string method in (string[])["SnapKV", "AdaSnapKV", "Quest"])
        {
            for (int i = 1; i <= 10; i++)
            {
                string parameters = method == "Quest" ? $"PageSize=8;TokenBudget={16 * i}" : $"Capacity={32 + (16 * i)};Window=32;LocalWindow=16;PrefixTokens=4";
                var plan = PlannedRun.Create(
                    new RunSpecification
                    {
                        Model = s_model,
                        DecodeMethod = method,
                        DecodeParameters = parameters,
                        Task = "Niah",
                        SequenceLength = 1024,
                        MaximumOutputTokens = 12,
                    },
                    factory);
                yield return new SampleJob(plan, $"{method}{i}", plan.PrefillParameters, plan.DecodeParameters);
            }
        }
    }

    private static TaskSample Sample(SampleEngine engine, PlannedRun run) => run.Task.Open(run.TaskOptions, engine.Encoder).Generate(0);

    // Rows by run, without what may differ.
    private static Dictionary<string, string> Run(SampleEngine engine, SampleJob[] jobs, int batchSize)
    {
        var rows = new Dictionary<string, string>();
        new SampleRunner(engine, batchSize, Cancel).Run(
            Sample(engine, jobs[0].Run), jobs, new DenseReference(true, []), (job, row) => rows.Add(job.RunId, Text(job, row)));
        return rows;
    }

    private static string Text(SampleJob job, SampleResult row)
    {
        JsonObject node = JsonSerializer.SerializeToNode(row)!.AsObject();
        foreach (string name in node.Select(p => p.Key).Where(k => k.EndsWith("Seconds", StringComparison.Ordinal) || k is "PeakMemoryBytes" or "PrefillShared" or "SequencesPerStep").ToList())
        {
            node.Remove(name);
        }

        return node.ToJsonString();
    }
}
