using System.Text.Json;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Reads specifications from a file of JSON lines, as a submission writes them for each of its elements.</summary>
public sealed class ReadRunsOperation
{
    /// <summary>The file: one <see cref="RunSpecification"/> a line.</summary>
    public required string Path { get; init; }

    /// <summary>What to read instead of the file, which then is a name for messages alone.</summary>
    public byte[]? Content { get; init; }

    /// <summary>The device to run them on; empty: that of each.</summary>
    public string Device { get; init; } = "";

    /// <summary>Emits the specifications.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound; ResultUnreadable; RunSpecificationInvalid with the line, or because there is no run.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        byte[] bytes = Content ?? StoreIO.ReadAll(Path) ?? throw new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{Path}'.", Path);
        int number = 0;
        bool any = false;
        for (int start = bytes.AsSpan().StartsWith("\uFEFF"u8) ? "\uFEFF"u8.Length : 0; start < bytes.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int length = bytes.AsSpan(start).IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = length < 0 ? bytes.AsSpan(start) : bytes.AsSpan(start, length);
            start += line.Length + 1;
            number++;
            if (line.Trim(" \r\t"u8).IsEmpty)
            {
                continue;
            }

            try
            {
                RunSpecification run = JsonSerializer.Deserialize<RunSpecification>(line, StoreJson.Line) ?? throw new JsonException("null is no run.");
                sink.Object(Device.Length > 0 ? run.On(Device) : run);
                any = true;
            }
            catch (JsonException e)
            {
                throw new SparseFrontierException(ErrorIds.RunSpecificationInvalid, FormattableString.Invariant($"Line {number} of '{Path}' is no run: {e.Message}"), Path, e);
            }
        }

        if (!any)
        {
            throw new SparseFrontierException(ErrorIds.RunSpecificationInvalid, $"'{Path}' holds no run.", Path);
        }
    }
}
