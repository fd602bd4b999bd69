using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace SparseFrontier.Experiments;

/// <summary>A column of rows as a file of rows holds it: the values of many rows as one array.</summary>
internal abstract class SummaryColumn
{
    /// <summary>Significant digits of what was measured; more are noise, and half of a file.</summary>
    private const string SignificantDigits = "G6";

    private static readonly SparseAttentionResult s_default = new();

    /// <summary>Every column that is kept, by name, in the order of rows.</summary>
    public static IReadOnlyDictionary<string, SummaryColumn> All { get; } = typeof(SparseAttentionResult).GetProperties()
        .Where(p => p.Name != nameof(SparseAttentionResult.Path))
        .ToDictionary(p => p.Name, p => (SummaryColumn)Activator.CreateInstance(typeof(Typed<>).MakeGenericType(p.PropertyType), p)!, StringComparer.Ordinal);

    /// <summary>A number as it is kept.</summary>
    public static double Round(double number) => double.Parse(number.ToString(SignificantDigits, CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>Whether all rows have the value of a row that says nothing.</summary>
    public abstract bool IsDefault(IReadOnlyList<SparseAttentionResult> rows);

    /// <summary>Whether all rows have one value.</summary>
    public abstract bool IsConstant(IReadOnlyList<SparseAttentionResult> rows);

    /// <summary>Whether rows have the values of others.</summary>
    public abstract bool Agree(IReadOnlyList<SparseAttentionResult> rows, IReadOnlyList<SparseAttentionResult> others);

    /// <summary>Gives a row the value of another.</summary>
    public abstract void Copy(SparseAttentionResult from, SparseAttentionResult to);

    /// <summary>Writes the value of a row.</summary>
    public abstract void Write(Utf8JsonWriter json, SparseAttentionResult row);

    /// <summary>Reads the values of rows.</summary>
    /// <returns>What sets the value of one of the rows.</returns>
    /// <exception cref="JsonException">They are not of the column's type, or not one for each row.</exception>
    public abstract Action<SparseAttentionResult, int> Read(JsonElement values, int count);

    private sealed class Typed<T>(PropertyInfo property) : SummaryColumn
    {
        private readonly Func<SparseAttentionResult, T> _get = property.GetMethod!.CreateDelegate<Func<SparseAttentionResult, T>>();
        private readonly Action<SparseAttentionResult, T> _set = property.SetMethod!.CreateDelegate<Action<SparseAttentionResult, T>>();
        private readonly bool _isNullable = new NullabilityInfoContext().Create(property).WriteState == NullabilityState.Nullable;

        public override bool IsDefault(IReadOnlyList<SparseAttentionResult> rows) => rows.All(r => Same(Value(r), Value(s_default)));

        public override bool IsConstant(IReadOnlyList<SparseAttentionResult> rows) => rows.All(r => Same(Value(r), Value(rows[0])));

        public override bool Agree(IReadOnlyList<SparseAttentionResult> rows, IReadOnlyList<SparseAttentionResult> others) => rows.Zip(others).All(p => Same(Value(p.First), Value(p.Second)));

        public override void Copy(SparseAttentionResult from, SparseAttentionResult to) => _set(to, _get(from));

        public override void Write(Utf8JsonWriter json, SparseAttentionResult row) => JsonSerializer.Serialize(json, Value(row), StoreJson.Line);

        public override Action<SparseAttentionResult, int> Read(JsonElement values, int count)
        {
            T[]? read = values.Deserialize<T[]>(StoreJson.Line);
            return read?.Length == count && (_isNullable || Array.TrueForAll(read, v => v is not null))
                ? (row, i) => _set(row, read[i])
                : throw new JsonException(FormattableString.Invariant($"the column {property.Name} has not a value for each of {count} rows."));
        }

        private static bool Same(T first, T second) => EqualityComparer<T>.Default.Equals(first, second);

        private T Value(SparseAttentionResult row) => _get(row) switch
        {
            double number => (T)(object)Round(number),

            // Runs of one sweep are planned within a second.
            DateTimeOffset time => (T)(object)new DateTimeOffset(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero),
            var other => other,
        };
    }
}
