using System.Numerics;
using System.Runtime.InteropServices;

namespace SparseFrontier.Attention;

/// <summary>
/// Scores are compared as bfloat16 numbers, as in the paper's code: what is equal there is a tie here and goes to the lower index, so that
/// near-ties fall as they fall there and do not depend on the order in which a device adds up.
/// </summary>
internal static class ScoreRounding
{
    /// <summary>The nearest bfloat16 number, ties to even; for finite values.</summary>
    public static float ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF_0000);
    }

    /// <summary>Rounds in place.</summary>
    public static void ToBFloat16(Span<float> values)
    {
        Span<Vector<uint>> vectors = MemoryMarshal.Cast<float, Vector<uint>>(values);
        foreach (ref Vector<uint> bits in vectors)
        {
            bits = (bits + new Vector<uint>(0x7FFF) + ((bits >> 16) & Vector<uint>.One)) & new Vector<uint>(0xFFFF_0000);
        }

        foreach (ref float value in values[(vectors.Length * Vector<uint>.Count)..])
        {
            value = ToBFloat16(value);
        }
    }
}
