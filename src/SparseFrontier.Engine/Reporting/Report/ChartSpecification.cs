using System.Text.Json;
using System.Text.Json.Serialization;

namespace SparseFrontier.Reporting.Report;

/// <summary>A chart as Vega-Lite takes it: the part of its language that the report uses, as data. Property names become Vega-Lite's.</summary>
internal sealed record ChartSpecification
{
    // Characters that mean something in HTML are escaped, so no text of a chart can end the script element that holds it.
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    [JsonPropertyName("$schema")]
    public string Schema { get; init; } = "https://vega.github.io/schema/vega-lite/v6.json";

    public required string Description { get; init; }

    public string Width { get; init; } = "container";

    /// <summary>Pixels.</summary>
    public required int Height { get; init; }

    /// <summary>Layers; those without rows are left out, because a scale of none warns of an infinite extent.</summary>
    public required IReadOnlyList<ChartLayer> Layer { get; init => field = [.. value.Where(l => l.Data.Values.Count > 0)]; }

    /// <summary>The chart as JSON that may stand in HTML.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_json);
}

/// <summary>Rows of a layer; their properties are the fields.</summary>
internal sealed record ChartData(IReadOnlyList<object> Values);

/// <summary>Marks of one kind, over rows of their own.</summary>
internal sealed record ChartLayer(ChartMark Mark, ChartEncoding Encoding, ChartData Data);

/// <summary>A mark and what is the same for all of a layer.</summary>
internal sealed record ChartMark(string Type)
{
    public bool? Clip { get; init; }

    public string? Color { get; init; }

    public string? Fill { get; init; }

    public string? Stroke { get; init; }

    public double? Opacity { get; init; }

    public bool? Filled { get; init; }

    public double? Size { get; init; }

    public double? StrokeWidth { get; init; }

    public double[]? StrokeDash { get; init; }

    public string? Interpolate { get; init; }

    public string? Align { get; init; }

    public string? Baseline { get; init; }

    public double? Dx { get; init; }

    public double? Dy { get; init; }

    public double? FontSize { get; init; }

    public bool? Tooltip { get; init; }
}

/// <summary>What the fields of a layer's rows decide.</summary>
internal sealed record ChartEncoding
{
    public ChartChannel? X { get; init; }

    public ChartChannel? X2 { get; init; }

    public ChartChannel? Y { get; init; }

    public ChartChannel? Y2 { get; init; }

    public ChartChannel? Color { get; init; }

    public ChartChannel? Fill { get; init; }

    public ChartChannel? Stroke { get; init; }

    public ChartChannel? Shape { get; init; }

    public ChartChannel? Text { get; init; }

    public ChartChannel? Detail { get; init; }

    public IReadOnlyList<ChartChannel>? Tooltip { get; init; }
}

/// <summary>A field, or a value, on a channel.</summary>
internal sealed record ChartChannel
{
    public string? Field { get; init; }

    public string? Type { get; init; }

    public object? Value { get; init; }

    public object? Datum { get; init; }

    public string? Title { get; init; }

    public string? Format { get; init; }

    public ChartScale? Scale { get; init; }

    public ChartAxis? Axis { get; init; }

    /// <summary>A number.</summary>
    public static ChartChannel Quantity(string field) => new() { Field = field, Type = "quantitative" };

    /// <summary>
    /// A category. Their order is given as a domain, never as a sort: Vega-Lite makes an expression of the names that it sorts by, and names come from outside.
    /// </summary>
    public static ChartChannel Category(string field) => new() { Field = field, Type = "nominal" };

    /// <summary>The same for all rows.</summary>
    public static ChartChannel Always(object value) => new() { Value = value };
}

/// <summary>How values become places, colours or shapes.</summary>
internal sealed record ChartScale
{
    public string? Type { get; init; }

    public IReadOnlyList<object>? Domain { get; init; }

    public object? Range { get; init; }

    public string? Scheme { get; init; }

    public bool? Zero { get; init; }

    public bool? Nice { get; init; }

    public double? Padding { get; init; }

    public bool? Clamp { get; init; }
}

/// <summary>An axis.</summary>
internal sealed record ChartAxis
{
    public string? Title { get; init; }

    public string? Format { get; init; }

    public double? TickCount { get; init; }

    public IReadOnlyList<double>? Values { get; init; }

    public bool? Grid { get; init; }

    public bool? Domain { get; init; }

    public bool? Ticks { get; init; }

    public double? LabelAngle { get; init; }

    public double? LabelLimit { get; init; }

    public string? Orient { get; init; }

    public string? LabelExpr { get; init; }
}
