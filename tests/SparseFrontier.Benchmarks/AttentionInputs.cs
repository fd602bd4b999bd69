using System.Runtime.Intrinsics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cpu;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks;

/// <summary>Queries, keys and values of one layer, stored as a model stores them: 8 query heads that share 2 KV heads.</summary>
internal sealed unsafe class AttentionInputs(int length, int dimension) : IDisposable
{
    public const int QueryHeads = 8;
    public const int KvHeads = 2;

    private readonly NativeArray<float> _queries = RandomMatrix.Singles((long)QueryHeads * length * dimension);
    private readonly NativeArray<float> _keys = RandomMatrix.Singles((long)KvHeads * length * dimension);
    private readonly NativeArray<float> _values = RandomMatrix.Singles((long)KvHeads * length * dimension);
    private readonly NativeArray<float> _output = new((long)QueryHeads * length * dimension);

    /// <summary>The layer as a method sees it.</summary>
    public PromptLayer Layer => new()
    {
        Layer = 0,
        Queries = HeadTensor.RowMajor(_queries.Pointer, QueryHeads, length, dimension),
        Keys = HeadTensor.HeadMajor(_keys.Pointer, KvHeads, length, dimension),
        Values = HeadTensor.HeadMajor(_values.Pointer, KvHeads, length, dimension),
        Scale = 1 / MathF.Sqrt(dimension),
        Kernels = KernelSets.Default,
    };

    /// <summary>What the last call wrote.</summary>
    public HeadTensor Output => HeadTensor.RowMajor(_output.Pointer, QueryHeads, length, dimension);

    /// <summary>Attention under plans, one a head or one for all; the operations are those of the given number of pairs, summed over heads.</summary>
    public Contender Attend(string name, IReadOnlyList<AttentionPlan> plans, long pairs)
    {
        PromptLayer layer = Layer;
        return new Contender(
            name,
            () => layer.Kernels.PrefillAttention(
                layer.Queries,
                layer.Keys,
                layer.Values,
                layer.Scale,
                plans,
                0,
                Output,
                null,
                CancellationToken.None))
        {
            Operations = 4.0 * dimension * pairs,
        };
    }

    /// <summary>Dense causal attention.</summary>
    public Contender Dense(string name) => Attend(name, [AttentionPlan.Dense(length)], QueryHeads * Layer.Shape.CausalPairs);

    /// <summary>Copies the queries to the outputs, a row of all heads at a time: what any attention must read and write beside keys and values.</summary>
    public Contender CopyQueries(string name)
    {
        const int TaskRows = 64;
        long rowBytes = (long)QueryHeads * dimension * sizeof(float);
        return new Contender(name, () => WorkerPool.For(length / TaskRows, task =>
        {
            long first = task * TaskRows * rowBytes;
            Buffer.MemoryCopy((byte*)_queries.Pointer + first, (byte*)_output.Pointer + first, TaskRows * rowBytes, TaskRows * rowBytes);
        }))
        {
            Bytes = 2.0 * length * rowBytes,
        };
    }

    /// <summary>Transposes the queries as the attention kernel does, 64 rows of the heads of a KV head at a time, and drops them.</summary>
    public Contender TransposeQueries(string name)
    {
        const int TaskRows = 64;
        int group = QueryHeads / KvHeads;
        HeadTensor queries = Layer.Queries;
        return new Contender(name, () => WorkerPool.For(KvHeads * length / TaskRows, task =>
        {
            float* transposed = ThreadScratch.Rent((long)group * TaskRows * dimension);
            for (int h = 0; h < group; h++, transposed += TaskRows * dimension)
            {
                int head = (task / (length / TaskRows) * group) + h;
                int row = task % (length / TaskRows) * TaskRows;
                if (Vector512.IsHardwareAccelerated)
                {
                    PrefillTiles<Simd512, Vector512<float>>.TransposeQueries(queries, head, row, TaskRows, 1, transposed);
                }
                else
                {
                    PrefillTiles<Simd256, Vector256<float>>.TransposeQueries(queries, head, row, TaskRows, 1, transposed);
                }
            }
        }));
    }

    public void Dispose()
    {
        _queries.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _output.Dispose();
    }
}
