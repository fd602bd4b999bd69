using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace SparseFrontier.HelpBuilder;

/// <summary>The doc comments of an assembly, from the XML file that the compiler writes beside it.</summary>
internal sealed partial class DocumentationFile
{
    private readonly Dictionary<string, XElement> _members;

    private DocumentationFile(Dictionary<string, XElement> members) => _members = members;

    public static DocumentationFile Load(string path) =>
        new(XDocument.Load(path, LoadOptions.PreserveWhitespace).Descendants("member").ToDictionary(m => m.Attribute("name")!.Value));

    /// <summary>Paragraphs of an element ("summary", "remarks", "value") of a member; none where it is missing.</summary>
    public IReadOnlyList<string> Paragraphs(string member, string element) =>
        _members.TryGetValue(member, out XElement? found) && found.Element(element) is { } text ? Paragraphs(text.Nodes()) : [];

    /// <summary>The examples of a member: text before the code is the title, text after it the remarks.</summary>
    public IReadOnlyList<ExampleHelp> Examples(string member) => _members.TryGetValue(member, out XElement? found)
        ? [.. found.Elements("example").Select(Example)]
        : [];

    private static ExampleHelp Example(XElement example)
    {
        XElement code = example.Element("code") ?? throw new InvalidDataException($"An example has no code: {example}");
        return new ExampleHelp(string.Join(" ", Paragraphs(code.NodesBeforeSelf())), Unindent(code.Value), Paragraphs(code.NodesAfterSelf()));
    }

    // Paragraphs are what <para> holds and what stands between; within one, lines are joined.
    private static List<string> Paragraphs(IEnumerable<XNode> nodes)
    {
        var paragraphs = new List<string>();
        string open = "";
        foreach (XNode node in nodes)
        {
            if (node is XElement { Name.LocalName: "para" } para)
            {
                Close();
                open = string.Concat(para.Nodes().Select(Text));
                Close();
            }
            else
            {
                open += Text(node);
            }
        }

        Close();
        return paragraphs;

        void Close()
        {
            string text = Spaces().Replace(open, " ").Trim();
            if (text.Length > 0)
            {
                paragraphs.Add(text);
            }

            open = "";
        }
    }

    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "see" or "seealso" } see => see.Attribute("cref") is { } cref ? cref.Value[(cref.Value.LastIndexOfAny(['.', ':']) + 1)..] : see.Value,
        XElement { Name.LocalName: "paramref" or "typeparamref" } reference => reference.Attribute("name")!.Value,
        XElement element => element.Value,
        _ => "",
    };

    private static string Unindent(string code)
    {
        string[] lines = [.. code.ReplaceLineEndings("\n").Trim('\n').Split('\n').Select(l => l.TrimEnd())];
        int indent = lines.Skip(code.StartsWith('\n') || code.StartsWith('\r') ? 0 : 1).Where(l => l.Length > 0)
            .Select(l => l.Length - l.TrimStart().Length).DefaultIfEmpty(0).Min();
        return string.Join("\n", lines.Select(l => l.Length - l.TrimStart().Length >= indent ? l[indent..] : l)).Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
