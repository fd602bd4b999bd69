using System.Globalization;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>The filters that stand after <c>|</c>.</summary>
internal static class JinjaFilters
{
    private const int WidestIndent = 64;

    private static readonly Dictionary<string, Func<object?, JinjaCall, object?>> s_filters = new(StringComparer.Ordinal)
    {
        ["trim"] = static (value, call) => JinjaMethods.Strip(Text(value, call), call, left: true, right: true),
        ["tojson"] = static (value, call) => ToJson(value, call),
        ["length"] = static (value, call) => JinjaValues.Length(value, call.Line),
        ["count"] = static (value, call) => JinjaValues.Length(value, call.Line),
        ["upper"] = static (value, call) => Text(value, call).ToUpperInvariant(),
        ["lower"] = static (value, call) => Text(value, call).ToLowerInvariant(),
        ["title"] = static (value, call) => JinjaMethods.Title(Text(value, call)),
        ["capitalize"] = static (value, call) => JinjaMethods.Capitalize(Text(value, call)),
        ["replace"] = static (value, call) => JinjaMethods.Replace(Text(value, call), call),
        ["string"] = static (value, call) => Text(value, call),
        ["safe"] = static (value, call) => Text(value, call),
        ["default"] = static (value, call) => Default(value, call),
        ["d"] = static (value, call) => Default(value, call),
        ["join"] = static (value, call) => Join(value, call),
        ["first"] = static (value, call) => JinjaOperators.Member(JinjaValues.Items(value, call.Line), 0L, call.Line),
        ["last"] = static (value, call) => JinjaOperators.Member(JinjaValues.Items(value, call.Line), -1L, call.Line),
        ["list"] = static (value, call) => JinjaValues.Items(value, call.Line).ToList(),
        ["reverse"] = static (value, call) => JinjaOperators.Slice(value, null, null, -1, call.Line),
        ["int"] = static (value, call) => Integer(value, call),
        ["items"] = static (value, call) => value switch
        {
            Dictionary<string, object?> mapping => JinjaMethods.Pairs(mapping),
            JinjaUndefined => new List<object?>(),
            _ => throw JinjaErrors.Unsupported($"the items of {JinjaValues.TypeName(value)}", call.Line),
        },
        ["map"] = static (value, call) => Map(value, call),
        ["select"] = static (value, call) => Select(value, call, byAttribute: false, keep: true),
        ["reject"] = static (value, call) => Select(value, call, byAttribute: false, keep: false),
        ["selectattr"] = static (value, call) => Select(value, call, byAttribute: true, keep: true),
        ["rejectattr"] = static (value, call) => Select(value, call, byAttribute: true, keep: false),
    };

    /// <summary>Whether a filter is supported.</summary>
    public static bool IsKnown(string name) => s_filters.ContainsKey(name);

    /// <summary>Applies a filter.</summary>
    public static object? Apply(string name, object? value, JinjaCall call) =>
        s_filters.TryGetValue(name, out Func<object?, JinjaCall, object?>? filter)
            ? filter(value, call)
            : throw JinjaErrors.Unsupported($"the filter '{name}'", call.Line);

    private static string Text(object? value, JinjaCall call) => JinjaValues.Text(value, call.Line);

    private static string ToJson(object? value, JinjaCall call)
    {
        call.Allow(1, "indent", "ensure_ascii");
        if (JinjaValues.IsTrue(call.Optional(1, "ensure_ascii", false)))
        {
            throw JinjaErrors.Unsupported("tojson with ensure_ascii", call.Line);
        }

        long indent = JinjaValues.Integer(call.Optional(0, "indent", null)) ?? -1;
        return indent <= WidestIndent
            ? JinjaJson.Write(value, (int)Math.Max(-1, indent), call.Line)
            : throw JinjaErrors.Unsupported($"tojson with an indent of more than {WidestIndent}", call.Line);
    }

    private static object? Default(object? value, JinjaCall call)
    {
        call.Allow(2, "default_value", "boolean");
        bool byTruth = JinjaValues.IsTrue(call.Optional(1, "boolean", false));
        return value is JinjaUndefined || (byTruth && !JinjaValues.IsTrue(value)) ? call.Optional(0, "default_value", "") : value;
    }

    private static string Join(object? value, JinjaCall call)
    {
        call.Allow(1, "d");
        string separator = Text(call.Optional(0, "d", ""), call);
        List<object?> items = JinjaValues.Items(value, call.Line);
        JinjaWork.Spend((long)separator.Length * items.Count, call.Line);
        return string.Join(
            separator,
            items.Select(item =>
            {
                string text = Text(item, call);
                JinjaWork.Spend(text.Length, call.Line);
                return text;
            }));
    }

    private static object? Integer(object? value, JinjaCall call)
    {
        object? otherwise = call.Optional(0, "default", 0L);
        return value switch
        {
            string text => long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out long parsed) ? parsed : otherwise,
            double number => (long)number,
            _ => JinjaValues.Integer(value) ?? otherwise,
        };
    }

    private static List<object?> Map(object? value, JinjaCall call)
    {
        if (call.Named.TryGetValue("attribute", out object? attribute))
        {
            object? otherwise = call.Optional(int.MaxValue, "default", null);
            return JinjaValues.Items(value, call.Line)
                .Select(item => JinjaOperators.Member(item, attribute, call.Line) is var found && found is JinjaUndefined && otherwise is not null
                    ? otherwise
                    : found)
                .ToList();
        }

        string name = Text(call.Required(0, "filter"), call);
        var inner = new JinjaCall(name, call.Positional.Skip(1).ToList(), call.Named, call.Line);
        return JinjaValues.Items(value, call.Line).Select(item => Apply(name, item, inner)).ToList();
    }

    private static List<object?> Select(object? value, JinjaCall call, bool byAttribute, bool keep)
    {
        int skip = byAttribute ? 1 : 0;
        object? attribute = byAttribute ? call.Required(0, "attribute") : null;
        string? test = call.Positional.Count > skip ? Text(call.Positional[skip], call) : null;
        var inner = new JinjaCall(test ?? "", call.Positional.Skip(skip + 1).ToList(), call.Named, call.Line);
        bool Holds(object? item)
        {
            object? subject = byAttribute ? JinjaOperators.Member(item, attribute, call.Line) : item;
            return test is null ? JinjaValues.IsTrue(subject) : JinjaTests.Apply(test, subject, inner);
        }

        return JinjaValues.Items(value, call.Line).Where(item => Holds(item) == keep).ToList();
    }
}
