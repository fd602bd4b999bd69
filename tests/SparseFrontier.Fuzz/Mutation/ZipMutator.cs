using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SparseFrontier.Tensors;

namespace SparseFrontier.Fuzz.Mutation;

/// <summary>Changes zip archives: their bytes, or their entries, of which the manifest then mostly tells the truth, so that what lies behind it is reached.</summary>
internal static class ZipMutator
{
    private const string Manifest = "manifest.json";

    private static readonly ConditionalWeakTable<byte[], List<Entry>> s_parsed = [];

    private sealed record Entry(string Name, byte[] Content, uint Attributes = 0x81A40000, bool Compressed = false, uint ClaimedSize = uint.MaxValue);

    public static byte[] Mutate(byte[] archive, RandomSource random, Mutator mutator)
    {
        if (random.Next(4) == 0 || Entries(archive) is not { Count: > 0 } known)
        {
            return mutator.ByBytes(archive, null);
        }

        List<Entry> entries = [.. known];
        for (int count = 1 + random.Next(3); count > 0; count--)
        {
            int at = random.Next(entries.Count);
            entries[at] = Change(entries[at], random, mutator);
        }

        switch (random.Next(8))
        {
            case 0:
                entries.Add(random.Choose(entries));
                break;
            case 1:
                entries.RemoveAt(random.Next(entries.Count));
                break;
        }

        if (random.Next(4) != 0 && entries.FindIndex(e => e.Name == Manifest) is >= 0 and int manifest)
        {
            entries[manifest] = entries[manifest] with { Content = ManifestOf(entries) };
            if (random.Next(8) == 0)
            {
                entries[manifest] = entries[manifest] with { Content = Json(entries[manifest].Content, mutator) };
            }
        }

        return Write(entries);
    }

    private static Entry Change(Entry entry, RandomSource random, Mutator mutator) => random.Next(12) switch
    {
        0 => entry with { Name = random.Choose(Hostile.Names) },
        1 => entry with { Attributes = random.Choose<uint>([0xA1FF0000, 0x41ED0000, 0x11A40000, 0, uint.MaxValue]) },
        2 => entry with { Compressed = true },
        3 => entry with { ClaimedSize = BinaryPrimitives.ReadUInt32LittleEndian(mutator.Integer()) },
        4 => entry with { Content = mutator.ByBytes(entry.Content, null) },
        _ => entry with { Content = Json(entry.Content, mutator) },
    };

    private static byte[] Json(byte[] content, Mutator mutator)
    {
        var input = new FuzzInput(content, FuzzFormat.JsonLines);
        return mutator.ByParts(input, [input], FuzzFormat.JsonLines);
    }

    private static byte[] ManifestOf(List<Entry> entries) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        Format = "sparsefrontier-bundle/1",
        Files = entries.Where(e => e.Name != Manifest).Select(e => new { e.Name, Size = e.Content.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(e.Content)) }),
    });

    private static List<Entry>? Entries(byte[] archive)
    {
        if (s_parsed.TryGetValue(archive, out List<Entry>? known))
        {
            return known;
        }

        List<Entry> entries = [];
        try
        {
            using var zip = new ZipArchive(new MemoryStream(archive));
            foreach (ZipArchiveEntry entry in zip.Entries)
            {
                using Stream stream = entry.Open();
                using var content = new MemoryStream();
                stream.CopyTo(content);
                entries.Add(new Entry(entry.FullName, content.ToArray()));
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            // A damaged archive of the corpus is changed by bytes.
        }

        s_parsed.Add(archive, entries);
        return entries;
    }

    // Not by ZipArchive, which writes only what is true.
    private static byte[] Write(List<Entry> entries)
    {
        using var file = new MemoryStream();
        using var directory = new MemoryStream();
        foreach (Entry entry in entries)
        {
            byte[] name = Encoding.UTF8.GetBytes(entry.Name);
            byte[] stored = entry.Compressed ? Deflate(entry.Content) : entry.Content;
            uint size = entry.ClaimedSize == uint.MaxValue ? (uint)entry.Content.Length : entry.ClaimedSize;
            uint storedSize = entry.Compressed ? (uint)stored.Length : size;
            uint offset = (uint)file.Length;
            byte[] header = Header(entry, name, size, storedSize);
            file.Write([0x50, 0x4B, 3, 4, .. header, .. name, .. stored]);
            directory.Write([0x50, 0x4B, 1, 2, 20, 3, .. header, 0, 0, 0, 0, 0, 0, .. Number(entry.Attributes), .. Number(offset), .. name]);
        }

        uint start = (uint)file.Length;
        byte[] count = [(byte)entries.Count, (byte)(entries.Count >> 8)];
        file.Write([.. directory.ToArray(), 0x50, 0x4B, 5, 6, 0, 0, 0, 0, .. count, .. count, .. Number((uint)directory.Length), .. Number(start), 0, 0]);
        return file.ToArray();
    }

    private static byte[] Header(Entry entry, byte[] name, uint size, uint storedSize) =>
    [
        20, 0, 0, 8, (byte)(entry.Compressed ? 8 : 0), 0, 0, 0, 0x21, 0,
        .. Number(Checksum(entry.Content)), .. Number(storedSize), .. Number(size), (byte)name.Length, (byte)(name.Length >> 8), 0, 0,
    ];

    // The CRC-32 of zip archives.
    private static uint Checksum(byte[] content)
    {
        uint sum = uint.MaxValue;
        foreach (byte value in content)
        {
            sum ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                sum = (sum >> 1) ^ (0xEDB88320 & (0 - (sum & 1)));
            }
        }

        return ~sum;
    }

    private static byte[] Deflate(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest))
        {
            deflate.Write(content);
        }

        return packed.ToArray();
    }

    private static byte[] Number(uint value)
    {
        byte[] bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
