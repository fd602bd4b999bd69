using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// output[r, o] = bias[o] + Σ_i input[r, i] W[o, i] for many rows. Cost: rows · outputs · inputs multiply-adds.
/// </summary>
/// <remarks>
/// Lanes are outputs. A task owns a few panels of three vectors of outputs and a range of rows; it takes the inputs in slices, for which it
/// transposes the panels (widened to float32) so that they stay in the second-level cache, and copies a few rows at a time into the first.
/// The register tile is 8 (or 4) rows x 3 vectors, fewer in the last panel. Every element adds its products to the bias in ascending order of the inputs, one fused
/// operation each, so its bits depend on neither slices, tiles, rows nor threads.
/// </remarks>
internal static unsafe class MatMulKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int SliceInputs = 512;

    // Not a power of two, so that the rows of a tile do not fall into the same cache sets.
    private const int TileStride = SliceInputs + 16;

    private const int MaximumPanels = 4;
    private const int MinimumTaskRows = 64;

    private static int PanelWidth => 3 * TSimd.Width;

    private static int TileRows => TSimd.HasManyRegisters ? 8 : 4;

    public static void Run<TElement>(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken)
        where TElement : struct, IWeightElement
    {
        int panels = (weight.Rows + PanelWidth - 1) / PanelWidth;
        int taskPanels = Math.Min(MaximumPanels, panels);
        int taskRows = RoundUp(rows, TileRows);
        int wanted = WorkerPool.ThreadCount == 1 ? 1 : 4 * WorkerPool.ThreadCount;
        while (Tasks() < wanted && taskRows > 2 * MinimumTaskRows)
        {
            taskRows = RoundUp(taskRows / 2, TileRows);
        }

        while (Tasks() < wanted && taskPanels > 1)
        {
            taskPanels--;
        }

        int panelGroups = DivideUp(panels, taskPanels);
        WorkerPool.For(
            Tasks(),
            task =>
            {
                int firstOutput = task % panelGroups * taskPanels * PanelWidth;
                int firstRow = task / panelGroups * taskRows;
                RunTask<TElement>(
                    input,
                    firstRow,
                    Math.Min(rows, firstRow + taskRows),
                    weight,
                    firstOutput,
                    Math.Min(weight.Rows, firstOutput + (taskPanels * PanelWidth)),
                    bias,
                    output);
            },
            cancellationToken);

        int Tasks() => DivideUp(panels, taskPanels) * DivideUp(rows, taskRows);
    }

    private static void RunTask<TElement>(
        float* input, int firstRow, int endRow, WeightMatrix weight, int firstOutput, int endOutput, float* bias, float* output)
        where TElement : struct, IWeightElement
    {
        int tileRows = TileRows;
        int panelWidth = PanelWidth;
        int panels = DivideUp(endOutput - firstOutput, panelWidth);
        long panelSize = (long)panelWidth * SliceInputs;
        float* packed = ThreadScratch.Rent((panels * panelSize) + (tileRows * TileStride) + (tileRows * panelWidth) + (panels * panelWidth));
        float* tile = packed + (panels * panelSize);
        float* edge = tile + (tileRows * TileStride);
        float* start = edge + (tileRows * panelWidth);
        new Span<float>(tile, tileRows * TileStride).Clear();
        var starts = new Span<float>(start, panels * panelWidth);
        starts.Clear();
        if (bias != null)
        {
            new Span<float>(bias + firstOutput, endOutput - firstOutput).CopyTo(starts);
        }

        for (int firstInput = 0; firstInput < weight.Columns; firstInput += SliceInputs)
        {
            int depth = Math.Min(SliceInputs, weight.Columns - firstInput);
            for (int p = 0; p < panels; p++)
            {
                Pack<TElement>(weight, firstOutput + (p * panelWidth), firstInput, depth, packed + (p * panelSize));
            }

            for (int row = firstRow; row < endRow; row += tileRows)
            {
                int tileHeight = Math.Min(tileRows, endRow - row);
                for (int r = 0; r < tileHeight; r++)
                {
                    new ReadOnlySpan<float>(input + ((long)(row + r) * weight.Columns) + firstInput, depth).CopyTo(new Span<float>(tile + (r * TileStride), depth));
                }

                for (int p = 0; p < panels; p++)
                {
                    int column = firstOutput + (p * panelWidth);
                    int width = Math.Min(panelWidth, endOutput - column);
                    float* target = output + ((long)row * weight.Rows) + column;
                    int vectors = DivideUp(width, TSimd.Width);
                    if (tileHeight == tileRows && width % TSimd.Width == 0)
                    {
                        bool first = firstInput == 0;
                        MultiplyTile(vectors, tile, packed + (p * panelSize), depth, first ? start + (p * panelWidth) : target, first ? 0 : weight.Rows, target, weight.Rows);
                        continue;
                    }

                    for (int r = 0; r < tileRows; r++)
                    {
                        float* source = firstInput == 0 || r >= tileHeight ? start + (p * panelWidth) : target + ((long)r * weight.Rows);
                        new ReadOnlySpan<float>(source, width).CopyTo(new Span<float>(edge + (r * panelWidth), width));
                    }

                    MultiplyTile(vectors, tile, packed + (p * panelSize), depth, edge, panelWidth, edge, panelWidth);
                    for (int r = 0; r < tileHeight; r++)
                    {
                        new ReadOnlySpan<float>(edge + (r * panelWidth), width).CopyTo(new Span<float>(target + ((long)r * weight.Rows), width));
                    }
                }
            }
        }
    }

    // packed[i][o] = W[firstOutput + o, firstInput + i], zero beyond the last output.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TElement>(WeightMatrix weight, int firstOutput, int firstInput, int depth, float* packed)
        where TElement : struct, IWeightElement
    {
        int panelWidth = PanelWidth;
        int outputs = Math.Min(panelWidth, weight.Rows - firstOutput);
        int blocks = SimdTranspose.IsSupported ? outputs / 8 : 0;
        int blockDepth = depth / 8 * 8;
        for (int block = 0; block < blocks; block++)
        {
            long first = ((long)(firstOutput + (block * 8)) * weight.Columns) + firstInput;
            for (int i = 0; i < blockDepth; i += 8)
            {
                Transpose8x8<TElement>(weight.Data, first + i, weight.Columns, packed + ((long)i * panelWidth) + (block * 8), panelWidth);
            }

            PackScalar<TElement>(weight, firstOutput, firstInput, blockDepth, depth, block * 8, (block + 1) * 8, packed);
        }

        PackScalar<TElement>(weight, firstOutput, firstInput, 0, depth, blocks * 8, outputs, packed);
        if (outputs < panelWidth)
        {
            for (int i = 0; i < depth; i++)
            {
                new Span<float>(packed + ((long)i * panelWidth) + outputs, panelWidth - outputs).Clear();
            }
        }
    }

    private static void PackScalar<TElement>(
        WeightMatrix weight, int firstOutput, int firstInput, int from, int to, int firstColumn, int endColumn, float* packed)
        where TElement : struct, IWeightElement
    {
        for (int o = firstColumn; o < endColumn; o++)
        {
            long row = ((long)(firstOutput + o) * weight.Columns) + firstInput;
            for (int i = from; i < to; i++)
            {
                packed[((long)i * PanelWidth) + o] = TElement.LoadScalar(weight.Data, row + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8x8<TElement>(void* data, long index, long stride, float* target, long targetStride)
        where TElement : struct, IWeightElement
    {
        Vector256<float> r0 = TElement.Load<Simd256, Vector256<float>>(data, index);
        Vector256<float> r1 = TElement.Load<Simd256, Vector256<float>>(data, index + stride);
        Vector256<float> r2 = TElement.Load<Simd256, Vector256<float>>(data, index + (2 * stride));
        Vector256<float> r3 = TElement.Load<Simd256, Vector256<float>>(data, index + (3 * stride));
        Vector256<float> r4 = TElement.Load<Simd256, Vector256<float>>(data, index + (4 * stride));
        Vector256<float> r5 = TElement.Load<Simd256, Vector256<float>>(data, index + (5 * stride));
        Vector256<float> r6 = TElement.Load<Simd256, Vector256<float>>(data, index + (6 * stride));
        Vector256<float> r7 = TElement.Load<Simd256, Vector256<float>>(data, index + (7 * stride));
        SimdTranspose.Transpose8x8(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7);
        r0.Store(target);
        r1.Store(target + targetStride);
        r2.Store(target + (2 * targetStride));
        r3.Store(target + (3 * targetStride));
        r4.Store(target + (4 * targetStride));
        r5.Store(target + (5 * targetStride));
        r6.Store(target + (6 * targetStride));
        r7.Store(target + (7 * targetStride));
    }

    // c = start + a b for the first `vectors` vectors of a panel.
    private static void MultiplyTile(int vectors, float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        switch (vectors + (TSimd.HasManyRegisters ? 3 : 0))
        {
            case 1:
                Multiply4x1(a, b, depth, start, startStride, c, stride);
                break;
            case 2:
                Multiply4x2(a, b, depth, start, startStride, c, stride);
                break;
            case 3:
                Multiply4x3(a, b, depth, start, startStride, c, stride);
                break;
            case 4:
                Multiply8x1(a, b, depth, start, startStride, c, stride);
                break;
            case 5:
                Multiply8x2(a, b, depth, start, startStride, c, stride);
                break;
            default:
                Multiply8x3(a, b, depth, start, startStride, c, stride);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply8x3(float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        int width = TSimd.Width;
        TVector c00 = TSimd.Load(start);
        TVector c01 = TSimd.Load(start + width);
        TVector c02 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c10 = TSimd.Load(start);
        TVector c11 = TSimd.Load(start + width);
        TVector c12 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c20 = TSimd.Load(start);
        TVector c21 = TSimd.Load(start + width);
        TVector c22 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c30 = TSimd.Load(start);
        TVector c31 = TSimd.Load(start + width);
        TVector c32 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c40 = TSimd.Load(start);
        TVector c41 = TSimd.Load(start + width);
        TVector c42 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c50 = TSimd.Load(start);
        TVector c51 = TSimd.Load(start + width);
        TVector c52 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c60 = TSimd.Load(start);
        TVector c61 = TSimd.Load(start + width);
        TVector c62 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c70 = TSimd.Load(start);
        TVector c71 = TSimd.Load(start + width);
        TVector c72 = TSimd.Load(start + (2 * width));
        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            TVector b1 = TSimd.Load(b + width);
            TVector b2 = TSimd.Load(b + (2 * width));
            b += 3 * width;
            TVector x = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            c01 = TSimd.MultiplyAdd(x, b1, c01);
            c02 = TSimd.MultiplyAdd(x, b2, c02);
            x = TSimd.Broadcast(a[k + TileStride]);
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            c11 = TSimd.MultiplyAdd(x, b1, c11);
            c12 = TSimd.MultiplyAdd(x, b2, c12);
            x = TSimd.Broadcast(a[k + (2 * TileStride)]);
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            c21 = TSimd.MultiplyAdd(x, b1, c21);
            c22 = TSimd.MultiplyAdd(x, b2, c22);
            x = TSimd.Broadcast(a[k + (3 * TileStride)]);
            c30 = TSimd.MultiplyAdd(x, b0, c30);
            c31 = TSimd.MultiplyAdd(x, b1, c31);
            c32 = TSimd.MultiplyAdd(x, b2, c32);
            x = TSimd.Broadcast(a[k + (4 * TileStride)]);
            c40 = TSimd.MultiplyAdd(x, b0, c40);
            c41 = TSimd.MultiplyAdd(x, b1, c41);
            c42 = TSimd.MultiplyAdd(x, b2, c42);
            x = TSimd.Broadcast(a[k + (5 * TileStride)]);
            c50 = TSimd.MultiplyAdd(x, b0, c50);
            c51 = TSimd.MultiplyAdd(x, b1, c51);
            c52 = TSimd.MultiplyAdd(x, b2, c52);
            x = TSimd.Broadcast(a[k + (6 * TileStride)]);
            c60 = TSimd.MultiplyAdd(x, b0, c60);
            c61 = TSimd.MultiplyAdd(x, b1, c61);
            c62 = TSimd.MultiplyAdd(x, b2, c62);
            x = TSimd.Broadcast(a[k + (7 * TileStride)]);
            c70 = TSimd.MultiplyAdd(x, b0, c70);
            c71 = TSimd.MultiplyAdd(x, b1, c71);
            c72 = TSimd.MultiplyAdd(x, b2, c72);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + width);
        TSimd.Store(c02, c + (2 * width));
        c += stride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + width);
        TSimd.Store(c12, c + (2 * width));
        c += stride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + width);
        TSimd.Store(c22, c + (2 * width));
        c += stride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + width);
        TSimd.Store(c32, c + (2 * width));
        c += stride;
        TSimd.Store(c40, c);
        TSimd.Store(c41, c + width);
        TSimd.Store(c42, c + (2 * width));
        c += stride;
        TSimd.Store(c50, c);
        TSimd.Store(c51, c + width);
        TSimd.Store(c52, c + (2 * width));
        c += stride;
        TSimd.Store(c60, c);
        TSimd.Store(c61, c + width);
        TSimd.Store(c62, c + (2 * width));
        c += stride;
        TSimd.Store(c70, c);
        TSimd.Store(c71, c + width);
        TSimd.Store(c72, c + (2 * width));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply8x2(float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        int width = TSimd.Width;
        TVector c00 = TSimd.Load(start);
        TVector c01 = TSimd.Load(start + width);
        start += startStride;
        TVector c10 = TSimd.Load(start);
        TVector c11 = TSimd.Load(start + width);
        start += startStride;
        TVector c20 = TSimd.Load(start);
        TVector c21 = TSimd.Load(start + width);
        start += startStride;
        TVector c30 = TSimd.Load(start);
        TVector c31 = TSimd.Load(start + width);
        start += startStride;
        TVector c40 = TSimd.Load(start);
        TVector c41 = TSimd.Load(start + width);
        start += startStride;
        TVector c50 = TSimd.Load(start);
        TVector c51 = TSimd.Load(start + width);
        start += startStride;
        TVector c60 = TSimd.Load(start);
        TVector c61 = TSimd.Load(start + width);
        start += startStride;
        TVector c70 = TSimd.Load(start);
        TVector c71 = TSimd.Load(start + width);
        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            TVector b1 = TSimd.Load(b + width);
            b += 3 * width;
            TVector x = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            c01 = TSimd.MultiplyAdd(x, b1, c01);
            x = TSimd.Broadcast(a[k + TileStride]);
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            c11 = TSimd.MultiplyAdd(x, b1, c11);
            x = TSimd.Broadcast(a[k + (2 * TileStride)]);
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            c21 = TSimd.MultiplyAdd(x, b1, c21);
            x = TSimd.Broadcast(a[k + (3 * TileStride)]);
            c30 = TSimd.MultiplyAdd(x, b0, c30);
            c31 = TSimd.MultiplyAdd(x, b1, c31);
            x = TSimd.Broadcast(a[k + (4 * TileStride)]);
            c40 = TSimd.MultiplyAdd(x, b0, c40);
            c41 = TSimd.MultiplyAdd(x, b1, c41);
            x = TSimd.Broadcast(a[k + (5 * TileStride)]);
            c50 = TSimd.MultiplyAdd(x, b0, c50);
            c51 = TSimd.MultiplyAdd(x, b1, c51);
            x = TSimd.Broadcast(a[k + (6 * TileStride)]);
            c60 = TSimd.MultiplyAdd(x, b0, c60);
            c61 = TSimd.MultiplyAdd(x, b1, c61);
            x = TSimd.Broadcast(a[k + (7 * TileStride)]);
            c70 = TSimd.MultiplyAdd(x, b0, c70);
            c71 = TSimd.MultiplyAdd(x, b1, c71);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + width);
        c += stride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + width);
        c += stride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + width);
        c += stride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + width);
        c += stride;
        TSimd.Store(c40, c);
        TSimd.Store(c41, c + width);
        c += stride;
        TSimd.Store(c50, c);
        TSimd.Store(c51, c + width);
        c += stride;
        TSimd.Store(c60, c);
        TSimd.Store(c61, c + width);
        c += stride;
        TSimd.Store(c70, c);
        TSimd.Store(c71, c + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply8x1(float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        int width = TSimd.Width;
        TVector c00 = TSimd.Load(start);
        start += startStride;
        TVector c10 = TSimd.Load(start);
        start += startStride;
        TVector c20 = TSimd.Load(start);
        start += startStride;
        TVector c30 = TSimd.Load(start);
        start += startStride;
        TVector c40 = TSimd.Load(start);
        start += startStride;
        TVector c50 = TSimd.Load(start);
        start += startStride;
        TVector c60 = TSimd.Load(start);
        start += startStride;
        TVector c70 = TSimd.Load(start);
        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            b += 3 * width;
            TVector x = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            x = TSimd.Broadcast(a[k + TileStride]);
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            x = TSimd.Broadcast(a[k + (2 * TileStride)]);
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            x = TSimd.Broadcast(a[k + (3 * TileStride)]);
            c30 = TSimd.MultiplyAdd(x, b0, c30);
            x = TSimd.Broadcast(a[k + (4 * TileStride)]);
            c40 = TSimd.MultiplyAdd(x, b0, c40);
            x = TSimd.Broadcast(a[k + (5 * TileStride)]);
            c50 = TSimd.MultiplyAdd(x, b0, c50);
            x = TSimd.Broadcast(a[k + (6 * TileStride)]);
            c60 = TSimd.MultiplyAdd(x, b0, c60);
            x = TSimd.Broadcast(a[k + (7 * TileStride)]);
            c70 = TSimd.MultiplyAdd(x, b0, c70);
        }

        TSimd.Store(c00, c);
        c += stride;
        TSimd.Store(c10, c);
        c += stride;
        TSimd.Store(c20, c);
        c += stride;
        TSimd.Store(c30, c);
        c += stride;
        TSimd.Store(c40, c);
        c += stride;
        TSimd.Store(c50, c);
        c += stride;
        TSimd.Store(c60, c);
        c += stride;
        TSimd.Store(c70, c);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x3(float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        int width = TSimd.Width;
        TVector c00 = TSimd.Load(start);
        TVector c01 = TSimd.Load(start + width);
        TVector c02 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c10 = TSimd.Load(start);
        TVector c11 = TSimd.Load(start + width);
        TVector c12 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c20 = TSimd.Load(start);
        TVector c21 = TSimd.Load(start + width);
        TVector c22 = TSimd.Load(start + (2 * width));
        start += startStride;
        TVector c30 = TSimd.Load(start);
        TVector c31 = TSimd.Load(start + width);
        TVector c32 = TSimd.Load(start + (2 * width));
        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            TVector b1 = TSimd.Load(b + width);
            TVector b2 = TSimd.Load(b + (2 * width));
            b += 3 * width;
            TVector x = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            c01 = TSimd.MultiplyAdd(x, b1, c01);
            c02 = TSimd.MultiplyAdd(x, b2, c02);
            x = TSimd.Broadcast(a[k + TileStride]);
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            c11 = TSimd.MultiplyAdd(x, b1, c11);
            c12 = TSimd.MultiplyAdd(x, b2, c12);
            x = TSimd.Broadcast(a[k + (2 * TileStride)]);
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            c21 = TSimd.MultiplyAdd(x, b1, c21);
            c22 = TSimd.MultiplyAdd(x, b2, c22);
            x = TSimd.Broadcast(a[k + (3 * TileStride)]);
            c30 = TSimd.MultiplyAdd(x, b0, c30);
            c31 = TSimd.MultiplyAdd(x, b1, c31);
            c32 = TSimd.MultiplyAdd(x, b2, c32);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + width);
        TSimd.Store(c02, c + (2 * width));
        c += stride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + width);
        TSimd.Store(c12, c + (2 * width));
        c += stride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + width);
        TSimd.Store(c22, c + (2 * width));
        c += stride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + width);
        TSimd.Store(c32, c + (2 * width));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x2(float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        int width = TSimd.Width;
        TVector c00 = TSimd.Load(start);
        TVector c01 = TSimd.Load(start + width);
        start += startStride;
        TVector c10 = TSimd.Load(start);
        TVector c11 = TSimd.Load(start + width);
        start += startStride;
        TVector c20 = TSimd.Load(start);
        TVector c21 = TSimd.Load(start + width);
        start += startStride;
        TVector c30 = TSimd.Load(start);
        TVector c31 = TSimd.Load(start + width);
        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            TVector b1 = TSimd.Load(b + width);
            b += 3 * width;
            TVector x = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            c01 = TSimd.MultiplyAdd(x, b1, c01);
            x = TSimd.Broadcast(a[k + TileStride]);
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            c11 = TSimd.MultiplyAdd(x, b1, c11);
            x = TSimd.Broadcast(a[k + (2 * TileStride)]);
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            c21 = TSimd.MultiplyAdd(x, b1, c21);
            x = TSimd.Broadcast(a[k + (3 * TileStride)]);
            c30 = TSimd.MultiplyAdd(x, b0, c30);
            c31 = TSimd.MultiplyAdd(x, b1, c31);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + width);
        c += stride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + width);
        c += stride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + width);
        c += stride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x1(float* a, float* b, int depth, float* start, long startStride, float* c, long stride)
    {
        int width = TSimd.Width;
        TVector c00 = TSimd.Load(start);
        start += startStride;
        TVector c10 = TSimd.Load(start);
        start += startStride;
        TVector c20 = TSimd.Load(start);
        start += startStride;
        TVector c30 = TSimd.Load(start);
        for (int k = 0; k < depth; k++)
        {
            TVector b0 = TSimd.Load(b);
            b += 3 * width;
            TVector x = TSimd.Broadcast(a[k]);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            x = TSimd.Broadcast(a[k + TileStride]);
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            x = TSimd.Broadcast(a[k + (2 * TileStride)]);
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            x = TSimd.Broadcast(a[k + (3 * TileStride)]);
            c30 = TSimd.MultiplyAdd(x, b0, c30);
        }

        TSimd.Store(c00, c);
        c += stride;
        TSimd.Store(c10, c);
        c += stride;
        TSimd.Store(c20, c);
        c += stride;
        TSimd.Store(c30, c);
    }

    private static int DivideUp(int a, int b) => (a + b - 1) / b;

    private static int RoundUp(int a, int b) => DivideUp(a, b) * b;
}
