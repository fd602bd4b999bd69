using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>The functions of cuBLASLt that are used, by their own names; see NVIDIA's reference. All return 0 for success.</summary>
internal static unsafe partial class CublasLt
{
    private const string Library = CudaLibraries.Products;

    static CublasLt() => CudaLibraries.Register();

    [LibraryImport(Library, EntryPoint = "cublasLtCreate")]
    public static partial int cublasLtCreate(out nint handle);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulDescCreate")]
    public static partial int cublasLtMatmulDescCreate(out nint description, int computeType, int scaleType);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulDescSetAttribute")]
    public static partial int cublasLtMatmulDescSetAttribute(nint description, int attribute, void* value, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cublasLtMatrixLayoutCreate")]
    public static partial int cublasLtMatrixLayoutCreate(out nint layout, int type, ulong rows, ulong columns, long stride);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulPreferenceCreate")]
    public static partial int cublasLtMatmulPreferenceCreate(out nint preference);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulPreferenceSetAttribute")]
    public static partial int cublasLtMatmulPreferenceSetAttribute(nint preference, int attribute, void* value, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulAlgoGetHeuristic")]
    public static partial int cublasLtMatmulAlgoGetHeuristic(
        nint handle, nint operation, nint a, nint b, nint c, nint d, nint preference, int requested, CublasLtChoice* results, out int count);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmul")]
    public static partial int cublasLtMatmul(
        nint handle,
        nint operation,
        void* alpha,
        ulong a,
        nint aLayout,
        ulong b,
        nint bLayout,
        void* beta,
        ulong c,
        nint cLayout,
        ulong d,
        nint dLayout,
        CublasLtChoice* algorithm,
        ulong workspace,
        nuint workspaceBytes,
        nint stream);
}

/// <summary>An algorithm that the heuristic proposes (cublasLtMatmulHeuristicResult_t); its first 64 bytes are the algorithm itself.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CublasLtChoice
{
    public fixed ulong Algorithm[8];
    public nuint WorkspaceBytes;
    public int State;
    public float Waves;
    public fixed int Reserved[4];
}
