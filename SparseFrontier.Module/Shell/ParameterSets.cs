namespace SparseFrontier.Shell;

/// <summary>Names of the parameter sets that cmdlets share.</summary>
internal static class ParameterSets
{
    /// <summary>A grid given by parameters.</summary>
    public const string Parameters = "Parameters";

    /// <summary>Ready-made specifications.</summary>
    public const string Specification = "Specification";

    /// <summary>Paths with wildcards.</summary>
    public const string Path = "Path";

    /// <summary>Paths taken as they are.</summary>
    public const string LiteralPath = "LiteralPath";

    /// <summary>A user's code as a script block.</summary>
    public const string Script = "Script";

    /// <summary>A user's code as a class.</summary>
    public const string Type = "Type";
}
