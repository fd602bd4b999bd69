namespace SparseFrontier.HelpBuilder;

/// <summary>What help says of a cmdlet.</summary>
/// <param name="Verb">Verb.</param>
/// <param name="Noun">Noun.</param>
/// <param name="Synopsis">One sentence.</param>
/// <param name="Description">Paragraphs.</param>
/// <param name="DefaultSet">Name of the default parameter set; empty where there is one set.</param>
/// <param name="Parameters">Parameters: positional ones first, then in the order of the source.</param>
/// <param name="Inputs">Types taken from the pipeline, with what they are.</param>
/// <param name="Outputs">Types emitted, with what they are.</param>
/// <param name="Examples">Examples.</param>
public sealed record CmdletHelp(
    string Verb,
    string Noun,
    string Synopsis,
    IReadOnlyList<string> Description,
    string DefaultSet,
    IReadOnlyList<ParameterHelp> Parameters,
    IReadOnlyList<TypeHelp> Inputs,
    IReadOnlyList<TypeHelp> Outputs,
    IReadOnlyList<ExampleHelp> Examples)
{
    /// <summary>Verb-Noun.</summary>
    public string Name => $"{Verb}-{Noun}";

    /// <summary>Parameter sets, the default one first; empty where all parameters are in all sets.</summary>
    public IReadOnlyList<string> Sets =>
        [.. Parameters.SelectMany(p => p.Sets).Distinct().OrderBy(s => s != DefaultSet).ThenBy(s => s, StringComparer.Ordinal)];

    /// <summary>The parameters of a set; of an empty name all.</summary>
    public IEnumerable<ParameterHelp> InSet(string set) =>
        Parameters.Where(p => p.Sets.Count == 0 || p.Sets.Contains(set)).OrderBy(p => p.Position ?? int.MaxValue).ThenBy(p => !p.Mandatory);
}

/// <summary>What help says of a parameter.</summary>
/// <param name="Name">Name.</param>
/// <param name="Type">Type as PowerShell writes it; empty of a switch.</param>
/// <param name="Description">Paragraphs.</param>
/// <param name="Default">Default, in words.</param>
/// <param name="Values">The values it takes, where they are a closed set.</param>
/// <param name="Aliases">Other names.</param>
/// <param name="Sets">Sets it belongs to; empty: all.</param>
/// <param name="Position">Position, or null if named only.</param>
/// <param name="Mandatory">Whether it must be given.</param>
/// <param name="ByValue">Whether it takes objects of the pipeline.</param>
/// <param name="ByPropertyName">Whether it takes properties of objects of the pipeline.</param>
/// <param name="Wildcards">Whether * and ? match.</param>
public sealed record ParameterHelp(
    string Name,
    string Type,
    IReadOnlyList<string> Description,
    string Default,
    IReadOnlyList<string> Values,
    IReadOnlyList<string> Aliases,
    IReadOnlyList<string> Sets,
    int? Position,
    bool Mandatory,
    bool ByValue,
    bool ByPropertyName,
    bool Wildcards)
{
    /// <summary>"True (ByValue, ByPropertyName)" or "False", as PowerShell writes it.</summary>
    public string Pipeline => (ByValue, ByPropertyName) switch
    {
        (true, true) => "True (ByValue, ByPropertyName)",
        (true, false) => "True (ByValue)",
        (false, true) => "True (ByPropertyName)",
        _ => "False",
    };

    /// <summary>The parameter in a line of syntax.</summary>
    public string Syntax
    {
        get
        {
            string value = Type.Length == 0 ? "" : Values.Count > 0 && !Type.EndsWith("[]", StringComparison.Ordinal) ? $" {{{string.Join(" | ", Values)}}}" : $" <{Type}>";
            string name = Position is null ? $"-{Name}{value}" : $"[-{Name}]{value}";
            return Mandatory ? name : $"[{name}]";
        }
    }
}

/// <summary>A type that comes in or goes out.</summary>
/// <param name="Name">Full name.</param>
/// <param name="Description">What it is.</param>
public sealed record TypeHelp(string Name, string Description);

/// <summary>An example.</summary>
/// <param name="Title">What it does, one sentence.</param>
/// <param name="Code">Commands.</param>
/// <param name="Remarks">What to know about it.</param>
public sealed record ExampleHelp(string Title, string Code, IReadOnlyList<string> Remarks);
