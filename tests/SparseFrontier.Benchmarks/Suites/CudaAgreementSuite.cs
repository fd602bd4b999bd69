using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tasks;

namespace SparseFrontier.Benchmarks.Suites;

/// <summary>
/// Why a GPU's generated tokens differ from the processor's, taken apart. The processor generates; its tokens go through the GPU, so that every step compares the same
/// history. What an eviction keeps is compared from the same queries and keys and from each device's own, and a GPU's steps from what the processor kept tell the rounding
/// of generation from that of the selection.
/// </summary>
internal static class CudaAgreementSuite
{
    private const int Samples = 10;
    private const int Length = 2048;
    private const double Sparsity = 0.7;
    private const int MostTokens = 384;

    private static readonly string[] s_methods = ["Dense", "SnapKV", "AdaSnapKV", "Quest"];

    /// <summary>Runs on the first GPU.</summary>
    public static void Run(BenchmarkReport report)
    {
        string directory = ModelCatalog.Resolve(ModelCatalog.DefaultName);
        using var host = TransformerModel.Load(directory);
        var device = CudaDevice.Get(0);
        using var gpu = CudaModel.Load(directory, device);
        var encoder = PromptEncoder.For(Tokenizer.Load(directory), ChatTemplate.Load(directory));
        report.Note(FormattableString.Invariant(
            $"{host.Name}, {Samples} samples a task at {Length} tokens, decode sparsity {Sparsity}, up to {MostTokens} of the processor's greedy tokens; cache {host.CacheType} on both; {device.Properties.Name}"));
        foreach (string task in (string[])["Niah", "VariableTracking"])
        {
            TaskSource source = TaskRegistry.Find(task).Open(new TaskOptions { SequenceLength = Length }, encoder);
            var tallies = s_methods.SelectMany(m => m is "SnapKV" or "AdaSnapKV" ? (string[])[m, $"{m}, the processor's choice"] : [m]).ToDictionary(n => n, _ => new Tally());
            for (int i = 0; i < Samples; i++)
            {
                Compare(host, gpu, source.Generate(i).PromptIds, tallies);
            }

            foreach ((string name, Tally tally) in tallies)
            {
                report.Note($"{task} {name}: {tally}");
            }
        }
    }

    private static void Compare(TransformerModel host, CudaModel gpu, int[] prompt, Dictionary<string, Tally> tallies)
    {
        ModelConfiguration c = host.Configuration;
        var shape = new PromptShape(prompt.Length, c.QueryHeads, c.KvHeads) { Layers = [.. Enumerable.Range(0, c.LayerCount).Where(c.IsGlobal)] };
        DecodeConfiguration[] configurations = [.. s_methods.Select(name =>
        {
            DecodeMethod method = MethodRegistry.FindDecode(name);
            MethodParameters parameters = method.CreateParameters();
            return new DecodeConfiguration(method, method.BudgetParameter is null ? parameters : method.SolveBudget(Sparsity, shape, parameters).Parameters);
        })];
        int[] evictions = [.. Enumerable.Range(0, configurations.Length).Where(i => configurations[i].Method is EvictionMethod)];
        var kept = evictions.ToDictionary(i => i, _ => new int[c.LayerCount][][]);
        var scores = evictions.ToDictionary(i => i, _ => new float[c.LayerCount][][]);
        using PromptState expected = host.Prefill(prompt, new PrefillRequest
        {
            DecodeConfigurations = configurations,
            MaximumOutputTokens = MostTokens,
            LayerObserver = layer => Array.ForEach(evictions, i =>
            {
                kept[i][layer.Layer] = Choose(configurations[i], layer);
                scores[i][layer.Layer] = Score(configurations[i], layer);
            }),
        });
        DecodeConfiguration[] given = [.. evictions.Select(i => new DecodeConfiguration(new GivenTokens(kept[i]), new GivenTokens(kept[i]).CreateParameters()))];
        using CudaPrompt actual = gpu.Prefill(prompt, new PrefillRequest
        {
            DecodeConfigurations = [.. configurations, .. given],
            MaximumOutputTokens = MostTokens,
            LayerObserver = layer =>
            {
                using var queries = CudaVectors.From(gpu.Device, gpu.CacheType, layer.Queries);
                using var keys = CudaVectors.From(gpu.Device, gpu.CacheType, layer.Keys);
                using var values = CudaVectors.From(gpu.Device, gpu.CacheType, layer.Values);
                using var onDevice = new CudaPromptLayer(layer.Layer, queries, keys, values, layer.Scale, 0, default);
                foreach (int i in evictions)
                {
                    int[][] sameInputs = Choose(configurations[i], layer);
                    int[][] chosen = CudaEviction.Choose(configurations[i].Method, configurations[i].Parameters, onDevice);
                    tallies[s_methods[i]].Add(sameInputs, chosen, kept[i][layer.Layer], scores[i][layer.Layer], Score(configurations[i], layer));
                }
            },
        });

        DecodeSequence[] hosts = [.. Enumerable.Range(0, configurations.Length).Select(expected.StartSequence)];
        CudaSequence[] gpus = [.. Enumerable.Range(0, configurations.Length + given.Length).Select(actual.StartSequence)];
        float[] hostLogits = [.. hosts.SelectMany(_ => expected.LastLogits)];
        float[] logits = [.. gpus.SelectMany(_ => actual.LastLogits)];
        int[] like = [.. Enumerable.Range(0, configurations.Length), .. evictions];
        Tally[] byRow = [.. like.Select((host, row) => tallies[row < configurations.Length ? s_methods[host] : $"{s_methods[host]}, the processor's choice"])];
        int[] next = new int[hosts.Length];
        bool[] ended = new bool[hosts.Length];
        Array.ForEach(byRow, t => t.Begin());
        for (int step = 0; step < MostTokens; step++)
        {
            for (int i = 0; i < hosts.Length; i++)
            {
                next[i] = LogitMath.ArgMax(hostLogits.AsSpan(i * c.VocabularySize, c.VocabularySize));
            }

            for (int row = 0; row < gpus.Length; row++)
            {
                if (!ended[like[row]])
                {
                    byRow[row].Add(hostLogits.AsSpan(like[row] * c.VocabularySize, c.VocabularySize), logits.AsSpan(row * c.VocabularySize, c.VocabularySize), next[like[row]]);
                }
            }

            for (int i = 0; i < hosts.Length; i++)
            {
                ended[i] |= c.StopTokens.Contains(next[i]);
            }

            if (Array.TrueForAll(ended, e => e))
            {
                break;
            }

            host.Step([.. hosts.Select((s, i) => new StepRow(s, next[i]))], hostLogits);
            gpu.Step([.. gpus.Select((s, row) => (s, next[like[row]]))], logits);
        }

        Array.ForEach(hosts, s => s.Dispose());
        Array.ForEach(gpus, s => s.Dispose());
    }

    private static int[][] Choose(DecodeConfiguration configuration, PromptLayer layer) => configuration.Method.Compress(layer, configuration.Parameters)!.ByHead;

    private static float[][] Score(DecodeConfiguration configuration, PromptLayer layer) =>
        ((EvictionMethod)configuration.Method).ScoreTokens(layer, configuration.Parameters);

    /// <summary>Keeps what it is given.</summary>
    private sealed class GivenTokens(int[][][] byLayer) : EvictionMethod
    {
        public override string Name => "Given";

        public override MethodTaxonomy Taxonomy => new("tokens", "given", "given", "eviction");

        public override string Description => "Keeps the tokens that it is given.";

        public override string Source => "This suite";

        public override KeptTokens? Compress(PromptLayer layer, MethodParameters parameters) => new(byLayer[layer.Layer], 0);

        internal override float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters) => throw new NotSupportedException();
    }

    /// <summary>What was compared of one method.</summary>
    private sealed class Tally
    {
        private readonly List<double> _margins = [];
        private readonly List<double> _noise = [];
        private readonly List<(int Step, double Margin, double Noise)> _first = [];
        private readonly List<double> _distances = [];
        private readonly List<double> _moves = [];
        private long _kept;
        private long _sameInputs;
        private long _ownInputs;
        private int _samples;
        private int _steps;
        private bool _diverged;

        // Scores are importance [KV heads][tokens], from each device's own queries and keys.
        public void Add(int[][] sameInputs, int[][] chosen, int[][] onHost, float[][] hostScores, float[][] scores)
        {
            for (int head = 0; head < chosen.Length; head++)
            {
                // How far the tokens that one device keeps alone are from the least score that the processor keeps, and how far scores move at all.
                HashSet<int> ends = [.. Enumerable.Range(0, 4), .. Enumerable.Range(hostScores[head].Length - 128, 128)];
                double least = onHost[head].Where(t => !ends.Contains(t)).Select(t => (double)hostScores[head][t]).DefaultIfEmpty(double.NaN).Min();
                _distances.AddRange(chosen[head].Except(onHost[head]).Concat(onHost[head].Except(chosen[head])).Select(t => Math.Abs(hostScores[head][t] - least) / least));
                _moves.AddRange(Enumerable.Range(0, scores[head].Length).Where(t => hostScores[head][t] > 0).Select(t => Math.Abs(scores[head][t] / (double)hostScores[head][t] - 1)));
            }

            _kept += chosen.Sum(h => (long)h.Length);
            _sameInputs += chosen.Zip(sameInputs).Sum(p => (long)p.First.Intersect(p.Second).Count());
            _ownInputs += chosen.Zip(onHost).Sum(p => (long)p.First.Intersect(p.Second).Count());
        }

        public void Begin() => (_samples, _steps, _diverged) = (_samples + 1, 0, false);

        // The margin by which the processor's token leads, and how far the GPU's logits move the best two against each other. Until the first different token.
        public void Add(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int best)
        {
            if (_diverged)
            {
                return;
            }

            int second = best == 0 ? 1 : 0;
            for (int i = 0; i < expected.Length; i++)
            {
                second = i != best && expected[i] > expected[second] ? i : second;
            }

            int chosen = LogitMath.ArgMax(actual);
            int rival = chosen == best ? second : chosen;
            double margin = expected[best] - expected[rival];
            double noise = Math.Abs(actual[best] - actual[rival] - margin);
            _margins.Add(margin);
            _noise.Add(noise);
            if (chosen != best)
            {
                _diverged = true;
                _first.Add((_steps, margin, noise));
            }

            _steps++;
        }

        public override string ToString()
        {
            string kept = _kept == 0 ? "" : FormattableString.Invariant(
                $"; kept tokens in common {_sameInputs / (double)_kept:P3} from the same queries and keys, {_ownInputs / (double)_kept:P2} from each device's own; those kept by one alone scored within {Quantile(_distances, 0.5):P2} (median), {Quantile(_distances, 0.95):P2} (95 %), {Quantile(_distances, 1):P1} (most) of the least score kept, while scores moved by {Quantile(_moves, 0.5):P2} (median), {Quantile(_moves, 0.99):P1} (99 %)");
            string first = _first.Count == 0 ? "" : FormattableString.Invariant(
                $"; first other token at step {Quantile(_first.Select(f => (double)f.Step), 0.5):F0} (median), the processor's margin there {Quantile(_first.Select(f => f.Margin), 0.5):F3} (largest {_first.Max(f => f.Margin):F3})");
            return FormattableString.Invariant($"{_samples - _first.Count} of {_samples} samples with the processor's tokens{first}; margin of all steps before: 10 % below {Quantile(_margins, 0.1):F3}, ")
                + FormattableString.Invariant($"median {Quantile(_margins, 0.5):F3}; logits of the best two moved by {Quantile(_noise, 0.5):F4} (median), {Quantile(_noise, 0.95):F3} (95 %), {Quantile(_noise, 1):F3} (most)") + kept;
        }

        private static double Quantile(IEnumerable<double> values, double share)
        {
            double[] sorted = [.. values.Order()];
            return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Round(share * (sorted.Length - 1))];
        }
    }
}
