namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>What a token is.</summary>
internal enum JinjaTokenKind
{
    /// <summary>Text outside of tags.</summary>
    Text,

    /// <summary>Start of an output, <c>{{</c>.</summary>
    OutputBegin,

    /// <summary>End of an output, <c>}}</c>.</summary>
    OutputEnd,

    /// <summary>Start of a statement, <c>{%</c>.</summary>
    BlockBegin,

    /// <summary>End of a statement, <c>%}</c>.</summary>
    BlockEnd,

    /// <summary>Identifier or keyword.</summary>
    Name,

    /// <summary>String literal, unescaped.</summary>
    String,

    /// <summary>Integer literal.</summary>
    Integer,

    /// <summary>Floating-point literal.</summary>
    Float,

    /// <summary>Operator or bracket.</summary>
    Operator,

    /// <summary>End of the template.</summary>
    End,
}

/// <summary>One token of a template.</summary>
internal readonly record struct JinjaToken(JinjaTokenKind Kind, string Text, int Line);
