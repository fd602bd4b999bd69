using System.Globalization;

namespace SparseFrontier.Attention;

/// <summary>A parameter of a method, as documentation, completion and validation need it.</summary>
/// <param name="Name">Name on the command line, in cmdlets and in result rows.</param>
/// <param name="Default">The reference's default.</param>
/// <param name="Minimum">Smallest value allowed.</param>
/// <param name="Maximum">Largest value allowed.</param>
/// <param name="IsInteger">Whether only whole numbers are allowed; switches are 0 or 1.</param>
/// <param name="Description">What it does, with its unit.</param>
public sealed record MethodParameter(string Name, double Default, double Minimum, double Maximum, bool IsInteger, string Description);

/// <summary>Values of a method's parameters by name; names are matched without regard to case. Immutable.</summary>
public sealed class MethodParameters
{
    private readonly SortedDictionary<string, double> _values;

    internal MethodParameters(IEnumerable<KeyValuePair<string, double>> values, BudgetSchedule? schedule = null)
    {
        _values = new SortedDictionary<string, double>(values.ToDictionary(p => p.Key, p => p.Value), StringComparer.OrdinalIgnoreCase);
        Schedule = schedule ?? BudgetSchedule.Uniform;
    }

    /// <summary>How the budget varies with layer, KV head, length and step.</summary>
    public BudgetSchedule Schedule { get; }

    /// <summary>All values, by name in order.</summary>
    public IReadOnlyDictionary<string, double> Values => _values;

    /// <summary>A value; every parameter of the method has one.</summary>
    public double this[string name] => _values[name];

    /// <summary>A whole-numbered value.</summary>
    public int Integer(string name) => checked((int)_values[name]);

    /// <summary>A switch.</summary>
    public bool Flag(string name) => _values[name] != 0;

    /// <summary>A copy with one value changed.</summary>
    public MethodParameters With(string name, double value)
    {
        var copy = new SortedDictionary<string, double>(_values, StringComparer.OrdinalIgnoreCase) { [name] = value };
        return new MethodParameters(copy, Schedule);
    }

    /// <summary>A copy with another schedule.</summary>
    public MethodParameters With(BudgetSchedule schedule) => new(_values, schedule);

    /// <summary>"Name=value;Name=value" in the order of names, the same everywhere; a schedule that is not uniform comes last as "Schedule=...".</summary>
    public override string ToString()
    {
        IEnumerable<string> pairs = _values.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}={p.Value:R}"));
        return string.Join(';', Schedule.IsUniform ? pairs : pairs.Append($"Schedule={Schedule}"));
    }
}
