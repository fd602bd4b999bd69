using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// gate = activation(gate) · up. Both activations are x · sigmoid(z): SiLU with z = x, the tanh form of GELU with z = 2 √(2/π) (x + 0.044715 x³),
/// since (1 + tanh u) / 2 = sigmoid(2u). Cost: one exponential an element.
/// </summary>
internal static unsafe class GateKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const float TwiceRootTwoOverPi = 1.5957691216f;

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* gate, float* up, long count, GateActivation activation)
    {
        long i = 0;
        for (; i + TSimd.Width <= count; i += TSimd.Width)
        {
            TSimd.Store(Gated(TSimd.Load(gate + i), TSimd.Load(up + i), activation), gate + i);
        }

        if (i < count)
        {
            // The same arithmetic for the tail, so that an element's bits do not depend on where it stands.
            float* buffer = stackalloc float[2 * TSimd.Width];
            new Span<float>(buffer, 2 * TSimd.Width).Clear();
            int tail = (int)(count - i);
            new ReadOnlySpan<float>(gate + i, tail).CopyTo(new Span<float>(buffer, tail));
            new ReadOnlySpan<float>(up + i, tail).CopyTo(new Span<float>(buffer + TSimd.Width, tail));
            TSimd.Store(Gated(TSimd.Load(buffer), TSimd.Load(buffer + TSimd.Width), activation), buffer);
            new ReadOnlySpan<float>(buffer, tail).CopyTo(new Span<float>(gate + i, tail));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Gated(TVector x, TVector up, GateActivation activation)
    {
        TVector z = x;
        if (activation == GateActivation.GeluTanh)
        {
            TVector inner = TSimd.MultiplyAdd(TSimd.Multiply(x, x), TSimd.Broadcast(0.044715f), TSimd.Broadcast(1));
            z = TSimd.Multiply(TSimd.Multiply(x, inner), TSimd.Broadcast(TwiceRootTwoOverPi));
        }

        return TSimd.Multiply(TSimd.Multiply(x, SimdMath<TSimd, TVector>.Sigmoid(z)), up);
    }
}
