using System.Runtime.InteropServices;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Benchmarks.Peers;

/// <summary>OpenBLAS (libopenblas.so.0, Debian's libopenblas0-pthread), with as many threads as ours.</summary>
internal static unsafe partial class OpenBlas
{
    private const int RowMajor = 101;
    private const int NoTranspose = 111;
    private const int Transpose = 112;

    // Its threads spin for about 30 ms after a call.
    private static readonly TimeSpan s_rest = TimeSpan.FromMilliseconds(60);

    /// <summary>Loads the library and says which one it is; false where it is missing.</summary>
    public static bool TryLoad(BenchmarkReport report)
    {
        // The fetched folder also holds what it needs; loaded first, it is found.
        string folder = Path.Combine(PeerFolder.Path, "openblas");
        NativeLibrary.TryLoad(Path.Combine(folder, "libquadmath.so.0"), out _);
        NativeLibrary.TryLoad(Path.Combine(folder, "libgfortran.so.5"), out _);
        if (!NativeLibrary.TryLoad(Path.Combine(folder, "libopenblas.so.0"), out nint library)
            && !NativeLibrary.TryLoad("libopenblas.so.0", out library))
        {
            report.Note("OpenBLAS is missing (tests/SparseFrontier.Benchmarks/fetch-peers.sh): compared without it.");
            return false;
        }

        NativeLibrary.SetDllImportResolver(typeof(OpenBlas).Assembly, (name, _, _) => name == "openblas" ? library : 0);
        SetThreads(WorkerPool.ThreadCount);
        report.AddPeer("OpenBLAS", Marshal.PtrToStringUTF8(Configuration())!.Trim());
        return true;
    }

    /// <summary>output[rows, outputs] = input[rows, inputs] · weight[outputs, inputs]ᵀ by sgemm.</summary>
    public static Contender MatMul(string name, float* input, int rows, Func<nint> weight, int outputs, int inputs, float* output) =>
        new(name, () => Sgemm(RowMajor, NoTranspose, Transpose, rows, outputs, inputs, 1, input, inputs, (float*)weight(), inputs, 0, output, outputs))
        {
            Operations = 2.0 * rows * outputs * inputs,
            Bytes = 4.0 * outputs * inputs,
            Rest = s_rest,
        };

    /// <summary>output[outputs] = weight[outputs, inputs] · input[inputs] by sgemv.</summary>
    public static Contender MatVec(string name, float* input, Func<nint> weight, int outputs, int inputs, float* output) =>
        new(name, () => Sgemv(RowMajor, NoTranspose, outputs, inputs, 1, (float*)weight(), inputs, input, 1, 0, output, 1))
        {
            Operations = 2.0 * outputs * inputs,
            Bytes = 4.0 * outputs * inputs,
            Rest = s_rest,
        };

    [LibraryImport("openblas", EntryPoint = "cblas_sgemm")]
    private static partial void Sgemm(int order, int transposeA, int transposeB, int m, int n, int k, float alpha, float* a, int lda, float* b, int ldb, float beta, float* c, int ldc);

    [LibraryImport("openblas", EntryPoint = "cblas_sgemv")]
    private static partial void Sgemv(int order, int transpose, int m, int n, float alpha, float* a, int lda, float* x, int incrementX, float beta, float* y, int incrementY);

    [LibraryImport("openblas", EntryPoint = "openblas_set_num_threads")]
    private static partial void SetThreads(int threads);

    [LibraryImport("openblas", EntryPoint = "openblas_get_config")]
    private static partial nint Configuration();
}
