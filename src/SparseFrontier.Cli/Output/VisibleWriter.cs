using System.Text;

namespace SparseFrontier.Cli.Output;

/// <summary>Writes lines of tables, which name what files and models say, so that a terminal shows them and does not obey them.</summary>
internal sealed class VisibleWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void WriteLine(string? value) => inner.WriteLine(VisibleText.Line(value));

    public override void WriteLine() => inner.WriteLine();

    public override void Write(string? value) => inner.Write(VisibleText.Line(value));

    public override void Write(char value) => inner.Write(VisibleText.Line(value.ToString()));

    public override void Flush() => inner.Flush();
}
