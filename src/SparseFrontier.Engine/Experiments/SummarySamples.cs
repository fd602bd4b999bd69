using System.Collections;

namespace SparseFrontier.Experiments;

/// <summary>Scores of the samples of a run in a file of rows, a character each as the file has them: a grid has hundreds of thousands, and analyses ask for one run's at a time.</summary>
/// <param name="row">The run.</param>
/// <param name="scores">What the samples' scores are.</param>
/// <param name="codes">Codes of the scores, by index of sample.</param>
internal sealed class SummarySamples(SparseAttentionResult row, SummaryScores scores, string codes) : IReadOnlyList<SampleResult>
{
    private readonly int[] _indices = scores.Indices(codes);

    public int Count => _indices.Length;

    /// <summary>The scores of the samples that have one.</summary>
    public IEnumerable<double> Scores => _indices.Select(i => scores.Score(codes, i)).OfType<double>();

    /// <summary>The first of them.</summary>
    /// <param name="count">How many, fewer than there are.</param>
    public SummarySamples First(int count) => new(row, scores, scores.Before(codes, _indices[count]));

    /// <inheritdoc/>
    /// <remarks>Only index, score, a hash of the gold and the row's parameters are known.</remarks>
    public SampleResult this[int index]
    {
        get
        {
            int sample = _indices[index];
            return new SampleResult
            {
                RunId = row.RunId,
                Index = sample,
                Score = scores.Score(codes, sample),
                GoldJson = scores.Gold(sample),
                Parameters = row.Parameters,
                DecodeParameters = row.DecodeParameters,
            };
        }
    }

    public IEnumerator<SampleResult> GetEnumerator() => Enumerable.Range(0, Count).Select(i => this[i]).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
