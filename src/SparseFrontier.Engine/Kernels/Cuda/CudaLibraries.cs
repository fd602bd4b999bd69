using System.Reflection;
using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Finds NVIDIA's libraries where they usually lie: the loader's own search (LD_LIBRARY_PATH, PATH), CUDA_PATH and CUDA_HOME, toolkit
/// directories, and the wheels of a Python environment. Nothing is loaded before the first use.
/// </summary>
internal static class CudaLibraries
{
    /// <summary>The driver's library, as declarations name it.</summary>
    public const string Driver = "SparseFrontier.CudaDriver";

    /// <summary>The run-time compiler's library, as declarations name it.</summary>
    public const string Compiler = "SparseFrontier.Nvrtc";

    /// <summary>The library of matrix products, as declarations name it.</summary>
    public const string Products = "SparseFrontier.CublasLt";

    // Newest first: a newer compiler knows every older architecture that the kernels run on.
    private static readonly int[] s_compilerVersions = [13, 12];

    private static readonly Lazy<nint> s_driver = new(() => Load(DriverNames(), []));
    private static readonly Lazy<nint> s_compiler = new(() => Load(CompilerNames(), CompilerFolders()));
    private static readonly Lazy<nint> s_products = new(() => Load(ProductNames(), CompilerFolders()));

    // A type initialiser, because an assembly can be given a resolver only once.
    static CudaLibraries() => NativeLibrary.SetDllImportResolver(typeof(CudaLibraries).Assembly, Resolve);

    /// <summary>Whether the driver's library was found.</summary>
    public static bool HasDriver => s_driver.Value != 0;

    /// <summary>Whether the run-time compiler's library was found.</summary>
    public static bool HasCompiler => s_compiler.Value != 0;

    /// <summary>File names of the driver's library on this system.</summary>
    public static IReadOnlyList<string> DriverNames() =>
        OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "libcuda.so"];

    /// <summary>File names of the run-time compiler's library on this system.</summary>
    public static IReadOnlyList<string> CompilerNames() =>
        OperatingSystem.IsWindows()
            ? [.. s_compilerVersions.Select(v => $"nvrtc64_{v}0_0.dll")]
            : [.. s_compilerVersions.Select(v => $"libnvrtc.so.{v}"), "libnvrtc.so"];

    /// <summary>Whether the library of matrix products was found.</summary>
    public static bool HasProducts => s_products.Value != 0;

    /// <summary>File names of cuBLASLt on this system.</summary>
    public static IReadOnlyList<string> ProductNames() =>
        OperatingSystem.IsWindows()
            ? [.. s_compilerVersions.Select(v => $"cublasLt64_{v}.dll")]
            : [.. s_compilerVersions.Select(v => $"libcublasLt.so.{v}"), "libcublasLt.so"];

    /// <summary>Existing folders that may hold the run-time compiler and cuBLASLt, in the order in which they are searched.</summary>
    public static IReadOnlyList<string> CompilerFolders()
    {
        bool windows = OperatingSystem.IsWindows();
        var folders = new List<string>();
        foreach (string name in (string[])["CUDA_PATH", "CUDA_HOME"])
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } root)
            {
                folders.AddRange(ToolkitFolders(root));
            }
        }

        string toolkits = windows
            ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "NVIDIA GPU Computing Toolkit", "CUDA")
            : "/usr/local";
        folders.AddRange(Folders(toolkits, windows ? "v*" : "cuda*").SelectMany(ToolkitFolders));
        if (!windows)
        {
            folders.AddRange([.. ToolkitFolders("/opt/cuda"), "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]);
        }

        foreach (string packages in PythonPackages())
        {
            folders.AddRange(Folders(Path.Combine(packages, "nvidia"), "*").SelectMany(ToolkitFolders));
        }

        return [.. folders.Where(Directory.Exists).Distinct()];
    }

    /// <summary>Has the declarations resolved; called before the first of them.</summary>
    public static void Register()
    {
        // Running the type initialiser is all that is needed.
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? search) => name switch
    {
        Driver => s_driver.Value,
        Compiler => s_compiler.Value,
        Products => s_products.Value,
        _ => 0,
    };

    private static nint Load(IReadOnlyList<string> names, IReadOnlyList<string> folders)
    {
        foreach (string path in names.Concat(folders.SelectMany(folder => names.Select(name => Path.Combine(folder, name)))))
        {
            if (NativeLibrary.TryLoad(path, out nint handle))
            {
                return handle;
            }
        }

        return 0;
    }

    // A toolkit, or a wheel, which is laid out like one.
    private static IEnumerable<string> ToolkitFolders(string root) =>
        ((string[])["lib64", "lib", "bin", Path.Combine("bin", "x64")]).Select(folder => Path.Combine(root, folder));

    private static IEnumerable<string> PythonPackages()
    {
        var roots = new List<string>();
        foreach (string name in (string[])["VIRTUAL_ENV", "CONDA_PREFIX"])
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } root)
            {
                roots.Add(root);
            }
        }

        // The interpreter on the path: its own environment is one folder up.
        string interpreter = OperatingSystem.IsWindows() ? "python.exe" : "python3";
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            if (File.Exists(Path.Combine(folder, interpreter)) && Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(folder)) is { } root)
            {
                roots.Add(root);
            }
        }

        if (Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 0 } home)
        {
            roots.Add(Path.Combine(home, ".local"));
        }

        return OperatingSystem.IsWindows()
            ? roots.Distinct().Select(root => Path.Combine(root, "Lib", "site-packages"))
            : roots.Distinct().SelectMany(root => Folders(Path.Combine(root, "lib"), "python3*"))
                .SelectMany(python => (string[])[Path.Combine(python, "site-packages"), Path.Combine(python, "dist-packages")]);
    }

    // Newest version first where names hold one.
    private static string[] Folders(string root, string pattern)
    {
        try
        {
            return Directory.Exists(root) ? Directory.EnumerateDirectories(root, pattern).OrderDescending(StringComparer.Ordinal).ToArray() : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
