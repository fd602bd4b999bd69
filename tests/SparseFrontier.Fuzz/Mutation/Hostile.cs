using System.Text;

namespace SparseFrontier.Fuzz.Mutation;

/// <summary>Values that readers have stumbled over.</summary>
internal static class Hostile
{
    /// <summary>Numbers at and beyond the limits of types.</summary>
    public static IReadOnlyList<byte[]> Numbers { get; } = Bytes(
        "0", "-0", "1", "-1", "2", "3", "7", "16", "127", "128", "255", "256", "1024", "4096", "32767", "32768", "65535", "65536", "1048576", "16777216", "16777217", "2147483647", "2147483648", "-2147483648",
        "-2147483649", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "99999999999999999999", "0.5", "0.25", "0.9999", "1.0000001", "-0.5", "1e-320", "1e-999", "1e30", "1e308", "1e309", "-1e309", "1e999999999", "1E+2", "3.0", "01", "+1", ".5", "1.", "NaN", "Infinity", "-Infinity",
        "0.1000000000000000055511151231257827021181583404541015625", new string('9', 400));

    /// <summary>JSON values of every type, and what is none.</summary>
    public static IReadOnlyList<byte[]> Values { get; } = Bytes(
        "null", "true", "false", "[]", "{}", "\"\"", "[null]", "[[]]", "{\"\":null}", "[1,2]", "[\"a\"]", "{\"a\":1}", "[{}]", "{\"type\":null}", "{\"type\":\"Sequence\"}",
        "\"a\"", "\"0\"", "\"-1\"", "\"true\"", "\"null\"", "\"NaN\"", "\"1e999\"", "\"2147483648\"", "\"9223372036854775808\"", "", ",", "nul", "undefined", "'a'",
        Nested('[', ']', 20), Nested('[', ']', 63), Nested('[', ']', 64), Nested('[', ']', 70), Nested('[', ']', 2000), NestedObjects(30), NestedObjects(65), NestedObjects(1500));

    /// <summary>Content of texts: names that are paths, markup, formulas, control characters, text that is no Unicode.</summary>
    public static IReadOnlyList<byte[]> Texts { get; } = Bytes(
        "", " ", "\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\uFFFE", "\\u202e", "\\u2028", "..", ".", "../../../../escaped", "..\\\\..\\\\escaped", "/escaped", "C:\\\\escaped", "\\\\\\\\host\\\\share", "a/b", "a:b", "nul", "con",
        "~", "*", "?", "[a-", "[", "$(id)", "`id`", "${x}", "%s%n", "\\u001b[31m", "\\u001b]0;title\\u0007", "\\u009b31m", "\\r\\n", "\\t", "=1+1", "+1", "-1", "@SUM(A1)", "|cmd", "<script>alert(1)</script>", "</script>", "\\u003c!--",
        "\\\"><img src=x onerror=alert(1)>", "&amp;", "'", "\\\"", "\\\\", "{{", "}}", "{%", "{{7*7}}", "None", "true", "0", "-1", "1e999", "NaN", "Dense", "Quest", "é", "e\\u0301", "İ", "ſ", "\\u0300\\u0300\\u0300",
        new string('a', 300), new string('=', 64));

    /// <summary>Names of files in archives and indexes.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "../escaped", "..\\escaped", "/escaped", "C:\\escaped", "runs/../../escaped", "runs/0123456789abcdef/../../escaped", "runs/0123456789abcdef/spec.json", "runs/0123456789abcdef/spec.json/",
        "runs/0123456789abcdef/samples-0001.jsonl", "RUNS/0123456789ABCDEF/SPEC.JSON", "manifest.json", "MANIFEST.JSON", "", "/", ".", "..", "runs/", "a\0b", "runs/0123456789abcdef/claim", "runs/0123456789abcdef/calibration.json", "con", new string('a', 300),
    ];

    private static byte[][] Bytes(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    private static string Nested(char open, char close, int depth) => new string(open, depth) + new string(close, depth);

    private static string NestedObjects(int depth) => string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
}
