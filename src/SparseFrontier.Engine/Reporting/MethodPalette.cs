namespace SparseFrontier.Reporting;

/// <summary>How a method looks in all figures, the same in each: what tells it from others without colour, and a colour that colour-blind people tell apart.</summary>
/// <param name="Name">Methods of the series, as <see cref="CellText.Methods"/> writes them.</param>
/// <param name="Letter">A capital letter, for terminals.</param>
/// <param name="Shape">Vega's name of the mark.</param>
/// <param name="Light">Colour on a light ground, as #rrggbb.</param>
/// <param name="Dark">Colour on a dark ground.</param>
/// <param name="TerminalColor">Colour of the 256 of a terminal.</param>
public sealed record MethodLook(string Name, char Letter, string Shape, string Light, string Dark, int TerminalColor);

/// <summary>
/// Gives methods their looks. Those of the registry have fixed ones; others take what is left, in the order of their names, so that the same methods look the
/// same in all figures of a report. The hues are Okabe and Ito's (2008), made darker or lighter until each stands out at 3 to 1 from its ground.
/// </summary>
public static class MethodPalette
{
    private static readonly MethodLook[] s_known =
    [
        new("Dense", 'D', "square", "#3f4650", "#d7dce2", 250),
        new("VerticalSlash", 'V', "triangle-up", "#0072b2", "#4ba3e3", 33),
        new("BlockSparse", 'B', "circle", "#007d5a", "#1fc08f", 36),
        new("FlexPrefill", 'F', "diamond", "#2a8fbd", "#8cd3f5", 117),
        new("SnapKV", 'S', "triangle-down", "#b87400", "#f0a92a", 214),
        new("AdaSnapKV", 'A', "cross", "#c24e00", "#ff7d33", 202),
        new("Quest", 'Q', "triangle-right", "#b3478a", "#e58fc0", 175),
    ];

    private static readonly (string Shape, string Light, string Dark, int TerminalColor)[] s_spare =
    [
        ("triangle-left", "#6e5fb5", "#aa9df0", 141),
        ("circle", "#8a7a00", "#e0d040", 185),
        ("diamond", "#a03a3a", "#f08a8a", 210),
        ("square", "#007a8a", "#39c5d6", 44),
        ("triangle-up", "#7a5230", "#c99a70", 180),
        ("triangle-down", "#4d6b1f", "#a5cc66", 149),
        ("cross", "#5b5bd6", "#9c9cff", 105),
        ("triangle-right", "#606060", "#b0b0b0", 246),
    ];

    /// <summary>The looks of the series of a report, in the order in which legends show them: known ones first, others by name.</summary>
    /// <param name="names">Methods, as <see cref="CellText.Methods"/> writes them; repeats are allowed.</param>
    public static IReadOnlyList<MethodLook> For(IEnumerable<string> names)
    {
        var asked = names.ToHashSet(StringComparer.Ordinal);
        List<MethodLook> looks = [.. s_known.Where(k => asked.Contains(k.Name))];
        var letters = s_known.Select(k => k.Letter).ToHashSet();
        int next = 0;
        foreach (string name in asked.Except(s_known.Select(k => k.Name)).Order(StringComparer.Ordinal))
        {
            (string shape, string light, string dark, int color) = s_spare[next++ % s_spare.Length];
            looks.Add(new MethodLook(name, Letter(name, letters), shape, light, dark, color));
        }

        return looks;
    }

    // The first letter of the name that is free, else any that is, else a plus that stands for several.
    private static char Letter(string name, HashSet<char> taken)
    {
        foreach (char letter in name.ToUpperInvariant().Where(char.IsAsciiLetterUpper).Concat(Enumerable.Range('A', 26).Select(i => (char)i)))
        {
            if (taken.Add(letter))
            {
                return letter;
            }
        }

        return '+';
    }
}
