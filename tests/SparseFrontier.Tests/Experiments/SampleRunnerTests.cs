using System.Text.Json;
using System.Text.Json.Nodes;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Experiments;

/// <summary>One sample under many configurations, on the shipped model.</summary>
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

    [Fact]
    public void Energy_is_shared_out_as_time_is_and_null_where_nothing_counts_it()
    {
        var factory = new TransformerEngineFactory();
        using SampleEngine engine = factory.Open(s_model, "cpu");
        SampleJob[] jobs = [.. Jobs(factory).Take(3)];
        TaskSample sample = Sample(engine, jobs[0].Run);
        var counted = new List<SampleResult>();
        var meter = new Steady();
        new SampleRunner(engine, 3, Cancel) { Energy = meter }.Run(sample, jobs, new DenseReference(false, null), (_, row) => counted.Add(row));

        // A watt, all the time: a joule for each second that the row has.
        Assert.Equal(3, counted.Count);
        Assert.All(counted, r => Assert.InRange(r.Joules!.Value / r.ElapsedSeconds!.Value, 0.8, 1.25));
        var uncounted = new List<SampleResult>();
        new SampleRunner(engine, 3, Cancel).Run(sample, jobs, new DenseReference(false, null), (_, row) => uncounted.Add(row));
        Assert.All(uncounted, r => Assert.Null(r.Joules));
    }

    private sealed class Steady : EnergyCounter
    {
        private readonly System.Diagnostics.Stopwatch _time = System.Diagnostics.Stopwatch.StartNew();

        public override double ReadJoules() => _time.Elapsed.TotalSeconds;
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
        new SampleRunner(engine, batchSize, Cancel).Run(Sample(engine, jobs[0].Run), jobs, new DenseReference(true, []), (job, row) =>
        {
            JsonObject node = JsonSerializer.SerializeToNode(row)!.AsObject();
            foreach (string name in node.Select(p => p.Key).Where(k => k.EndsWith("Seconds", StringComparison.Ordinal) || k is "PeakMemoryBytes" or "PrefillShared").ToList())
            {
                node.Remove(name);
            }

            rows.Add(job.RunId, node.ToJsonString());
        });
        return rows;
    }
}
