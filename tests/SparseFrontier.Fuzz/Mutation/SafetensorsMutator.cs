using System.Buffers.Binary;
using SparseFrontier.Tensors;

namespace SparseFrontier.Fuzz.Mutation;

/// <summary>Changes safetensors files: mostly the header, whose length then mostly says the truth.</summary>
internal static class SafetensorsMutator
{
    /// <summary>The header's bytes, as far as they are there.</summary>
    public static ReadOnlySpan<byte> Header(byte[] file)
    {
        if (file.Length < sizeof(ulong))
        {
            return [];
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file);
        return file.AsSpan(sizeof(ulong), (int)Math.Min(length, (ulong)(file.Length - sizeof(ulong))));
    }

    public static byte[] Mutate(FuzzInput input, IReadOnlyList<FuzzInput> corpus, RandomSource random, Mutator mutator)
    {
        switch (random.Next(8))
        {
            case 0:
                return mutator.ByBytes(input.Bytes, corpus);
            case 1 when input.Bytes.Length >= sizeof(ulong):
                return [.. mutator.Integer(), .. input.Bytes.AsSpan(sizeof(ulong))];
            default:
                byte[] changed = mutator.ByParts(input, corpus, FuzzFormat.Json);
                long grown = (long)Header(input.Bytes).Length + changed.Length - input.Bytes.Length;
                if (random.Next(16) != 0 && changed.Length >= sizeof(ulong) && grown >= 0)
                {
                    BinaryPrimitives.WriteInt64LittleEndian(changed, grown);
                }

                return changed;
        }
    }
}
