using System.Runtime.InteropServices;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Peers;

/// <summary>
/// LibTorch, the C++ library under PyTorch, called in this process through the plain C functions that it exports for compiled models, with as many threads as
/// ours: the kernel that scaled_dot_product_attention takes on a processor, and matrix products.
/// </summary>
internal static unsafe partial class LibTorch
{
    private const int Float32 = 6;
    private const int BFloat16 = 15;

    // Threads of its OpenMP spin after a call.
    private static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(60);

    /// <summary>Loads the library and says which one it is; false where it is missing.</summary>
    public static bool TryLoad(BenchmarkReport report)
    {
        if (!NativeLibrary.TryLoad(Path.Combine(PeerFolder.Path, "libtorch", "libtorch_cpu.so"), out nint library))
        {
            report.Note("LibTorch is missing (tests/SparseFrontier.Benchmarks/fetch-peers.sh): nothing to compare with.");
            return false;
        }

        NativeLibrary.SetDllImportResolver(typeof(LibTorch).Assembly, (name, _, _) => name == "torch_cpu" ? library : 0);
        SetThreads(WorkerPool.ThreadCount);
        ulong version = Version();
        report.AddPeer("LibTorch", $"{version >> 56}.{(version >> 48) & 0xFF}.{(version >> 40) & 0xFF}, {Threads()} threads");
        return true;
    }

    /// <summary>Dense causal attention.</summary>
    /// <param name="name">Name in tables.</param>
    /// <param name="queries">[1, heads, length, dimension], as are keys and values.</param>
    /// <param name="keys">Keys, those of a KV head for each of its query heads.</param>
    /// <param name="values">Values.</param>
    /// <param name="output">[heads, length, dimension], written once, so that results can be compared.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="length">Tokens.</param>
    /// <param name="dimension">Elements of a head's vector.</param>
    public static Contender Attention(string name, float* queries, float* keys, float* values, float* output, int heads, int length, int dimension)
    {
        nint q = Tensor(queries, Float32, heads, length, dimension);
        nint k = Tensor(keys, Float32, heads, length, dimension);
        nint v = Tensor(values, Float32, heads, length, dimension);
        double scale = 1 / Math.Sqrt(dimension);
        nint first = Attend();
        Check(DataPointer(first, out nint data));
        Check(Strides(first, out long* strides));
        for (long row = 0; row < (long)heads * length; row++)
        {
            float* source = (float*)data + (row / length * strides[1]) + (row % length * strides[2]);
            new ReadOnlySpan<float>(source, dimension).CopyTo(new Span<float>(output + (row * dimension), dimension));
        }

        Check(Delete(first));
        return new Contender(name, () => Check(Delete(Attend())))
        {
            Operations = 2.0 * dimension * heads * length * (length + 1.0),
            Rest = s_rest,
        };

        nint Attend()
        {
            nint result;
            nint sums;
            double factor = scale;
            Check(FlashAttention(q, k, v, 0, 1, null, &factor, &result, &sums));
            Check(Delete(sums));
            return result;
        }
    }

    /// <summary>output[rows, outputs] = input[rows, inputs] · weight[outputs, inputs]ᵀ, as a linear layer without bias multiplies.</summary>
    public static Contender Linear(string name, void* input, void* weight, void* output, DataType type, int rows, int outputs, int inputs)
    {
        int element = type == DataType.F32 ? Float32 : BFloat16;
        nint x = Tensor(input, element, rows, inputs);
        nint w = Tensor(weight, element, [inputs, outputs], [1, inputs]);
        nint y = Tensor(output, element, rows, outputs);
        return new Contender(name, () => Check(Multiply(y, x, w))) { Operations = 2.0 * rows * outputs * inputs, Rest = s_rest };
    }

    // [1, heads, length, dimension].
    private static nint Tensor(void* data, int type, int heads, int length, int dimension) =>
        Tensor(data, type, [1, heads, length, dimension], [(long)heads * length * dimension, (long)length * dimension, dimension, 1]);

    private static nint Tensor(void* data, int type, int rows, int columns) => Tensor(data, type, [rows, columns], [columns, 1]);

    private static nint Tensor(void* data, int type, long[] sizes, long[] strides)
    {
        nint tensor;
        fixed (long* s = sizes, t = strides)
        {
            Check(FromMemory(data, sizes.Length, s, t, 0, type, 0, 0, &tensor));
        }

        return tensor;
    }

    private static void Check(int error)
    {
        if (error != 0)
        {
            throw new InvalidOperationException("LibTorch refused; it said why on standard error.");
        }
    }

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu")]
    private static partial int FlashAttention(nint query, nint key, nint value, double dropout, int causal, nint* mask, double* scale, nint* output, nint* logSumExp);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_cpu_mm_out")]
    private static partial int Multiply(nint output, nint left, nint right);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_create_tensor_from_blob")]
    private static partial int FromMemory(void* data, long dimensions, long* sizes, long* strides, long offset, int type, int deviceType, int device, nint* tensor);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_get_data_ptr")]
    private static partial int DataPointer(nint tensor, out nint data);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_get_strides")]
    private static partial int Strides(nint tensor, out long* strides);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_delete_tensor_object")]
    private static partial int Delete(nint tensor);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_abi_version")]
    private static partial ulong Version();

    // at::set_num_threads and at::get_num_threads.
    [LibraryImport("torch_cpu", EntryPoint = "_ZN2at15set_num_threadsEi")]
    private static partial void SetThreads(int threads);

    [LibraryImport("torch_cpu", EntryPoint = "_ZN2at15get_num_threadsEv")]
    private static partial int Threads();
}
