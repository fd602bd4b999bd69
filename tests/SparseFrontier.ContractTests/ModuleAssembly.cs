using System.Reflection;
using SparseFrontier.Shell;

namespace SparseFrontier.ContractTests;

/// <summary>
/// The module's cmdlets as metadata. Attributes are read as data: instances made from the reference assembly of PowerShell come back empty.
/// </summary>
internal static class ModuleAssembly
{
    public static Assembly Assembly { get; } = typeof(SparseFrontierCmdlet).Assembly;

    public static IReadOnlyList<CmdletMetadata> Cmdlets { get; } =
        [.. Assembly.GetTypes().Select(CmdletMetadata.Of).OfType<CmdletMetadata>().OrderBy(c => c.Name, StringComparer.Ordinal)];
}

internal sealed record CmdletMetadata(Type Type, string Verb, string Noun, CustomAttributeData Attribute)
{
    public string Name => $"{Verb}-{Noun}";

    public IReadOnlyList<ParameterMetadata> Parameters { get; } =
        [.. Type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .SelectMany(p => p.GetCustomAttributesData().Where(a => a.AttributeType.Name == "ParameterAttribute").Select(a => new ParameterMetadata(p, a)))];

    public IReadOnlyList<Type> OutputTypes { get; } =
        [.. Type.GetCustomAttributesData()
            .Where(a => a.AttributeType.Name == "OutputTypeAttribute")
            .SelectMany(a => (IReadOnlyCollection<CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!)
            .Select(a => (Type)a.Value!)];

    public static CmdletMetadata? Of(Type type)
    {
        CustomAttributeData? attribute = type.GetCustomAttributesData().FirstOrDefault(a => a.AttributeType.Name == "CmdletAttribute");
        return attribute is null
            ? null
            : new CmdletMetadata(type, (string)attribute.ConstructorArguments[0].Value!, (string)attribute.ConstructorArguments[1].Value!, attribute);
    }

    /// <summary>Other names of the cmdlet itself.</summary>
    public IEnumerable<string> Aliases => AliasesOf(Type);

    public static IEnumerable<string> AliasesOf(MemberInfo member) => member.GetCustomAttributesData()
        .Where(a => a.AttributeType.Name == "AliasAttribute")
        .SelectMany(a => (IReadOnlyCollection<CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!)
        .Select(a => (string)a.Value!);

    public T? Named<T>(string name) => Attribute.NamedArguments.Where(a => a.MemberName == name).Select(a => (T?)a.TypedValue.Value).FirstOrDefault();

    public override string ToString() => Name;
}

internal sealed record ParameterMetadata(PropertyInfo Property, CustomAttributeData Attribute)
{
    public string Name => Property.Name;

    public string Set => Named<string>("ParameterSetName") ?? "__AllParameterSets";

    public bool IsHidden => Named<bool>("DontShow");

    public bool IsMandatory => Named<bool>("Mandatory");

    public bool FromPipeline => Named<bool>("ValueFromPipeline");

    public bool FromPipelineByName => Named<bool>("ValueFromPipelineByPropertyName");

    public int Position => Attribute.NamedArguments.Where(a => a.MemberName == "Position").Select(a => (int)a.TypedValue.Value!).FirstOrDefault(int.MinValue);

    public string HelpMessage => Named<string>("HelpMessage") ?? "";

    public IEnumerable<string> Aliases => CmdletMetadata.AliasesOf(Property);

    private T? Named<T>(string name) => Attribute.NamedArguments.Where(a => a.MemberName == name).Select(a => (T?)a.TypedValue.Value).FirstOrDefault();
}
