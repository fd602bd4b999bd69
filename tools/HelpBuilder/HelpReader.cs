using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Reflection;
using SparseFrontier.Shell;

namespace SparseFrontier.HelpBuilder;

/// <summary>
/// Reads the help of all cmdlets from their doc comments and attributes. Attributes are read as data: the reference assembly that the module
/// is compiled against makes empty instances of them.
/// </summary>
public static class HelpReader
{
    private static readonly Dictionary<Type, string> s_names = new()
    {
        [typeof(string)] = "string",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(double)] = "double",
        [typeof(bool)] = "bool",
        [typeof(object)] = "object",
        [typeof(DateTimeOffset)] = "DateTimeOffset",
    };

    /// <summary>The cmdlets of the module, by name.</summary>
    public static IReadOnlyList<CmdletHelp> Read()
    {
        Assembly module = typeof(SparseFrontierCmdlet).Assembly;
        Assembly engine = typeof(RunSpecification).Assembly;
        string folder = AppContext.BaseDirectory;
        var reader = new Reader(
            DocumentationFile.Load(Path.Combine(folder, $"{module.GetName().Name}.xml")), DocumentationFile.Load(Path.Combine(folder, $"{engine.GetName().Name}.xml")));
        return [.. module.GetTypes().Select(reader.Cmdlet).OfType<CmdletHelp>().OrderBy(c => c.Name, StringComparer.Ordinal)];
    }

    private sealed class Reader(DocumentationFile module, DocumentationFile engine)
    {
        public CmdletHelp? Cmdlet(Type type)
        {
            CustomAttributeData? cmdlet = Attributes(type, nameof(CmdletAttribute)).FirstOrDefault();
            if (cmdlet is null)
            {
                return null;
            }

            string member = $"T:{type.FullName}";
            ParameterHelp[] parameters =
            [
                .. Parameters(type).OrderBy(p => p.Position ?? int.MaxValue),
                .. Named<bool>(cmdlet, "SupportsShouldProcess") ? s_shouldProcess : [],
            ];
            return new CmdletHelp(
                (string)cmdlet.ConstructorArguments[0].Value!,
                (string)cmdlet.ConstructorArguments[1].Value!,
                string.Join(" ", module.Paragraphs(member, "summary")),
                module.Paragraphs(member, "remarks"),
                Named<string>(cmdlet, "DefaultParameterSetName") ?? "",
                parameters,
                [.. Inputs(type, parameters)],
                [.. Outputs(type)],
                module.Examples(member));
        }

        private IEnumerable<ParameterHelp> Parameters(Type type)
        {
            object defaults = Activator.CreateInstance(type)!;
            foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                CustomAttributeData[] declarations = [.. Attributes(property, nameof(ParameterAttribute))];
                if (declarations.Length == 0 || declarations.Any(d => Named<bool>(d, "DontShow")))
                {
                    continue;
                }

                string member = $"P:{property.DeclaringType!.FullName}.{property.Name}";
                CustomAttributeData first = declarations[0];
                yield return new ParameterHelp(
                    property.Name,
                    property.PropertyType == typeof(SwitchParameter) ? "" : TypeName(property.PropertyType),
                    [.. module.Paragraphs(member, "summary"), .. module.Paragraphs(member, "remarks")],
                    module.Paragraphs(member, "value") is [var words, ..] ? words : DefaultText(property.GetValue(defaults)),
                    Values(property),
                    [.. Attributes(property, nameof(AliasAttribute)).SelectMany(a => Strings(a.ConstructorArguments[0]))],
                    [.. declarations.Select(d => Named<string>(d, "ParameterSetName")).OfType<string>()],
                    first.NamedArguments.Any(a => a.MemberName == "Position") ? Named<int>(first, "Position") : null,
                    Named<bool>(first, "Mandatory"),
                    declarations.Any(d => Named<bool>(d, "ValueFromPipeline")),
                    declarations.Any(d => Named<bool>(d, "ValueFromPipelineByPropertyName")),
                    Attributes(property, nameof(SupportsWildcardsAttribute)).Any());
            }
        }

        private IEnumerable<TypeHelp> Inputs(Type type, IReadOnlyList<ParameterHelp> parameters)
        {
            foreach (ParameterHelp parameter in parameters.Where(p => p.ByValue))
            {
                Type element = Element(type.GetProperty(parameter.Name)!.PropertyType);
                yield return new TypeHelp(element.FullName!, $"Objects of the pipeline are -{parameter.Name}: {LowerFirst(parameter.Description[0])}");
            }

            string[] named = [.. parameters.Where(p => p.ByPropertyName).Select(p => $"-{p.Name}")];
            if (named.Length > 0)
            {
                yield return new TypeHelp("System.Management.Automation.PSObject", $"Properties of these names are taken as parameters: {string.Join(", ", named)}.");
            }
        }

        private IEnumerable<TypeHelp> Outputs(Type type) =>
            from attribute in Attributes(type, nameof(OutputTypeAttribute))
            from argument in (IReadOnlyCollection<CustomAttributeTypedArgument>)attribute.ConstructorArguments[0].Value!
            let output = (Type)argument.Value!
            select new TypeHelp(output.FullName!, string.Join(" ", engine.Paragraphs($"T:{output.FullName}", "summary")));
    }

    private static readonly ParameterHelp[] s_shouldProcess =
    [
        new("WhatIf", "", ["Says what would be done, and does not do it."], "False", [], ["wi"], [], null, false, false, false, false),
        new("Confirm", "", ["Asks before each thing is done."], "False", [], ["cf"], [], null, false, false, false, false),
    ];

    private static IEnumerable<CustomAttributeData> Attributes(MemberInfo member, string name) =>
        member.GetCustomAttributesData().Where(a => a.AttributeType.Name == name);

    private static T? Named<T>(CustomAttributeData attribute, string name) =>
        attribute.NamedArguments.Where(a => a.MemberName == name).Select(a => (T?)a.TypedValue.Value).FirstOrDefault();

    private static IEnumerable<string> Strings(CustomAttributeTypedArgument argument) =>
        ((IReadOnlyCollection<CustomAttributeTypedArgument>)argument.Value!).Select(a => (string)a.Value!);

    private static Type Element(Type type)
    {
        Type element = type.IsArray ? type.GetElementType()! : type;
        return Nullable.GetUnderlyingType(element) ?? element;
    }

    private static string TypeName(Type type)
    {
        Type element = Element(type);
        return s_names.GetValueOrDefault(element, element.Name) + (type.IsArray ? "[]" : "");
    }

    private static string[] Values(PropertyInfo property)
    {
        CustomAttributeData? set = Attributes(property, nameof(ValidateSetAttribute)).FirstOrDefault();
        Type element = Element(property.PropertyType);
        return set is not null ? [.. Strings(set.ConstructorArguments[0])] : element.IsEnum ? Enum.GetNames(element) : [];
    }

    private static string DefaultText(object? value) => value switch
    {
        null => "None",
        string text => text.Length > 0 ? text : "None",
        SwitchParameter => "False",
        IEnumerable list => string.Join(", ", list.Cast<object>()) is { Length: > 0 } text ? text : "None",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "None",
    };

    private static string LowerFirst(string text) =>
        text.Length > 1 && char.IsUpper(text[0]) && !char.IsUpper(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
}
