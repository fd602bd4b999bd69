namespace SparseFrontier.Fuzz.Mutation;

/// <summary>A part of an input that has a meaning: a value, a property with its name, a word.</summary>
/// <param name="Start">First byte.</param>
/// <param name="End">Byte after the last.</param>
/// <param name="Kind">What it is.</param>
internal readonly record struct InputSpan(int Start, int End, SpanKind Kind)
{
    public int Length => End - Start;
}

/// <summary>What an <see cref="InputSpan"/> is.</summary>
internal enum SpanKind
{
    /// <summary>A JSON value that is neither text nor number, or a word of another text.</summary>
    Value,

    /// <summary>JSON text with its quotation marks.</summary>
    Text,

    /// <summary>A number.</summary>
    Number,

    /// <summary>A JSON property, name and value.</summary>
    Property,
}
