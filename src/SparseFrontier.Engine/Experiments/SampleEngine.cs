using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>Content hashes of a model, lower-case hexadecimal.</summary>
/// <param name="Checkpoint">Configuration and weights.</param>
/// <param name="Tokenizer">Tokenizer.</param>
/// <param name="ChatTemplate">Chat template; null if there is none.</param>
/// <param name="CacheType">Type of the keys and values that decoding reads: not of the model's content, but its answers depend on it.</param>
internal sealed record ModelIdentity(string Checkpoint, string Tokenizer, string? ChatTemplate, string CacheType = nameof(DataType.F32));

/// <summary>Finds and opens models. The tests' second implementation computes tokens from hashes, so that stores and sweeps are tested without a checkpoint.</summary>
internal abstract class EngineFactory
{
    /// <summary>The checkpoint directory that a specification's model stands for.</summary>
    /// <exception cref="SparseFrontierException">ModelNotFound.</exception>
    public abstract string Resolve(string model);

    /// <summary>Reads the shape of a model without loading it.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable, CheckpointInvalid, ArchitectureUnsupported.</exception>
    public abstract ModelConfiguration ReadConfiguration(string directory);

    /// <summary>How a model's KV cache is stored, read from the headers of its weights.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable, CheckpointInvalid.</exception>
    public abstract DataType ReadCacheType(string directory);

    /// <summary>How a model sees a prompt, without its weights.</summary>
    /// <exception cref="SparseFrontierException">Whatever is wrong with the checkpoint's tokenizer.</exception>
    public abstract PromptEncoder OpenEncoder(string directory);

    /// <summary>Loads a model.</summary>
    /// <param name="directory">Checkpoint directory.</param>
    /// <param name="device">One device, or several joined by a plus, over which the layers are spread (<see cref="DeviceList"/>).</param>
    /// <exception cref="SparseFrontierException">Whatever is wrong with the checkpoint or its tokenizer; DeviceNotFound.</exception>
    public abstract SampleEngine Open(string directory, string device);
}

/// <summary>What a runner needs of a loaded model.</summary>
internal abstract class SampleEngine : IDisposable
{
    private float[] _logits = [];

    /// <summary>Shape.</summary>
    public abstract ModelConfiguration Configuration { get; }

    /// <summary>Content hashes.</summary>
    public abstract ModelIdentity Identity { get; }

    /// <summary>How the model sees a prompt.</summary>
    public abstract PromptEncoder Encoder { get; }

    /// <summary>Rows that are best run together: enough for a batched matrix product, few enough for the logits of a large vocabulary.</summary>
    public virtual int RowsAtOnce => 64;

    /// <summary>Bytes that the caches of samples under way together may take.</summary>
    /// <param name="held">Bytes that they take now.</param>
    public virtual long CacheRoom(long held) => 2L << 30;

    /// <summary>Bytes of a cached element.</summary>
    public virtual int CacheElementBytes => sizeof(float);

    /// <summary>Bytes in use of the memory that the model computes in.</summary>
    public virtual long UsedBytes => NativeMemoryUse.Live;

    /// <summary>Most of them since <see cref="ResetMostUsedBytes"/>.</summary>
    public virtual long MostUsedBytes => NativeMemoryUse.Peak;

    /// <summary>Begins to measure <see cref="MostUsedBytes"/> anew.</summary>
    public virtual void ResetMostUsedBytes() => NativeMemoryUse.ResetPeak();

    /// <summary>The text of generated tokens.</summary>
    public abstract string Decode(ReadOnlySpan<int> tokens);

    /// <summary>Reads a prompt.</summary>
    public abstract EnginePrompt Prefill(int[] tokens, PrefillRequest request, CancellationToken cancellationToken);

    /// <summary>Runs one token of each row through the model; a row's result does not depend on the others.</summary>
    /// <param name="rows">Sequence and token of each row.</param>
    /// <param name="logits">[rows, vocabulary], written; empty if not wanted.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    public abstract void Step(IReadOnlyList<EngineRow> rows, Span<float> logits, CancellationToken cancellationToken);

    /// <summary>As <see cref="Step"/>, for the token with the largest logit of each row, of equal ones the lowest.</summary>
    /// <param name="rows">Sequence and token of each row.</param>
    /// <param name="next">[rows], written.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    public virtual void Choose(IReadOnlyList<EngineRow> rows, Span<int> next, CancellationToken cancellationToken)
    {
        int vocabulary = Configuration.VocabularySize;
        float[] logits = Logits((long)rows.Count * vocabulary);
        Step(rows, logits.AsSpan(0, rows.Count * vocabulary), cancellationToken);
        for (int i = 0; i < next.Length; i++)
        {
            next[i] = LogitMath.ArgMax(logits.AsSpan(i * vocabulary, vocabulary));
        }
    }

    /// <summary>As <see cref="Step"/>, for answers to questions on the rows' logits.</summary>
    /// <param name="rows">Sequence and token of each row, at most <see cref="RowsAtOnce"/>.</param>
    /// <param name="questions">[rows].</param>
    /// <param name="answers">[rows], written.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    public virtual void Compare(IReadOnlyList<EngineRow> rows, LogitQuestion[] questions, LogitAnswer[] answers, CancellationToken cancellationToken)
    {
        int vocabulary = Configuration.VocabularySize;
        float[] logits = Logits((long)rows.Count * vocabulary);
        Step(rows, logits.AsSpan(0, rows.Count * vocabulary), cancellationToken);
        WorkerPool.For(
            rows.Count,
            i =>
            {
                ReadOnlySpan<float> own = logits.AsSpan(i * vocabulary, vocabulary);
                (int token, int dense) = questions[i];
                answers[i] = new LogitAnswer(
                    LogitMath.LogProbability(own, token), dense < 0 ? 0 : LogitMath.Divergence(logits.AsSpan(dense * vocabulary, vocabulary), own));
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    private float[] Logits(long length)
    {
        if (_logits.LongLength < length)
        {
            _logits = new float[length];
        }

        return _logits;
    }
}

/// <summary>A prompt that was read.</summary>
internal abstract class EnginePrompt : IDisposable
{
    /// <summary>Logits of the last token.</summary>
    public abstract float[] LastLogits { get; }

    /// <summary>What was attended.</summary>
    public abstract PrefillStatistics Statistics { get; }

    /// <summary>Starts a sequence under one of the request's decode configurations.</summary>
    public abstract EngineSequence StartSequence(int configuration);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>A sequence being generated.</summary>
internal abstract class EngineSequence : IDisposable
{
    /// <summary>What was attended and read so far.</summary>
    public abstract DecodeStatistics Statistics { get; }

    /// <summary>Forgets all but the first appended tokens.</summary>
    public abstract void Truncate(int generatedLength);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>One token of one sequence.</summary>
internal readonly record struct EngineRow(EngineSequence Sequence, int Token);
