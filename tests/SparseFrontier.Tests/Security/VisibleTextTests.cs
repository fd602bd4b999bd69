using SparseFrontier.Reporting;
using SparseFrontier.Reporting.Terminal;
using Xunit;

namespace SparseFrontier.Tests.Security;

/// <summary>What files and models say is shown by a terminal and not obeyed.</summary>
public class VisibleTextTests
{
    /// <summary>Clears the screen, sets the title, turns the direction of writing, goes to the start of the line.</summary>
    private const string Hostile = "a\u001b[2J\u001b]0;owned\u0007\u009b31m\u202eb\rc\u2028d\u0000e\ud800f";

    [Fact]
    public void What_a_terminal_obeys_is_shown()
    {
        Assert.Equal(@"a\u001B[2J\u001B]0;owned\u0007\u009B31m\u202Eb\u000Dc\u2028d\u0000e\uD800f", VisibleText.Line(Hostile));
        Assert.Equal(@"a\u000Ab\u0009c", VisibleText.Line("a\nb\tc"));
        Assert.Equal("a\nb\tc\r\nd", VisibleText.Message("a\nb\tc\r\nd"));
        Assert.Equal(@"a\u000Db", VisibleText.Message("a\rb"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Niah at 2048 tokens")]
    [InlineData("naïve 日本 \U0001F600 é")]
    public void Other_text_stays(string text)
    {
        Assert.Equal(text, VisibleText.Line(text));
        Assert.Equal(text, VisibleText.Message(text));
    }

    [Fact]
    public void Messages_of_errors_are_visible() =>
        Assert.DoesNotContain('\u001b', new SparseFrontierException(ErrorIds.FileNotFound, $"There is no file '{Hostile}'.", Hostile).Message);

    [Fact]
    public void Charts_draw_no_name_as_it_is()
    {
        SparsityPoint point = new() { Task = Hostile, Model = Hostile, Method = Hostile, DecodeMethod = "Dense", CostName = Hostile, ValueName = Hostile, Frontier = Hostile, Cost = 1, Value = 0.5, ModelCount = 2 };
        var sink = new Experiments.RecordingSink();
        new ShowParetoOperation { Points = [point], Terminal = new TerminalCapabilities() }.Execute(sink, CancellationToken.None);
        Assert.NotEmpty(sink.Objects);
        Assert.All(sink.Objects.Cast<string>(), line => Assert.DoesNotContain(line, c => char.IsControl(c) || c == '\u202e'));
        Assert.All(
            (string[])[CellText.Methods(Hostile, "Dense"), CellText.FrontierHeading(point), CellText.Point(point), CellText.FileHeading(Hostile), CellText.Text(Hostile), CellText.Flat(Hostile), CellText.RunHeading(Hostile, 1, Hostile)],
            text => Assert.DoesNotContain(text, c => char.IsControl(c) || c == '\u202e'));
    }
}
