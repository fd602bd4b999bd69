using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace SparseFrontier.Cli;

/// <summary>Makes options whose values are lists, separated by commas or by repeating the option, in the invariant culture.</summary>
internal static class Options
{
    /// <summary>A list of texts.</summary>
    public static Option<string[]> Texts(string name, string description, string valueName) => new(name)
    {
        Description = description,
        HelpName = valueName,
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result => [.. Parts(result, name)],
    };

    /// <summary>A list of names without an option before it.</summary>
    public static Argument<string[]> Names(string name, string description) => new(name)
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result => [.. Parts(result, name)],
    };

    /// <summary>A list of whole numbers.</summary>
    public static Option<int[]> Integers(string name, string description, string valueName) =>
        List<int>(name, description, valueName, "a whole number", (string text, out int value) =>
            int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value));

    /// <summary>A list of large whole numbers.</summary>
    public static Option<long[]> Longs(string name, string description, string valueName) =>
        List<long>(name, description, valueName, "a whole number", (string text, out long value) =>
            long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value));

    /// <summary>A list of numbers.</summary>
    public static Option<double[]> Numbers(string name, string description, string valueName) =>
        List<double>(name, description, valueName, "a number", (string text, out double value) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value));

    /// <summary>"Name=value" texts, joined as the engine takes them.</summary>
    public static Option<string[]> Assignments(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "name=value",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        {
            string[] parts = [.. result.Tokens.SelectMany(t => t.Value.Split([',', ';'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
            if (parts.FirstOrDefault(p => p.IndexOf('=', StringComparison.Ordinal) < 1) is string wrong)
            {
                result.AddError($"'{wrong}' of {name} is not of the form name=value.");
            }

            return parts;
        },
    };

    /// <summary>The values of an enumeration as a command line spells them: "findings-small".</summary>
    public static IEnumerable<string> Words<T>()
        where T : struct, Enum => Enum.GetNames<T>().Select(n => string.Concat(n.Select((c, i) => i > 0 && char.IsUpper(c) ? $"-{c}" : $"{c}")).ToLowerInvariant());

    /// <summary>The value of an enumeration that a text names, in any case, its words with or without hyphens between them.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public static T Enumeration<T>(string text, string option)
        where T : struct, Enum => Enum.GetNames<T>().FirstOrDefault(n => n.Equals(text.Replace("-", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase)) is { } name
            ? Enum.Parse<T>(name)
            : throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"'{text}' of {option} is none of its values. {NameMatcher.Suggestion(text, Enum.GetNames<T>())}", text);

    /// <summary>A text with a default.</summary>
    public static Option<string> Text(string name, string description, string valueName, string value = "") => new(name)
    {
        Description = description,
        HelpName = valueName,
        DefaultValueFactory = _ => value,
    };

    private delegate bool TryParse<T>(string text, out T value);

    private static Option<T[]> List<T>(string name, string description, string valueName, string kind, TryParse<T> parse) => new(name)
    {
        Description = description,
        HelpName = valueName,
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        {
            var values = new List<T>();
            foreach (string part in Parts(result, name))
            {
                if (parse(part, out T value))
                {
                    values.Add(value);
                }
                else
                {
                    result.AddError($"'{part}' of {name} is not {kind}.");
                }
            }

            return [.. values];
        },
    };

    // An empty text is what a variable of a shell holds that was not set: the default in its place would be another command than the one that was written.
    private static string[] Parts(ArgumentResult result, string name)
    {
        string[] parts = [.. result.Tokens.SelectMany(t => t.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        if (parts.Length == 0 && result.Tokens.Count > 0)
        {
            result.AddError($"{name} was given, but no value. Leave it out for its default.");
        }

        return parts;
    }
}
