namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>Operators and subscripts with Python's rules.</summary>
internal static class JinjaOperators
{
    /// <summary>A binary operator other than <c>and</c> and <c>or</c>.</summary>
    public static object? Binary(string symbol, object? left, object? right, int line)
    {
        switch (symbol, left, right)
        {
            case ("~", _, _):
                return JinjaValues.Text(left, line) + JinjaValues.Text(right, line);
            case ("+", string x, string y):
                return x + y;
            case ("+", List<object?> x, List<object?> y):
                return x.Concat(y).ToList();
            case ("*", string x, long count):
                JinjaWork.Spend(x.Length * Math.Clamp(count, 0, int.MaxValue), line);
                return string.Concat(Enumerable.Repeat(x, (int)Math.Clamp(count, 0, int.MaxValue)));
        }

        if (JinjaValues.Integer(left) is { } a && JinjaValues.Integer(right) is { } b)
        {
            switch (symbol)
            {
                case "+":
                    return a + b;
                case "-":
                    return a - b;
                case "*":
                    return a * b;
                case "//" when b != 0:
                    return FloorDivide(a, b);
                case "%" when b != 0:
                    return b == -1 ? 0L : a - (FloorDivide(a, b) * b);
                case "**" when b >= 0:
                    return (long)Math.Pow(a, b);
            }
        }

        if (JinjaValues.Number(left) is { } first && JinjaValues.Number(right) is { } second)
        {
            switch (symbol)
            {
                case "+":
                    return first + second;
                case "-":
                    return first - second;
                case "*":
                    return first * second;
                case "/" when second != 0:
                    return first / second;
                case "//" when second != 0:
                    return Math.Floor(first / second);
                case "%" when second != 0:
                    return first - (Math.Floor(first / second) * second);
                case "**":
                    return Math.Pow(first, second);
            }
        }

        throw JinjaErrors.Unsupported($"'{symbol}' of {JinjaValues.TypeName(left)} and {JinjaValues.TypeName(right)}", line);
    }

    /// <summary>Whether a container holds an item: a list an equal one, a string a part, a mapping a key.</summary>
    public static bool Contains(object? container, object? item, int line) => (container, item) switch
    {
        (string text, string part) => Holds(text, part, line),
        (List<object?> list, _) => list.Exists(element => JinjaValues.AreEqual(element, item, line)),
        (Dictionary<string, object?> mapping, string key) => mapping.ContainsKey(key),
        (JinjaUndefined, _) => false,
        _ => throw JinjaErrors.Unsupported($"'in' of {JinjaValues.TypeName(item)} and {JinjaValues.TypeName(container)}", line),
    };

    /// <summary><c>a.b</c> or <c>a[b]</c>; undefined where there is no such member.</summary>
    public static object? Member(object? target, object? key, int line)
    {
        string name = key as string ?? JinjaValues.Text(key, line);
        switch (target)
        {
            case Dictionary<string, object?> mapping when key is string:
                return mapping.TryGetValue(name, out object? value) ? value : new JinjaUndefined(name);
            case JinjaNamespace space when key is string:
                return space.Members.TryGetValue(name, out object? member) ? member : new JinjaUndefined(name);
            case List<object?> list when key is long index:
                index = index < 0 ? index + list.Count : index;
                return index >= 0 && index < list.Count ? list[(int)index] : new JinjaUndefined(name);
            case string when key is long index:
                List<object?> characters = JinjaValues.Items(target, line);
                return Member(characters, index, line);
            case JinjaUndefined undefined:
                throw JinjaErrors.Unsupported($"the member '{name}' of '{undefined.Name}', which is undefined", line);
            default:
                return new JinjaUndefined(name);
        }
    }

    /// <summary><c>a[start:stop:step]</c> of a list or string.</summary>
    public static object? Slice(object? target, long? start, long? stop, long? step, int line)
    {
        if (target is not (List<object?> or string))
        {
            throw JinjaErrors.Unsupported($"a slice of {JinjaValues.TypeName(target)}", line);
        }

        List<object?> items = JinjaValues.Items(target, line);
        long stride = step ?? 1;
        if (stride == 0)
        {
            throw JinjaErrors.Unsupported("a slice with step 0", line);
        }

        long count = items.Count;
        stride = Math.Clamp(stride, -count - 1, count + 1);
        long lowest = stride > 0 ? 0 : -1;
        long highest = stride > 0 ? count : count - 1;
        long Bound(long? bound, long otherwise) =>
            bound is { } value ? Math.Clamp(value < 0 ? value + count : value, lowest, highest) : otherwise;
        long first = Bound(start, stride > 0 ? lowest : highest);
        long end = Bound(stop, stride > 0 ? highest : lowest);
        var result = new List<object?>();
        for (long i = first; stride > 0 ? i < end : i > end; i += stride)
        {
            result.Add(items[(int)i]);
        }

        return target is string ? string.Concat(result) : result;
    }

    private static bool Holds(string text, string part, int line)
    {
        JinjaWork.SpendSearch(text, line);
        return text.Contains(part, StringComparison.Ordinal);
    }

    private static long FloorDivide(long a, long b)
    {
        if (b == -1)
        {
            // The lowest integer has no positive counterpart: it stays as it is.
            return unchecked(-a);
        }

        long quotient = a / b;
        return (a % b != 0) && ((a < 0) != (b < 0)) ? quotient - 1 : quotient;
    }
}
