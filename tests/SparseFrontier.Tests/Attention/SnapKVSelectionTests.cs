using SparseFrontier.Attention;
using SparseFrontier.Tensors;
using Xunit;

namespace SparseFrontier.Tests.Attention;

/// <summary>
/// What SnapKV and AdaSnapKV keep, token by token, against their definition written out one element at a time: no vectors, no sharing between
/// budgets. The attention of the last queries, which kernel tests cover, is taken as given.
/// </summary>
public class SnapKVSelectionTests
{
    private const int PrefixTokens = 3;
    private const int LocalWindow = 9;

    // Lengths around the ends of vectors, groups of 1, 4 and 7, kernels wider than the window and longer than the prompt.
    public static TheoryData<int, int, int, int, int> Shapes => new()
    {
        { 2, 2, 61, 16, 21 },
        { 4, 1, 64, 5, 1 },
        { 7, 1, 131, 40, 101 },
        { 8, 2, 150, 200, 7 },
        { 4, 2, 259, 64, 21 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Budgets_that_share_a_layer_keep_what_the_definition_keeps(int queryHeads, int kvHeads, int length, int window, int kernelSize)
    {
        using var data = LayerData.Random(queryHeads, kvHeads, length, 16);
        DecodeMethod snap = MethodRegistry.FindDecode("SnapKV");
        DecodeMethod ada = MethodRegistry.FindDecode("AdaSnapKV");
        foreach (int capacity in (int[])[14, 40, 25, 57])
        {
            string parameters = $"Capacity={capacity};LocalWindow={LocalWindow};PrefixTokens={PrefixTokens};Window={window};KernelSize={kernelSize}";
            float[][] means = Importance(data.Layer, window, kernelSize, largest: false);
            Assert.Equal(
                means.Select(scores => Best(scores, capacity)),
                snap.Compress(data.Layer, snap.CreateParameters(parameters))!.ByHead);
            float[][] maxima = Importance(data.Layer, window, kernelSize, largest: true);
            Assert.Equal(
                Share(maxima, capacity, floor: Math.Max((int)(0.3 * capacity), PrefixTokens + LocalWindow)),
                ada.Compress(data.Layer, ada.CreateParameters(parameters + ";MinimumHeadRatio=0.3"))!.ByHead);
        }
    }

    [Fact]
    public void Rounding_many_scores_is_rounding_each()
    {
        var random = new RandomSource("test/rounding");
        for (int length = 0; length < 40; length++)
        {
            float[] values = [.. Enumerable.Range(0, length).Select(_ => (float)(random.NextNormal() * Math.Pow(10, random.Next(-30, 30))))];
            float[] expected = Array.ConvertAll(values, ScoreRounding.ToBFloat16);
            ScoreRounding.ToBFloat16(values.AsSpan());
            Assert.Equal(expected, values);
        }
    }

    private static float[][] Importance(PromptLayer layer, int window, int kernelSize, bool largest)
    {
        float[][] scores = new float[layer.KvHeads][];
        for (int kvHead = 0; kvHead < scores.Length; kvHead++)
        {
            float[] group = new float[layer.Length];
            for (int head = kvHead * layer.GroupSize; head < (kvHead + 1) * layer.GroupSize; head++)
            {
                float[] sums = new float[layer.Length];
                float[] maxima = new float[layer.Length];
                layer.Kernels.LastWindowAttention(layer.Queries, layer.Keys, head, Math.Min(window, layer.Length), layer.Scale, sums, default, maxima);
                for (int token = 0; token < layer.Length; token++)
                {
                    group[token] = largest ? Math.Max(group[token], maxima[token]) : group[token] + (sums[token] / layer.GroupSize);
                }
            }

            scores[kvHead] = new float[layer.Length];
            for (int token = 0; token < layer.Length; token++)
            {
                float sum = 0;
                for (int i = token - (kernelSize / 2); i <= token + (kernelSize / 2); i++)
                {
                    sum += i >= 0 && i < layer.Length ? group[i] : 0;
                }

                bool forced = token < PrefixTokens || token >= layer.Length - LocalWindow;
                scores[kvHead][token] = forced ? float.PositiveInfinity : ScoreRounding.ToBFloat16(sum / kernelSize);
            }
        }

        return scores;
    }

    private static int[] Best(float[] scores, int count) =>
        [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(count).Order()];

    private static int[][] Share(float[][] scores, int capacity, int floor)
    {
        List<int>[] kept = [.. scores.Select(s => Best(s, floor).ToList())];
        IEnumerable<(int Head, int Token)> rest = scores
            .SelectMany((s, head) => s.Select((score, token) => (Head: head, Token: token, Score: score)))
            .Where(x => !kept[x.Head].Contains(x.Token))
            .OrderByDescending(x => x.Score).ThenBy(x => x.Head).ThenBy(x => x.Token)
            .Take((capacity - floor) * scores.Length)
            .Select(x => (x.Head, x.Token))
            .ToArray();
        foreach ((int head, int token) in rest)
        {
            kept[head].Add(token);
        }

        return [.. kept.Select(k => k.Order().ToArray())];
    }
}
