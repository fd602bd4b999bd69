namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>An expression.</summary>
internal abstract record JinjaExpression(int Line);

/// <summary>A value written out.</summary>
internal sealed record LiteralExpression(object? Value, int Line) : JinjaExpression(Line);

/// <summary>A variable.</summary>
internal sealed record NameExpression(string Name, int Line) : JinjaExpression(Line);

/// <summary>A list or tuple.</summary>
internal sealed record ListExpression(List<JinjaExpression> Items, int Line) : JinjaExpression(Line);

/// <summary>A mapping.</summary>
internal sealed record MappingExpression(List<(JinjaExpression Key, JinjaExpression Value)> Entries, int Line) : JinjaExpression(Line);

/// <summary><c>a.b</c> or <c>a[b]</c>.</summary>
internal sealed record MemberExpression(JinjaExpression Target, JinjaExpression Key, int Line) : JinjaExpression(Line);

/// <summary><c>a[b:c:d]</c>.</summary>
internal sealed record SliceExpression(
    JinjaExpression Target, JinjaExpression? Start, JinjaExpression? Stop, JinjaExpression? Step, int Line) : JinjaExpression(Line);

/// <summary>A call of a function, a macro or a method.</summary>
internal sealed record CallExpression(JinjaExpression Target, JinjaArguments Arguments, int Line) : JinjaExpression(Line);

/// <summary><c>a|f(...)</c>.</summary>
internal sealed record FilterExpression(JinjaExpression Target, string Name, JinjaArguments Arguments, int Line) : JinjaExpression(Line);

/// <summary><c>a is t(...)</c>.</summary>
internal sealed record TestExpression(JinjaExpression Target, string Name, JinjaArguments Arguments, bool Negated, int Line)
    : JinjaExpression(Line);

/// <summary><c>not a</c>, <c>-a</c> or <c>+a</c>.</summary>
internal sealed record UnaryExpression(string Operator, JinjaExpression Operand, int Line) : JinjaExpression(Line);

/// <summary>Arithmetic, <c>~</c>, <c>and</c> and <c>or</c>.</summary>
internal sealed record BinaryExpression(string Operator, JinjaExpression Left, JinjaExpression Right, int Line) : JinjaExpression(Line);

/// <summary>A chain of comparisons.</summary>
internal sealed record CompareExpression(JinjaExpression First, List<(string Operator, JinjaExpression Operand)> Rest, int Line)
    : JinjaExpression(Line);

/// <summary><c>a if c else b</c>.</summary>
internal sealed record ConditionalExpression(JinjaExpression Condition, JinjaExpression Then, JinjaExpression? Otherwise, int Line)
    : JinjaExpression(Line);

/// <summary>Arguments of a call.</summary>
internal sealed record JinjaArguments(List<JinjaExpression> Positional, List<(string Name, JinjaExpression Value)> Named)
{
    /// <summary>No arguments.</summary>
    public static JinjaArguments None { get; } = new([], []);
}

/// <summary>A statement.</summary>
internal abstract record JinjaStatement;

/// <summary>Text outside of tags.</summary>
internal sealed record TextStatement(string Text) : JinjaStatement;

/// <summary><c>{{ a }}</c>.</summary>
internal sealed record OutputStatement(JinjaExpression Value) : JinjaStatement;

/// <summary><c>{% if %}</c> with its <c>elif</c> and <c>else</c>.</summary>
internal sealed record IfStatement(List<(JinjaExpression? Condition, List<JinjaStatement> Body)> Branches) : JinjaStatement;

/// <summary><c>{% for %}</c>.</summary>
internal sealed record ForStatement(
    List<string> Targets, JinjaExpression Source, JinjaExpression? Condition, List<JinjaStatement> Body, List<JinjaStatement> Otherwise)
    : JinjaStatement;

/// <summary><c>{% set a = b %}</c>, also of a namespace's member (the target's member name is then not null).</summary>
internal sealed record SetStatement(List<(string Name, string? Member)> Targets, JinjaExpression Value, int Line) : JinjaStatement;

/// <summary><c>{% set a %}...{% endset %}</c>.</summary>
internal sealed record SetBlockStatement(string Name, List<JinjaStatement> Body) : JinjaStatement;

/// <summary><c>{% macro %}</c>.</summary>
internal sealed record MacroStatement(string Name, List<(string Name, JinjaExpression? Default)> Parameters, List<JinjaStatement> Body)
    : JinjaStatement;

/// <summary><c>{% break %}</c> or <c>{% continue %}</c>.</summary>
internal sealed record LoopControlStatement(bool Breaks) : JinjaStatement;

/// <summary>Statements in a row (<c>{% generation %}</c> marks the assistant's part for training; the text is the same).</summary>
internal sealed record BlockStatement(List<JinjaStatement> Body) : JinjaStatement;
