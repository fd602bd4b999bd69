namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>The tests that stand after <c>is</c>.</summary>
internal static class JinjaTests
{
    private static readonly Dictionary<string, Func<object?, JinjaCall, bool>> s_tests = new(StringComparer.Ordinal)
    {
        ["defined"] = static (value, _) => value is not JinjaUndefined,
        ["undefined"] = static (value, _) => value is JinjaUndefined,
        ["none"] = static (value, _) => value is null,
        ["string"] = static (value, _) => value is string,
        ["mapping"] = static (value, _) => value is Dictionary<string, object?>,
        ["iterable"] = static (value, _) => value is string or List<object?> or Dictionary<string, object?> or JinjaUndefined,
        ["sequence"] = static (value, _) => value is string or List<object?> or Dictionary<string, object?> or JinjaUndefined,
        ["number"] = static (value, _) => value is long or double or bool,
        ["integer"] = static (value, _) => value is long,
        ["float"] = static (value, _) => value is double,
        ["boolean"] = static (value, _) => value is bool,
        ["true"] = static (value, _) => value is true,
        ["false"] = static (value, _) => value is false,
        ["equalto"] = static (value, call) => JinjaValues.AreEqual(value, call.Required(0, "other"), call.Line),
        ["eq"] = static (value, call) => JinjaValues.AreEqual(value, call.Required(0, "other"), call.Line),
        ["ne"] = static (value, call) => !JinjaValues.AreEqual(value, call.Required(0, "other"), call.Line),
        ["in"] = static (value, call) => JinjaOperators.Contains(call.Required(0, "seq"), value, call.Line),
        ["even"] = static (value, call) => Integer(value, call) % 2 == 0,
        ["odd"] = static (value, call) => Integer(value, call) % 2 != 0,
    };

    /// <summary>Whether a test is supported.</summary>
    public static bool IsKnown(string name) => s_tests.ContainsKey(name);

    /// <summary>Applies a test.</summary>
    public static bool Apply(string name, object? value, JinjaCall call) =>
        s_tests.TryGetValue(name, out Func<object?, JinjaCall, bool>? test)
            ? test(value, call)
            : throw JinjaErrors.Unsupported($"the test '{name}'", call.Line);

    private static long Integer(object? value, JinjaCall call) =>
        JinjaValues.Integer(value) ?? throw JinjaErrors.Unsupported($"the test '{call.Name}' of {JinjaValues.TypeName(value)}", call.Line);
}
