using System.Collections.Concurrent;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Products y = x Wᵀ of a prompt's rows with weights, by cuBLASLt, or by product.cu where that library is not there. The algorithm follows from the weight's shape,
/// never from the number of rows, and no sum is split over thread blocks: a row has the same bits whatever rows are beside it. Not for use by several threads at once.
/// The rows of steps: <see cref="CudaStepProducts"/>.
/// </summary>
internal sealed unsafe class CudaProducts
{
    /// <summary>Rows are rounded up to a multiple of this; memory of x and y has room for them.</summary>
    public const int RowsUnit = 256;

    // What the algorithm is chosen at.
    private const int TypicalRows = 4096;

    // Codes of cuBLASLt; with little memory it returns the others too.
    private const int NotInitialized = 1;
    private const int AllocationFailed = 3;
    private const int InternalError = 14;
    private const int ComputeSingle = 68;
    private const int Single = 0;
    private const int TransposeFirst = 3;
    private const int MaximumWorkspace = 1;
    private const int ReductionSchemes = 3;
    private static readonly ConcurrentDictionary<CudaDevice, CudaProducts> s_products = new();

    private readonly CudaDevice _device;
    private readonly bool _useLibrary;
    private readonly nint _handle;
    private readonly nint _operation;
    private readonly nint _preference;
    private readonly Dictionary<(int Type, ulong Rows, ulong Columns), nint> _layouts = [];
    private readonly Dictionary<(int Outputs, int Depth, int Type, int OutputType), CublasLtChoice> _choices = [];

    /// <summary>The products of a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="useLibrary">Whether to use cuBLASLt.</param>
    public CudaProducts(CudaDevice device, bool useLibrary)
    {
        _device = device;
        _useLibrary = useLibrary;
        if (!useLibrary)
        {
            return;
        }

        using CudaDevice.Scope scope = device.Enter();
        int code = CublasLt.cublasLtCreate(out _handle);
        if (MayLackMemory(code))
        {
            device.GiveBack();
            code = CublasLt.cublasLtCreate(out _handle);
        }

        Check(code, "cublasLtCreate");
        Check(CublasLt.cublasLtMatmulDescCreate(out _operation, ComputeSingle, Single), "cublasLtMatmulDescCreate");
        int transposed = 1;
        Check(CublasLt.cublasLtMatmulDescSetAttribute(_operation, TransposeFirst, &transposed, sizeof(int)), "cublasLtMatmulDescSetAttribute");
        Check(CublasLt.cublasLtMatmulPreferenceCreate(out _preference), "cublasLtMatmulPreferenceCreate");

        // Without a workspace and without reductions no algorithm can split a sum.
        ulong workspace = 0;
        int schemes = 0;
        Check(CublasLt.cublasLtMatmulPreferenceSetAttribute(_preference, MaximumWorkspace, &workspace, sizeof(ulong)), "cublasLtMatmulPreferenceSetAttribute");
        Check(CublasLt.cublasLtMatmulPreferenceSetAttribute(_preference, ReductionSchemes, &schemes, sizeof(int)), "cublasLtMatmulPreferenceSetAttribute");
    }

    /// <summary>The products of a device, by cuBLASLt where it was found.</summary>
    public static CudaProducts Of(CudaDevice device) => s_products.GetOrAdd(device, d => new CudaProducts(d, CudaLibraries.HasProducts));

    /// <summary>Rows that a product of so many writes.</summary>
    public static int WrittenRows(int rows) => CudaAttention.RoundUp(rows, RowsUnit);

    /// <summary>y = x Wᵀ, or y += x Wᵀ.</summary>
    /// <param name="x">Address of [rows, W's columns], of W's type.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="weight">W.</param>
    /// <param name="y">Address of [rows, W's rows].</param>
    /// <param name="single">Whether y is float32; else it is of W's type.</param>
    /// <param name="add">Whether to add to y, which is then float32.</param>
    public void Multiply(ulong x, int rows, CudaMatrix weight, ulong y, bool single, bool add)
    {
        if (!_useLibrary || weight.Columns % 8 != 0)
        {
            MultiplyByKernel(x, rows, weight, y, single, add);
            return;
        }

        using CudaDevice.Scope scope = _device.Enter();
        int type = weight.Type == DataType.BF16 ? 14 : 2;
        int outputType = single ? Single : type;
        ulong columns = (ulong)WrittenRows(rows);
        nint a = Layout(type, (ulong)weight.Columns, (ulong)weight.Rows);
        nint b = Layout(type, (ulong)weight.Columns, columns);
        nint d = Layout(outputType, (ulong)weight.Rows, columns);
        CublasLtChoice choice = Choose(weight, type, outputType);
        float alpha = 1;
        float beta = add ? 1 : 0;
        int code = CublasLt.cublasLtMatmul(_handle, _operation, &alpha, weight.Memory.Address, a, x, b, &beta, y, d, y, d, &choice, 0, 0, _device.Stream);
        if (MayLackMemory(code) && !_device.IsRecording)
        {
            _device.GiveBack();
            code = CublasLt.cublasLtMatmul(_handle, _operation, &alpha, weight.Memory.Address, a, x, b, &beta, y, d, y, d, &choice, 0, 0, _device.Stream);
        }

        if (code != 0)
        {
            Check(code, $"cublasLtMatmul of {columns} rows with [{weight.Rows}, {weight.Columns}]");
        }
    }

    private void MultiplyByKernel(ulong x, int rows, CudaMatrix weight, ulong y, bool single, bool add)
    {
        if (weight.Columns % 8 != 0)
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceUnsupported, $"A GPU multiplies with matrices whose columns are a multiple of 8, not {weight.Columns}. Use the device cpu.", weight.Columns);
        }

        _device.Function("product.cu", "product", ("TYPE", CudaVectors.TypeValue(weight.Type)), ("SINGLE", single ? 1 : 0), ("ADD", add ? 1 : 0)).Launch(
            ((weight.Rows + 63) / 64, (rows + 63) / 64, 1), 128, 0, x, weight.Memory, y, rows, weight.Rows, weight.Columns);
    }

    private CublasLtChoice Choose(CudaMatrix weight, int type, int outputType)
    {
        var key = (weight.Rows, weight.Columns, type, outputType);
        if (_choices.TryGetValue(key, out CublasLtChoice choice))
        {
            return choice;
        }

        const ulong rows = TypicalRows;
        nint a = Layout(type, (ulong)weight.Columns, (ulong)weight.Rows);
        nint b = Layout(type, (ulong)weight.Columns, rows);
        nint d = Layout(outputType, (ulong)weight.Rows, rows);
        Check(
            CublasLt.cublasLtMatmulAlgoGetHeuristic(_handle, _operation, a, b, d, d, _preference, 1, &choice, out int count),
            $"cublasLtMatmulAlgoGetHeuristic of {rows} rows with [{weight.Rows}, {weight.Columns}]");
        if (count == 0)
        {
            throw new SparseFrontierException(ErrorIds.DeviceUnsupported, $"cuBLASLt has no product with [{weight.Rows}, {weight.Columns}] of {weight.Type}. Use the device cpu.", weight.Rows);
        }

        _choices.Add(key, choice);
        return choice;
    }

    private nint Layout(int type, ulong rows, ulong columns)
    {
        if (!_layouts.TryGetValue((type, rows, columns), out nint layout))
        {
            Check(CublasLt.cublasLtMatrixLayoutCreate(out layout, type, rows, columns, (long)rows), "cublasLtMatrixLayoutCreate");
            _layouts.Add((type, rows, columns), layout);
        }

        return layout;
    }

    private static bool MayLackMemory(int code) => code is NotInitialized or AllocationFailed or InternalError;

    private static void Check(int code, string call)
    {
        if (code == AllocationFailed)
        {
            CudaException.Check(CudaException.OutOfMemory, $"{call}: cuBLASLt error {code}");
        }

        if (code != 0)
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceFailed, $"{call}: cuBLASLt error {code}. {(MayLackMemory(code) ? "Other programs may hold the GPU's memory; else update" : "Update")} cuBLASLt (CUDA 12 or later), or use the device cpu.", code);
        }
    }
}
