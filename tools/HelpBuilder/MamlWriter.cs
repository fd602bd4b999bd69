using System.Globalization;
using System.Xml.Linq;

namespace SparseFrontier.HelpBuilder;

/// <summary>Writes help as MAML, the form that Get-Help reads.</summary>
internal static class MamlWriter
{
    private static readonly XNamespace s_msh = "http://msh";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace s_command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    public static string Write(IReadOnlyList<CmdletHelp> cmdlets)
    {
        var root = new XElement(
            s_msh + "helpItems",
            new XAttribute("schema", "maml"),
            cmdlets.Select(Cmdlet));
        return $"""<?xml version="1.0" encoding="utf-8"?>{"\n"}{root.ToString().ReplaceLineEndings("\n")}{"\n"}""";
    }

    private static XElement Cmdlet(CmdletHelp help) => new(
        s_command + "command",
        new XAttribute(XNamespace.Xmlns + "maml", s_maml.NamespaceName),
        new XAttribute(XNamespace.Xmlns + "command", s_command.NamespaceName),
        new XAttribute(XNamespace.Xmlns + "dev", s_dev.NamespaceName),
        new XElement(
            s_command + "details",
            new XElement(s_command + "name", help.Name),
            new XElement(s_command + "verb", help.Verb),
            new XElement(s_command + "noun", help.Noun),
            new XElement(s_maml + "description", new XElement(s_maml + "para", help.Synopsis))),
        Description(help.Description),
        new XElement(s_command + "syntax", Sets(help).Select(set => new XElement(
            s_command + "syntaxItem", new XElement(s_maml + "name", help.Name), help.InSet(set).Select(p => Parameter(p, syntax: true))))),
        new XElement(s_command + "parameters", help.Parameters.Select(p => Parameter(p, syntax: false))),
        new XElement(s_command + "inputTypes", help.Inputs.Select(t => Type("inputType", t))),
        new XElement(s_command + "returnValues", help.Outputs.Select(t => Type("returnValue", t))),
        new XElement(s_command + "examples", help.Examples.Select((e, i) => new XElement(
            s_command + "example",
            new XElement(s_maml + "title", string.Create(CultureInfo.InvariantCulture, $"--- Example {i + 1}: {e.Title.TrimEnd('.')} ---")),
            new XElement(s_dev + "code", e.Code),
            new XElement(s_dev + "remarks", Paragraphs([.. e.Remarks, ""]))))),
        new XElement(s_command + "relatedLinks", HelpFiles.Related(help).Select(name => new XElement(
            s_maml + "navigationLink", new XElement(s_maml + "linkText", name), new XElement(s_maml + "uri")))));

    private static IReadOnlyList<string> Sets(CmdletHelp help) => help.Sets.Count == 0 ? [""] : help.Sets;

    private static XElement Parameter(ParameterHelp help, bool syntax) => new(
        s_command + "parameter",
        new XAttribute("required", help.Mandatory ? "true" : "false"),
        new XAttribute("variableLength", help.Type.EndsWith("[]", StringComparison.Ordinal) ? "true" : "false"),
        new XAttribute("globbing", help.Wildcards ? "true" : "false"),
        new XAttribute("pipelineInput", help.Pipeline),
        new XAttribute("position", help.Position?.ToString(CultureInfo.InvariantCulture) ?? "named"),
        new XAttribute("aliases", help.Aliases.Count == 0 ? "none" : string.Join(", ", help.Aliases)),
        new XElement(s_maml + "name", help.Name),
        Description(help.Values.Count == 0 ? help.Description : [.. help.Description, $"Values: {string.Join(", ", help.Values)}."]),
        syntax && help.Values.Count > 0 && !help.Type.EndsWith("[]", StringComparison.Ordinal)
            ? new XElement(s_command + "parameterValueGroup", help.Values.Select(v => new XElement(
                s_command + "parameterValue", new XAttribute("required", "false"), new XAttribute("variableLength", "false"), v)))
            : null,
        help.Type.Length == 0 && syntax
            ? null
            : new XElement(
                s_command + "parameterValue",
                new XAttribute("required", help.Type.Length == 0 ? "false" : "true"),
                new XAttribute("variableLength", "false"),
                help.Type.Length == 0 ? "SwitchParameter" : help.Type),
        new XElement(s_dev + "type", new XElement(s_maml + "name", help.Type.Length == 0 ? "SwitchParameter" : help.Type), new XElement(s_maml + "uri")),
        new XElement(s_dev + "defaultValue", help.Default));

    private static XElement Type(string element, TypeHelp help) => new(
        s_command + element,
        new XElement(s_dev + "type", new XElement(s_maml + "name", help.Name), new XElement(s_maml + "uri")),
        Description([help.Description]));

    private static XElement Description(IEnumerable<string> paragraphs) => new(s_maml + "description", Paragraphs(paragraphs));

    private static IEnumerable<XElement> Paragraphs(IEnumerable<string> paragraphs) => paragraphs.Select(p => new XElement(s_maml + "para", Wrap(p)));

    // Get-Help breaks lines in the middle of words; 72 columns and its indentation fit a terminal of 80.
    private static string Wrap(string paragraph)
    {
        var lines = new List<string> { "" };
        foreach (string word in paragraph.Split(' '))
        {
            if (lines[^1].Length > 0 && lines[^1].Length + word.Length + 1 > 72)
            {
                lines.Add("");
            }

            lines[^1] += lines[^1].Length > 0 ? $" {word}" : word;
        }

        return string.Join("\n", lines);
    }
}
