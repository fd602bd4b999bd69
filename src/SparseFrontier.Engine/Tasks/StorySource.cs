using SparseFrontier.Tensors;

namespace SparseFrontier.Tasks;

/// <summary>Samples over a generated story; the units are chapters.</summary>
internal sealed class StorySource : GeneratedSource
{
    private readonly Func<StoryGenerator, long, SampleDraft> _draft;
    private readonly HeldOut _heldOut;

    /// <summary>A stream of samples.</summary>
    /// <param name="task">The task.</param>
    /// <param name="options">Its options.</param>
    /// <param name="encoder">Template and tokenizer.</param>
    /// <param name="heldOut">What comes from material that no training sample has.</param>
    /// <param name="wording">What the prompt says.</param>
    /// <param name="draft">Makes a sample from a story and the key of the sample's choice of chapters.</param>
    public StorySource(
        EvaluationTask task,
        TaskOptions options,
        PromptEncoder encoder,
        HeldOut heldOut,
        PromptWording wording,
        Func<StoryGenerator, long, SampleDraft> draft)
        : base(task, options, encoder, wording)
    {
        _draft = draft;
        _heldOut = heldOut;
        Measure(margin: 0.05);
    }

    /// <summary>Distinct chapters, counted from 0, drawn from those of [<paramref name="first"/>, <paramref name="count"/>).</summary>
    public static (int[] Chapters, RandomSource Random) Choose(long key, int first, int count, int chosen)
    {
        var random = new RandomSource("task/chapters", key, count);
        int[] chapters = [.. Enumerable.Range(first, count - first)];
        random.Shuffle<int>(chapters);
        return (chapters[..chosen], random);
    }

    /// <inheritdoc/>
    protected override SampleDraft Draw(RandomSource random)
    {
        long key = (long)random.NextUInt64();
        return _draft(new StoryGenerator(random, _heldOut), key);
    }
}
