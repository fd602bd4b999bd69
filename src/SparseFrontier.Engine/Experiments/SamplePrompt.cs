using SparseFrontier.Attention;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Tasks;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>A sample's tokens, divided into what the prefill reads and what goes through the decode path before the first output token.</summary>
/// <param name="Prefill">Tokens of the prefill; the cache is compressed after them.</param>
/// <param name="Question">The rest of the prompt; empty unless the cache is compressed before the question is known.</param>
internal sealed record SamplePrompt(int[] Prefill, int[] Question)
{
    /// <summary>Divides a sample's prompt.</summary>
    public static SamplePrompt Create(TaskSample sample, bool compressBeforeQuestion, PromptEncoder encoder)
    {
        if (!compressBeforeQuestion)
        {
            return new SamplePrompt(sample.PromptIds, []);
        }

        int context = Math.Clamp(encoder.ContextTokens(sample), 1, sample.PromptIds.Length);
        return new SamplePrompt(sample.PromptIds[..context], sample.PromptIds[context..]);
    }

    /// <summary>The tokens of a sample's target response; none where the context cannot hold them after the prompt.</summary>
    public static int[] Target(TaskSample sample, SampleEngine engine, double? yarnFactor)
    {
        int[] target = engine.Encoder.Encode(sample.TargetResponse);
        return sample.PromptIds.Length + target.Length > engine.Configuration.MaximumLength(yarnFactor) ? [] : target;
    }

    /// <summary>The seed of a sample's random numbers.</summary>
    public static long Seed(long runSeed, int index) => unchecked((long)new RandomSource("run/sample", runSeed, index).NextUInt64());

    /// <summary>The shape that budgets depend on: heads and global layers of a model, tokens of its prefill.</summary>
    public static PromptShape Shape(ModelConfiguration configuration, int length) => new(length, configuration.QueryHeads, configuration.KvHeads)
    {
        Layers = [.. Enumerable.Range(0, configuration.LayerCount).Where(configuration.IsGlobal)],
    };
}
