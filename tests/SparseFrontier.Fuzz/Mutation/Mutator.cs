using System.Buffers.Binary;
using SparseFrontier.Tensors;

namespace SparseFrontier.Fuzz.Mutation;

/// <summary>Makes new inputs from known ones: by their parts where they have any, by bytes otherwise, and now and then by both.</summary>
/// <param name="random">Where choices come from.</param>
internal sealed class Mutator(RandomSource random)
{
    // Inputs do not grow from generation to generation.
    private const int MaximumLength = 1 << 16;

    private readonly List<(InputSpan Span, byte[] Text)> _edits = [];

    /// <summary>A changed input.</summary>
    /// <param name="input">The input to change.</param>
    /// <param name="corpus">Other inputs of the same file, to take parts of.</param>
    /// <param name="format">What they hold.</param>
    public byte[] Next(FuzzInput input, IReadOnlyList<FuzzInput> corpus, FuzzFormat format)
    {
        byte[] changed = format switch
        {
            FuzzFormat.Zip => ZipMutator.Mutate(input.Bytes, random, this),
            FuzzFormat.Safetensors => SafetensorsMutator.Mutate(input, corpus, random, this),
            _ => random.Next(10) == 0 ? ByBytes(input.Bytes, corpus) : ByParts(input, corpus, format),
        };
        return changed.Length <= MaximumLength ? changed : changed[..MaximumLength];
    }

    /// <summary>Changes one to four parts.</summary>
    public byte[] ByParts(FuzzInput input, IReadOnlyList<FuzzInput> corpus, FuzzFormat format)
    {
        List<InputSpan> spans = input.Spans;
        if (spans.Count == 0)
        {
            return ByBytes(input.Bytes, corpus);
        }

        _edits.Clear();
        for (int count = random.Next(4) == 0 ? 1 + random.Next(4) : 1; count > 0; count--)
        {
            InputSpan span = random.Choose(spans);
            _edits.Add((span, Replacement(input.Bytes.AsSpan(span.Start, span.Length), span, corpus, format)));
        }

        byte[] changed = Apply(input.Bytes);
        return random.Next(16) == 0 ? ByBytes(changed, corpus) : changed;
    }

    /// <summary>Changes bytes wherever they are.</summary>
    public byte[] ByBytes(byte[] bytes, IReadOnlyList<FuzzInput>? corpus)
    {
        byte[] changed = (byte[])bytes.Clone();
        for (int count = 1 + random.Next(4); count > 0; count--)
        {
            changed = Once(changed, corpus);
        }

        return changed;
    }

    private byte[] Once(byte[] bytes, IReadOnlyList<FuzzInput>? corpus)
    {
        int at = random.Next(bytes.Length + 1);
        int length = random.Next(Math.Min(bytes.Length - at, 64) + 1);
        Span<byte> noise = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(noise, random.NextUInt64());
        switch (random.Next(9))
        {
            case 0 when at < bytes.Length:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1 when at < bytes.Length:
                bytes[at] = noise[0];
                return bytes;
            case 2:
                return [.. bytes.AsSpan(0, at), .. noise[..(1 + random.Next(8))], .. bytes.AsSpan(at)];
            case 3:
                return [.. bytes.AsSpan(0, at), .. bytes.AsSpan(at + length)];
            case 4:
                return [.. bytes.AsSpan(0, at + length), .. bytes.AsSpan(at)];
            case 5:
                return bytes[..at];
            case 6 when corpus is not null:
                byte[] other = random.Choose(corpus).Bytes;
                return [.. bytes.AsSpan(0, at), .. other.AsSpan(random.Next(other.Length + 1))];
            case 7:
                return [.. bytes.AsSpan(0, at), .. random.Choose(Hostile.Texts), .. bytes.AsSpan(at)];
            default:
                Integer().AsSpan(0, Math.Min(8, bytes.Length - at)).CopyTo(bytes.AsSpan(at));
                return bytes;
        }
    }

    /// <summary>Eight bytes, little-endian, of an integer at some limit.</summary>
    public byte[] Integer()
    {
        byte[] bytes = new byte[sizeof(ulong)];
        ulong power = 1UL << random.Next(64);
        ulong value = random.Next(5) switch { 0 => power, 1 => power - 1, 2 => power + 1, 3 => 0 - power, _ => (ulong)random.Next(256) };
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }

    private byte[] Replacement(ReadOnlySpan<byte> part, InputSpan span, IReadOnlyList<FuzzInput> corpus, FuzzFormat format) => format == FuzzFormat.Text
        ? OfText(part, span, corpus)
        : span.Kind switch
        {
            SpanKind.Property => random.Next(4) switch
            {
                0 => [],
                1 => [.. part, (byte)',', .. part],
                2 => [(byte)'"', .. random.Choose(Hostile.Texts), (byte)'"', (byte)':', .. random.Choose(Hostile.Values)],
                _ => Other(corpus, span.Kind),
            },
            SpanKind.Text when random.Next(2) == 0 => Within(part),
            SpanKind.Number when random.Next(2) == 0 => random.Choose(Hostile.Numbers),
            _ => OfValue(part, corpus),
        };

    private byte[] OfValue(ReadOnlySpan<byte> part, IReadOnlyList<FuzzInput> corpus)
    {
        switch (random.Next(8))
        {
            case 0:
                return [];
            case 1:
                return [.. part, (byte)',', .. part];
            case 2:
                int depth = 1 + random.Next(random.Next(8) == 0 ? 80 : 3);
                return [.. Enumerable.Repeat((byte)'[', depth), .. part, .. Enumerable.Repeat((byte)']', depth)];
            case 3 or 4:
                return Other(corpus, null);
            case 5:
                return random.Choose(Hostile.Numbers);
            default:
                return random.Choose(Hostile.Values);
        }
    }

    private byte[] OfText(ReadOnlySpan<byte> part, InputSpan span, IReadOnlyList<FuzzInput> corpus)
    {
        switch (random.Next(8))
        {
            case 0:
                return [];
            case 1:
                return [.. part, (byte)' ', .. part];
            case 2:
                byte[] repeated = new byte[part.Length * Math.Min(1 + random.Next(random.Next(16) == 0 ? 2000 : 8), 1 + (8192 / part.Length))];
                for (int i = 0; i < repeated.Length; i += part.Length)
                {
                    part.CopyTo(repeated.AsSpan(i));
                }

                return repeated;
            case 3:
                return random.Choose(span.Kind == SpanKind.Number ? Hostile.Numbers : Hostile.Texts);
            case 4 when span.Kind == SpanKind.Text:
                return Within(part);
            default:
                return Other(corpus, span.Kind);
        }
    }

    // A text with something in it, or instead of it; its quotation marks stay.
    private byte[] Within(ReadOnlySpan<byte> part)
    {
        int at = 1 + random.Next(part.Length - 1);
        return random.Next(3) == 0
            ? [part[0], .. random.Choose(Hostile.Texts), part[^1]]
            : [.. part[..at], .. random.Choose(Hostile.Texts), .. part[at..]];
    }

    // A part of another input, of a kind if there is one.
    private byte[] Other(IReadOnlyList<FuzzInput> corpus, SpanKind? kind)
    {
        FuzzInput other = random.Choose(corpus);
        for (int attempt = 0; attempt < 8 && other.Spans.Count > 0; attempt++)
        {
            InputSpan span = random.Choose(other.Spans);
            if (kind is null ? span.Kind != SpanKind.Property : span.Kind == kind)
            {
                return other.Bytes[span.Start..span.End];
            }
        }

        return random.Choose(Hostile.Values);
    }

    private byte[] Apply(byte[] bytes)
    {
        _edits.Sort(static (a, b) => a.Span.Start.CompareTo(b.Span.Start));
        using var result = new MemoryStream(bytes.Length + 256);
        int done = 0;
        foreach ((InputSpan span, byte[] text) in _edits)
        {
            if (span.Start >= done)
            {
                result.Write(bytes, done, span.Start - done);
                result.Write(text);
                done = span.End;

                // Mostly, what goes takes its comma with it.
                if (text.Length == 0 && done < bytes.Length && bytes[done] == ',' && random.Next(8) != 0)
                {
                    done++;
                }
            }
        }

        result.Write(bytes, done, bytes.Length - done);
        return result.ToArray();
    }
}
