using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Tests.Attention;

/// <summary>Queries, keys and values of one layer, from a golden file or random.</summary>
internal sealed unsafe class LayerData : IDisposable
{
    private readonly NativeArray<float> _queries;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;

    private LayerData(float[] queries, float[] keys, float[] values, int queryHeads, int kvHeads, int length, int dimension, KernelSet kernels)
    {
        _queries = Copy(queries);
        _keys = Copy(keys);
        _values = Copy(values);
        Layer = new PromptLayer
        {
            Layer = 0,
            Queries = HeadTensor.HeadMajor(_queries.Pointer, queryHeads, length, dimension),
            Keys = HeadTensor.HeadMajor(_keys.Pointer, kvHeads, length, dimension),
            Values = HeadTensor.HeadMajor(_values.Pointer, kvHeads, length, dimension),
            Scale = 1 / MathF.Sqrt(dimension),
            Kernels = kernels,
            Seed = 43,
        };
    }

    public PromptLayer Layer { get; }

    public static LayerData Read(SafetensorsFile file)
    {
        SafetensorsTensor q = file.Tensor("q");
        return new LayerData(
            q.ToSingles(), file.Tensor("k").ToSingles(), file.Tensor("v").ToSingles(),
            (int)q.Shape[0], (int)file.Tensor("k").Shape[0], (int)q.Shape[1], (int)q.Shape[2], KernelSets.Default);
    }

    public static LayerData Random(int queryHeads, int kvHeads, int length, int dimension, long seed = 1, float spread = 2)
    {
        return new LayerData(
            Normal("q", queryHeads), Normal("k", kvHeads), Normal("v", kvHeads), queryHeads, kvHeads, length, dimension, KernelSets.Default);

        float[] Normal(string name, int heads)
        {
            var random = new RandomSource("test/attention/" + name, seed, length);
            return [.. Enumerable.Range(0, heads * length * dimension).Select(_ => spread * (float)random.NextNormal())];
        }
    }

    /// <summary>The same with KV heads (and the query heads of each) in another order.</summary>
    public LayerData Permute(int[] kvOrder)
    {
        int group = Layer.GroupSize;
        int[] queryOrder = [.. kvOrder.SelectMany(kv => Enumerable.Range(kv * group, group))];
        return new LayerData(
            Rows(Layer.Queries, queryOrder), Rows(Layer.Keys, kvOrder), Rows(Layer.Values, kvOrder),
            queryOrder.Length, kvOrder.Length, Layer.Length, Layer.Queries.Dimension, Layer.Kernels);

        static float[] Rows(HeadTensor tensor, int[] order) =>
            [.. order.SelectMany(head => new ReadOnlySpan<float>(tensor.Row(head, 0), tensor.Rows * tensor.Dimension).ToArray())];
    }

    /// <summary>The prompt as a decode cache holds it.</summary>
    public LayerCache CreateCache(DataType type = DataType.F32)
    {
        var block = new KeyValueBlock(Layer.Keys.Heads, Layer.Length, Layer.Keys.Dimension, type);
        for (int head = 0; head < Layer.Keys.Heads; head++)
        {
            for (int row = 0; row < Layer.Length; row++)
            {
                block.Write(head, row, Layer.Keys.Row(head, row), Layer.Values.Row(head, row));
            }
        }

        return new LayerCache(block, ownsPrompt: true);
    }

    /// <summary>Attention of the last query of each head over chosen tokens of the prompt, [query heads, dimension].</summary>
    public float[] Decode(KeyRange[][] lists)
    {
        using LayerCache cache = CreateCache();
        float[] queries = LastQueries();
        float[] output = new float[queries.Length];
        fixed (float* q = queries, o = output)
        {
            Layer.Kernels.DecodeAttention(q, Layer.Queries.Heads, cache, new DecodeSelection(lists), Layer.Scale, o);
        }

        return output;
    }

    /// <summary>[query heads, dimension].</summary>
    public float[] LastQueries() =>
        [.. Enumerable.Range(0, Layer.Queries.Heads).SelectMany(head => Layer.Queries.RowSpan(head, Layer.Length - 1).ToArray())];

    public void Dispose()
    {
        _queries.Dispose();
        _keys.Dispose();
        _values.Dispose();
    }

    private static NativeArray<float> Copy(float[] values)
    {
        var array = new NativeArray<float>(values.Length);
        values.CopyTo(array.Span);
        return array;
    }
}
