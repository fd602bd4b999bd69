using System.Globalization;
using System.Text;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>Reads a template by Jinja's grammar and precedence; refuses tags, filters and tests outside the subset, as Jinja refuses unknown ones.</summary>
internal sealed class JinjaParser
{
    // Deeper nesting than any template needs would end the process by its stack, here or in the interpreter.
    private const int DeepestNesting = 100;

    private readonly List<JinjaToken> _tokens;
    private int _position;
    private int _depth;

    private JinjaParser(List<JinjaToken> tokens)
    {
        _tokens = tokens;
    }

    private JinjaToken Current => _tokens[_position];

    /// <summary>The statements of a template.</summary>
    /// <exception cref="SparseFrontierException">ChatTemplateUnsupported, naming the construct and its line.</exception>
    public static List<JinjaStatement> Parse(string template)
    {
        var parser = new JinjaParser(JinjaLexer.Read(template));
        List<JinjaStatement> body = parser.Body();
        return parser.Current.Kind == JinjaTokenKind.End ? body : throw parser.Unexpected();
    }

    /// <summary>Statements up to one of the given tags, whose name is left as the current token.</summary>
    private List<JinjaStatement> Body(params ReadOnlySpan<string> ends)
    {
        var body = new List<JinjaStatement>();
        while (true)
        {
            JinjaToken token = Current;
            switch (token.Kind)
            {
                case JinjaTokenKind.Text:
                    body.Add(new TextStatement(token.Text));
                    _position++;
                    break;
                case JinjaTokenKind.OutputBegin:
                    _position++;
                    body.Add(new OutputStatement(TupleOrExpression()));
                    Expect(JinjaTokenKind.OutputEnd);
                    break;
                case JinjaTokenKind.BlockBegin:
                    _position++;
                    if (Current.Kind == JinjaTokenKind.Name && ends.Contains(Current.Text))
                    {
                        return body;
                    }

                    body.Add(Statement());
                    break;
                default:
                    return ends.Length == 0 ? body : throw JinjaErrors.Unsupported($"a block without its '{ends[^1]}'", token.Line);
            }
        }
    }

    private JinjaStatement Statement()
    {
        Enter();
        JinjaStatement statement = Statement(Expect(JinjaTokenKind.Name));
        _depth--;
        return statement;
    }

    private JinjaStatement Statement(JinjaToken tag)
    {
        switch (tag.Text)
        {
            case "if":
                return If();
            case "for":
                return For();
            case "set":
                return Set(tag.Line);
            case "macro":
                return Macro();
            case "break" or "continue":
                Expect(JinjaTokenKind.BlockEnd);
                return new LoopControlStatement(tag.Text == "break");
            case "generation":
                Expect(JinjaTokenKind.BlockEnd);
                List<JinjaStatement> body = Body("endgeneration");
                EndTag();
                return new BlockStatement(body);
            default:
                throw JinjaErrors.Unsupported($"the tag '{tag.Text}'", tag.Line);
        }
    }

    private IfStatement If()
    {
        var branches = new List<(JinjaExpression? Condition, List<JinjaStatement> Body)>();
        JinjaExpression? condition = TupleOrExpression();
        while (true)
        {
            Expect(JinjaTokenKind.BlockEnd);
            List<JinjaStatement> body = condition is null ? Body("endif") : Body("elif", "else", "endif");
            branches.Add((condition, body));
            string next = Expect(JinjaTokenKind.Name).Text;
            if (next == "endif")
            {
                Expect(JinjaTokenKind.BlockEnd);
                return new IfStatement(branches);
            }

            condition = next == "elif" ? TupleOrExpression() : null;
        }
    }

    private ForStatement For()
    {
        var targets = new List<string>();
        bool bracket = Accept("(");
        do
        {
            targets.Add(Expect(JinjaTokenKind.Name).Text);
        }
        while (Accept(","));
        if (bracket)
        {
            ExpectOperator(")");
        }

        ExpectName("in");
        JinjaExpression source = Or();
        JinjaExpression? condition = AcceptName("if") ? Expression() : null;
        if (IsName("recursive"))
        {
            throw JinjaErrors.Unsupported("a recursive loop", Current.Line);
        }

        Expect(JinjaTokenKind.BlockEnd);
        List<JinjaStatement> body = Body("else", "endfor");
        List<JinjaStatement> otherwise = [];
        if (AcceptName("else"))
        {
            Expect(JinjaTokenKind.BlockEnd);
            otherwise = Body("endfor");
        }

        EndTag();
        return new ForStatement(targets, source, condition, body, otherwise);
    }

    private JinjaStatement Set(int line)
    {
        var targets = new List<(string Name, string? Member)>();
        do
        {
            string name = Expect(JinjaTokenKind.Name).Text;
            targets.Add((name, Accept(".") ? Expect(JinjaTokenKind.Name).Text : null));
        }
        while (Accept(","));
        if (Accept("="))
        {
            JinjaExpression value = TupleOrExpression();
            Expect(JinjaTokenKind.BlockEnd);
            return new SetStatement(targets, value, line);
        }

        if (targets.Count > 1 || targets[0].Member is not null || Current.Kind != JinjaTokenKind.BlockEnd)
        {
            throw Unexpected();
        }

        _position++;
        List<JinjaStatement> body = Body("endset");
        EndTag();
        return new SetBlockStatement(targets[0].Name, body);
    }

    private MacroStatement Macro()
    {
        string name = Expect(JinjaTokenKind.Name).Text;
        var parameters = new List<(string Name, JinjaExpression? Default)>();
        ExpectOperator("(");
        while (!Accept(")"))
        {
            string parameter = Expect(JinjaTokenKind.Name).Text;
            parameters.Add((parameter, Accept("=") ? Expression() : null));
            if (!Is(")"))
            {
                ExpectOperator(",");
            }
        }

        Expect(JinjaTokenKind.BlockEnd);
        List<JinjaStatement> body = Body("endmacro");
        EndTag();
        return new MacroStatement(name, parameters, body);
    }

    private void EndTag()
    {
        Expect(JinjaTokenKind.Name);
        if (Current.Kind == JinjaTokenKind.Name)
        {
            // endmacro and endset may repeat the name.
            _position++;
        }

        Expect(JinjaTokenKind.BlockEnd);
    }

    private JinjaExpression TupleOrExpression()
    {
        JinjaExpression first = Expression();
        if (!Is(","))
        {
            return first;
        }

        var items = new List<JinjaExpression> { first };
        while (Accept(",") && Current.Kind is not (JinjaTokenKind.BlockEnd or JinjaTokenKind.OutputEnd))
        {
            items.Add(Expression());
        }

        return new ListExpression(items, first.Line);
    }

    private JinjaExpression Expression()
    {
        Enter();
        JinjaExpression value = Or();
        while (IsName("if"))
        {
            int line = Current.Line;
            _position++;
            JinjaExpression condition = Or();
            value = new ConditionalExpression(condition, value, AcceptName("else") ? Expression() : null, line);
        }

        _depth--;
        return value;
    }

    private JinjaExpression Or()
    {
        JinjaExpression left = And();
        while (IsName("or"))
        {
            int line = Current.Line;
            _position++;
            left = new BinaryExpression("or", left, And(), line);
        }

        return left;
    }

    private JinjaExpression And()
    {
        JinjaExpression left = Not();
        while (IsName("and"))
        {
            int line = Current.Line;
            _position++;
            left = new BinaryExpression("and", left, Not(), line);
        }

        return left;
    }

    private JinjaExpression Not()
    {
        int line = Current.Line;
        if (!AcceptName("not"))
        {
            return Comparison();
        }

        Enter();
        var negation = new UnaryExpression("not", Not(), line);
        _depth--;
        return negation;
    }

    private JinjaExpression Comparison()
    {
        JinjaExpression first = Sum();
        var rest = new List<(string Operator, JinjaExpression Operand)>();
        while (true)
        {
            JinjaToken token = Current;
            if (token.Kind == JinjaTokenKind.Operator && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                _position++;
                rest.Add((token.Text, Sum()));
            }
            else if (AcceptName("in"))
            {
                rest.Add(("in", Sum()));
            }
            else if (IsName("not") && _tokens[_position + 1] is { Kind: JinjaTokenKind.Name, Text: "in" })
            {
                _position += 2;
                rest.Add(("not in", Sum()));
            }
            else
            {
                return rest.Count == 0 ? first : new CompareExpression(first, rest, first.Line);
            }
        }
    }

    private JinjaExpression Sum() => LeftAssociative(Concatenation, "+", "-");

    private JinjaExpression Concatenation() => LeftAssociative(Product, "~");

    private JinjaExpression Product() => LeftAssociative(Power, "*", "/", "//", "%");

    private JinjaExpression Power() => LeftAssociative(() => Unary(withFilter: true), "**");

    private JinjaExpression LeftAssociative(Func<JinjaExpression> operand, params ReadOnlySpan<string> operators)
    {
        JinjaExpression left = operand();
        while (Current.Kind == JinjaTokenKind.Operator && operators.Contains(Current.Text))
        {
            JinjaToken token = Current;
            _position++;
            left = new BinaryExpression(token.Text, left, operand(), token.Line);
        }

        return left;
    }

    private JinjaExpression Unary(bool withFilter)
    {
        JinjaToken token = Current;
        JinjaExpression value;
        if (Accept("-") || Accept("+"))
        {
            Enter();
            value = new UnaryExpression(token.Text, Unary(withFilter: false), token.Line);
            _depth--;
        }
        else
        {
            value = Postfix(Primary());
        }

        return withFilter ? Filters(value) : value;
    }

    private JinjaExpression Primary()
    {
        JinjaToken token = Current;
        _position++;
        switch (token.Kind)
        {
            case JinjaTokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new LiteralExpression(true, token.Line),
                    "false" or "False" => new LiteralExpression(false, token.Line),
                    "none" or "None" => new LiteralExpression(null, token.Line),
                    _ => new NameExpression(token.Text, token.Line),
                };
            case JinjaTokenKind.String:
                if (Current.Kind != JinjaTokenKind.String)
                {
                    return new LiteralExpression(token.Text, token.Line);
                }

                var text = new StringBuilder(token.Text);
                while (Current.Kind == JinjaTokenKind.String)
                {
                    text.Append(Current.Text);
                    _position++;
                }

                return new LiteralExpression(text.ToString(), token.Line);
            case JinjaTokenKind.Integer when long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long integer):
                return new LiteralExpression(integer, token.Line);
            case JinjaTokenKind.Float:
                return new LiteralExpression(double.Parse(token.Text, CultureInfo.InvariantCulture), token.Line);
            case JinjaTokenKind.Operator when token.Text == "(":
                return Parenthesised(token.Line);
            case JinjaTokenKind.Operator when token.Text == "[":
                return new ListExpression(Items("]"), token.Line);
            case JinjaTokenKind.Operator when token.Text == "{":
                return Mapping(token.Line);
            default:
                _position--;
                throw Unexpected();
        }
    }

    private JinjaExpression Parenthesised(int line)
    {
        if (Accept(")"))
        {
            return new ListExpression([], line);
        }

        JinjaExpression first = Expression();
        if (Accept(")"))
        {
            return first;
        }

        ExpectOperator(",");
        List<JinjaExpression> items = Items(")");
        items.Insert(0, first);
        return new ListExpression(items, line);
    }

    private List<JinjaExpression> Items(string close)
    {
        var items = new List<JinjaExpression>();
        while (!Accept(close))
        {
            items.Add(Expression());
            if (!Is(close))
            {
                ExpectOperator(",");
            }
        }

        return items;
    }

    private MappingExpression Mapping(int line)
    {
        var entries = new List<(JinjaExpression Key, JinjaExpression Value)>();
        while (!Accept("}"))
        {
            JinjaExpression key = Expression();
            ExpectOperator(":");
            entries.Add((key, Expression()));
            if (!Is("}"))
            {
                ExpectOperator(",");
            }
        }

        return new MappingExpression(entries, line);
    }

    private JinjaExpression Postfix(JinjaExpression value)
    {
        while (true)
        {
            JinjaToken token = Current;
            if (Accept("."))
            {
                object key = Current.Kind == JinjaTokenKind.Integer && long.TryParse(Current.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
                    ? index
                    : Current.Kind == JinjaTokenKind.Name ? Current.Text : throw Unexpected();
                _position++;
                value = new MemberExpression(value, new LiteralExpression(key, token.Line), token.Line);
            }
            else if (Accept("["))
            {
                value = Subscript(value, token.Line);
            }
            else if (Accept("("))
            {
                value = new CallExpression(value, Arguments(), token.Line);
            }
            else
            {
                return value;
            }
        }
    }

    private JinjaExpression Subscript(JinjaExpression target, int line)
    {
        JinjaExpression? start = Is(":") ? null : Expression();
        if (!Accept(":"))
        {
            ExpectOperator("]");
            return new MemberExpression(target, start!, line);
        }

        JinjaExpression? stop = Is(":") || Is("]") ? null : Expression();
        JinjaExpression? step = Accept(":") && !Is("]") ? Expression() : null;
        ExpectOperator("]");
        return new SliceExpression(target, start, stop, step, line);
    }

    private JinjaArguments Arguments()
    {
        var positional = new List<JinjaExpression>();
        var named = new List<(string Name, JinjaExpression Value)>();
        while (!Accept(")"))
        {
            if (Is("*") || Is("**"))
            {
                throw JinjaErrors.Unsupported("unpacked arguments", Current.Line);
            }

            if (Current.Kind == JinjaTokenKind.Name && _tokens[_position + 1] is { Kind: JinjaTokenKind.Operator, Text: "=" })
            {
                string name = Current.Text;
                _position += 2;
                named.Add((name, Expression()));
            }
            else
            {
                positional.Add(Expression());
            }

            if (!Is(")"))
            {
                ExpectOperator(",");
            }
        }

        return new JinjaArguments(positional, named);
    }

    private JinjaExpression Filters(JinjaExpression value)
    {
        while (true)
        {
            int line = Current.Line;
            if (Accept("|"))
            {
                string name = Expect(JinjaTokenKind.Name).Text;
                if (!JinjaFilters.IsKnown(name))
                {
                    throw JinjaErrors.Unsupported($"the filter '{name}'", line);
                }

                value = new FilterExpression(value, name, Accept("(") ? Arguments() : JinjaArguments.None, line);
            }
            else if (AcceptName("is"))
            {
                value = Test(value, line);
            }
            else
            {
                return value;
            }
        }
    }

    private TestExpression Test(JinjaExpression value, int line)
    {
        bool negated = AcceptName("not");
        string name = Expect(JinjaTokenKind.Name).Text;
        if (!JinjaTests.IsKnown(name))
        {
            throw JinjaErrors.Unsupported($"the test '{name}'", line);
        }

        JinjaArguments arguments = JinjaArguments.None;
        if (Accept("("))
        {
            arguments = Arguments();
        }
        else if (Current.Kind is JinjaTokenKind.String or JinjaTokenKind.Integer or JinjaTokenKind.Float
            || Is("[") || Is("{")
            || (Current.Kind == JinjaTokenKind.Name && Current.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not")))
        {
            arguments = new JinjaArguments([Postfix(Primary())], []);
        }

        return new TestExpression(value, name, arguments, negated, line);
    }

    private void Enter()
    {
        if (++_depth > DeepestNesting)
        {
            throw JinjaErrors.Unsupported($"nesting deeper than {DeepestNesting} levels", Current.Line);
        }
    }

    private bool Is(string text) => Current.Kind == JinjaTokenKind.Operator && Current.Text == text;

    private bool IsName(string text) => Current.Kind == JinjaTokenKind.Name && Current.Text == text;

    private bool Accept(string text)
    {
        if (!Is(text))
        {
            return false;
        }

        _position++;
        return true;
    }

    private bool AcceptName(string text)
    {
        if (!IsName(text))
        {
            return false;
        }

        _position++;
        return true;
    }

    private void ExpectOperator(string text)
    {
        if (!Accept(text))
        {
            throw Unexpected();
        }
    }

    private void ExpectName(string text)
    {
        if (!AcceptName(text))
        {
            throw Unexpected();
        }
    }

    private JinjaToken Expect(JinjaTokenKind kind)
    {
        JinjaToken token = Current;
        if (token.Kind != kind)
        {
            throw Unexpected();
        }

        _position++;
        return token;
    }

    private SparseFrontierException Unexpected() => JinjaErrors.Unsupported($"'{Current.Text}' where it cannot stand", Current.Line);
}
