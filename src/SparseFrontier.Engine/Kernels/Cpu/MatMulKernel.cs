using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// output[r, o] = start[r, o] + Σ_i input[r, i] W[o, i], where the start is a bias, zero or the output itself. Cost: rows · outputs · inputs
/// multiply-adds; for few rows, reading the weights once.
/// </summary>
/// <remarks>
/// Lanes are outputs. A task owns some panels of the packed weights and some rows. It takes the inputs in slices, copies its rows' part of a slice so that it stays in
/// the second-level cache, and goes through its panels tile by tile (<see cref="MatMulTile{TSimd, TVector}"/>), which fetch the next panel's weights meanwhile. Every
/// element adds its products to the start in ascending order of the inputs, one fused operation each, so its bits depend on neither slices, tiles, other rows nor
/// threads, and a product over the first columns of a matrix followed by one over the rest that adds to it has the bits of one product.
/// </remarks>
internal static unsafe class MatMulKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int TileRows = MatMulTile<TSimd, TVector>.MaximumRows;
    private const int SliceInputs = MatMulTile<TSimd, TVector>.MaximumDepth;
    private const int InputStride = MatMulTile<TSimd, TVector>.InputStride;

    // 240 rows of a slice are half a megabyte.
    private const int MaximumTaskRows = 40 * TileRows;
    private const int MinimumTaskRows = 10 * TileRows;
    private const int MaximumTaskPanels = 16;

    // So many tasks for each thread let fast threads take more of them.
    private const int TasksPerThread = 4;

    /// <summary>Runs on all cores.</summary>
    /// <param name="input">[rows, weight.Columns].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs] or null; not used when adding.</param>
    /// <param name="add">Whether to add to the output.</param>
    /// <param name="output">[rows, weight.Rows].</param>
    /// <param name="cancellationToken">Stops between tasks.</param>
    public static void Run<TElement>(float* input, int rows, WeightMatrix weight, float* bias, bool add, float* output, CancellationToken cancellationToken)
        where TElement : struct, IWeightElement
    {
        int panels = weight.PanelCount;
        int threads = WorkerPool.ThreadCount;

        // Inputs are copied by every group of panels, weights come from another cache for every block of rows: blocks are taken down to some size first.
        int fewestGroups = Math.Max(1, DivideUp(panels, MaximumTaskPanels));
        int fewestBlocks = DivideUp(rows, MaximumTaskRows);
        int wantedBlocks = Math.Clamp(DivideUp(TasksPerThread * threads, fewestGroups), fewestBlocks, Math.Max(fewestBlocks, rows / MinimumTaskRows));
        if (wantedBlocks > threads)
        {
            wantedBlocks = DivideUp(wantedBlocks, threads) * threads;
        }

        int taskRows = DivideUp(DivideUp(rows, wantedBlocks), TileRows) * TileRows;
        int rowBlocks = DivideUp(rows, taskRows);
        int wantedGroups = Math.Max(fewestGroups, DivideUp(TasksPerThread * threads, rowBlocks));
        int taskPanels = Math.Max(1, panels / wantedGroups);
        int panelGroups = DivideUp(panels, taskPanels);
        WorkerPool.For(
            panelGroups * rowBlocks,
            task =>
            {
                int firstPanel = task % panelGroups * taskPanels;
                int firstRow = task / panelGroups * taskRows;
                RunTask<TElement>(
                    input, firstRow, Math.Min(rows, firstRow + taskRows), weight, firstPanel, Math.Min(panels, firstPanel + taskPanels), bias, add, output);
            },
            cancellationToken);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunTask<TElement>(
        float* input, int firstRow, int endRow, WeightMatrix weight, int firstPanel, int endPanel, float* bias, bool add, float* output)
        where TElement : struct, IWeightElement
    {
        const int PanelWidth = WeightMatrix.PanelWidth;
        int rows = endRow - firstRow;
        int panels = endPanel - firstPanel;
        float* block = ThreadScratch.Rent(((long)rows * InputStride) + (panels * PanelWidth) + (TileRows * PanelWidth));
        float* starts = block + ((long)rows * InputStride);
        float* edge = starts + (panels * PanelWidth);
        var start = new Span<float>(starts, panels * PanelWidth);
        start.Clear();
        if (bias != null)
        {
            int first = firstPanel * PanelWidth;
            new ReadOnlySpan<float>(bias + first, Math.Min(panels * PanelWidth, weight.Rows - first)).CopyTo(start);
        }

        for (int firstInput = 0; firstInput < weight.Columns; firstInput += SliceInputs)
        {
            int depth = Math.Min(SliceInputs, weight.Columns - firstInput);
            for (int r = 0; r < rows; r++)
            {
                new ReadOnlySpan<float>(input + ((long)(firstRow + r) * weight.Columns) + firstInput, depth).CopyTo(new Span<float>(block + ((long)r * InputStride), depth));
            }

            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                // The first slice begins at the bias, unless the product adds to the output.
                float* panelStart = firstInput == 0 && !add ? starts + ((panel - firstPanel) * PanelWidth) : null;
                float* panelOutput = output + ((long)firstRow * weight.Rows) + (panel * PanelWidth);

                // After the last panel comes the first one's next slice, and after the last slice, in a task of the next rows, the first slice.
                bool lastPanel = panel + 1 == endPanel;
                int nextPanel = lastPanel ? firstPanel : panel + 1;
                int followingInput = firstInput + depth < weight.Columns ? firstInput + depth : 0;
                int nextInput = lastPanel ? followingInput : firstInput;
                byte* next = weight.Panel(nextPanel) + ((long)nextInput * weight.StoredWidth(nextPanel) * TElement.Size);
                MultiplyPanel<TElement>(block, rows, weight, panel, firstInput, depth, panelStart, panelOutput, edge, next);
            }
        }
    }

    // output[rows, outputs of the panel] = start, or the output itself where that is null, + the products of one slice. Fetches what comes next meanwhile,
    // as large a slice of a panel, into the second-level cache: where its weights were waited for, tiles took 8 % longer.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyPanel<TElement>(
        float* block, int rows, WeightMatrix weight, int panel, int firstInput, int depth, float* start, float* output, float* edge, byte* next)
        where TElement : struct, IWeightElement
    {
        int outputs = Math.Min(WeightMatrix.PanelWidth, weight.Rows - (panel * WeightMatrix.PanelWidth));
        long weightStep = (long)weight.StoredWidth(panel) * TElement.Size;
        byte* weights = weight.Panel(panel) + (firstInput * weightStep);
        int tileWidth = MatMulTile<TSimd, TVector>.MaximumVectors * TSimd.Width;

        // The tiles share the next panel's slice.
        long tiles = (long)DivideUp(outputs, tileWidth) * DivideUp(rows, TileRows);
        long nextStep = (weightStep + tiles - 1) / tiles;
        for (int column = 0; column < outputs; column += tileWidth)
        {
            int width = Math.Min(tileWidth, outputs - column);
            int vectors = DivideUp(width, TSimd.Width);
            byte* tileWeights = weights + (column * TElement.Size);
            for (int row = 0; row < rows; row += TileRows)
            {
                int height = Math.Min(TileRows, rows - row);
                float* a = block + ((long)row * InputStride);
                float* target = output + ((long)row * weight.Rows) + column;
                if (width % TSimd.Width == 0)
                {
                    float* from = start == null ? target : start + column;
                    long fromStride = start == null ? weight.Rows : 0;
                    MatMulTile<TSimd, TVector>.Multiply<TElement>(
                        height, vectors, a, tileWeights, weightStep, depth, from, fromStride, target, weight.Rows, next, nextStep);
                    next += depth * nextStep;
                    continue;
                }

                for (int r = 0; r < height; r++)
                {
                    float* from = start == null ? target + ((long)r * weight.Rows) : start + column;
                    new ReadOnlySpan<float>(from, width).CopyTo(new Span<float>(edge + (r * tileWidth), width));
                }

                MatMulTile<TSimd, TVector>.Multiply<TElement>(
                    height, vectors, a, tileWeights, weightStep, depth, edge, tileWidth, edge, tileWidth, next, nextStep);
                next += depth * nextStep;
                for (int r = 0; r < height; r++)
                {
                    new ReadOnlySpan<float>(edge + (r * tileWidth), width).CopyTo(new Span<float>(target + ((long)r * weight.Rows), width));
                }
            }
        }
    }

    private static int DivideUp(int a, int b) => (a + b - 1) / b;
}
