using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>The functions of NVIDIA's run-time compiler that are used, by their own names. All return 0 for success.</summary>
internal static unsafe partial class Nvrtc
{
    private const string Library = CudaLibraries.Compiler;

    static Nvrtc() => CudaLibraries.Register();

    [LibraryImport(Library, EntryPoint = "nvrtcVersion")]
    public static partial int nvrtcVersion(out int major, out int minor);

    [LibraryImport(Library, EntryPoint = "nvrtcGetErrorString")]
    public static partial byte* nvrtcGetErrorString(int error);

    [LibraryImport(Library, EntryPoint = "nvrtcCreateProgram", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int nvrtcCreateProgram(out nint program, string source, string name, int headerCount, string[]? headers, string[]? headerNames);

    [LibraryImport(Library, EntryPoint = "nvrtcCompileProgram", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int nvrtcCompileProgram(nint program, int optionCount, string[] options);

    [LibraryImport(Library, EntryPoint = "nvrtcGetProgramLogSize")]
    public static partial int nvrtcGetProgramLogSize(nint program, out nuint bytes);

    [LibraryImport(Library, EntryPoint = "nvrtcGetProgramLog")]
    public static partial int nvrtcGetProgramLog(nint program, byte* log);

    [LibraryImport(Library, EntryPoint = "nvrtcGetCUBINSize")]
    public static partial int nvrtcGetCUBINSize(nint program, out nuint bytes);

    [LibraryImport(Library, EntryPoint = "nvrtcGetCUBIN")]
    public static partial int nvrtcGetCUBIN(nint program, byte* image);

    [LibraryImport(Library, EntryPoint = "nvrtcDestroyProgram")]
    public static partial int nvrtcDestroyProgram(ref nint program);
}
