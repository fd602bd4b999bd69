using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>A call into CUDA failed.</summary>
public sealed class CudaException : SparseFrontierException
{
    /// <summary>CUDA's number for memory that is not there.</summary>
    internal const int OutOfMemory = 2;

    private CudaException(string errorId, string message, int code, Exception? innerException = null)
        : base(errorId, message, null, innerException) =>
        Code = code;

    /// <summary>CUDA's own number of the error.</summary>
    public int Code { get; }

    /// <summary>Throws if a driver call failed.</summary>
    /// <param name="code">What the call returned.</param>
    /// <param name="call">The call's name and what it was for.</param>
    internal static void Check(int code, string call)
    {
        if (code != 0)
        {
            Throw(code, call);
        }
    }

    /// <summary>Throws if a driver call failed; the text is made only then.</summary>
    internal static void Check(int code, Func<string> call)
    {
        if (code != 0)
        {
            Throw(code, call());
        }
    }

    private static unsafe void Throw(int code, string call)
    {
        string name = CudaDriver.cuGetErrorName(code, out byte* text) == 0 ? Marshal.PtrToStringUTF8((nint)text)! : $"error {code}";
        string description = CudaDriver.cuGetErrorString(code, out text) == 0 ? Marshal.PtrToStringUTF8((nint)text)! : "unknown to this driver";
        if (code == OutOfMemory)
        {
            throw new CudaException(
                ErrorIds.DeviceOutOfMemory,
                $"{call}: {name} ({description}). Shorten the prompt, lower the batch, take a smaller model, or free the GPU's memory (nvidia-smi lists who holds it).",
                code);
        }

        throw new CudaException(
            ErrorIds.DeviceFailed,
            $"{call}: {name} ({description}). The GPU's state is lost for this process: start again, or use the device cpu. If it repeats, run `kernels test --device cuda:0`.",
            code);
    }
}
