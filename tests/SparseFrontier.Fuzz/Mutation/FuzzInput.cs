namespace SparseFrontier.Fuzz.Mutation;

/// <summary>The content of a file, with its parts where they were looked for.</summary>
/// <param name="bytes">Content.</param>
/// <param name="format">What the content is.</param>
internal sealed class FuzzInput(byte[] bytes, FuzzFormat format)
{
    private List<InputSpan>? _spans;

    /// <summary>Content.</summary>
    public byte[] Bytes => bytes;

    /// <summary>Parts, found when first asked for.</summary>
    public List<InputSpan> Spans => _spans ??= format switch
    {
        FuzzFormat.Json => InputScanner.Json(bytes, 0),
        FuzzFormat.JsonLines => InputScanner.JsonLines(bytes),
        FuzzFormat.Safetensors => InputScanner.Json(SafetensorsMutator.Header(bytes), sizeof(ulong)),
        FuzzFormat.Text => InputScanner.Text(bytes),
        _ => [],
    };
}

/// <summary>What a file holds, and so how it is changed.</summary>
internal enum FuzzFormat
{
    /// <summary>One JSON value.</summary>
    Json,

    /// <summary>A JSON value on each line.</summary>
    JsonLines,

    /// <summary>Templates, comma-separated values, YAML.</summary>
    Text,

    /// <summary>A safetensors file.</summary>
    Safetensors,

    /// <summary>A zip archive.</summary>
    Zip,
}
