using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Models.Tokenizers;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>Opens checkpoints.</summary>
internal sealed class TransformerEngineFactory : EngineFactory
{
    /// <inheritdoc/>
    public override string Resolve(string model) => ModelCatalog.Resolve(model);

    /// <inheritdoc/>
    public override ModelConfiguration ReadConfiguration(string directory) => ModelConfiguration.Load(directory);

    /// <inheritdoc/>
    public override DataType ReadCacheType(string directory)
    {
        // From the header: loading would rearrange all weights.
        using var checkpoint = SafetensorsCheckpoint.Open(directory);
        SafetensorsTensor? embedding = checkpoint.Tensors.FirstOrDefault(t => t.Key.EndsWith("embed_tokens.weight", StringComparison.Ordinal)).Value;
        return embedding is null
            ? throw new SparseFrontierException(ErrorIds.CheckpointInvalid, $"'{directory}' has no tensor embed_tokens.weight.", directory)
            : TransformerModel.CacheTypeOf(embedding.DataType);
    }

    /// <inheritdoc/>
    public override PromptEncoder OpenEncoder(string directory) => PromptEncoder.For(Tokenizer.Load(directory), ChatTemplate.Load(directory));

    /// <inheritdoc/>
    public override SampleEngine Open(string directory, string device)
    {
        string[] members = DeviceList.Members(device);
        Array.ForEach(members, Devices.Require);
        return Devices.CudaOrdinal(members[0]) is null
            ? new TransformerEngine(directory)
            : new CudaEngine(directory, [.. members.Select(m => CudaDevice.Get(Devices.CudaOrdinal(m)!.Value))]);
    }

    /// <summary>A checkpoint's tokenizer and chat template, on whatever device its weights are.</summary>
    private abstract class CheckpointEngine : SampleEngine
    {
        private readonly Tokenizer _tokenizer;
        private readonly string? _templateHash;

        protected CheckpointEngine(string directory)
        {
            _tokenizer = Tokenizer.Load(directory);
            var template = ChatTemplate.Load(directory);
            _templateHash = template?.ContentHash;
            Encoder = PromptEncoder.For(_tokenizer, template);
        }

        public override PromptEncoder Encoder { get; }

        public override string Decode(ReadOnlySpan<int> tokens) => _tokenizer.Decode(tokens, skipSpecialTokens: true);

        protected ModelIdentity IdentityOf(string contentHash, DataType cacheType) => new(contentHash, _tokenizer.ContentHash, _templateHash, cacheType.ToString());
    }

    private sealed class CudaEngine : CheckpointEngine
    {
        private readonly CudaModel _model;

        public CudaEngine(string directory, CudaDevice[] devices)
            : base(directory) => _model = CudaModel.Load(directory, devices);

        public override ModelConfiguration Configuration => _model.Configuration;

        public override ModelIdentity Identity => IdentityOf(_model.ContentHash, _model.CacheType);

        public override EnginePrompt Prefill(int[] tokens, PrefillRequest request, CancellationToken cancellationToken) =>
            new CudaEnginePrompt(_model.Prefill(tokens, request, cancellationToken));

        public override void Step(IReadOnlyList<EngineRow> rows, Span<float> logits, CancellationToken cancellationToken) =>
            _model.Step(Inner(rows), logits, cancellationToken);

        public override void Choose(IReadOnlyList<EngineRow> rows, Span<int> next, CancellationToken cancellationToken) =>
            _model.Choose(Inner(rows), next, cancellationToken);

        public override int RowsAtOnce => _model.MostRows;

        // Half of what other programs leave of the GPU now, so that several that share one come to equal parts of it and leave one for prompts that are read and sequences.
        public override long CacheRoom(long held) => (_model.Devices.Min(d => d.FreeBytes) + held) / 2;

        public override int CacheElementBytes => 2;

        public override long UsedBytes => _model.Devices.Sum(d => d.UsedBytes);

        public override long MostUsedBytes => _model.Devices.Sum(d => d.MostUsedBytes);

        public override void ResetMostUsedBytes() => _model.Devices.ToList().ForEach(d => d.ResetMostUsedBytes());

        public override void Compare(IReadOnlyList<EngineRow> rows, LogitQuestion[] questions, LogitAnswer[] answers, CancellationToken cancellationToken) =>
            _model.Compare(Inner(rows), questions.AsSpan(0, rows.Count), answers.AsSpan(0, rows.Count), cancellationToken);

        public override void Dispose() => _model.Dispose();

        private static (CudaSequence Sequence, int Token)[] Inner(IReadOnlyList<EngineRow> rows)
        {
            var inner = new (CudaSequence Sequence, int Token)[rows.Count];
            for (int i = 0; i < inner.Length; i++)
            {
                inner[i] = (((CudaEngineSequence)rows[i].Sequence).Inner, rows[i].Token);
            }

            return inner;
        }
    }

    private sealed class CudaEnginePrompt(CudaPrompt inner) : EnginePrompt
    {
        public override float[] LastLogits => inner.LastLogits;

        public override PrefillStatistics Statistics => inner.Statistics;

        public override EngineSequence StartSequence(int configuration) => new CudaEngineSequence(inner.StartSequence(configuration));

        public override void Dispose() => inner.Dispose();
    }

    private sealed class CudaEngineSequence(CudaSequence inner) : EngineSequence
    {
        public CudaSequence Inner => inner;

        public override DecodeStatistics Statistics => inner.Statistics;

        public override void Truncate(int generatedLength) => inner.Truncate(generatedLength);

        public override void Dispose() => inner.Dispose();
    }

    private sealed class TransformerEngine(string directory) : CheckpointEngine(directory)
    {
        private readonly TransformerModel _model = TransformerModel.Load(directory);

        public override ModelConfiguration Configuration => _model.Configuration;

        public override ModelIdentity Identity => IdentityOf(_model.ContentHash, _model.CacheType);

        public override EnginePrompt Prefill(int[] tokens, PrefillRequest request, CancellationToken cancellationToken) =>
            new Prompt(_model.Prefill(tokens, request, cancellationToken));

        public override void Step(IReadOnlyList<EngineRow> rows, Span<float> logits, CancellationToken cancellationToken)
        {
            var steps = new StepRow[rows.Count];
            for (int i = 0; i < steps.Length; i++)
            {
                steps[i] = new StepRow(((Sequence)rows[i].Sequence).Inner, rows[i].Token);
            }

            _model.Step(steps, logits, cancellationToken);
        }

        public override void Dispose() => _model.Dispose();
    }

    private sealed class Prompt(PromptState inner) : EnginePrompt
    {
        public override float[] LastLogits => inner.LastLogits;

        public override PrefillStatistics Statistics => inner.Statistics;

        public override EngineSequence StartSequence(int configuration) => new Sequence(inner.StartSequence(configuration));

        public override void Dispose() => inner.Dispose();
    }

    private sealed class Sequence(DecodeSequence inner) : EngineSequence
    {
        public DecodeSequence Inner => inner;

        public override DecodeStatistics Statistics => inner.Statistics;

        public override void Truncate(int generatedLength) => inner.Truncate(generatedLength);

        public override void Dispose() => inner.Dispose();
    }
}
