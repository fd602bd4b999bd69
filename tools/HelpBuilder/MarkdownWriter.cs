using System.Globalization;
using System.Text;

namespace SparseFrontier.HelpBuilder;

/// <summary>Writes help as a markdown page.</summary>
internal static class MarkdownWriter
{
    public static string Write(CmdletHelp help)
    {
        var page = new StringBuilder();
        Add($"# {help.Name}", help.Synopsis, "## Syntax");
        Add($"```text\n{string.Join("\n", (help.Sets.Count == 0 ? [""] : help.Sets).Select(set => Syntax(help, set)))}\n```");
        Add("## Description");
        Add([.. help.Description]);
        Add("## Examples");
        for (int i = 0; i < help.Examples.Count; i++)
        {
            ExampleHelp example = help.Examples[i];
            Add(string.Create(CultureInfo.InvariantCulture, $"### Example {i + 1}: {example.Title}"), $"```powershell\n{example.Code}\n```");
            Add([.. example.Remarks]);
        }

        Add("## Parameters");
        foreach (ParameterHelp parameter in help.Parameters)
        {
            Add($"### -{parameter.Name}");
            Add([.. parameter.Description]);
            Add(string.Join("\n", Properties(help, parameter)));
        }

        Types("## Inputs", help.Inputs);
        Types("## Outputs", help.Outputs);
        Add("## Related links", string.Join("\n", HelpFiles.Related(help).Select(name => $"- [{name}]({(name.StartsWith("about_", StringComparison.Ordinal) ? "../" : "")}{name}.md)")));
        return page.ToString().TrimEnd('\n') + "\n";

        void Add(params string[] blocks)
        {
            foreach (string block in blocks)
            {
                page.Append(block).Append("\n\n");
            }
        }

        void Types(string title, IReadOnlyList<TypeHelp> types)
        {
            if (types.Count > 0)
            {
                Add(title, string.Join("\n", types.Select(t => t.Description.Length > 0 ? $"- `{t.Name}`: {t.Description}" : $"- `{t.Name}`")));
            }
        }
    }

    // Long lines of syntax are broken between parameters.
    private static string Syntax(CmdletHelp help, string set)
    {
        var lines = new List<string> { help.Name };
        foreach (string word in help.InSet(set).Select(p => p.Syntax).Append("[<CommonParameters>]"))
        {
            if (lines[^1].Length + word.Length + 1 > 100)
            {
                lines.Add("   ");
            }

            lines[^1] += $" {word}";
        }

        return string.Join("\n", lines);
    }

    private static IEnumerable<string> Properties(CmdletHelp help, ParameterHelp parameter)
    {
        yield return $"- Type: `{(parameter.Type.Length == 0 ? "SwitchParameter" : parameter.Type)}`{(parameter.Aliases.Count > 0 ? $", alias {string.Join(", ", parameter.Aliases)}" : "")}";
        if (parameter.Values.Count > 0)
        {
            yield return $"- Values: {string.Join(", ", parameter.Values)}";
        }

        yield return $"- Default: {parameter.Default}";
        string place = parameter.Position is int position ? string.Create(CultureInfo.InvariantCulture, $"position {position}") : "named";
        yield return $"- {(parameter.Mandatory ? "Required" : "Optional")}, {place}{(help.Sets.Count > 1 && parameter.Sets.Count > 0 ? $", parameter set {string.Join(", ", parameter.Sets)}" : "")}";
        yield return $"- Pipeline: {parameter.Pipeline}; wildcards: {(parameter.Wildcards ? "yes" : "no")}";
    }
}
