using SparseFrontier.Reporting;
using SparseFrontier.Reporting.Terminal;
using SparseFrontier.Tests.Experiments;
using Xunit;

namespace SparseFrontier.Tests.Reporting;

public class TerminalChartTests
{
    private static readonly TerminalCapabilities s_plain = new() { Width = 60 };
    private static readonly TerminalCapabilities s_ascii = new() { Width = 60, Unicode = false };

    private static SparsityPoint[] Frontier =>
    [
        Point("BlockSparse", 10e9, 0.25, true),
        Point("VerticalSlash", 20e9, 0.1, false),
        Point("BlockSparse", 20e9, 0.75, true),
        Point("Dense", 40e9, 1, true),
    ];

    [Fact]
    public void A_frontier_is_drawn_with_capitals_on_its_line_and_lower_case_beneath()
    {
        string[] expected =
        [
            "Niah at 2048 tokens, m: Score against PrefillFlops",
            "score (mean, 0 to 1)",
            "  1 ┤                                                   D──",
            "    │                                                   │",
            "    │                          B────────────────────────┘",
            "    │                          │",
            "0.5 ┤                          │",
            "    │                          │",
            "    │  B───────────────────────┘",
            "    │                          v",
            "  0 ┤",
            "    └──┬───────────────────────┬────────────────────────┬──",
            "     10 G                    20 G                     40 G",
        ];
        string[] lines = Draw(Frontier, s_plain, 9);
        Assert.Equal(expected[..11], lines[..11]);
        Assert.Contains("prefill operations of a request (FLOP)", lines[13], StringComparison.Ordinal);
        Assert.Equal("D Dense  V VerticalSlash  B BlockSparse", lines[14]);
        Assert.Contains("10 G", lines[12], StringComparison.Ordinal);
        Assert.Contains("20 G", lines[12], StringComparison.Ordinal);
    }

    [Fact]
    public void Plain_ascii_and_no_escape_sequences_without_colour()
    {
        Assert.All(Draw(Frontier, s_ascii, 9), line => Assert.All(line, c => Assert.InRange(c, ' ', '~')));
        Assert.All(Draw(Frontier, s_plain, 9), line => Assert.DoesNotContain('\u001b', line));
    }

    [Fact]
    public void Colour_changes_no_character_and_dims_what_is_dominated()
    {
        string[] colored = Draw(Frontier, s_plain with { Color = true }, 9);
        Assert.Equal(Draw(Frontier, s_plain, 9), colored.Select(Strip));
        Assert.Contains(colored, line => line.Contains("\u001b[2;38;5;33mv\u001b[0m", StringComparison.Ordinal));
        Assert.Contains(colored, line => line.Contains("\u001b[38;5;36mB\u001b[0m", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(61)]
    [InlineData(200)]
    public void No_line_is_wider_than_the_terminal(int width)
    {
        SparsityPoint[] many = [.. Enumerable.Range(0, 40).Select(i => Point($"A method of a user with a long name {i}", 1e3 * (i + 1), i / 40.0, true))];
        Assert.All(Draw(many, s_plain with { Width = width }, 12), line => Assert.True(line.Length <= width, line));
    }

    [Fact]
    public void Points_behind_others_are_counted()
    {
        string[] lines = Draw([Point("SnapKV", 5, 0.5, true), Point("Quest", 5, 0.5, false), Point("AdaSnapKV", 5, 0.5, false)], s_plain, 9);
        Assert.Contains("2 points lie behind others", string.Join(' ', lines), StringComparison.Ordinal);
        Assert.Single(lines, line => line.Contains("S──", StringComparison.Ordinal));
    }

    [Fact]
    public void Equal_or_negative_costs_are_drawn()
    {
        Assert.Contains(Draw([Point("Dense", 7, 0.5, true)], s_plain, 9), line => line.Contains("D──", StringComparison.Ordinal));
        Assert.NotEmpty(Draw([Point("Dense", -7, 0.5, true), Point("Quest", 0, 0.6, true)], s_plain, 9));
    }

    [Fact]
    public void Each_frontier_has_its_chart_and_a_height_is_checked()
    {
        var sink = new RecordingSink();
        new ShowParetoOperation { Points = [.. Frontier, .. Frontier.Select(p => p with { Frontier = "another" })], Terminal = s_plain }.Execute(sink, CancellationToken.None);
        Assert.Equal(2, sink.Objects.Count(o => ((string)o).EndsWith(": Score against PrefillFlops", StringComparison.Ordinal)));
        Assert.Equal(1, sink.Objects.Count(o => ((string)o).Length == 0));
        var flat = new ShowParetoOperation { Points = Frontier, Terminal = s_plain, Height = 1 };
        Assert.Equal(ErrorIds.ParameterInvalid, Assert.Throws<SparseFrontierException>(() => flat.Execute(sink, CancellationToken.None)).ErrorId);
    }

    [Fact]
    public void Methods_have_letters_shapes_and_colours_of_their_own()
    {
        string[] names = ["Dense", "VerticalSlash", "BlockSparse", "FlexPrefill", "SnapKV", "AdaSnapKV", "Quest", "Random", "Diagonal", "OracleTopK", "WindowSink", "BlockSparse + Quest"];
        IReadOnlyList<MethodLook> looks = MethodPalette.For(names);
        Assert.Equal(names.Length, looks.Select(l => l.Letter).Distinct().Count());
        Assert.Equal(names.Length, looks.Select(l => l.Light).Distinct().Count());
        Assert.Equal(names.Length, looks.Select(l => l.Dark).Distinct().Count());
        Assert.Equal(names.Length, looks.Select(l => (l.Shape, l.Light)).Distinct().Count());
        Assert.Equal(MethodPalette.For(names.Reverse()), looks);
        Assert.All(looks, l => Assert.True(Contrast(l.Light, "#ffffff") >= 3 && Contrast(l.Dark, "#14181d") >= 3, $"{l.Name}: {Contrast(l.Light, "#ffffff"):F2} on light, {Contrast(l.Dark, "#14181d"):F2} on dark"));
    }

    [Fact]
    public void A_causal_mask_shows_its_triangle()
    {
        var map = new TerminalHeatMap
        {
            Title = "Layer 0, head 1",
            Rows = 8,
            Columns = 8,
            Height = 8,
            Value = (q, k) => k > q ? null : k == 0 || q - k < 2 ? 1 : 0,
            RowLabel = "query token",
            ColumnLabel = "key token",
            ValueLabel = "share of pairs attended",
            Maximum = 1,
        };
        Assert.Equal(
            [
                "Layer 0, head 1", "query token (down), key token (across)", "0 █", "  ██", "  ███", "  █·██", "4 █··██", "  █···██", "  █····██", "7 █·····██", "  0      7",
                "share of pairs attended: · 0  ░ 0.25  ▒ 0.5  ▓ 0.75  █ 1",
            ],
            map.Render(s_plain));
        Assert.Equal("7 @.....@@", map.Render(s_ascii)[9]);
    }

    [Fact]
    public void A_map_larger_than_the_terminal_shows_means_of_its_parts()
    {
        var map = new TerminalHeatMap { Rows = 400, Columns = 1000, Height = 4, Value = (row, column) => row < 100 ? (column % 2) : null, Maximum = 1 };
        IReadOnlyList<string> lines = map.Render(new TerminalCapabilities { Width = 55 });
        Assert.Equal($"  0 {new string('▒', 50)}", lines[0]);
        Assert.Equal("", lines[1].Trim());
        Assert.All(lines, line => Assert.True(line.Length <= 55));
    }

    private static SparsityPoint Point(string method, double cost, double value, bool optimal) => new()
    {
        Task = "Niah",
        Model = "m",
        SequenceLength = 2048,
        Method = method,
        DecodeMethod = "Dense",
        CostName = "PrefillFlops",
        Cost = cost,
        ValueName = "Score",
        Value = value,
        IsOptimal = optimal,
    };

    private static string[] Draw(IReadOnlyList<SparsityPoint> points, TerminalCapabilities terminal, int height)
    {
        var sink = new RecordingSink();
        new ShowParetoOperation { Points = points, Terminal = terminal, Height = height }.Execute(sink, CancellationToken.None);
        return [.. sink.Objects.Cast<string>()];
    }

    private static string Strip(string line) => System.Text.RegularExpressions.Regex.Replace(line, "\u001b\\[[0-9;]*m", "");

    // Contrast ratio of WCAG 2.
    private static double Contrast(string one, string other)
    {
        double[] luminances = [Luminance(one), Luminance(other)];
        return (luminances.Max() + 0.05) / (luminances.Min() + 0.05);
    }

    private static double Luminance(string color)
    {
        double[] linear = [.. Enumerable.Range(0, 3).Select(i => Convert.ToInt32(color.Substring(1 + (2 * i), 2), 16) / 255.0).Select(c => c <= 0.03928 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4))];
        return (0.2126 * linear[0]) + (0.7152 * linear[1]) + (0.0722 * linear[2]);
    }
}
