using System.Security.Cryptography;
using System.Text;
using SparseFrontier.Attention;
using SparseFrontier.Experiments;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tests.Experiments;

/// <summary>
/// A model whose next token is a hash of everything it has seen and of how it was made sparse: one character a token, no checkpoint. What
/// prefill methods select is measured on random queries and keys, so that calibration has something to calibrate.
/// </summary>
internal sealed class HashEngineFactory : EngineFactory
{
    public const int Vocabulary = 128;
    private const int Stop = 3;

    /// <summary>Called before each decode step; may throw.</summary>
    public Action? BeforeStep { get; init; }

    /// <summary>Called before each prefill; may throw.</summary>
    public Action? BeforePrefill { get; init; }

    /// <summary>Told what each prefill is asked for, before it; may throw.</summary>
    public Action<PrefillRequest>? BeforeRequest { get; init; }

    /// <summary>Called with the number of tokens before each prefill; may throw.</summary>
    public Action<int>? BeforePrompt { get; init; }

    /// <summary>Seconds of choosing and of attention that prefills of sparse methods say they took.</summary>
    public (double Index, double Attention) Seconds { get; init; }

    /// <summary>Room for caches by what they take; without it the usual one.</summary>
    public Func<long, long>? Room { get; init; }

    public ModelIdentity Identity { get; init; } = new("checkpoint", "tokenizer", null);

    public int Prefills { get; private set; }

    public int Steps { get; private set; }

    public int Opened { get; private set; }

    public int Encoders { get; private set; }

    public int LivePrompts { get; private set; }

    public int LiveSequences { get; private set; }

    public override string Resolve(string model) =>
        model.StartsWith("/models/hash", StringComparison.Ordinal) ? model :
        model.StartsWith("hash", StringComparison.Ordinal) || model.Length == 0 ? $"/models/{(model.Length == 0 ? "hash" : model)}" :
        throw new SparseFrontierException(ErrorIds.ModelNotFound, $"There is no model '{model}'.", model);

    public override DataType ReadCacheType(string directory) => DataType.F32;

    public override ModelConfiguration ReadConfiguration(string directory) => new()
    {
        Family = "qwen2",
        LayerCount = 2,
        HiddenSize = 16,
        IntermediateSize = 16,
        QueryHeads = 4,
        KvHeads = 2,
        HeadDimension = 8,
        VocabularySize = Vocabulary,
        ContextLength = 32768,
        NativeContextLength = 32768,
        StopTokens = [Stop],
        SlidingWindows = [0, 0],
        Rotary = new RotaryConfiguration { Base = 1e4 },
        SlidingRotary = new RotaryConfiguration { Base = 1e4 },
        NormEpsilon = 1e-5f,
        AttentionScale = 0.35f,
        Activation = default,
        ExtendsByYarn = true,
    };

    public override PromptEncoder OpenEncoder(string directory)
    {
        Encoders++;
        return new(text => [.. text.Select(c => Math.Min((int)c, Vocabulary - 1))]);
    }

    public override SampleEngine Open(string directory, string device)
    {
        Opened++;
        return new Engine(this, ReadConfiguration(directory), directory);
    }

    private sealed class Engine(HashEngineFactory factory, ModelConfiguration configuration, string directory) : SampleEngine
    {
        public override ModelConfiguration Configuration => configuration;

        public override ModelIdentity Identity => factory.Identity with { Checkpoint = factory.Identity.Checkpoint + directory };

        public override PromptEncoder Encoder { get; } = factory.OpenEncoder(directory);

        public override long CacheRoom(long held) => factory.Room?.Invoke(held) ?? base.CacheRoom(held);

        public override string Decode(ReadOnlySpan<int> tokens)
        {
            var text = new StringBuilder();
            foreach (int token in tokens)
            {
                text.Append((char)(token < 32 ? ' ' : token));
            }

            return text.ToString();
        }

        public override EnginePrompt Prefill(int[] tokens, PrefillRequest request, CancellationToken cancellationToken)
        {
            factory.BeforePrefill?.Invoke();
            factory.BeforeRequest?.Invoke(request);
            factory.BeforePrompt?.Invoke(tokens.Length);
            cancellationToken.ThrowIfCancellationRequested();
            factory.Prefills++;
            factory.LivePrompts++;
            return new Prompt(factory, this, tokens, request);
        }

        public override void Step(IReadOnlyList<EngineRow> rows, Span<float> logits, CancellationToken cancellationToken)
        {
            factory.BeforeStep?.Invoke();
            cancellationToken.ThrowIfCancellationRequested();
            factory.Steps++;
            for (int i = 0; i < rows.Count; i++)
            {
                var sequence = (Sequence)rows[i].Sequence;
                sequence.Append(rows[i].Token);
                if (!logits.IsEmpty)
                {
                    sequence.Logits().CopyTo(logits[(i * Vocabulary)..]);
                }
            }
        }

        public override void Dispose()
        {
        }
    }

    private sealed class Prompt : EnginePrompt
    {
        private readonly HashEngineFactory _factory;
        private readonly PrefillRequest _request;
        private readonly int _length;

        public Prompt(HashEngineFactory factory, Engine engine, int[] tokens, PrefillRequest request)
        {
            _factory = factory;
            _request = request;
            _length = tokens.Length;
            string method = request.Method is null or DensePrefill ? "" : $"{request.Method.Name} {request.Parameters}";
            State = Hash($"{engine.Identity.Checkpoint} {string.Join(' ', tokens)} {method} {request.YarnFactor} {request.Seed * (method.Length > 0 ? 1 : 0)}");
            long causal = (long)_length * (_length + 1) / 2 * engine.Configuration.QueryHeads * engine.Configuration.LayerCount;
            double density = Observe(engine, tokens, request);
            Statistics = new PrefillStatistics
            {
                AttendedPairs = (long)(causal * density),
                CausalPairs = causal,
                AttendedPairsAllLayers = (long)(causal * density),
                CausalPairsAllLayers = causal,
                ExecutedPairs = (long)(causal * density),
                IndexSeconds = method.Length > 0 ? factory.Seconds.Index : 0,
                GlobalAttentionSeconds = method.Length > 0 ? factory.Seconds.Attention : 0,
                AttentionSeconds = method.Length > 0 ? factory.Seconds.Attention : 0,
                TotalSeconds = 0.001,
            };
        }

        public byte[] State { get; }

        public override float[] LastLogits => LogitsOf(State, -1);

        public override PrefillStatistics Statistics { get; }

        public override EngineSequence StartSequence(int configuration)
        {
            _factory.LiveSequences++;
            return new Sequence(_factory, this, _request.DecodeConfigurations[configuration], _length);
        }

        public override void Dispose() => _factory.LivePrompts--;

        /// <summary>Density of the request's selection on random queries and keys, a little denser than a dense prefill's layers let expect.</summary>
        private static unsafe double Observe(Engine engine, int[] tokens, PrefillRequest request)
        {
            bool sparse = request.Method is { BudgetParameter: not null };
            if (!sparse && request.LayerObserver is null)
            {
                return 1;
            }

            ModelConfiguration configuration = engine.Configuration;
            var random = new RandomSource("test/layer", tokens[^1], tokens.Length);
            using var queries = new NativeArray<float>((long)configuration.QueryHeads * tokens.Length * configuration.HeadDimension);
            using var keys = new NativeArray<float>((long)configuration.KvHeads * tokens.Length * configuration.HeadDimension);
            Fill(random, queries.Span);
            Fill(random, keys.Span);
            var layer = new PromptLayer
            {
                Layer = 0,
                Queries = HeadTensor.HeadMajor(queries.Pointer, configuration.QueryHeads, tokens.Length, configuration.HeadDimension),
                Keys = HeadTensor.HeadMajor(keys.Pointer, configuration.KvHeads, tokens.Length, configuration.HeadDimension),
                Values = HeadTensor.HeadMajor(keys.Pointer, configuration.KvHeads, tokens.Length, configuration.HeadDimension),
                Scale = 1,
                Kernels = KernelSets.Default,
                Seed = request.Seed,
            };
            request.LayerObserver?.Invoke(layer);
            if (!sparse)
            {
                return 1;
            }

            double density = request.Method!.Select(layer, request.Parameters!).CountPairs(configuration.QueryHeads)
                / ((double)layer.Shape.CausalPairs * configuration.QueryHeads);
            return request.Method.NeedsCalibration ? Math.Min(1, density * 1.1) : density;
        }

        private static void Fill(RandomSource random, Span<float> values)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)random.NextNormal();
            }
        }
    }

    private sealed class Sequence : EngineSequence
    {
        private readonly HashEngineFactory _factory;
        private readonly DecodeConfiguration _configuration;
        private readonly List<byte[]> _states = [];
        private readonly int _length;
        private readonly double _sparsity;
        private long _attended;
        private long _dense;
        private int _steps;

        public Sequence(HashEngineFactory factory, Prompt prompt, DecodeConfiguration configuration, int length)
        {
            _factory = factory;
            _configuration = configuration;
            _length = length;
            _states.Add(prompt.State);
            _sparsity = configuration.Method.ExpectedSparsity(new PromptShape(length, 4, 2), configuration.Parameters) ?? 0;
        }

        public override DecodeStatistics Statistics => new()
        {
            AttendedTokens = _attended,
            DenseTokens = _dense,
            KeptPromptTokens = (long)((1 - _sparsity) * _length),
            PromptTokens = _length,
            BytesRead = _attended * 64,
            Steps = _steps,
        };

        public void Append(int token)
        {
            string method = _configuration.Method is DenseDecode ? "" : $"{_configuration.Method.Name} {_configuration.Parameters}";
            _states.Add(Hash($"{Convert.ToHexString(_states[^1])} {token} {method}"));
            _attended += (long)(1000 * _length * (1 - _sparsity)) + _states.Count;
            _dense += (1000L * _length) + _states.Count;
            _steps++;
        }

        public float[] Logits() => LogitsOf(_states[^1], _states.Count);

        public override void Truncate(int generatedLength) => _states.RemoveRange(generatedLength + 1, _states.Count - generatedLength - 1);

        public override void Dispose() => _factory.LiveSequences--;
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    // A peak at one letter; the stop token after some thirty.
    private static float[] LogitsOf(byte[] state, int position)
    {
        float[] logits = new float[Vocabulary];
        for (int i = 0; i < Vocabulary; i++)
        {
            logits[i] = state[i % state.Length] / 100f * (((i * 7) + state[(i + 5) % state.Length]) % 11) / 11f;
        }

        logits[position > 1 && state[0] < 8 ? Stop : 'a' + (state[1] % 26)] = 10;
        return logits;
    }
}
