using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace SparseFrontier.Tensors;

/// <summary>
/// Deterministic random numbers: xoshiro256** (Blackman and Vigna 2018), the same on every platform and version of .NET. A source is named
/// by a purpose and any number of keys; different names give unrelated streams, so that sample i under seed s + 1 is not sample i + 1 under
/// seed s.
/// </summary>
public sealed class RandomSource
{
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;

    /// <summary>The stream that belongs to a purpose and keys.</summary>
    /// <param name="purpose">What the numbers are for, such as <c>"task/Niah/sample"</c>.</param>
    /// <param name="keys">Seed, index and the like.</param>
    public RandomSource(string purpose, params ReadOnlySpan<long> keys)
    {
        byte[] text = Encoding.UTF8.GetBytes(purpose);
        byte[] message = new byte[text.Length + 1 + (keys.Length * sizeof(long))];
        text.CopyTo(message, 0);
        for (int i = 0; i < keys.Length; i++)
        {
            BitConverter.TryWriteBytes(message.AsSpan(text.Length + 1 + (i * sizeof(long))), keys[i]);
        }

        byte[] hash = SHA256.HashData(message);
        _s0 = BitConverter.ToUInt64(hash, 0);
        _s1 = BitConverter.ToUInt64(hash, 8);
        _s2 = BitConverter.ToUInt64(hash, 16);
        _s3 = BitConverter.ToUInt64(hash, 24) | 1;
    }

    private RandomSource((ulong, ulong, ulong, ulong) state) => (_s0, _s1, _s2, _s3) = state;

    /// <summary>The generator's state, to go on drawing elsewhere.</summary>
    internal RandomState State => new(_s0, _s1, _s2, _s3);

    /// <summary>A stream of its own for an index, from the state that this one is in: whoever needs some of many streams, on a GPU too, need not draw the others. The state moves on by nothing.</summary>
    /// <param name="index">Which; any number.</param>
    public RandomSource At(long index)
    {
        // SplitMix64 (Steele, Lea and Flood 2014) spreads the index over the state.
        ulong seed = _s0 + ((ulong)index * 0xD1342543DE82EF95);
        return new RandomSource((_s0 ^ Next(), _s1 ^ Next(), _s2 ^ Next(), (_s3 ^ Next()) | 1));

        ulong Next()
        {
            seed += 0x9E3779B97F4A7C15;
            ulong value = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>An integer in [0, <paramref name="exclusiveMaximum"/>), without bias.</summary>
    public int Next(int exclusiveMaximum)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(exclusiveMaximum);
        ulong bound = (ulong)exclusiveMaximum;
        ulong threshold = (0 - bound) % bound;
        while (true)
        {
            UInt128 product = (UInt128)NextUInt64() * bound;
            if ((ulong)product >= threshold)
            {
                return (int)(product >> 64);
            }
        }
    }

    /// <summary>An integer in [<paramref name="minimum"/>, <paramref name="exclusiveMaximum"/>).</summary>
    public int Next(int minimum, int exclusiveMaximum) => minimum + Next(exclusiveMaximum - minimum);

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A standard normal number (Box and Muller).</summary>
    public double NextNormal()
    {
        double u = 1.0 - NextDouble();
        return Math.Sqrt(-2.0 * Math.Log(u)) * Math.Cos(2.0 * Math.PI * NextDouble());
    }

    /// <summary>One element of a list.</summary>
    public T Choose<T>(IReadOnlyList<T> items) => items[Next(items.Count)];

    /// <summary>Shuffles in place (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}

/// <summary>State of xoshiro256**.</summary>
internal readonly record struct RandomState(ulong First, ulong Second, ulong Third, ulong Fourth);
