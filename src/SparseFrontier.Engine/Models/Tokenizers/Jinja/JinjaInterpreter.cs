using System.Text;

namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>Runs a parsed template.</summary>
internal sealed class JinjaInterpreter
{
    // Jinja's sandbox sets the same bound for ranges; a macro calls itself at most so deep.
    private const int LongestRange = 100_000;
    private const int DeepestCall = 100;

    private readonly StringBuilder _output = new();
    private Scope _scope;
    private int _callDepth;
    private LoopSignal _signal;

    private JinjaInterpreter(Dictionary<string, object?> variables)
    {
        var globals = new Scope(null);
        globals.Values["range"] = (JinjaFunction)Range;
        globals.Values["namespace"] = (JinjaFunction)CreateNamespace;
        globals.Values["raise_exception"] = (JinjaFunction)RaiseException;
        foreach ((string name, object? value) in variables)
        {
            globals.Values[name] = value;
        }

        _scope = globals;
    }

    private enum LoopSignal
    {
        None,
        Break,
        Continue,
    }

    /// <summary>The text of a template.</summary>
    /// <param name="template">Statements from <see cref="JinjaParser"/>.</param>
    /// <param name="variables">What the template sees.</param>
    public static string Render(List<JinjaStatement> template, Dictionary<string, object?> variables)
    {
        var interpreter = new JinjaInterpreter(variables);
        interpreter.Run(template);
        return interpreter._output.ToString();
    }

    private void Run(List<JinjaStatement> body)
    {
        foreach (JinjaStatement statement in body)
        {
            Run(statement);
            if (_signal != LoopSignal.None)
            {
                return;
            }
        }
    }

    private void Run(JinjaStatement statement)
    {
        JinjaWork.RequireStack(0);
        switch (statement)
        {
            case TextStatement text:
                JinjaWork.Spend(text.Text.Length, 0);
                _output.Append(text.Text);
                break;
            case OutputStatement output:
                string shown = JinjaValues.Text(Evaluate(output.Value), output.Value.Line);
                JinjaWork.Spend(shown.Length, output.Value.Line);
                _output.Append(shown);
                break;
            case BlockStatement block:
                Run(block.Body);
                break;
            case IfStatement conditional:
                foreach ((JinjaExpression? condition, List<JinjaStatement> body) in conditional.Branches)
                {
                    if (condition is null || JinjaValues.IsTrue(Evaluate(condition)))
                    {
                        Run(body);
                        break;
                    }
                }

                break;
            case ForStatement loop:
                RunLoop(loop);
                break;
            case SetStatement set:
                Assign(set);
                break;
            case SetBlockStatement set:
                _scope.Values[set.Name] = Capture(set.Body, new Scope(_scope));
                break;
            case MacroStatement macro:
                DefineMacro(macro);
                break;
            case LoopControlStatement control:
                _signal = control.Breaks ? LoopSignal.Break : LoopSignal.Continue;
                break;
        }
    }

    private void RunLoop(ForStatement loop)
    {
        int line = loop.Source.Line;
        List<object?> items = JinjaValues.Items(Evaluate(loop.Source), line);
        Scope outer = _scope;
        if (loop.Condition is not null)
        {
            items = items.Where(item =>
            {
                JinjaWork.SpendPass(line);
                _scope = new Scope(outer);
                Bind(loop.Targets, item, line);
                return JinjaValues.IsTrue(Evaluate(loop.Condition));
            }).ToList();
        }

        for (int i = 0; i < items.Count; i++)
        {
            JinjaWork.SpendPass(line);
            _scope = new Scope(outer);
            Bind(loop.Targets, items[i], line);
            _scope.Values["loop"] = LoopVariable(items, i);
            Run(loop.Body);
            LoopSignal signal = _signal;
            _signal = LoopSignal.None;
            if (signal == LoopSignal.Break)
            {
                break;
            }
        }

        _scope = outer;
        if (items.Count == 0)
        {
            Run(loop.Otherwise);
        }
    }

    private static Dictionary<string, object?> LoopVariable(List<object?> items, int index) => new(StringComparer.Ordinal)
    {
        ["index"] = index + 1L,
        ["index0"] = (long)index,
        ["revindex"] = (long)items.Count - index,
        ["revindex0"] = items.Count - index - 1L,
        ["first"] = index == 0,
        ["last"] = index == items.Count - 1,
        ["length"] = (long)items.Count,
        ["previtem"] = index > 0 ? items[index - 1] : new JinjaUndefined("previtem"),
        ["nextitem"] = index + 1 < items.Count ? items[index + 1] : new JinjaUndefined("nextitem"),
    };

    private void Bind(List<string> targets, object? item, int line)
    {
        if (targets.Count == 1)
        {
            _scope.Values[targets[0]] = item;
            return;
        }

        List<object?> parts = JinjaValues.Items(item, line);
        if (parts.Count != targets.Count)
        {
            throw JinjaErrors.Unsupported($"{Counted.Of(targets.Count, "name")} for {Counted.Of(parts.Count, "value")}", line);
        }

        for (int i = 0; i < parts.Count; i++)
        {
            _scope.Values[targets[i]] = parts[i];
        }
    }

    private void Assign(SetStatement set)
    {
        object? value = Evaluate(set.Value);
        List<object?> values = set.Targets.Count == 1 ? [value] : JinjaValues.Items(value, set.Line);
        if (values.Count != set.Targets.Count)
        {
            throw JinjaErrors.Unsupported($"{Counted.Of(set.Targets.Count, "name")} for {Counted.Of(values.Count, "value")}", set.Line);
        }

        for (int i = 0; i < values.Count; i++)
        {
            (string name, string? member) = set.Targets[i];
            if (member is null)
            {
                _scope.Values[name] = values[i];
            }
            else if (_scope.Find(name) is JinjaNamespace space)
            {
                space.Members[member] = values[i];
            }
            else
            {
                throw JinjaErrors.Unsupported($"the assignment to '{name}.{member}', which is not in a namespace,", set.Line);
            }
        }
    }

    private void DefineMacro(MacroStatement macro)
    {
        Scope home = _scope;
        _scope.Values[macro.Name] = (JinjaFunction)(call =>
        {
            if (call.Positional.Count > macro.Parameters.Count)
            {
                throw JinjaErrors.Unsupported($"'{macro.Name}' with {Counted.Of(call.Positional.Count, "argument")}", call.Line);
            }

            if (++_callDepth > DeepestCall)
            {
                throw JinjaErrors.Unsupported($"calls of '{macro.Name}' deeper than {DeepestCall}", call.Line);
            }

            Scope caller = _scope;
            var inner = new Scope(home);
            _scope = inner;
            for (int i = 0; i < macro.Parameters.Count; i++)
            {
                (string name, JinjaExpression? otherwise) = macro.Parameters[i];
                bool given = i < call.Positional.Count || call.Named.ContainsKey(name);
                inner.Values[name] = given ? call.Optional(i, name, null) : otherwise is null ? new JinjaUndefined(name) : Evaluate(otherwise);
            }

            string text = Capture(macro.Body, inner);
            _callDepth--;
            _scope = caller;
            return text;
        });
    }

    private string Capture(List<JinjaStatement> body, Scope scope)
    {
        Scope outer = _scope;
        int start = _output.Length;
        _scope = scope;
        Run(body);
        _scope = outer;
        JinjaWork.Spend(_output.Length - start, 0);
        string text = _output.ToString(start, _output.Length - start);
        _output.Length = start;
        return text;
    }

    private object? Evaluate(JinjaExpression expression)
    {
        JinjaWork.RequireStack(expression.Line);
        JinjaWork.Spend(1, expression.Line);
        return expression is LiteralExpression or NameExpression or MemberExpression { Target: not CallExpression } or ConditionalExpression
            ? Value(expression)
            : JinjaWork.Made(Value(expression), expression.Line);
    }

    private object? Value(JinjaExpression expression)
    {
        switch (expression)
        {
            case LiteralExpression literal:
                return literal.Value;
            case NameExpression name:
                return _scope.Find(name.Name);
            case ListExpression list:
                return list.Items.Select(Evaluate).ToList();
            case MappingExpression mapping:
                var result = new Dictionary<string, object?>(StringComparer.Ordinal);
                foreach ((JinjaExpression key, JinjaExpression value) in mapping.Entries)
                {
                    result[Evaluate(key) as string ?? throw JinjaErrors.Unsupported("a mapping's key that is no string", key.Line)] = Evaluate(value);
                }

                return result;
            case MemberExpression member:
                return JinjaOperators.Member(Evaluate(member.Target), Evaluate(member.Key), member.Line);
            case SliceExpression slice:
                return JinjaOperators.Slice(Evaluate(slice.Target), Bound(slice.Start), Bound(slice.Stop), Bound(slice.Step), slice.Line);
            case CallExpression call:
                return Call(call);
            case FilterExpression filter:
                return JinjaFilters.Apply(filter.Name, Evaluate(filter.Target), Arguments(filter.Name, filter.Arguments, filter.Line));
            case TestExpression test:
                return JinjaTests.Apply(test.Name, Evaluate(test.Target), Arguments(test.Name, test.Arguments, test.Line)) != test.Negated;
            case UnaryExpression unary:
                return Unary(unary);
            case BinaryExpression binary:
                return Binary(binary);
            case CompareExpression compare:
                return Comparison(compare);
            case ConditionalExpression conditional:
                return JinjaValues.IsTrue(Evaluate(conditional.Condition))
                    ? Evaluate(conditional.Then)
                    : conditional.Otherwise is null ? new JinjaUndefined("the inline if without else") : Evaluate(conditional.Otherwise);
            default:
                throw JinjaErrors.Unsupported(expression.GetType().Name, expression.Line);
        }
    }

    private long? Bound(JinjaExpression? expression) => expression is null ? null : Evaluate(expression) switch
    {
        null => null,
        long value => value,
        object other => throw JinjaErrors.Unsupported($"a slice with {JinjaValues.TypeName(other)}", expression.Line),
    };

    private object? Call(CallExpression call)
    {
        if (call.Target is MemberExpression { Key: LiteralExpression { Value: string method } } member)
        {
            object? target = Evaluate(member.Target);
            JinjaFunction function = JinjaMethods.Find(target, method)
                ?? JinjaOperators.Member(target, method, call.Line) as JinjaFunction
                ?? throw JinjaErrors.Unsupported($"the method '{method}' of {JinjaValues.TypeName(target)}", call.Line);
            return function(Arguments(method, call.Arguments, call.Line));
        }

        string name = call.Target is NameExpression named ? named.Name : "an expression";
        return Evaluate(call.Target) is JinjaFunction known
            ? known(Arguments(name, call.Arguments, call.Line))
            : throw JinjaErrors.Unsupported($"the function '{name}'", call.Line);
    }

    private JinjaCall Arguments(string name, JinjaArguments arguments, int line)
    {
        List<object?> positional = arguments.Positional.ConvertAll(Evaluate);
        var named = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach ((string key, JinjaExpression value) in arguments.Named)
        {
            named[key] = Evaluate(value);
        }

        return new JinjaCall(name, positional, named, line);
    }

    private object? Unary(UnaryExpression unary)
    {
        object? operand = Evaluate(unary.Operand);
        return (unary.Operator, operand) switch
        {
            ("not", _) => !JinjaValues.IsTrue(operand),
            ("-", long value) => -value,
            ("-", double value) => -value,
            ("+", long or double) => operand,
            _ => throw JinjaErrors.Unsupported($"'{unary.Operator}' of {JinjaValues.TypeName(operand)}", unary.Line),
        };
    }

    private object? Binary(BinaryExpression binary)
    {
        object? left = Evaluate(binary.Left);
        return binary.Operator switch
        {
            "and" => JinjaValues.IsTrue(left) ? Evaluate(binary.Right) : left,
            "or" => JinjaValues.IsTrue(left) ? left : Evaluate(binary.Right),
            _ => JinjaOperators.Binary(binary.Operator, left, Evaluate(binary.Right), binary.Line),
        };
    }

    private bool Comparison(CompareExpression compare)
    {
        object? left = Evaluate(compare.First);
        foreach ((string symbol, JinjaExpression operand) in compare.Rest)
        {
            object? right = Evaluate(operand);
            bool holds = symbol switch
            {
                "==" => JinjaValues.AreEqual(left, right, operand.Line),
                "!=" => !JinjaValues.AreEqual(left, right, operand.Line),
                "in" => JinjaOperators.Contains(right, left, operand.Line),
                "not in" => !JinjaOperators.Contains(right, left, operand.Line),
                "<" => JinjaValues.Compare(left, right, operand.Line) < 0,
                "<=" => JinjaValues.Compare(left, right, operand.Line) <= 0,
                ">" => JinjaValues.Compare(left, right, operand.Line) > 0,
                _ => JinjaValues.Compare(left, right, operand.Line) >= 0,
            };
            if (!holds)
            {
                return false;
            }

            left = right;
        }

        return true;
    }

    private static object Range(JinjaCall call)
    {
        call.Allow(3);
        long[] bounds = call.Positional
            .Select(value => JinjaValues.Integer(value) ?? throw JinjaErrors.Unsupported($"range of {JinjaValues.TypeName(value)}", call.Line))
            .ToArray();
        (long start, long stop, long step) = bounds switch
        {
            [long end] => (0L, end, 1L),
            [long from, long end] => (from, end, 1L),
            [long from, long end, long stride] when stride != 0 => (from, end, stride),
            _ => throw JinjaErrors.Unsupported("range without bounds", call.Line),
        };
        var items = new List<object?>();
        for (Int128 i = start; step > 0 ? i < stop : i > stop; i += step)
        {
            items.Add(items.Count < LongestRange ? (long)i : throw JinjaErrors.Unsupported($"a range of more than {LongestRange} items", call.Line));
        }

        return items;
    }

    private static object CreateNamespace(JinjaCall call)
    {
        call.Allow(0, call.Named.Keys.ToArray());
        var space = new JinjaNamespace();
        foreach ((string name, object? value) in call.Named)
        {
            space.Members[name] = value;
        }

        return space;
    }

    private static object? RaiseException(JinjaCall call) => throw new SparseFrontierException(
        ErrorIds.ParameterInvalid,
        $"The checkpoint's chat template refuses the conversation: {JinjaValues.Text(call.Required(0, "message"), call.Line)}");

    /// <summary>Names of a block; those of the blocks around it are seen and never changed.</summary>
    private sealed class Scope(Scope? parent)
    {
        public Dictionary<string, object?> Values { get; } = new(StringComparer.Ordinal);

        public object? Find(string name)
        {
            for (Scope? scope = this; scope is not null; scope = scope.Parent)
            {
                if (scope.Values.TryGetValue(name, out object? value))
                {
                    return value;
                }
            }

            return new JinjaUndefined(name);
        }

        private Scope? Parent { get; } = parent;
    }
}
