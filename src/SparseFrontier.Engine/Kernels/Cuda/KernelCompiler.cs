using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Compiles the embedded .cu files with NVIDIA's run-time compiler and keeps the results on disk, named by the hash of everything that affects them: source,
/// included sources, options, architecture and compiler version.
/// </summary>
internal static partial class KernelCompiler
{
    private const string Prefix = "SparseFrontier.Kernels.Cuda.";

    /// <summary>Folder of the compiled kernels: SPARSEFRONTIER_KERNEL_CACHE, or the user's cache folder.</summary>
    public static string CacheFolder
    {
        get
        {
            if (Environment.GetEnvironmentVariable("SPARSEFRONTIER_KERNEL_CACHE") is { Length: > 0 } folder)
            {
                return folder;
            }

            string root = OperatingSystem.IsWindows()
                ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
                    ? cache
                    : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(root, "sparsefrontier", "kernels");
        }
    }

    /// <summary>The machine code of a file for an architecture.</summary>
    /// <param name="file">Name of the embedded source.</param>
    /// <param name="defines">"-DNAME=VALUE" options.</param>
    /// <param name="architecture">"sm_80".</param>
    /// <exception cref="SparseFrontierException">CudaNotInstalled: no compiler. KernelCompilationFailed, with the compiler's messages.</exception>
    public static byte[] Compile(string file, IReadOnlyList<string> defines, string architecture)
    {
        if (!CudaLibraries.HasCompiler)
        {
            throw new SparseFrontierException(ErrorIds.CudaNotInstalled, CudaStatus.CompilerMissing(), file);
        }

        Check(Nvrtc.nvrtcVersion(out int major, out int minor), file, "nvrtcVersion");
        // Lambdas with parameters of any type cannot be marked as the device's without extensions.
        string[] options = [$"--gpu-architecture={architecture}", "--std=c++17", "-default-device", .. defines];
        Dictionary<string, string> headers = Headers(file);
        var cache = new KernelCache(CacheFolder);
        string key = Key(Source(file), headers, options, string.Create(CultureInfo.InvariantCulture, $"nvrtc {major}.{minor}"));
        if (cache.Read(key) is { } image)
        {
            return image;
        }

        image = Run(file, headers, options);
        cache.Write(key, image);
        return image;
    }

    /// <summary>Names of the embedded sources that can be compiled.</summary>
    public static IReadOnlyList<string> Files() =>
        [.. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && n.EndsWith(".cu", StringComparison.Ordinal))
            .Select(n => n[Prefix.Length..])
            .Order(StringComparer.Ordinal)];

    /// <summary>The hash that names a compiled kernel.</summary>
    internal static string Key(string source, IReadOnlyDictionary<string, string> headers, IReadOnlyList<string> options, string compiler)
    {
        var text = new StringBuilder();
        foreach (string part in (string[])[compiler, .. options, source, .. headers.OrderBy(h => h.Key, StringComparer.Ordinal).SelectMany(h => (string[])[h.Key, h.Value])])
        {
            // Lengths keep "ab", "c" apart from "a", "bc".
            text.Append(part.Length).Append(':').Append(part);
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>Text of an embedded source.</summary>
    internal static string Source(string file)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Prefix + file)
            ?? throw new ArgumentException($"The engine embeds no kernel source '{file}'.", nameof(file));
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    // What a source includes, and what that includes.
    private static Dictionary<string, string> Headers(string file)
    {
        var headers = new Dictionary<string, string>();
        var open = new Stack<string>([Source(file)]);
        while (open.TryPop(out string? text))
        {
            foreach (Match match in Include().Matches(text))
            {
                string name = match.Groups[1].Value;
                if (!headers.ContainsKey(name))
                {
                    headers.Add(name, Source(name));
                    open.Push(headers[name]);
                }
            }
        }

        return headers;
    }

    private static unsafe byte[] Run(string file, Dictionary<string, string> headers, string[] options)
    {
        Check(
            Nvrtc.nvrtcCreateProgram(out nint program, Source(file), file, headers.Count, [.. headers.Values], [.. headers.Keys]),
            file,
            "nvrtcCreateProgram");
        try
        {
            int code = Nvrtc.nvrtcCompileProgram(program, options.Length, options);
            if (code != 0)
            {
                Check(Nvrtc.nvrtcGetProgramLogSize(program, out nuint length), file, "nvrtcGetProgramLogSize");
                byte[] log = new byte[length];
                fixed (byte* target = log)
                {
                    Check(Nvrtc.nvrtcGetProgramLog(program, target), file, "nvrtcGetProgramLog");
                }

                Check(code, file, $"nvrtcCompileProgram with {string.Join(' ', options)}", Encoding.UTF8.GetString(log).TrimEnd('\0', '\n'));
            }

            Check(Nvrtc.nvrtcGetCUBINSize(program, out nuint bytes), file, "nvrtcGetCUBINSize");
            byte[] image = new byte[bytes];
            fixed (byte* target = image)
            {
                Check(Nvrtc.nvrtcGetCUBIN(program, target), file, "nvrtcGetCUBIN");
            }

            return image;
        }
        finally
        {
            _ = Nvrtc.nvrtcDestroyProgram(ref program);
        }
    }

    private static unsafe void Check(int code, string file, string call, string log = "")
    {
        if (code != 0)
        {
            string name = Marshal.PtrToStringUTF8((nint)Nvrtc.nvrtcGetErrorString(code)) ?? $"error {code}";
            throw new SparseFrontierException(
                ErrorIds.KernelCompilationFailed,
                $"{file}: {call}: {name}.{(log.Length > 0 ? $"\n{log}\n" : " ")}Update NVRTC (CUDA 12 or later) to one that knows this GPU, or use the device cpu.",
                file);
        }
    }

    [GeneratedRegex("^\\s*#include \"([^\"]+)\"", RegexOptions.Multiline)]
    private static partial Regex Include();
}
