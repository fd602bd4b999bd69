using System.Numerics;
using System.Runtime.InteropServices;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>What a step's product writes: elements, float32, float32 added to what is there.</summary>
internal enum StepOutput
{
    Elements = 0,
    Singles = 1,
    AddedSingles = 2,
}

/// <summary>
/// Products y = x Wᵀ of the rows of steps with weights; see step_product.cu. A row has the same bits whatever rows are beside it and however many.
/// </summary>
internal static unsafe class CudaStepProducts
{
    // Which warps take which elements of depth: the order of every sum, so that these are the same for any number of rows.
    private const int Warps = 8;
    private const int WarpsOfSmallMatrices = 4;
    private const int Unroll = 4;

    // Rows of a thread block at most, as its registers allow.
    private const int MostRowsOfBlock = 64;
    private const int OutputsOfBlock = 16;
    private const int GateKind = 3;
    private const int MostMatrices = 3;

    /// <summary>Products of the same rows with up to three matrices of one depth, at once.</summary>
    /// <param name="x">Address of [rows, depth], of the matrices' type.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="output">What is written.</param>
    /// <param name="products">Matrix, bias (elements alone, or null) and address of [rows, matrix rows] of each.</param>
    public static void Multiply(ulong x, int rows, StepOutput output, params ReadOnlySpan<(CudaMatrix Weight, CudaMemory? Bias, ulong Y)> products)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(products.Length, MostMatrices);
        Span<Part> parts = stackalloc Part[MostMatrices];
        parts.Fill(Part.Unused);
        int blocks = 0;
        for (int i = 0; i < products.Length; i++)
        {
            (CudaMatrix weight, CudaMemory? bias, ulong y) = products[i];
            parts[i] = new Part(weight.Memory.Address, 0, bias?.Address ?? 0, y, weight.Rows, blocks);
            blocks += (weight.Rows + OutputsOfBlock - 1) / OutputsOfBlock;
        }

        Launch(x, rows, products[0].Weight, (int)output, products.Length > 1 ? WarpsOfSmallMatrices : Warps, blocks, parts, 0);
    }

    /// <summary>y = activation(x gateᵀ) · x upᵀ, the products rounded before.</summary>
    /// <param name="x">Address of [rows, depth].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="gate">Goes through the activation.</param>
    /// <param name="up">Of the same shape.</param>
    /// <param name="y">Address of [rows, matrix rows] elements.</param>
    /// <param name="gelu">GELU (tanh) in place of SiLU.</param>
    public static void Gate(ulong x, int rows, CudaMatrix gate, CudaMatrix up, ulong y, bool gelu)
    {
        Span<Part> parts = stackalloc Part[MostMatrices];
        parts.Fill(Part.Unused);
        parts[0] = new Part(gate.Memory.Address, up.Memory.Address, 0, y, gate.Rows, 0);
        Launch(x, rows, gate, GateKind, Warps, (gate.Rows + (OutputsOfBlock / 2) - 1) / (OutputsOfBlock / 2), parts, gelu ? 1 : 0);
    }

    private static void Launch(ulong x, int rows, CudaMatrix weight, int kind, int warps, int blocks, Span<Part> parts, int gelu)
    {
        // Few sizes, because each is a kernel to compile and to load.
        int rowsOfBlock = Math.Min(MostRowsOfBlock, rows <= 8 ? 8 : (int)BitOperations.RoundUpToPowerOf2((uint)rows));
        fixed (Part* values = parts)
        {
            weight.Memory.Device.Function(
                "step_product.cu",
                "stepProduct",
                ("TYPE", CudaVectors.TypeValue(weight.Type)),
                ("ROWS", rowsOfBlock),
                ("WARPS", warps),
                ("UNROLL", Unroll),
                ("KIND", kind)).Launch((blocks, (rows + rowsOfBlock - 1) / rowsOfBlock, 1), 32 * warps, 0, x, KernelArgument.ByValue(values), rows, weight.Columns, gelu);
        }
    }

    // As struct Part of the source.
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Part(ulong Weights, ulong Up, ulong Bias, ulong Y, int Outputs, int FirstBlock)
    {
        public static Part Unused => new(0, 0, 0, 0, 0, 1 << 30);
    }
}
